import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct BufferedWriterTests {
    private static func chunk(from start: Int, count: Int) -> Buffer {
        Buffer(copying: Stream.bytes(from: start, count: count))
    }

    /// Makes the sockets hold little.
    private static func narrow(_ pair: (client: TCPConnection, server: TCPConnection)) throws {
        for (connection, option, bytes) in [
            (pair.client, SO_SNDBUF, 4096), (pair.server, SO_RCVBUF, 64 * 1024),
        ] {
            var size = Int32(bytes)
            let result = unsafe setsockopt(
                connection.descriptor.raw, SOL_SOCKET, option, &size, socklen_t(4))
            if result != 0 { throw Errno(rawValue: errno) }
        }
    }

    private static func narrowPair() throws -> (client: TCPConnection, server: TCPConnection) {
        let pair = try connectedPair()
        try narrow(pair)
        return pair
    }

    private static func narrowPair() async throws -> (client: TCPConnection, server: TCPConnection)
    {
        let pair = try await connectedPair()
        try narrow(pair)
        return pair
    }

    /// Gives a writer from one owner to another.
    private final class Box: Sendable {
        private let content: Synchronization.Mutex<BufferedWriter?>
        init(_ writer: consuming BufferedWriter) { content = Synchronization.Mutex(writer) }
        func take() -> BufferedWriter { content.withLock { $0.take()! } }
    }

    // MARK: Order and every byte

    @Test(arguments: [1, 100, 16 * 1024])
    func `every byte arrives in order, whatever the sizes`(capacity: Int) async throws {
        try await withScheduler(workers: 2) { scheduler in
            for seed in 0..<10 {
                let pair = try await connectedPair()
                let reader = scheduler.spawn(onWorker: seed % 2) {
                    try readStream(pair.server, chunk: 100 + seed * 700) {
                        if seed % 3 == 0 { try Fiber.yield() }
                    }
                }
                let sizes = Self.sizes(seed: seed, capacity: capacity)
                if seed < 5 {
                    let writer = scheduler.spawn(onWorker: 0) {
                        var writer = BufferedWriter(pair.client, capacity: capacity)
                        var position = 0
                        for size in sizes {
                            try writer.write(Self.chunk(from: position, count: size))
                            position += size
                            if size % 7 == 0 { try writer.flush() }
                        }
                        try writer.close()
                    }
                    try await writer.join()
                } else {
                    try await Task(executorPreference: scheduler.taskExecutor(ofWorker: 0)) {
                        var writer = BufferedWriter(pair.client, capacity: capacity)
                        var position = 0
                        for size in sizes {
                            try await writer.write(Self.chunk(from: position, count: size))
                            position += size
                            if size % 7 == 0 { try await writer.flush() }
                        }
                        try await writer.close()
                    }.value
                }
                let received = try await reader.join(deadline: .after(patience))
                #expect(received == sizes.reduce(0, +))
            }
        }
    }

    private static func sizes(seed: Int, capacity: Int) -> [Int] {
        var random = Seeded(seed: UInt64(seed))
        return (0..<80).map { _ in
            switch Int.random(in: 0..<10, using: &random) {
            case 0: 0
            case 1: Int.random(in: capacity...3 * capacity, using: &random)
            default: Int.random(in: 0...max(1, capacity / 3), using: &random)
            }
        }
    }

    @Test func `tasks of other executors write, too`() async throws {
        let pair = try await connectedPair()
        let reader = Task { try await readStream(pair.server, chunk: 1000) }
        var writer = BufferedWriter(pair.client, capacity: 100)
        for number in 0..<300 {
            try await writer.write(Self.chunk(from: number * 50, count: 50))
        }
        try await writer.close()
        #expect(try await reader.value == 300 * 50)
    }

    // MARK: The worker sleeps, but not too long

    /// Reads `count` bytes and answers with one, on a scheduler of its own.
    private static func answerer(_ server: TCPConnection, after count: Int, on scheduler: Scheduler)
        -> Fiber<Void>
    {
        scheduler.spawn(onWorker: 1) {
            var buffer = Buffer(capacity: 1000)
            var received = 0
            while received < count { received += try server.read(into: &buffer) }
            try server.write(Buffer(copying: [1]))
        }
    }

    @Test(arguments: [1, 2, 5], [10, 60_000])
    func `everything is sent while the writer waits for the answer`(writes: Int, size: Int)
        async throws
    {
        try await withScheduler(workers: 2) { scheduler in
            let main = scheduler.spawn(onWorker: 0) {
                // 60,000 bytes are more than the sockets hold, so the first attempt cannot send them.
                let (client, server) = try Self.narrowPair()
                let answerer = Self.answerer(server, after: writes * size, on: scheduler)
                var writer = BufferedWriter(client, capacity: 300_000)
                for number in 0..<writes {
                    try writer.write(Self.chunk(from: number * size, count: size))
                }
                var buffer = Buffer(capacity: 10)
                try client.read(into: &buffer, deadline: .after(patience))
                try answerer.join()
            }
            try await main.join(deadline: .after(patience))
        }
    }

    @Test func `a flush returns although nothing else happens`() async throws {
        try await withScheduler { scheduler in
            let main = scheduler.spawn {
                let (client, server) = try connectedPair()
                var writer = BufferedWriter(client)
                for round in 0..<100 {
                    try writer.write(Self.chunk(from: round, count: 1))
                    if round % 2 == 0 { try Fiber.yield() }
                    try writer.flush(deadline: .after(patience))
                }
                return server
            }
            _ = try await main.join(deadline: .after(patience))
        }
    }

    @Test func `a flush on another thread wakes the worker that has sent`() async throws {
        try await withScheduler { scheduler in
            for _ in 0..<50 {
                let (box, server) = try await scheduler.spawn { () -> (Box, TCPConnection) in
                    let (client, server) = try connectedPair()
                    var writer = BufferedWriter(client)
                    try writer.write(Self.chunk(from: 0, count: 10))
                    return (Box(writer), server)
                }.join()
                var writer = box.take()
                try await writer.flush(deadline: .after(patience))
                _ = server
            }
        }
    }

    @Test(arguments: [10, 100_000])
    func `a writer that is dropped sends what it has, and the connection closes`(size: Int)
        async throws
    {
        try await withScheduler(workers: 2) { scheduler in
            for colour in 0..<2 {
                // Nobody but the writer has the client's end.
                let reader: Fiber<Int>
                if colour == 0 {
                    reader = try await scheduler.spawn(onWorker: 0) {
                        let (client, server) = try Self.narrowPair()
                        var writer = BufferedWriter(client, capacity: 200_000)
                        try writer.write(Stream.buffer(count: size))
                        return scheduler.spawn(onWorker: 1) { try readStream(server, chunk: 1000) }
                    }.join()
                } else {
                    reader = try await Task(executorPreference: scheduler.taskExecutor(ofWorker: 0))
                    {
                        let (client, server) = try await Self.narrowPair()
                        var writer = BufferedWriter(client, capacity: 200_000)
                        try await writer.write(Stream.buffer(count: size))
                        return scheduler.spawn(onWorker: 1) { try readStream(server, chunk: 1000) }
                    }.value
                }
                let received = try await reader.join(deadline: .after(patience))
                #expect(received == size)
            }
        }
    }

    // MARK: Waits that end early

    @Test func `a full buffer makes the next write wait, and it takes all or nothing`() async throws
    {
        try await withScheduler(workers: 2) { scheduler in
            let pair = try await scheduler.spawn { try Self.narrowPair() }.join()
            let fiber = scheduler.spawn(onWorker: 0) { () -> (Box, Int) in
                var writer = BufferedWriter(pair.client, capacity: 3000)
                var accepted = 0
                while accepted < 1 << 24 {
                    let deadline = Deadline.after(.milliseconds(50))
                    do {
                        try writer.write(
                            Self.chunk(from: accepted, count: 1000), deadline: deadline)
                    } catch let error as TimeoutError {
                        guard error.deadline == deadline else { throw error }
                        break
                    }
                    accepted += 1000
                }
                return (Box(writer), accepted)
            }
            let (box, timedOutAt) = try await fiber.join(deadline: .after(patience))
            #expect(timedOutAt < 1 << 24)
            let ended = scheduler.spawn(onWorker: 1) { () -> Int in
                var writer = box.take()
                var accepted = timedOutAt
                let waiter = AnyFiber.current
                Fiber {
                    try Fiber.sleep(for: .milliseconds(20))
                    waiter?.cancel()
                }
                // The kernel may have found some more room meanwhile.
                do {
                    while true {
                        try writer.write(Self.chunk(from: accepted, count: 1000))
                        accepted += 1000
                    }
                } catch is CancellationError {
                    return accepted
                }
            }
            let accepted = try await ended.join(deadline: .after(patience))
            // The writer is gone; what was accepted, and nothing else, still arrives.
            try await Self.reader(pair.server, from: 0, to: accepted, on: scheduler)
                .join(deadline: .after(patience))
            try await pair.client.close()
            var buffer = Buffer(capacity: 1)
            let rest = try await pair.server.read(into: &buffer, deadline: .after(patience))
            #expect(rest == 0)
        }
    }

    @Test func `a cancelled task's write ends, and what it accepted arrives`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            for round in 0..<30 {
                let pair = try await scheduler.spawn { try Self.narrowPair() }.join()
                let accepted = Counter()
                let executor = scheduler.taskExecutor(ofWorker: round % 2)
                let task = Task(executorPreference: executor) {
                    var writer = BufferedWriter(pair.client, capacity: 5000)
                    while true {
                        let start = accepted.value
                        try await writer.write(Self.chunk(from: start, count: 1 + start % 2000))
                        accepted.add(1 + start % 2000)
                    }
                }
                // Reads some, so that the cancel finds the writer at different moments.
                try await Self.reader(pair.server, from: 0, to: round * 1000, on: scheduler)
                    .join(deadline: .after(patience))
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
                try await Self.reader(
                    pair.server, from: round * 1000, to: accepted.value, on: scheduler
                ).join(deadline: .after(patience))
                try await pair.client.close()
                var buffer = Buffer(capacity: 1)
                let rest = try await pair.server.read(into: &buffer, deadline: .after(patience))
                #expect(rest == 0)
            }
        }
    }

    /// Reads and checks the bytes of the stream from one position to another.
    private static func reader(
        _ server: TCPConnection, from start: Int, to end: Int, on scheduler: Scheduler
    ) -> Fiber<Void> {
        scheduler.spawn(onWorker: 1) {
            var position = start
            while position < end {
                var buffer = Buffer(capacity: min(1000, end - position))
                let count = try server.read(into: &buffer)
                guard count > 0, Stream.matches(buffer, from: position) else {
                    throw Failure(number: position)
                }
                position += count
            }
        }
    }

    // MARK: Errors

    @Test func `an error comes with the next call, and stays`() async throws {
        try await withScheduler { scheduler in
            let main = scheduler.spawn {
                let (client, server) = try connectedPair()
                try server.resetOnClose()
                try server.close()
                var writer = BufferedWriter(client)
                let limit = Deadline.after(patience)
                var first: Errno?
                while first == nil, !limit.hasPassed {
                    do {
                        try writer.write(Buffer(copying: [1]))
                        try Fiber.yield()
                    } catch let error as Errno {
                        first = error
                    }
                }
                guard let first, [.brokenPipe, .connectionReset].contains(first) else {
                    throw Failure(number: 1)
                }
                for _ in 0..<2 {
                    guard errorThrown(by: { try writer.flush() }) as? Errno == first,
                        errorThrown(by: { try writer.write(Buffer(copying: [1])) }) as? Errno
                            == first
                    else { throw Failure(number: 2) }
                }
                do { try writer.close() } catch first {
                    // And the connection is closed nevertheless.
                    guard errorThrown(by: { try client.close() }) as? Errno == .badFileDescriptor
                    else { throw Failure(number: 3) }
                    return
                }
                throw Failure(number: 4)
            }
            try await main.join(deadline: .after(patience))
        }
    }

    @Test func `closing the connection ends a flush`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            for closer in 0..<2 {
                let pair = try await scheduler.spawn { try Self.narrowPair() }.join()
                let waits = Flag()
                let writer = scheduler.spawn(onWorker: 0) {
                    var writer = BufferedWriter(pair.client, capacity: 1 << 20)
                    try writer.write(Stream.buffer(count: 1 << 20))
                    waits.set()
                    try writer.flush()
                }
                try await awaitUntil("it waits") { waits.isSet }
                try await scheduler.spawn(onWorker: closer) { try pair.client.close() }
                    .join(deadline: .after(patience))
                await #expect(throws: Errno.badFileDescriptor) {
                    try await writer.join(deadline: .after(patience))
                }
                let left = try await scheduler.operationsInFlight()
                #expect(left == 0)
            }
        }
    }

    @Test func `a shutdown ends a send that nobody reads`() async throws {
        let scheduler = try Scheduler()
        let waits = Flag()
        let pair = try await scheduler.spawn { try Self.narrowPair() }.join()
        let task = Task(executorPreference: scheduler.taskExecutor) {
            var writer = BufferedWriter(pair.client, capacity: 1 << 20)
            try await writer.write(Stream.buffer(count: 1 << 20))
            waits.set()
            try await writer.flush()
        }
        try await awaitUntil("it waits") { waits.isSet }
        try await scheduler.awaitOperations(1)
        let report = try await onThread { scheduler.shutdown(deadline: .after(patience)) }
        #expect(report == ShutdownReport())
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    // MARK: One call into the kernel

    @Test func `writes of one turn are sent as few`() async throws {
        try await withScheduler { scheduler in
            let worker = scheduler.workers[0]
            let turns = try await scheduler.spawn { () -> UInt64 in
                let (client, server) = try connectedPair()
                var writer = BufferedWriter(client)
                let before = worker.counters.turns
                for number in 0..<1000 {
                    try writer.write(Self.chunk(from: number, count: 1))
                }
                try writer.flush()
                let turns = worker.counters.turns - before
                var buffer = Buffer(capacity: 2000)
                var received = 0
                while received < 1000 {
                    try server.read(into: &buffer)
                    guard Stream.matches(buffer, from: received) else { throw Failure() }
                    received += buffer.count
                }
                return turns
            }.join()
            // One byte, then the 999 that were written meanwhile.
            #expect(turns <= 10)
        }
    }
}
