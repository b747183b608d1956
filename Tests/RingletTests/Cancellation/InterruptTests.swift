import Testing

@testable import Ringlet

/// Cancellation with an error of one's own, and the edge-triggered kind.
@Suite(.timeLimit(.patient)) struct InterruptTests {
    @Test func `scenario 54: a fiber that is cancelled with an error fails with it`() async throws {
        try await inEveryOrder {
            let asleep = Flag()
            let errors = Journal<String>()
            let fiber = Fiber {
                asleep.set()
                for _ in 0..<2 {
                    do { try Fiber.sleep(until: .never) } catch { errors.note("\(error)") }
                }
                try Fiber.checkCancellation()
            }
            try yieldUntil("asleep") { asleep.isSet }
            fiber.cancel(throwing: Failure(number: 1))
            // The first cancellation decides.
            fiber.cancel(throwing: Failure(number: 2))
            fiber.cancel()
            #expect(throws: Failure(number: 1)) { try fiber.join() }
            #expect(errors.all == ["Failure(number: 1)", "Failure(number: 1)"])
        }
    }

    @Test func `one that has not begun fails with the error too`() async throws {
        try await Scheduler.run {
            let fiber = Fiber { Issue.record("it ran") }
            fiber.cancel(throwing: Failure(number: 1))
            #expect(throws: Failure(number: 1)) { try fiber.join() }
        }
    }

    @Test func `one that has not begun is interrupted in its first wait, and the next one waits again`() async throws {
        try await inEveryOrder {
            let fiber = Fiber {
                #expect(throws: Failure(number: 1)) { try Fiber.sleep(until: .never) }
                try Fiber.sleep(for: .milliseconds(1))
                return AnyFiber.current!.interruptCount
            }
            fiber.interrupt(throwing: Failure(number: 1))
            #expect(try fiber.join() == 1)
            let later = Fiber(at: .never) { Issue.record("it ran") }
            later.interrupt()
            #expect(throws: CancellationError.self) { try later.join() }
            let spared = Fiber { try Fiber.sleep(for: .milliseconds(1)) }
            spared.interrupt()
            spared.withdrawInterrupt()
            try spared.join()
        }
    }

    @Test func `scenario 54: a target that resists returns its value`() async throws {
        try await inEveryOrder {
            let asleep = Flag()
            let fiber = Fiber {
                asleep.set()
                try? Fiber.sleep(until: .never)
                return "survived"
            }
            try yieldUntil("asleep") { asleep.isSet }
            fiber.cancel(throwing: Failure())
            #expect(try fiber.join() == "survived")
        }
    }

    @Test func `an interrupt ends one wait, and the next one waits again`() async throws {
        try await inEveryOrder {
            // A main body that yielded would hold the clock of a simulation.
            let asleep = Promise<Void>()
            let asleepAgain = Promise<Void>()
            let fiber = Fiber {
                try asleep.succeed(())
                let first = errorThrown { try Fiber.sleep(until: .never) }
                #expect(first as? Failure == Failure(number: 1))
                #expect(AnyFiber.current!.interruptCount == 1)
                try Fiber.sleep(for: .milliseconds(1))
                try Fiber.checkCancellation()
                try asleepAgain.succeed(())
                try Fiber.sleep(until: .never)
            }
            try asleep.value()
            fiber.interrupt(throwing: Failure(number: 1))
            try asleepAgain.value()
            fiber.interrupt()
            #expect(throws: CancellationError.self) { try fiber.join() }
            #expect(fiber.interruptCount == 2)
            #expect(!fiber.isCancelled)
        }
    }

    @Test func `an interrupt before a wait ends that one, unless it is withdrawn`() async throws {
        try await Scheduler.run {
            let fiber = Fiber {
                let me = AnyFiber.current!
                me.interrupt(throwing: Failure(number: 1))
                #expect(me.interruptCount == 1)
                #expect(me.withdrawInterrupt() == 0)
                try Fiber.yield()
                #expect(me.withdrawInterrupt() == 0)

                me.interrupt(throwing: Failure(number: 2))
                me.interrupt(throwing: Failure(number: 3))
                #expect(me.withdrawInterrupt() == 1)
                #expect(throws: Failure(number: 3)) { try Fiber.yield() }
                try Fiber.yield()
            }
            try fiber.join()
        }
    }

    @Test func `a shielded part is not interrupted`() async throws {
        try await inEveryOrder {
            let fiber = Fiber {
                try withoutCancellation {
                    AnyFiber.current!.interrupt(throwing: Failure(number: 1))
                    try Fiber.yield()
                    try Fiber.sleep(for: .milliseconds(1))
                }
                try Fiber.sleep(until: .never)
            }
            #expect(throws: Failure(number: 1)) { try fiber.join() }
        }
    }

    @Test func `an interrupt after the end does nothing`() async throws {
        try await Scheduler.run {
            let fiber = Fiber { 3 }
            try fiber.waitForBeginning()
            fiber.interrupt()
            #expect(try fiber.join() == 3)
        }
    }
}

extension Fiber {
    fileprivate func waitForBeginning() throws { try yieldUntil("it ended") { isFinished } }
}
