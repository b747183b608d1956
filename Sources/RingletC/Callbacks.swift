public import CRinglet
import Glibc
@_spi(C) import Ringlet

// Calls that a scheduler makes. What each function does is written in ringlet.h.

@c @implementation
public func ringlet_scheduler_post(
    _ scheduler: OpaquePointer!, _ function: ringlet_callback!,
    _ user_data: UnsafeMutableRawPointer!,
    _ cleanup: (@convention(c) (UnsafeMutableRawPointer?) -> Void)!
) -> Int32 {
    guard let scheduler = unsafe scheduler, let function = unsafe function else { return -EINVAL }
    return unsafe start(
        object(scheduler, as: CScheduler.self).makeCall(
            at: nil, function, user_data, cleanup: cleanup),
        nil)
}

@c @implementation
public func ringlet_scheduler_post_at(
    _ scheduler: OpaquePointer!, _ deadline: Int64, _ function: ringlet_callback!,
    _ user_data: UnsafeMutableRawPointer!,
    _ cleanup: (@convention(c) (UnsafeMutableRawPointer?) -> Void)!,
    _ call: UnsafeMutablePointer<UInt64>!
) -> Int32 {
    guard let scheduler = unsafe scheduler, let function = unsafe function else { return -EINVAL }
    return unsafe start(
        object(scheduler, as: CScheduler.self).makeCall(
            at: Deadline(c: deadline), function, user_data, cleanup: cleanup),
        call)
}

/// Gives the call its id, tells the caller, and only then asks for it.
private func start(
    _ made: Result<CCall, CFailure>, _ id: UnsafeMutablePointer<UInt64>?
) -> Int32 {
    switch made {
    case .success(let call):
        if let id = unsafe id { unsafe id.pointee = TaskTable.add(call) }
        call.start()
        return 0
    case .failure(let failure):
        return failure.status
    }
}
