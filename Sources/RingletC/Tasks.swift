public import CRinglet
import Glibc
@_spi(C) import Ringlet

// Tasks, and what a task may call. What each function does is written in ringlet.h.

@c @implementation
public func ringlet_scheduler_spawn(
    _ scheduler: OpaquePointer!, _ function: ringlet_function!,
    _ user_data: UnsafeMutableRawPointer!, _ options: OpaquePointer!,
    _ task: UnsafeMutablePointer<UInt64>!
) -> Int32 {
    guard let scheduler = unsafe scheduler, let function = unsafe function else { return -EINVAL }
    let chosen = unsafe options.map { unsafe object($0, as: TaskOptionsObject.self) }
    return unsafe start(
        object(scheduler, as: CScheduler.self).makeFiber(
            function, user_data, cleanup: chosen?.cleanup, name: chosen?.name,
            worker: chosen?.worker),
        in: chosen?.group, task)
}

@c @implementation
public func ringlet_spawn(
    _ function: ringlet_function!, _ user_data: UnsafeMutableRawPointer!, _ options: OpaquePointer!,
    _ task: UnsafeMutablePointer<UInt64>!
) -> Int32 {
    guard let function = unsafe function else { return -EINVAL }
    let chosen = unsafe options.map { unsafe object($0, as: TaskOptionsObject.self) }
    return unsafe start(
        CScheduler.makeFiberHere(
            function, user_data, cleanup: chosen?.cleanup, name: chosen?.name,
            worker: chosen?.worker),
        in: chosen?.group, task)
}

/// Gives the fiber its group and id, tells the caller, and only then lets it run.
private func start(
    _ made: consuming Result<CFiber, CFailure>, in group: CGroup?,
    _ task: UnsafeMutablePointer<UInt64>?
) -> Int32 {
    switch consume made {
    case .success(let fiber):
        group?.add(fiber)
        if let task = unsafe task {
            let id = TaskTable.add(fiber)
            fiber.handle = id
            unsafe task.pointee = id
        }
        CFiber.start(fiber)
        return 0
    case .failure(let failure):
        return failure.status
    }
}

@c @implementation
public func ringlet_task_join(
    _ task: UInt64, _ result: UnsafeMutablePointer<Int64>!, _ deadline: Int64
) -> Int32 {
    guard let task = TaskTable.find(task) else { return noSuchTask }
    var value: Int64 = 0
    let status = task.join(deadline: Deadline(c: deadline), result: &value)
    if status == 0, let result = unsafe result { unsafe result.pointee = value }
    return status
}

@c @implementation
public func ringlet_task_cancel(_ task: UInt64) -> Int32 {
    guard let task = TaskTable.find(task) else { return noSuchTask }
    task.cancel()
    return 0
}

@c @implementation
public func ringlet_task_release(_ task: UInt64) -> Int32 {
    guard let task = TaskTable.remove(task) else { return noSuchTask }
    task.wasReleased()
    return 0
}

@c @implementation
public func ringlet_task_current() -> UInt64 {
    CCurrent.handle
}

// MARK: - Promises

@c @implementation
public func ringlet_promise_create(_ promise: UnsafeMutablePointer<UInt64>!) -> Int32 {
    guard let promise = unsafe promise else { return -EINVAL }
    if CCurrent.isForked { return CCurrent.forked }
    unsafe promise.pointee = TaskTable.add(CPromise())
    return 0
}

@c @implementation
public func ringlet_promise_resolve(_ promise: UInt64, _ result: Int64) -> Int32 {
    guard let task = TaskTable.find(promise) else { return noSuchTask }
    guard let promise = task as? CPromise else { return -EINVAL }
    return promise.resolve(result) ? 0 : -EALREADY
}

// MARK: - Inside a coroutine

@c @implementation
public func ringlet_yield() -> Int32 {
    CCurrent.yield()
}

@c @implementation
public func ringlet_sleep_until(_ deadline: Int64) -> Int32 {
    CCurrent.sleep(until: Deadline(c: deadline))
}

@c @implementation
public func ringlet_is_cancelled() -> Int32 {
    CCurrent.isCancelled
}

// MARK: Parts of a task

@c @implementation
public func ringlet_with_deadline(
    _ deadline: Int64, _ function: ringlet_function!, _ user_data: UnsafeMutableRawPointer!,
    _ result: UnsafeMutablePointer<Int64>!
) -> Int32 {
    guard let function = unsafe function else { return -EINVAL }
    var value: Int64 = 0
    let status = unsafe CCurrent.withDeadline(
        Deadline(c: deadline), function, user_data, result: &value)
    if status == 0, let result = unsafe result { unsafe result.pointee = value }
    return status
}

@c @implementation
public func ringlet_with_shield(
    _ function: ringlet_function!, _ user_data: UnsafeMutableRawPointer!,
    _ result: UnsafeMutablePointer<Int64>!
) -> Int32 {
    guard let function = unsafe function else { return -EINVAL }
    var value: Int64 = 0
    let status = unsafe CCurrent.withShield(function, user_data, result: &value)
    if status == 0, let result = unsafe result { unsafe result.pointee = value }
    return status
}

// MARK: Input and output

@c @implementation
public func ringlet_read(
    _ descriptor: Int32, _ buffer: UnsafeMutableRawPointer!, _ size: Int, _ offset: Int64,
    _ deadline: Int64
) -> Int64 {
    if offset < -1 { return Int64(-EINVAL) }
    return Int64(
        CCurrent.read(
            descriptor, into: UInt(bitPattern: buffer), count: Int(size: size),
            at: offset < 0 ? nil : UInt64(offset), deadline: Deadline(c: deadline)))
}

@c @implementation
public func ringlet_write(
    _ descriptor: Int32, _ buffer: UnsafeRawPointer!, _ size: Int, _ offset: Int64,
    _ deadline: Int64
) -> Int64 {
    if offset < -1 { return Int64(-EINVAL) }
    return Int64(
        CCurrent.write(
            descriptor, from: UInt(bitPattern: buffer), count: Int(size: size),
            at: offset < 0 ? nil : UInt64(offset), deadline: Deadline(c: deadline)))
}

@c @implementation
public func ringlet_recv(
    _ descriptor: Int32, _ buffer: UnsafeMutableRawPointer!, _ size: Int, _ deadline: Int64
) -> Int64 {
    Int64(
        CCurrent.receive(
            descriptor, into: UInt(bitPattern: buffer), count: Int(size: size),
            deadline: Deadline(c: deadline)))
}

@c @implementation
public func ringlet_send(
    _ descriptor: Int32, _ buffer: UnsafeRawPointer!, _ size: Int, _ deadline: Int64
) -> Int64 {
    Int64(
        CCurrent.send(
            descriptor, from: UInt(bitPattern: buffer), count: Int(size: size),
            deadline: Deadline(c: deadline)))
}

@c @implementation
public func ringlet_accept(_ descriptor: Int32, _ deadline: Int64) -> Int32 {
    CCurrent.accept(descriptor, deadline: Deadline(c: deadline))
}

@c @implementation
public func ringlet_connect(
    _ descriptor: Int32, _ address: UnsafeRawPointer!, _ length: UInt32, _ deadline: Int64
) -> Int32 {
    guard let address = unsafe address else { return -EINVAL }
    return CCurrent.connect(
        descriptor, to: UInt(bitPattern: address), length: Int(length),
        deadline: Deadline(c: deadline))
}

@c @implementation
public func ringlet_close(_ descriptor: Int32) -> Int32 {
    CCurrent.close(descriptor)
}

extension Int {
    /// size_t, which Swift sees as signed; sizes that no memory has become the largest.
    fileprivate init(size: Int) {
        self = size < 0 ? .max : size
    }
}
