public import CRinglet
import Glibc
@_spi(C) import Ringlet

// Completion queues. What each function does is written in ringlet.h.

@c @implementation
public func ringlet_queue_create(_ queue: UnsafeMutablePointer<OpaquePointer?>!) -> Int32 {
    guard let queue = unsafe queue else { return -EINVAL }
    do {
        unsafe queue.pointee = retained(try CQueue())
        return 0
    } catch {
        return error.status
    }
}

@c @implementation
public func ringlet_queue_descriptor(_ queue: OpaquePointer!) -> Int32 {
    guard let queue = unsafe queue else { return -EINVAL }
    return unsafe object(queue, as: CQueue.self).descriptor
}

@c @implementation
public func ringlet_task_notify(
    _ task: UInt64, _ queue: OpaquePointer!, _ user_data: UInt64
) -> Int32 {
    guard let queue = unsafe queue else { return -EINVAL }
    guard let named = TaskTable.find(task) else { return noSuchTask }
    unsafe object(queue, as: CQueue.self).add(named, id: task, userData: user_data)
    return 0
}

@c @implementation
public func ringlet_queue_poll(
    _ queue: OpaquePointer!, _ completions: UnsafeMutablePointer<ringlet_completion>!,
    _ capacity: UInt32
) -> Int32 {
    guard let queue = unsafe queue, let completions = unsafe completions else { return -EINVAL }
    if CCurrent.isForked { return CCurrent.forked }
    return unsafe take(from: object(queue), into: completions, capacity)
}

@c @implementation
public func ringlet_queue_wait(
    _ queue: OpaquePointer!, _ completions: UnsafeMutablePointer<ringlet_completion>!,
    _ capacity: UInt32, _ deadline: Int64
) -> Int32 {
    guard let queue = unsafe queue, let completions = unsafe completions, capacity > 0 else {
        return -EINVAL
    }
    if CCurrent.isForked { return CCurrent.forked }
    let records = unsafe object(queue, as: CQueue.self)
    while true {
        let count = unsafe take(from: records, into: completions, capacity)
        if count > 0 { return count }
        // Another thread may be quicker to take what this one was woken for.
        let status = records.wait(deadline: Deadline(c: deadline))
        if status < 0 { return status }
    }
}

private func take(
    from queue: CQueue, into completions: UnsafeMutablePointer<ringlet_completion>,
    _ capacity: UInt32
) -> Int32 {
    queue.take(Int(clamping: min(capacity, UInt32(Int32.max)))) { position, record in
        unsafe completions[position] = ringlet_completion(
            user_data: record.userData, task: record.task, result: record.result, flags: 0)
    }
}

@c @implementation
public func ringlet_queue_destroy(_ queue: OpaquePointer!) {
    // In the child of a fork a thread of the parent may have left it locked.
    if let queue = unsafe queue, !CCurrent.isForked { unsafe taken(queue, as: CQueue.self).close() }
}
