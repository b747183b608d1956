import Synchronization

@testable import Ringlet

/// Runs a program on a scheduler.
final class ProgramRun: Sendable {
    private let scheduler: Scheduler
    private let notes = Shared<[ProgramNote]>([])
    /// Set right before the first wait for what does not come.
    private let isWaiting = Flag()

    private init(on scheduler: Scheduler) {
        self.scheduler = scheduler
    }

    private struct Child {
        let fiber: Fiber<Void>
        let run: ProgramRun
    }

    /// Runs the program in a fiber of its own and returns what it noted and how it ended. For fibers.
    static func run(
        _ program: Program, on scheduler: Scheduler
    ) throws -> (notes: [ProgramNote], end: ProgramEnd) {
        let child = ProgramRun(on: scheduler).start(program, worker: nil)
        let end = try settle(child)
        return (child.run.notes.value, end)
    }

    private func start(_ program: Program, worker: Int?) -> Child {
        let body = { @Sendable in try self.body(program) }
        let fiber =
            worker.map { scheduler.spawn(onWorker: $0 % scheduler.workerCount, operation: body) }
            ?? Fiber(operation: body)
        return Child(fiber: fiber, run: self)
    }

    /// Waits until the child has ended or waits for ever.
    private static func stand(_ child: Child) throws {
        try yieldUntil("a child has ended or waits") {
            child.fiber.isFinished || child.run.isWaiting.isSet
        }
    }

    private static func settle(_ child: Child) throws -> ProgramEnd {
        try stand(child)
        if child.run.isWaiting.isSet { child.fiber.cancel() }
        return endOf { try child.fiber.join(deadline: .after(patience)) }
    }

    private static func endOf(_ body: () throws -> Void) -> ProgramEnd {
        do {
            try body()
            return .returned
        } catch is CancellationError {
            return .cancelled
        } catch is TimeoutError {
            return .timedOut
        } catch let error as Failure {
            return .failed(error.number)
        } catch {
            return .other("\(error)")
        }
    }

    // MARK: A fiber

    private func note(_ note: ProgramNote) { notes.value.append(note) }

    private func body(_ program: Program) throws {
        var children: [Child] = []
        var shields = 0
        let outcome = Result { try run(program.steps, &children, &shields) }
        try withoutCancellation {
            while !children.isEmpty { try settleLast(&children) }
        }
        try outcome.get()
    }

    private func settleLast(_ children: inout [Child]) throws {
        let child = children.removeLast()
        let end = try Self.settle(child)
        note(.child(end, child.run.notes.value))
    }

    private func run(_ steps: [Program.Step], _ children: inout [Child], _ shields: inout Int)
        throws
    {
        for step in steps { try run(step, &children, &shields) }
    }

    private func run(_ step: Program.Step, _ children: inout [Child], _ shields: inout Int) throws {
        // Whether others can be waited for. A fiber is cancelled only while it waits.
        let cannotWait = AnyFiber.current?.isCancelled == true && shields == 0
        switch step {
        case .yield:
            try Fiber.yield()
        case .sleep(let span):
            try Fiber.sleep(for: .microseconds(span))
        case .exchange(let count):
            note(.moved(try exchange(count)))
        case .expire(let wait):
            do { try self.wait(wait, deadline: .after(.microseconds(300))) } catch is TimeoutError {
                note(.timedOut)
            }
        case .wait(let wait):
            try self.wait(wait, deadline: .never)
        case .await:
            note(
                .awaited(
                    isCancelled: try Fiber.await {
                        await Task.yield()
                        return Task.isCancelled
                    }))
        case .checkCancellation:
            try Fiber.checkCancellation()
        case .spawn(let program, let worker):
            children.append(
                ProgramRun(on: scheduler).start(program, worker: worker == 0 ? nil : worker))
        case .spawnCancelled(let program):
            let child = ProgramRun(on: scheduler).start(program, worker: nil)
            child.fiber.cancel()
            children.append(child)
        case .join:
            guard let last = children.last else { return }
            if cannotWait { return note(.left) }
            try Self.stand(last)
            guard last.run.isWaiting.isSet else { return try settleLast(&children) }
            let end = Self.endOf { try last.fiber.join(deadline: .after(.microseconds(300))) }
            note(end == .timedOut ? .timedOut : .failed(end))
        case .cancel:
            guard let last = children.last else { return }
            if cannotWait { return }
            try Self.stand(last)
            if last.run.isWaiting.isSet { try settleLast(&children) }
        case .shielded(let steps):
            shields += 1
            defer { shields -= 1 }
            try withoutCancellation { try run(steps, &children, &shields) }
        case .attempt(let steps):
            let end = Self.endOf { try run(steps, &children, &shields) }
            if end != .returned { note(.failed(end)) }
        case .fail(let number):
            throw Failure(number: number)
        }
    }

    // MARK: Waits

    /// The bytes that went to a fiber at the other end and came back as what they were.
    private func exchange(_ count: Int) throws -> Int {
        let (client, server) = try connectedPair()
        let writer = Fiber {
            try server.write(Stream.buffer(count: count))
            try server.close()
        }
        var buffer = Buffer(capacity: 4096)
        var position = 0
        while try client.read(into: &buffer, deadline: .after(patience)) > 0 {
            guard Stream.matches(buffer, from: position) else {
                throw WaitedTooLong(what: "the right bytes")
            }
            position += buffer.count
        }
        try writer.join(deadline: .after(patience))
        try client.close()
        return position
    }

    private func wait(_ wait: Program.Wait, deadline: Deadline) throws {
        switch wait {
        case .sleep:
            // A sleep has no deadline: the end of a fiber that sleeps for ever has.
            let sleeper = Fiber { try Fiber.sleep(until: .never) }
            defer { sleeper.cancel() }
            announce(deadline)
            try sleeper.join(deadline: deadline)
        case .read:
            let (client, server) = try connectedPair()
            defer {
                withoutCancellation {
                    try? client.close(); try? server.close()
                }
            }
            var buffer = Buffer(capacity: 1)
            announce(deadline)
            _ = try client.read(into: &buffer, deadline: deadline)
        case .accept:
            let listener = try TCPListener(on: .loopback(port: 0))
            defer { withoutCancellation { try? listener.close() } }
            announce(deadline)
            _ = try listener.accept(deadline: deadline)
        }
    }

    private func announce(_ deadline: Deadline) {
        if deadline == .never { isWaiting.set() }
    }
}
