internal import CSubjects
internal import Measure
internal import Ringlet

/// What fibers of one worker pay for meeting each other.
func measureSynchronization(_ plan: Plan) throws {
    let count = 200_000
    var table = Comparison("Channel and queue, one element between two fibers", plan)
    table.add("two fibers yield") { try yields(count) }
    table.add("Channel, rendezvous", goal: .atMost(100), allocations: 0) { try stream(count, capacity: 0) }
    table.add("Channel, to and fro", goal: .atMost(100), allocations: 0) { try toAndFro(count) }
    table.add("Channel, buffer of 128", goal: .atMost(20), allocations: 0) { try stream(count, capacity: 128) }
    table.add("Channel, nobody waits", goal: .atMost(20), allocations: 0) { try sendAndReceive(count) }
    table.add("C coroutines, channel, rendezvous") { try sample(count: UInt64(count), subject_c_stream_rendezvous) }
    table.add("C coroutines, channel, buffer of 128") { try sample(count: UInt64(count), subject_c_stream_buffered) }
    table.add("C coroutine, channel, nobody waits") { try sample(count: UInt64(count), subject_c_channel) }
    table.add("Channel, select over 2") { try selectOverTwo(count) }
    table.add("Queue, buffer of 128", allocations: 0) { try queueStream(count) }
    table.add("Queue, nobody waits", allocations: 0) { try putAndGet(count, Queue()) }
    table.add("Queue, last in, nobody waits", allocations: 0) { try putAndGet(count, Queue(.lastInFirstOut)) }
    table.add("Queue, by priority among 100", allocations: 0) {
        try putAndGet(count, Queue(1...100, .priority))
    }
    try table.run()

    table = Comparison("Locks, permits and events", plan)
    table.add("two fibers yield") { try yields(count) }
    table.add("Lock, lock and unlock", goal: .atMost(15), allocations: 0) { try lockAlone(count * 10) }
    table.add("C coroutine, mutex, lock and unlock") { try sample(count: UInt64(count * 10), subject_c_mutex) }
    table.add("Lock, withLock", goal: .atMost(15), allocations: 0) { try lockRound(count * 10) }
    table.add("RecursiveLock, withLock", allocations: 0) { try recursiveLockRound(count * 10) }
    table.add("Lock, handed over", allocations: 0) { try lockHandedOver(count) }
    table.add("Semaphore, acquire and release", goal: .atMost(15), allocations: 0) {
        try permitAlone(count * 10)
    }
    table.add("Semaphore, handed over", allocations: 0) { try permitHandedOver(count) }
    table.add("Event, set and wait for it", allocations: 0) { try events(count) }
    try table.run()

    if plan.only == nil { try measurePeers(plan, count) }
}

/// The same of other libraries, each in a process of its own.
private func measurePeers(_ plan: Plan, _ count: Int) throws {
    let peers = try Program.peers("channels")
    for (title, kind, own) in [
        ("One element, to and fro", "to-and-fro", { try toAndFro(count) }),
        ("One element, a stream by rendezvous", "rendezvous", { try stream(count, capacity: 0) }),
        ("One element, a stream through a buffer of 128", "buffer", { try stream(count, capacity: 128) }),
        ("Lock and unlock, uncontended", "lock", { try lockAlone(count * 10) }),
    ] as [(String, String, () throws -> Sample)] {
        var table = Comparison("\(title), beside peers", plan)
        table.add("Ringlet", sample: own)
        for peer in peers {
            table.add(peer.name) { try Program.sample(peer.command + [kind]) }
        }
        try table.run()
    }
}

// MARK: - Fibers

/// Two fibers from their first step to their end, as that of `count` operations.
private func race(
    _ count: Int, _ one: @escaping @Sendable () throws -> Void, _ other: @escaping @Sendable () throws -> Void
) throws -> Sample {
    try Scheduler.run {
        let first = Fiber { try one() }
        let second = Fiber { try other() }
        let watch = Stopwatch()
        try first.join()
        try second.join()
        return watch.sample(operations: count)
    }
}

private func yields(_ count: Int) throws -> Sample {
    let body: @Sendable () throws -> Void = { for _ in 0..<count { try Fiber.yield() } }
    return try race(2 * count, body, body)
}

private func stream(_ count: Int, capacity: Int) throws -> Sample {
    let channel = Channel<Int>(capacity: capacity)
    return try race(count) {
        for number in 0..<count { try channel.send(number) }
    } _: {
        for number in 0..<count { try check(channel.receive(), number) }
    }
}

private func toAndFro(_ count: Int) throws -> Sample {
    let there = Channel<Int>()
    let back = Channel<Int>()
    return try race(2 * count) {
        for number in 0..<count {
            try there.send(number)
            try check(back.receive(), number)
        }
    } _: {
        for _ in 0..<count { try back.send(there.receive()) }
    }
}

private func sendAndReceive(_ count: Int) throws -> Sample {
    let channel = Channel<Int>(capacity: 8)
    return try race(count) {
        for number in 0..<count {
            try channel.send(number)
            try check(channel.receive(), number)
        }
    } _: {
    }
}

private func selectOverTwo(_ count: Int) throws -> Sample {
    let numbers = Channel<Int>()
    let others = Channel<Int>()
    return try race(count) {
        for number in 0..<count { try numbers.send(number) }
    } _: {
        for number in 0..<count {
            let got = try select(.receive(from: others) { $0 }, .receive(from: numbers) { $0 })
            check(got ?? -1, number)
        }
    }
}

private func queueStream(_ count: Int) throws -> Sample {
    let queue = Queue<Int>(capacity: 128)
    return try race(count) {
        for number in 0..<count { try queue.put(number) }
    } _: {
        for number in 0..<count { try check(queue.get(), number) }
    }
}

private func putAndGet(_ count: Int, _ queue: Queue<Int>) throws -> Sample {
    try race(count) {
        for number in 0..<count {
            try queue.put(number & 127)
            _ = try queue.get()
        }
    } _: {
    }
}

private func lockAlone(_ count: Int) throws -> Sample {
    let lock = Lock()
    return try race(count) {
        for _ in 0..<count {
            try lock.lock()
            try lock.unlock()
        }
    } _: {
    }
}

private func lockRound(_ count: Int) throws -> Sample {
    let lock = Lock()
    return try race(count) {
        for _ in 0..<count { try lock.withLock {} }
    } _: {
    }
}

private func recursiveLockRound(_ count: Int) throws -> Sample {
    let lock = RecursiveLock()
    return try race(count) {
        for _ in 0..<count { try lock.withLock {} }
    } _: {
    }
}

/// Each waits for the other in every round, since who holds the lock lets the other run.
private func lockHandedOver(_ count: Int) throws -> Sample {
    let lock = Lock()
    let body: @Sendable () throws -> Void = {
        for _ in 0..<count {
            try lock.lock()
            if lock.waiting == 0 { try Fiber.yield() }
            try lock.unlock()
        }
    }
    return try race(2 * count, body, body)
}

private func permitAlone(_ count: Int) throws -> Sample {
    let semaphore = Semaphore(1)
    return try race(count) {
        for _ in 0..<count {
            try semaphore.acquire()
            semaphore.release()
        }
    } _: {
    }
}

private func permitHandedOver(_ count: Int) throws -> Sample {
    let one = Semaphore(0)
    let other = Semaphore(0)
    return try race(2 * count) {
        for _ in 0..<count {
            other.release()
            try one.acquire()
        }
    } _: {
        for _ in 0..<count {
            try other.acquire()
            one.release()
        }
    }
}

private func events(_ count: Int) throws -> Sample {
    let one = Event()
    let other = Event()
    return try race(2 * count) {
        for _ in 0..<count {
            other.set()
            try one.wait()
            one.clear()
        }
    } _: {
        for _ in 0..<count {
            try other.wait()
            other.clear()
            one.set()
        }
    }
}

@inline(__always)
private func check(_ got: Int, _ expected: Int) {
    precondition(got == expected, "an element came out of order")
}
