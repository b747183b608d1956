import SystemPackage
import Testing

@testable import Ringlet

/// Waits that end early: by a deadline, by cancellation, by closing.
@Suite(.timeLimit(.patient)) struct EndedWaitTests {
    // MARK: Deadlines

    @Test(arguments: Obstacle.Kind.allCases)
    func `a fiber's operation ends at its deadline and names it`(kind: Obstacle.Kind) async throws {
        try await withScheduler { scheduler in
            let obstacle = try Obstacle(kind)
            let deadline = Deadline.after(.milliseconds(20))
            let fiber = scheduler.spawn {
                try obstacle.wait(deadline: deadline)
            }
            await #expect(throws: TimeoutError(deadline: deadline)) { try await fiber.join() }
            #expect(deadline.hasPassed)
            let outcome = try await scheduler.operationsInFlight()
            #expect(outcome == 0)
            let past = Deadline(nanoseconds: 1)
            let late = scheduler.spawn { try obstacle.wait(deadline: past) }
            await #expect(throws: TimeoutError(deadline: past)) { try await late.join() }
        }
    }

    @Test(arguments: Obstacle.Kind.allCases)
    func `a task's operation ends at its deadline and names it`(kind: Obstacle.Kind) async throws {
        try await withScheduler { scheduler in
            let obstacle = try Obstacle(kind)
            let deadline = Deadline.after(.milliseconds(20))
            let task = Task(executorPreference: scheduler.taskExecutor) {
                try await obstacle.wait(deadline: deadline)
            }
            await #expect(throws: TimeoutError(deadline: deadline)) { try await task.value }
            let outcome = try await scheduler.operationsInFlight()
            #expect(outcome == 0)
            // And of the default executor.
            let later = Deadline.after(.milliseconds(10))
            await #expect(throws: TimeoutError(deadline: later)) {
                try await obstacle.wait(deadline: later)
            }
        }
    }

    @Test func `an operation that ends before its deadline leaves no timer`() async throws {
        try await withScheduler { scheduler in
            try await scheduler.spawn {
                let (client, server) = try connectedPair()
                var buffer = Buffer(capacity: 10)
                for _ in 0..<100 {
                    try client.write(Buffer(copying: [1]), deadline: .after(.seconds(1000)))
                    try server.read(into: &buffer, deadline: .after(.seconds(1000)))
                }
            }.join()
            try await awaitTimers(0, on: scheduler.workers[0])
        }
    }

    // MARK: Cancellation

    @Test(arguments: Obstacle.Kind.allCases)
    func `a cancelled fiber's operation ends at once`(kind: Obstacle.Kind) async throws {
        try await withScheduler { scheduler in
            let obstacle = try Obstacle(kind)
            let fiber = scheduler.spawn { try obstacle.wait() }
            try await scheduler.awaitOperations(1)
            fiber.cancel()
            await #expect(throws: CancellationError.self) {
                try await fiber.join(deadline: .after(patience))
            }
            let outcome = try await scheduler.operationsInFlight()
            #expect(outcome == 0)
        }
    }

    @Test(arguments: Obstacle.Kind.allCases)
    func `a cancelled task's operation ends at once`(kind: Obstacle.Kind) async throws {
        try await withScheduler { scheduler in
            let obstacle = try Obstacle(kind)
            let task = Task(executorPreference: scheduler.taskExecutor) {
                try await obstacle.wait()
            }
            try await scheduler.awaitOperations(1)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            let outcome = try await scheduler.operationsInFlight()
            #expect(outcome == 0)
            // And of the default executor, before it has begun or after.
            for _ in 0..<20 {
                let other = Task { try await obstacle.wait() }
                await Task.yield()
                other.cancel()
                await #expect(throws: CancellationError.self) { try await other.value }
            }
        }
    }

    @Test func `a cancel and a deadline that race end the operation once`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let obstacle = try Obstacle(.read)
            for round in 0..<200 {
                let deadline = Deadline.after(.microseconds(round % 20 * 10))
                let fiber = scheduler.spawn(onWorker: 0) {
                    try obstacle.wait(deadline: deadline)
                }
                scheduler.spawn(onWorker: 1) {
                    try Fiber.sleep(for: .microseconds(round % 17 * 10))
                    fiber.cancel()
                }
                do {
                    try await fiber.join()
                    Issue.record("nothing arrives here")
                } catch is CancellationError {
                } catch let error as TimeoutError {
                    #expect(error.deadline == deadline)
                }
            }
            let outcome = try await scheduler.operationsInFlight()
            #expect(outcome == 0)
        }
    }

    @Test func `bytes that have arrived are delivered although the fiber is cancelled`() async throws {
        try await withScheduler { scheduler in
            let worker = scheduler.workers[0]
            let main = scheduler.spawn {
                let (client, server) = try connectedPair()
                let reader = Fiber { () -> [UInt8] in
                    var buffer = Buffer(capacity: 10)
                    try server.read(into: &buffer)
                    return [UInt8](buffer)
                }
                try Fiber.yield()
                try client.writeBehindTheScenes([1, 2, 3])
                // This fiber is in the ready queue before the reader is put there, so it sees the
                // operation ended while the reader has not run yet.
                try yieldUntil("the read has ended") { worker.operationsOfTheTest == 0 }
                guard !reader.isFinished else { throw Failure(number: 1) }
                reader.cancel()
                return try reader.join()
            }
            let bytes = try await main.join()
            #expect(bytes == [1, 2, 3])
        }
    }

    @Test func `bytes whose completion is visible are delivered although a cancel is under way`()
        async throws
    {
        try await withScheduler { scheduler in
            let worker = scheduler.workers[0]
            let main = scheduler.spawn {
                let (client, server) = try connectedPair()
                let reader = Fiber { () -> [UInt8] in
                    var buffer = Buffer(capacity: 10)
                    try server.read(into: &buffer)
                    return [UInt8](buffer)
                }
                try yieldUntil("it reads") { worker.operationsOfTheTest == 1 }
                // The read must have reached the kernel, whose turn comes between two of ours.
                try Fiber.yield()
                try client.writeBehindTheScenes([1, 2, 3])
                let limit = Deadline.after(patience)
                while !worker.ring.hasCompletions, !limit.hasPassed {
                    worker.enter(wait: false, timeout: -1)
                }
                // Not looked at yet, so the table takes the cancel for one of an operation in flight.
                reader.cancel()
                return try reader.join()
            }
            let bytes = try await main.join()
            #expect(bytes == [1, 2, 3])
        }
    }

    @Test func `bytes that have arrived are delivered although the task is cancelled`() async throws {
        try await withScheduler { scheduler in
            let worker = scheduler.workers[0]
            let main = scheduler.spawn {
                let (client, server) = try connectedPair()
                let reader = Task(executorPreference: worker) {
                    var buffer = Buffer(capacity: 10)
                    try await server.read(into: &buffer)
                    return [UInt8](buffer)
                }
                try yieldUntil("it reads") { worker.operationsOfTheTest == 1 }
                try client.writeBehindTheScenes([1, 2, 3])
                try yieldUntil("the read has ended") { worker.operationsOfTheTest == 0 }
                reader.cancel()
                return reader
            }
            let bytes = try await main.join().value
            #expect(bytes == [1, 2, 3])
        }
    }

    @Test func `a cancel that races with bytes loses none of them`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            var delivered = 0
            for round in 0..<300 {
                let pair = try await connectedPair()
                let began = Flag()
                let reader = scheduler.spawn(onWorker: 0) { () -> [UInt8] in
                    var buffer = Buffer(capacity: 10)
                    began.set()
                    do {
                        try pair.server.read(into: &buffer)
                    } catch is CancellationError {
                        // Then they are still in the socket.
                        try withoutCancellation {
                            _ = try pair.server.read(into: &buffer, deadline: .after(patience))
                        }
                        return [0] + [UInt8](buffer)
                    }
                    return [UInt8](buffer)
                }
                let writer = scheduler.spawn(onWorker: 1) {
                    try yieldUntil("the reader has begun") { began.isSet }
                    for _ in 0..<round % 5 { try Fiber.yield() }
                    try pair.client.write(Buffer(copying: [4]))
                    if round % 3 == 0 { try Fiber.yield() }
                    reader.cancel()
                }
                let bytes = try await reader.join()
                try await writer.join()
                if bytes.first != 0 { delivered += 1 }
                #expect(bytes.last == 4)
            }
            #expect(delivered > 0)
        }
    }

    // MARK: Closing

    @Test(arguments: [Obstacle.Kind.accept, .read, .write])
    func `closing ends what other fibers wait for at once`(kind: Obstacle.Kind) async throws {
        try await withScheduler(workers: 2) { scheduler in
            for closer in 0..<2 {
                let obstacle = try Obstacle(kind)
                let waiter = scheduler.spawn(onWorker: 0) { try obstacle.wait() }
                try await scheduler.awaitOperations(1)
                let close = scheduler.spawn(onWorker: closer) { try obstacle.close() }
                try await close.join(deadline: .after(patience))
                await #expect(throws: Errno.badFileDescriptor) {
                    try await waiter.join(deadline: .after(patience))
                }
                let outcome = try await scheduler.operationsInFlight()
                #expect(outcome == 0)
            }
        }
    }

    @Test(arguments: [Obstacle.Kind.accept, .read, .write])
    func `closing ends what other tasks wait for at once`(kind: Obstacle.Kind) async throws {
        try await withScheduler(workers: 2) { scheduler in
            for closer in 0..<2 {
                let obstacle = try Obstacle(kind)
                let waiter = Task(executorPreference: scheduler.taskExecutor(ofWorker: 0)) {
                    try await obstacle.wait()
                }
                try await scheduler.awaitOperations(1)
                let executor = scheduler.taskExecutor(ofWorker: closer)
                try await Task(executorPreference: executor) { try await obstacle.close() }.value
                await #expect(throws: Errno.badFileDescriptor) { try await waiter.value }
                let outcome = try await scheduler.operationsInFlight()
                #expect(outcome == 0)
            }
        }
    }

    @Test func `what is closed cannot be used, nor closed again`() async throws {
        try await Scheduler.run {
            let listener = try TCPListener(on: .loopback(port: 0))
            let (client, server) = try connectedPair()
            let file = try File.open("/dev/null", .readWrite)
            try listener.close()
            try client.close()
            try file.close()
            var buffer = Buffer(capacity: 1)
            let bytes = Buffer(copying: [1])
            #expect(throws: Errno.badFileDescriptor) { try listener.accept() }
            #expect(throws: Errno.badFileDescriptor) { try listener.close() }
            #expect(throws: Errno.badFileDescriptor) { try client.read(into: &buffer) }
            #expect(throws: Errno.badFileDescriptor) { try client.write(bytes) }
            #expect(throws: Errno.badFileDescriptor) { try client.finishWriting() }
            #expect(throws: Errno.badFileDescriptor) { try client.close() }
            #expect(throws: Errno.badFileDescriptor) { try file.read(into: &buffer, at: 0) }
            #expect(throws: Errno.badFileDescriptor) { try file.write(bytes, at: 0) }
            #expect(throws: Errno.badFileDescriptor) { try file.sync() }
            #expect(throws: Errno.badFileDescriptor) { try file.close() }
            // The other end sees the end of the stream.
            let count = try server.read(into: &buffer)
            #expect(count == 0)
        }
    }

    @Test func `what is closed cannot be used by tasks either`() async throws {
        let (client, server) = try await connectedPair()
        try await client.close()
        await #expect(throws: Errno.badFileDescriptor) { try await client.finishWriting() }
        await #expect(throws: Errno.badFileDescriptor) { try await client.close() }
        try await server.close()
    }

    @Test func `two that close at the same time close once`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            for _ in 0..<100 {
                let (client, _) = try await connectedPair()
                let closers = (0..<2).map { index in
                    scheduler.spawn(onWorker: index) { () -> Bool in
                        do {
                            try client.close()
                            return true
                        } catch Errno.badFileDescriptor {
                            return false
                        }
                    }
                }
                let first = try await closers[0].join()
                let second = try await closers[1].join()
                #expect(first != second)
            }
        }
    }

    @Test func `a cancelled fiber still closes`() async throws {
        try await Scheduler.run {
            let (client, server) = try connectedPair()
            let closer = Fiber {
                AnyFiber.current?.cancel()
                try client.close()
            }
            try closer.join()
            var buffer = Buffer(capacity: 1)
            let count = try server.read(into: &buffer, deadline: .after(patience))
            #expect(count == 0)
        }
    }

    @Test func `the last reference closes`() async throws {
        try await Scheduler.run {
            let server: TCPConnection
            do {
                let pair = try connectedPair()
                server = pair.server
            }
            var buffer = Buffer(capacity: 1)
            let count = try server.read(into: &buffer, deadline: .after(patience))
            #expect(count == 0)
        }
    }

    @Test func `closing ends what a task of another executor waits for`() async throws {
        try await withScheduler { scheduler in
            let obstacle = try Obstacle(.read)
            let waiters = (0..<2).map { _ in Task { try await obstacle.wait() } }
            for _ in 0..<100 { await Task.yield() }
            try await scheduler.spawn { try obstacle.close() }.join(deadline: .after(patience))
            for waiter in waiters {
                await #expect(throws: Errno.badFileDescriptor) { try await waiter.value }
            }
        }
    }

    @Test func `closing ends what a fiber of another scheduler waits for`() async throws {
        try await withScheduler { first in
            try await withScheduler { second in
                let obstacle = try Obstacle(.read)
                let waiter = first.spawn { try obstacle.wait() }
                try await first.awaitOperations(1)
                try await second.spawn { try obstacle.close() }.join(deadline: .after(patience))
                await #expect(throws: Errno.badFileDescriptor) {
                    try await waiter.join(deadline: .after(patience))
                }
            }
        }
    }

    @Test func `closing misses no read that is about to begin`() async throws {
        var ended = 0
        for _ in 0..<500 {
            let (client, server) = try await connectedPair()
            let reader = Task { () -> Bool in
                var buffer = Buffer(capacity: 10)
                do {
                    _ = try await client.read(into: &buffer, deadline: .after(patience))
                    return false
                } catch Errno.badFileDescriptor {
                    return true
                }
            }
            try await client.close()
            if try await reader.value { ended += 1 }
            try await server.close()
        }
        #expect(ended == 500)
    }

    @Test func `closing goes on while other schedulers come and go`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let done = Flag()
            let others = Task {
                while !done.isSet { try await Scheduler.run(SchedulerOptions(workers: 2)) {} }
            }
            var ended = 0
            for _ in 0..<300 {
                let pair = try await connectedPair()
                let reader = scheduler.spawn(onWorker: 0) { () -> Bool in
                    var buffer = Buffer(capacity: 1)
                    do {
                        try pair.server.read(into: &buffer)
                        return false
                    } catch Errno.badFileDescriptor {
                        return true
                    }
                }
                let closer = scheduler.spawn(onWorker: 1) {
                    try Fiber.yield()
                    try pair.server.close()
                }
                try await closer.join(deadline: .after(patience))
                if try await reader.join(deadline: .after(patience)) { ended += 1 }
            }
            done.set()
            try await others.value
            #expect(ended == 300)
        }
    }

    @Test func `one deadline bounds operations that never have to wait`() async throws {
        try await Scheduler.run {
            let (client, server) = try connectedPair()
            let deadline = Deadline.after(.milliseconds(30))
            var buffer = Buffer(capacity: 10)
            let error = errorThrown {
                while true {
                    try client.write(Buffer(copying: [1, 2, 3]), deadline: deadline)
                    try server.read(into: &buffer, deadline: deadline)
                }
            }
            #expect(error as? TimeoutError == TimeoutError(deadline: deadline))
        }
    }
}
