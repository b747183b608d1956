import RingletTesting
import Testing

@testable import Ringlet

/// Whom the cancellation of one who asks for an element reaches.
@Suite(.timeLimit(.patient)) struct AsyncGeneratorCancellationTests {
    /// What `step` throws in a task that has been cancelled.
    private func errorInCancelledTask(_ step: @escaping @Sendable () async throws -> Void) async -> (any Error)? {
        await errorThrown {
            try await Task {
                CurrentThread.cancelTask()
                try await step()
            }.value
        }
    }

    /// Its body goes to its end only if it has not been cancelled.
    private func fragile() -> AsyncGenerator<Int, Int, String> {
        AsyncGenerator { yield in
            try Task.checkCancellation()
            let sum = try await yield(1)
            try Task.checkCancellation()
            return "sent \(sum)"
        }
    }

    @Test func `a step that is refused cancels nothing`() async throws {
        let numbers = fragile()
        let early = await errorInCancelledTask { _ = try await numbers.send(1) }
        #expect(early as? GeneratorError == .notStarted)
        #expect(try await numbers.start() == 1)
        let late = await errorInCancelledTask { _ = try await numbers.start() }
        #expect(late as? GeneratorError == .alreadyStarted)
        #expect(try await numbers.send(7) == nil)
        #expect(try numbers.result == "sent 7")
    }

    @Test func `a step of a cancelled fiber that is refused cancels nothing`() async throws {
        let numbers = fragile()
        try await Scheduler.run { () throws in
            let early = Fiber {
                AnyFiber.current?.cancel()
                _ = try numbers.send(1)
            }
            #expect(throws: GeneratorError.notStarted) { try early.join() }
            #expect(try numbers.start() == 1)
            let late = Fiber {
                AnyFiber.current?.cancel()
                _ = try numbers.start()
            }
            #expect(throws: GeneratorError.alreadyStarted) { try late.join() }
            #expect(try numbers.send(7) == nil)
            #expect(try numbers.result == "sent 7")
        }
    }

    @Test func `who is refused in the middle of another's step does not cancel that`() async throws {
        let (gate, inTheStep) = (Gate(), Flag())
        let numbers = AsyncGenerator(of: Int.self) { yield in
            try await yield(1)
            inTheStep.set()
            await gate.wait()
            try Task.checkCancellation()
            try await yield(2)
        }
        _ = try await numbers.next()
        let step = Task { try await numbers.next() }
        try await awaitUntil("the step") { inTheStep.isSet }
        let error = await errorInCancelledTask { _ = try await numbers.next() }
        #expect(error as? GeneratorError == .alreadyRunning)
        gate.open()
        #expect(try await step.value == 2)
        try await numbers.close()
    }

    @Test func `a step of a cancelled task that is accepted finds the body cancelled`() async throws {
        let unbegun = fragile()
        #expect(await errorInCancelledTask { _ = try await unbegun.start() } is CancellationError)
        let begun = fragile()
        #expect(try await begun.start() == 1)
        #expect(await errorInCancelledTask { _ = try await begun.send(7) } is CancellationError)
        #expect(begun.isFinished)
    }
}
