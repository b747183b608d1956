import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct EventTests {
    @Test(arguments: Colour.allCases)
    func `an event that is set and cleared at once wakes all who wait (70, 73)`(colour: Colour) async throws {
        try await withScheduler(workers: 2) { scheduler in
            let event = Event()
            let order = Journal<Int>()
            var strands: [Strand] = []
            for number in 0..<4 {
                strands.append(
                    Strand(colour, on: scheduler) {
                        try event.wait()
                        order.note(number)
                    } async: {
                        try await event.wait()
                        order.note(number)
                    })
                try await awaitUntil("it waits") { event.waiting == number + 1 }
            }
            event.set()
            event.clear()
            for strand in strands { try await strand.end() }
            if colour == .fiber || colour == .task { #expect(order.all == [0, 1, 2, 3]) }
            #expect(!event.isSet)
            #expect(event.waiting == 0)
            event.set()
            try await Strand(colour, on: scheduler, { try event.wait() }, async: { try await event.wait() }).end()
        }
    }

    @Test(arguments: Colour.allCases)
    func `a deadline ends the wait for an event`(colour: Colour) async throws {
        try await atAnInstant(for: colour) { scheduler, deadline in
            let event = Event()
            let late = Strand(colour, on: scheduler) {
                try event.wait(deadline: deadline)
            } async: {
                try await event.wait(deadline: deadline)
            }
            #expect(await late.failure as? TimeoutError == TimeoutError(deadline: deadline))
            #expect(event.waiting == 0)
        }
    }

    @Test(arguments: Colour.cancellable)
    func `a cancelled waiter leaves the event to the others`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let event = Event()
            let strands = (0..<2).map { _ in
                Strand(colour, on: scheduler) {
                    try event.wait()
                } async: {
                    try await event.wait()
                }
            }
            try await awaitUntil("both wait") { event.waiting == 2 }
            strands[0].cancel()
            #expect(await strands[0].failure is CancellationError)
            event.set()
            try await strands[1].end()
        }
    }

    @Test func `a shutdown ends the wait of a parked task`() async throws {
        let event = Event()
        let scheduler = try Scheduler()
        let task = Task(executorPreference: scheduler.taskExecutor) { try await event.wait() }
        try await awaitUntil("it waits") { event.waiting == 1 }
        #expect(scheduler.shutdown(deadline: .after(patience)) == ShutdownReport())
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(event.waiting == 0)
    }

    @Test func `many tasks may park at once, again and again`() async throws {
        try await withScheduler { scheduler in
            for _ in 0..<3 {
                let event = Event()
                let count = 3000
                let tasks = (0..<count).map { number in
                    Task(executorPreference: scheduler.taskExecutor) { try await event.wait() }
                }
                try await awaitUntil("all wait") { event.waiting == count }
                for task in tasks.prefix(1000) { task.cancel() }
                for task in tasks.prefix(1000) {
                    await #expect(throws: CancellationError.self) { try await task.value }
                }
                event.set()
                for task in tasks.dropFirst(1000) { try await task.value }
            }
        }
    }
}
