import SystemPackage
import Testing

@testable @_spi(Testing) import Ringlet

/// The dump of who waits on what.
@Suite(.timeLimit(.patient)) struct DumpTests {
    @Test func `a dump names each fiber and what it waits for`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let (client, server) = try await connectedPair()
            let reader = scheduler.spawn(onWorker: 0, name: "reader") {
                var buffer = Buffer(capacity: 1)
                try server.read(into: &buffer)
            }
            let joiner = scheduler.spawn(onWorker: 1, name: "joiner") { try reader.join() }
            let sleeper = scheduler.spawn(onWorker: 1, name: "sleeper") {
                try Fiber.sleep(until: .never)
            }
            let task = Task(executorPreference: scheduler.taskExecutor(ofWorker: 0)) {
                var buffer = Buffer(capacity: 1)
                try await client.read(into: &buffer)
            }
            try await scheduler.awaitOperations(2)
            let dump = try await onThread {
                var dump = scheduler.dump()
                // The fibers of worker 1 may just have begun.
                let limit = Deadline.after(patience)
                while !(dump.contains("'joiner': the end of")
                    && dump.contains("'sleeper': a timer"))
                {
                    if limit.hasPassed { break }
                    dump = scheduler.dump()
                }
                return dump
            }
            #expect(dump.contains("worker 0: turn"))
            #expect(dump.contains("worker 1: turn"))
            #expect(dump.contains("\(reader): an operation on descriptor \(server.descriptor.raw)"))
            #expect(dump.contains("\(joiner): the end of \(reader)"))
            #expect(dump.contains("\(sleeper): a timer"))
            #expect(dump.contains("a task: an operation on descriptor \(client.descriptor.raw)"))
            reader.cancel()
            task.cancel()
        }
    }

    @Test func `a worker that does not come round is said to be stuck, and the others speak`()
        async throws
    {
        let scheduler = try Scheduler(SchedulerOptions(workers: 2))
        let release = Flag()
        let spins = Flag()
        let stubborn = scheduler.spawn(onWorker: 0) {
            spins.set()
            while !release.isSet {}
        }
        try await awaitUntil("it spins") { spins.isSet }
        let dump = try await onThread { scheduler.dump(deadline: .after(.milliseconds(50))) }
        release.set()
        try await stubborn.join()
        #expect(dump.hasPrefix("worker 0: does not come round\nworker 1: "))
        _ = try await onThread { scheduler.shutdown() }
        #expect(scheduler.remains == [Scheduler.Remains(), Scheduler.Remains()])
    }
}
