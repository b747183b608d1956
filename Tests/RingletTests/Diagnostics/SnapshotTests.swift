import Foundation
import SystemPackage
import Testing

@testable @_spi(Testing) @_spi(C) import Ringlet

/// What a scheduler says of its workers, fibers and tasks.
@Suite(.timeLimit(.patient)) struct SnapshotTests {
    /// A snapshot in which `condition` holds: what was just spawned may have to begin first.
    private static func snapshot(
        of scheduler: Scheduler, _ what: String, _ condition: (SchedulerSnapshot) -> Bool
    ) throws -> SchedulerSnapshot {
        let limit = Deadline.after(patience)
        while !condition(scheduler.snapshot(backtraces: false)) {
            if limit.hasPassed { throw WaitedTooLong(what: "\(what) in:\n\(scheduler.snapshot())") }
        }
        return scheduler.snapshot(deadline: .after(patience))
    }

    @Test func `each fiber is shown with what it waits for`() async throws {
        try await withScheduler(workers: 2) { scheduler in
            let (client, server) = try await connectedPair()
            let reader = scheduler.spawn(onWorker: 0, name: "reader") {
                var buffer = Buffer(capacity: 1)
                try server.read(into: &buffer)
            }
            let joiner = scheduler.spawn(onWorker: 1, name: "joiner") {
                try reader.join(deadline: .after(.seconds(3600)))
            }
            let sleeper = scheduler.spawn(onWorker: 1, name: "sleeper") {
                try Fiber.sleep(for: .seconds(3600))
            }
            let forever = scheduler.spawn(onWorker: 1) { try Fiber.sleep(until: .never) }
            let awaiter = scheduler.spawn(onWorker: 0) {
                try Fiber.await { try await Scheduler.sleep(until: .never) }
            }
            let task = Task(executorPreference: scheduler.taskExecutor(ofWorker: 0)) {
                var buffer = Buffer(capacity: 1)
                try await client.read(into: &buffer)
            }
            let sleepingTask = Task(executorPreference: scheduler.taskExecutor(ofWorker: 1)) {
                try await Scheduler.sleep(until: .never)
            }
            let joiningTask = Task(executorPreference: scheduler.taskExecutor(ofWorker: 1)) {
                try await reader.join()
            }
            let snapshot = try await onThread {
                try Self.snapshot(of: scheduler, "all wait") { snapshot in
                    snapshot.fibers.count == 5 && snapshot.fibers.allSatisfy { $0.wait != nil }
                        && snapshot.tasks.count == 4
                }
            }
            #expect(snapshot.workers.map(\.state) == [.running, .running])
            #expect(snapshot.workers[0].operations == 2)

            let read = try #require(snapshot.fiber(reader.id)?.wait)
            #expect(read.kind == .operation && read.what == "recv")
            #expect(read.descriptor == server.descriptor.raw)
            let clientAddress = try SocketCalls.localAddress(of: client.descriptor.raw)
            #expect(read.place == "\(clientAddress)")
            #expect(read.deadline == nil)

            let joined = try #require(snapshot.fiber(joiner.id)?.wait)
            #expect(joined.kind == .join && joined.fibers == [reader.id])
            #expect(joined.what == "the end of \(reader)")
            let left = try #require(joined.remaining)
            #expect(left > .seconds(3000) && left <= .seconds(3600))

            let sleep = try #require(snapshot.fiber(sleeper.id)?.wait)
            #expect(sleep.kind == .timer && sleep.remaining.map { $0 > .seconds(3000) } == true)
            #expect(snapshot.fiber(forever.id)?.wait == WaitSnapshot(kind: .timer, what: "a timer"))
            #expect(snapshot.fiber(awaiter.id)?.wait?.kind == .task)

            let tasks = snapshot.tasks.sorted { $0.wait.what < $1.wait.what }
            #expect(tasks.map(\.wait.what) == ["a timer", "a timer", "recv", "the end of \(reader)"])
            #expect(tasks[2].wait.descriptor == client.descriptor.raw)
            #expect(snapshot.fiber(UInt64.max) == nil && snapshot.fiber(0) == nil)

            let text = snapshot.description
            #expect(text.contains("worker 0: turn"))
            #expect(text.contains("\(reader) on worker 0: waits for recv on descriptor"))
            #expect(text.contains("\(joiner) on worker 1: waits for the end of \(reader), 3"))
            for fiber in [reader, joiner, sleeper, forever, awaiter] { fiber.cancel() }
            task.cancel()
            sleepingTask.cancel()
            joiningTask.cancel()
        }
    }

    @Test func `the tree tells who spawned whom and where, and backtraces whose code waits`() async throws {
        try await withScheduler { scheduler in
            let line = UInt(#line) + 1
            let parent = scheduler.spawn(name: "parent") {
                let child = Fiber(name: "child") {
                    Fiber(name: "grandchild") { try waitHere() }
                    try waitHere()
                }
                #expect(child.parentID == AnyFiber.current?.id)
                try waitHere()
            }
            #expect(parent.parentID == nil)
            #expect(parent.spawnSite?.fileID == "RingletTests/SnapshotTests.swift")
            #expect(parent.spawnSite?.line == Int(line))
            let snapshot = try await onThread {
                try Self.snapshot(of: scheduler, "three wait") {
                    $0.fibers.count == 3 && $0.fibers.allSatisfy { $0.wait != nil }
                }
            }
            let names = snapshot.fibers.map(\.name)
            #expect(names == ["parent", "child", "grandchild"])
            #expect(snapshot.fibers[1].parentID == snapshot.fibers[0].id)
            #expect(snapshot.fibers[2].parentID == snapshot.fibers[1].id)
            #expect(snapshot.fibers[1].spawnSite?.line == Int(line) + 1)
            for fiber in snapshot.fibers {
                let calls = fiber.ownCalls.compactMap(\.function)
                #expect(calls.first?.contains("waitHere") == true, "\(fiber.backtrace)")
                #expect(fiber.backtrace.count > calls.count)
            }
            let lines = snapshot.description.split(separator: "\n").map(String.init)
            let fibers = lines.filter { $0.contains("': waits") || $0.contains(": waits for a timer") }
            #expect(fibers.count == 3, "\(snapshot)")
            #expect(zip(fibers, ["  fiber", "    fiber", "      fiber"]).allSatisfy { $0.hasPrefix($1) })
            let bare = try await onThread { scheduler.snapshot(backtraces: false) }
            #expect(bare.fibers.count == 3 && bare.fibers.allSatisfy(\.backtrace.isEmpty))
            try await onThread { for fiber in scheduler.workers[0].liveOwners { fiber.cancel() } }
        }
    }

    @Test func `new, ready and running fibers, and functions of C`() async throws {
        try await Scheduler.run {
            let worker = try #require(CurrentThread.worker)
            let waits = Flag()
            let ready = Fiber(name: "ready") {
                waits.set()
                try Fiber.yield()
            }
            try yieldUntil("it yields") { waits.isSet }
            let new = Fiber(name: "new") {}
            let function = unsafe CFiber(
                { _ in Int64(CCurrent.sleep(until: .never)) }, nil, cleanup: nil, name: "c",
                worker: worker)
            CFiber.start(function)
            let first = try #require(Scheduler.current).snapshot()
            let main = try #require(AnyFiber.current)
            #expect(first.fiber(main.id)?.state == .running)
            #expect(first.fiber(ready.id)?.state == .ready)
            // On the plain rung, what has not begun is a job of Swift's.
            if worker.rung != .plain { #expect(first.fiber(new.id)?.state == .new) }
            try new.join()
            try yieldUntil("the function sleeps") {
                Scheduler.current?.snapshot(backtraces: false).fiber(function.id)?.wait != nil
            }
            let second = try #require(Scheduler.current).snapshot()
            let shown = try #require(second.fiber(function.id))
            #expect(shown.isC && shown.name == "c" && shown.wait?.kind == .timer)
            #expect(shown.parentID == main.id)
            // Its host is nobody.
            #expect(Set(second.fibers.map(\.id)) == [main.id, function.id])
            function.cancel()
            try ready.join()
        }
    }

    @Test func `a worker that does not come round is said to be stuck, and the others speak`() async throws {
        let scheduler = try Scheduler(SchedulerOptions(workers: 2))
        let release = Flag()
        let spins = Flag()
        let stubborn = scheduler.spawn(onWorker: 0) {
            spins.set()
            while !release.isSet {}
        }
        try await awaitUntil("it spins") { spins.isSet }
        // A busy machine may keep the other one from its answer as well: then it is asked again, for longer.
        var snapshot: SchedulerSnapshot
        var limit = Duration.milliseconds(50)
        repeat {
            let deadline = Deadline.after(limit)
            snapshot = try await onThread { scheduler.snapshot(deadline: deadline) }
            limit *= 2
        } while snapshot.workers[1].state == .blocked && limit < patience
        release.set()
        try await stubborn.join()
        #expect(snapshot.workers.map(\.state) == [.blocked, .running])
        #expect(snapshot.description.hasPrefix("worker 0 does not come round\nworker 1: "))
        _ = try await onThread { scheduler.shutdown() }
        #expect(scheduler.remains == [Scheduler.Remains(), Scheduler.Remains()])
        let after = try await onThread { scheduler.snapshot(deadline: .after(patience)) }
        #expect(after.workers.map(\.state) == [.ended, .ended] && after.fibers.isEmpty)
    }

    @Test func `snapshots may be taken while fibers come, run, wait and go`() async throws {
        try await withScheduler(workers: 3) { scheduler in
            let stop = Flag()
            let load = (0..<6).map { index in
                scheduler.spawn(onWorker: index % 3) {
                    while !stop.isSet {
                        let children = (0..<10).map { number in
                            scheduler.spawn(name: "child \(number)") {
                                try Fiber.yield()
                                try Fiber.sleep(for: .microseconds(number * 100))
                            }
                        }
                        for child in children { try child.join() }
                    }
                }
            }
            try await onThread {
                for _ in 0..<50 {
                    let snapshot = scheduler.snapshot(deadline: .after(patience), backtraces: Bool.random())
                    #expect(snapshot.workers.allSatisfy { $0.state == .running })
                    #expect(!snapshot.description.isEmpty)
                    #expect(snapshot.awaitGraph.cycles.isEmpty)
                }
            }
            stop.set()
            for fiber in load { try await fiber.join() }
        }
    }
}

/// A frame with a name that can be looked for.
@inline(never)
private func waitHere() throws {
    try Fiber.sleep(until: .never)
}

extension Worker {
    /// The started fibers; any thread, as long as nothing begins or ends.
    fileprivate var liveOwners: [AnyFiber] {
        let answer = WorkerAnswer<[AnyFiber]>()
        perform { worker in
            var found: [AnyFiber] = []
            var next = worker.liveFibers
            while let fiber = next {
                found.append(fiber.owner)
                next = fiber.nextLive
            }
            answer.give(found)
        }
        return answer.wait(until: .after(patience)) ?? []
    }
}
