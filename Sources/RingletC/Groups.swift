import CRinglet
import Glibc
@_spi(C) import Ringlet

// Groups. What each function does is written in ringlet.h.

@c @implementation
public func ringlet_group_create(_ group: UnsafeMutablePointer<OpaquePointer?>!) -> Int32 {
    unsafe make(group) { CGroup() }
}

@c @implementation
public func ringlet_task_options_set_group(
    _ options: OpaquePointer!, _ group: OpaquePointer!
) -> Int32 {
    guard let options = unsafe options else { return -EINVAL }
    let chosen = unsafe group.map { unsafe object($0, as: CGroup.self) }
    unsafe object(options, as: TaskOptionsObject.self).group = chosen
    return 0
}

@c @implementation
public func ringlet_group_wait(_ group: OpaquePointer!, _ deadline: Int64) -> Int32 {
    unsafe use(group, as: CGroup.self) { $0.wait(deadline: deadline) }
}

@c @implementation
public func ringlet_group_cancel(_ group: OpaquePointer!) -> Int32 {
    unsafe use(group, as: CGroup.self) { $0.cancel() }
}

@c @implementation
public func ringlet_group_destroy(_ group: OpaquePointer!) -> Int32 {
    unsafe destroy(group, as: CGroup.self) { !$0.isEmpty }
}
