import CRinglet
import Glibc
@_spi(C) import Ringlet

// Options and schedulers. What each function does is written in ringlet.h.

final class OptionsObject {
    var options = SchedulerOptions()
}

@safe
final class TaskOptionsObject {
    var name: String?
    var cleanup: CFiber.Cleanup?
    var worker: Int?
    var group: CGroup?
}

extension CFailure {
    var status: Int32 {
        switch self {
        case .errno(let status): status
        case .environment: Int32(RINGLET_E_ENVIRONMENT)
        case .kernelTooOld: Int32(RINGLET_E_KERNEL)
        case .forked: Int32(RINGLET_E_FORK)
        case .other: Int32(RINGLET_E_INTERNAL)
        }
    }
}

@c @implementation
public func ringlet_now() -> Int64 {
    Int64(clamping: Deadline.now.nanoseconds)
}

// MARK: - Options of a scheduler

@c @implementation
public func ringlet_options_create(_ options: UnsafeMutablePointer<OpaquePointer?>!) -> Int32 {
    guard let options = unsafe options else { return -EINVAL }
    unsafe options.pointee = retained(OptionsObject())
    return 0
}

@c @implementation
public func ringlet_options_set_workers(_ options: OpaquePointer!, _ count: UInt32) -> Int32 {
    guard let options = unsafe options, (1...1024).contains(count) else { return -EINVAL }
    unsafe object(options, as: OptionsObject.self).options.workers = Int(count)
    return 0
}

@c @implementation
public func ringlet_options_set_stack_size(_ options: OpaquePointer!, _ size: Int) -> Int32 {
    guard let options = unsafe options, (16 * 1024...1 << 30).contains(size) else { return -EINVAL }
    unsafe object(options, as: OptionsObject.self).options.fiberStackSize = size
    return 0
}

@c @implementation
public func ringlet_options_destroy(_ options: OpaquePointer!) {
    if let options = unsafe options { _ = unsafe taken(options, as: OptionsObject.self) }
}

// MARK: - Schedulers

@c @implementation
public func ringlet_scheduler_create(
    _ options: OpaquePointer!, _ scheduler: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    guard let scheduler = unsafe scheduler else { return -EINVAL }
    let chosen = unsafe options.map { unsafe object($0, as: OptionsObject.self).options }
    do {
        unsafe scheduler.pointee = retained(try CScheduler(chosen ?? SchedulerOptions()))
        return 0
    } catch {
        return error.status
    }
}

@c @implementation
public func ringlet_scheduler_shutdown(_ scheduler: OpaquePointer!, _ deadline: Int64) -> Int32 {
    guard let scheduler = unsafe scheduler else { return -EINVAL }
    return unsafe object(scheduler, as: CScheduler.self).shutdown(deadline: Deadline(c: deadline))
}

@c @implementation
public func ringlet_scheduler_destroy(_ scheduler: OpaquePointer!) -> Int32 {
    guard let scheduler = unsafe scheduler else { return 0 }
    let status = unsafe object(scheduler, as: CScheduler.self).close()
    if status == 0 { _ = unsafe taken(scheduler, as: CScheduler.self) }
    return status
}

// MARK: - Options of a task

@c @implementation
public func ringlet_task_options_create(_ options: UnsafeMutablePointer<OpaquePointer?>!) -> Int32 {
    guard let options = unsafe options else { return -EINVAL }
    unsafe options.pointee = retained(TaskOptionsObject())
    return 0
}

@c @implementation
public func ringlet_task_options_set_name(
    _ options: OpaquePointer!, _ name: UnsafePointer<CChar>!
) -> Int32 {
    guard let options = unsafe options else { return -EINVAL }
    let text = unsafe name.map { unsafe String(cString: $0) }
    unsafe object(options, as: TaskOptionsObject.self).name = text
    return 0
}

@c @implementation
public func ringlet_task_options_set_cleanup(
    _ options: OpaquePointer!, _ cleanup: (@convention(c) (UnsafeMutableRawPointer?) -> Void)!
) -> Int32 {
    guard let options = unsafe options else { return -EINVAL }
    unsafe object(options, as: TaskOptionsObject.self).cleanup = cleanup
    return 0
}

@c @implementation
public func ringlet_task_options_set_worker(_ options: OpaquePointer!, _ worker: UInt32) -> Int32 {
    guard let options = unsafe options else { return -EINVAL }
    unsafe object(options, as: TaskOptionsObject.self).worker = Int(worker)
    return 0
}

@c @implementation
public func ringlet_task_options_destroy(_ options: OpaquePointer!) {
    if let options = unsafe options { _ = unsafe taken(options, as: TaskOptionsObject.self) }
}
