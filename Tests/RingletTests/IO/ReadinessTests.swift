import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// A pair of descriptors that are no objects of Ringlet.
private struct Pair {
    let reader: FileDescriptor
    let writer: FileDescriptor

    /// A pipe(2), or two connected sockets.
    init(sockets: Bool = false) throws {
        var ends: [Int32] = [0, 0]
        let result =
            sockets
            ? unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) : unsafe pipe(&ends)
        if result != 0 { throw Errno(rawValue: errno) }
        reader = FileDescriptor(rawValue: ends[0])
        writer = FileDescriptor(rawValue: ends[1])
    }

    func send(_ count: Int = 1) throws {
        #expect(try writer.writeAll([UInt8](repeating: 1, count: count)) == count)
    }

    /// Takes what is there, up to `count`.
    @discardableResult
    func receive(_ count: Int = 1) throws -> Int {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        defer { unsafe buffer.deallocate() }
        return unsafe try reader.read(into: buffer)
    }

    /// Fills the writer's side, so that a write would wait.
    func fill() throws {
        let flags = fcntl(writer.rawValue, F_GETFL)
        _ = fcntl(writer.rawValue, F_SETFL, flags | O_NONBLOCK)
        defer { _ = fcntl(writer.rawValue, F_SETFL, flags) }
        while true {
            do { _ = try writer.writeAll([UInt8](repeating: 0, count: 4096)) } catch { return }
        }
    }

    func close() {
        try? reader.close()
        try? writer.close()
    }
}

/// Descriptors that are not Ringlet's: calls when one is ready, and waits for it.
@Suite(.timeLimit(.patient)) struct ReadinessTests {
    /// Something else becomes readable and is told of: what the kernel had to say before has been heard.
    private static func comeRound(_ scheduler: Scheduler) async throws {
        let other = try Pair()
        defer { other.close() }
        try other.send()
        try await scheduler.spawn { try Scheduler.waitReadable(other.reader, deadline: .after(patience)) }.join()
    }

    // MARK: Watchers

    @Test func `a watcher calls as long as there is something to read, and not before`() async throws {
        let pair = try Pair()
        defer { pair.close() }
        try await withScheduler { scheduler in
            let received = Counter()
            let watcher = try scheduler.onReadable(pair.reader) {
                try pair.receive()
                received.add()
            }
            try await scheduler.spawn { for _ in 0..<10 { try Fiber.yield() } }.join()
            #expect(received.value == 0)
            // One byte a call: it is called again for each.
            try pair.send(5)
            try await awaitUntil("five calls") { received.value == 5 }
            try pair.send(2)
            try await awaitUntil("two more") { received.value == 7 }
            #expect(watcher.isActive)
            #expect(watcher.cancel())
            #expect(!watcher.cancel())
            #expect(!watcher.isActive)
            try pair.send()
            try await Self.comeRound(scheduler)
            #expect(received.value == 7)
        }
    }

    @Test func `both directions of one descriptor are watched apart`() async throws {
        let pair = try Pair(sockets: true)
        defer { pair.close() }
        try await withScheduler { scheduler in
            let reads = Counter()
            let writes = Counter()
            try scheduler.onWritable(pair.writer) { writes.add() }
            try await awaitUntil("calls for writing") { writes.value > 3 }
            try scheduler.onReadable(pair.writer) { reads.add() }
            #expect(reads.value == 0)
            _ = try pair.reader.writeAll([1])
            try await awaitUntil("calls for reading") { reads.value > 3 }
            #expect(scheduler.stopWatching(pair.writer, for: .writable))
            #expect(!scheduler.stopWatching(pair.writer, for: .writable))
            #expect(scheduler.stopWatching(pair.writer, for: .readable))
        }
    }

    @Test func `a second watch takes the place of the first`() async throws {
        let pair = try Pair()
        defer { pair.close() }
        try await withScheduler { scheduler in
            let calls = Journal<Int>()
            let first = try scheduler.onReadable(pair.reader) { calls.note(1) }
            let second = try scheduler.onReadable(pair.reader) {
                calls.note(2)
                try pair.receive()
            }
            #expect(!first.isActive && second.isActive)
            try pair.send()
            try await awaitUntil("the call") { calls.count > 0 }
            #expect(calls.all == [2])
            #expect(scheduler.stopWatching(pair.reader, for: .readable))
            #expect(!second.isActive)
            #expect(!scheduler.stopWatching(pair.reader, for: .readable))
        }
    }

    @Test func `a watcher may cancel itself, and what it held is released`() async throws {
        final class Thing: Sendable {}
        let pair = try Pair()
        defer { pair.close() }
        try await withScheduler { scheduler in
            weak var thing: Thing?
            let calls = Counter()
            do {
                let object = Thing()
                thing = object
                try scheduler.onReadable(pair.reader) { [object] in
                    _ = object
                    calls.add()
                    scheduler.stopWatching(pair.reader, for: .readable)
                }
            }
            #expect(thing != nil)
            try pair.send()
            try await awaitUntil("the end") { calls.value > 0 && thing == nil }
            try await Self.comeRound(scheduler)
            #expect(calls.value == 1)
        }
    }

    @Test func `a watcher that fails is reported and goes on`() async throws {
        let pair = try Pair()
        defer { pair.close() }
        try await withScheduler { scheduler in
            let reports = Journal<UnseenError>()
            scheduler.setUnseenErrorHandler { reports.note($0) }
            let watcher = try scheduler.onReadable(pair.reader) {
                try pair.receive()
                throw Failure(number: reports.count)
            }
            for number in 0..<3 {
                try pair.send()
                try await awaitUntil("report \(number)") { reports.count == number + 1 }
            }
            #expect(reports.all.map { $0.error as? Failure } == (0..<3).map { Failure(number: $0) })
            #expect(reports.all.allSatisfy { $0.origin == .watcher })
            #expect(reports.all[0].source.contains("descriptor \(pair.reader.rawValue) made at RingletTests/"))
            #expect(watcher.isActive)
        }
    }

    @Test func `a closed number that is another file's is never called for`() async throws {
        // Numbers are reused: the process must be the test's own.
        await #expect(processExitsWith: .success) {
            // What a sleep opens for good is open then, and takes no number later.
            _ = try await settledDescriptors()
            try await withScheduler { scheduler in
                let reports = Journal<UnseenError>()
                scheduler.setUnseenErrorHandler { reports.note($0) }
                let old = try Pair()
                let calls = Counter()
                let watcher = try scheduler.onReadable(old.reader) {
                    calls.add()
                    // Now the number is the stranger's, and the watch is about to be renewed.
                    try old.reader.close()
                    let stranger = try Pair()
                    #expect(stranger.reader == old.reader)
                    try stranger.send()
                }
                try old.send()
                try await awaitUntil("the end of the watch") { !watcher.isActive }
                #expect(calls.value == 1)
                try await awaitUntil("the report") { reports.count == 1 }
                #expect(reports.all[0].error as? Errno == .badFileDescriptor)
                // The number can be watched anew.
                let again = Counter()
                try scheduler.onReadable(old.reader) { again.add() }
                try await awaitUntil("calls for the new file") { again.value > 0 }
            }
        }
    }

    @Test func `a watch that was forgotten on a closed number gives way to a new one`() async throws {
        await #expect(processExitsWith: .success) {
            try await withScheduler { scheduler in
                let calls = Journal<Int>()
                let old = try Pair()
                let forgotten = try scheduler.onReadable(old.reader) { calls.note(1) }
                try await Self.comeRound(scheduler)
                try old.reader.close()
                let new = try Pair()
                #expect(new.reader == old.reader)
                try scheduler.onReadable(new.reader) {
                    calls.note(2)
                    try new.receive()
                }
                #expect(!forgotten.isActive)
                try new.send()
                try await awaitUntil("the call") { calls.count > 0 }
                #expect(calls.all == [2])
            }
        }
    }

    @Test func `what cannot be watched is refused`() async throws {
        try await withScheduler { scheduler in
            let file = try FileDescriptor.open(FilePath("/proc/self/exe"), .readOnly)
            defer { try? file.close() }
            #expect(throws: Errno.notPermitted) { try scheduler.onReadable(file) {} }
            #expect(throws: Errno.badFileDescriptor) { try scheduler.onReadable(FileDescriptor(rawValue: -1)) {} }
            #expect(throws: Errno.badFileDescriptor) { try scheduler.onWritable(FileDescriptor(rawValue: 1 << 20)) {} }
            await #expect(throws: Errno.notPermitted) { try await Scheduler.waitReadable(file) }
            try await scheduler.spawn {
                #expect(throws: Errno.notPermitted) { try Scheduler.waitWritable(file) }
                #expect(throws: Errno.badFileDescriptor) { try Scheduler.waitReadable(FileDescriptor(rawValue: -1)) }
                #expect(throws: Errno.invalidArgument) { try Scheduler.wait(for: [], on: file) }
            }.join()
            // Ringlet's own.
            let listener = try TCPListener(on: .loopback(port: 0))
            let owned = listener.descriptor.raw
            #expect(throws: SchedulerError.ownedDescriptor(owned)) {
                try scheduler.onReadable(FileDescriptor(rawValue: owned)) {}
            }
            await #expect(throws: SchedulerError.ownedDescriptor(owned)) {
                try await Scheduler.waitReadable(FileDescriptor(rawValue: owned))
            }
            try await listener.close()
        }
    }

    @Test func `a descriptor that Ringlet has closed is anybody's`() async throws {
        await #expect(processExitsWith: .success) {
            try await Scheduler.run {
                @Sendable func owned() -> [Int32] {
                    (0..<64).map(Int32.init).filter { OwnedDescriptors.contains($0) }
                }
                let before = owned()
                try Fiber {
                    let pair = try connectedPair()
                    #expect(owned().count == before.count + 2)
                    // One is closed, the other one dropped.
                    try pair.client.close()
                }.join()
                #expect(owned() == before)
            }
        }
    }

    @Test func `the shutdown ends watchers, and idleness waits for those that hold`() async throws {
        let pair = try Pair()
        defer { pair.close() }
        let watcher = Shared<Watcher?>(nil)
        try await withScheduler(workers: 2) { scheduler in
            watcher.value = try scheduler.onReadable(pair.reader, holdsScheduler: false) {}
            try await scheduler.waitUntilIdle(deadline: .after(patience))
            let holding = try scheduler.onReadable(pair.reader) {}
            await #expect(throws: TimeoutError.self) {
                try await scheduler.waitUntilIdle(deadline: .after(.milliseconds(5)))
            }
            holding.cancel()
            try await scheduler.waitUntilIdle(deadline: .after(patience))
            watcher.value = try scheduler.onReadable(pair.reader) {}
        }
        #expect(watcher.value?.isActive == false)
    }

    // MARK: Waits

    @Test func `a fiber waits until there is something to read`() async throws {
        let pair = try Pair()
        // Once only: by the second time the number could be another test's.
        defer { try? pair.reader.close() }
        try await Scheduler.run {
            let reader = Fiber { () -> Int in
                try Scheduler.waitReadable(pair.reader, deadline: .after(patience))
                return try pair.receive(10)
            }
            for _ in 0..<10 { try Fiber.yield() }
            #expect(!reader.isFinished)
            try pair.send(3)
            #expect(try reader.join() == 3)
            let deadline = Deadline.after(.milliseconds(2))
            #expect(throws: TimeoutError(deadline: deadline)) {
                try Scheduler.waitReadable(pair.reader, deadline: deadline)
            }
            let cancelled = Fiber { try Scheduler.waitReadable(pair.reader) }
            try Fiber.yield()
            cancelled.cancel()
            #expect(throws: CancellationError.self) { try cancelled.join() }
            // An end is readable.
            try pair.writer.close()
            try Scheduler.waitReadable(pair.reader, deadline: .after(patience))
            #expect(try pair.receive() == 0)
        }
    }

    @Test(arguments: [true, false])
    func `a task waits until there is something to read`(onWorker: Bool) async throws {
        let pair = try Pair()
        defer { pair.close() }
        try await withScheduler { scheduler in
            let executor: (any TaskExecutor)? = onWorker ? scheduler.taskExecutor : nil
            let reader = Task(executorPreference: executor) { () -> Int in
                try await Scheduler.waitReadable(pair.reader, deadline: .after(patience))
                return try pair.receive(10)
            }
            try await scheduler.spawn { try Fiber.sleep(for: .milliseconds(1)) }.join()
            try pair.send(3)
            #expect(try await reader.value == 3)
            let deadline = Deadline.after(.milliseconds(2))
            let late = Task(executorPreference: executor) {
                try await Scheduler.waitReadable(pair.reader, deadline: deadline)
            }
            await #expect(throws: TimeoutError(deadline: deadline)) { try await late.value }
            let cancelled = Task(executorPreference: executor) { try await Scheduler.waitReadable(pair.reader) }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
        }
    }

    @Test(arguments: [false, true])
    func `both colours wait until there is room, also when the peer has ended its half`(halfClosed: Bool) async throws {
        let pair = try Pair(sockets: true)
        defer { pair.close() }
        try pair.fill()
        if halfClosed { #expect(shutdown(pair.reader.rawValue, Int32(SHUT_WR)) == 0) }
        try await withScheduler { scheduler in
            let fiber = scheduler.spawn {
                try Scheduler.waitWritable(pair.writer, deadline: .after(patience))
                #expect(try Scheduler.wait(for: .writable, on: pair.writer) == .writable)
            }
            let task = Task { try await Scheduler.waitWritable(pair.writer, deadline: .after(patience)) }
            let calls = Counter()
            let watcher = try scheduler.onWritable(pair.writer) { calls.add() }
            try await scheduler.spawn { try Fiber.sleep(for: .milliseconds(20)) }.join()
            #expect(!fiber.isFinished && calls.value == 0)
            let deadline = Deadline.after(.milliseconds(12))
            await #expect(throws: TimeoutError(deadline: deadline)) {
                try await Scheduler.waitWritable(pair.writer, deadline: deadline)
            }
            try pair.receive(1 << 20)
            try await fiber.join()
            try await task.value
            try await awaitUntil("a call") { calls.value > 0 }
            watcher.cancel()
        }
    }

    @Test func `a wait tells for what the descriptor is ready`() async throws {
        let pair = try Pair(sockets: true)
        defer { pair.close() }
        try await Scheduler.run {
            #expect(try Scheduler.wait(for: [.readable, .writable], on: pair.reader) == .writable)
            try pair.send()
            #expect(try Scheduler.wait(for: [.readable, .writable], on: pair.reader) == [.readable, .writable])
            #expect(try Scheduler.wait(for: .readable, on: pair.reader) == .readable)
        }
    }
}
