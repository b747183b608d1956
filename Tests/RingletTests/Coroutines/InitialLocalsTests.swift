import Testing

@testable @_spi(C) import Ringlet

private enum Local {
    @TaskLocal static var word = "none"
}

/// Which task-locals what begins somewhere sees.
@Suite struct InitialLocalsTests {
    /// Fibers that are started here in every way, with what they see.
    private func seenByFibers() throws -> [String] {
        let scheduler = try #require(Scheduler.current)
        let pool = try FiberPool(capacity: 2)
        let (fiber, spawned, elsewhere, later) = Local.$word.withValue("bound") {
            (
                Fiber { Local.word }, scheduler.spawn { Local.word },
                scheduler.spawn(onWorker: 1) { Local.word }, Fiber(at: .now) { Local.word }
            )
        }
        let pooled = try Local.$word.withValue("bound") { try pool.apply { Local.word } }
        let mapped = try Local.$word.withValue("bound") { try pool.map([1]) { _ in Local.word } }
        let grouped = try withGroup { group in
            try Local.$word.withValue("bound") { try group.spawn { Local.word } }.join()
        }
        return try [fiber.join(), spawned.join(), elsewhere.join(), later.join(), pooled, grouped] + mapped
    }

    @Test func `scenario 43: a fiber sees what was bound where a fiber made it`() async throws {
        let seen = try await Scheduler.run(SchedulerOptions(workers: 2)) { try seenByFibers() }
        #expect(seen == Array(repeating: "bound", count: 7))
    }

    @Test func `scenario 43: a fiber sees what was bound where a task made it`() async throws {
        let seen = try await Scheduler.run(SchedulerOptions(workers: 2)) {
            let scheduler = Scheduler.current!
            // In a task; bound outside any fiber.
            return try await Local.$word.withValue("bound") {
                let fiber = Fiber { Local.word }
                let elsewhere = scheduler.spawn(onWorker: 1) { Local.word }
                let grouped = try await withGroup { group in
                    let fiber = try group.spawn { Local.word }
                    let task = try group.spawn { () async in Local.word }
                    return try await [fiber.join(), task.value]
                }
                return try await [fiber.join(), elsewhere.join()] + grouped
            }
        }
        #expect(seen == Array(repeating: "bound", count: 4))
    }

    /// What a strand sees that was made under a binding: as it begins, under a binding of its own, and at its end.
    private static let seenByStrand = ["made", "own 1", "made"]

    @Test func `scenario 43: in every order each has a copy of the context in which it was made`() async throws {
        try await inEveryOrder { () throws in
            let strand: @Sendable () throws -> [String] = {
                let first = Local.word
                try Fiber.yield()
                let second = try Local.$word.withValue("own 1") {
                    try Fiber.sleep(for: .microseconds(3))
                    return Local.word
                }
                try Fiber.yield()
                return [first, second, Local.word]
            }
            let fibers = Local.$word.withValue("made") { (0..<5).map { _ in Fiber(operation: strand) } }
            // What is bound after the spawn is the maker's own, and the copies outlive the binding.
            let mine = try Local.$word.withValue("later") {
                try Fiber.yield()
                return Local.word
            }
            let empty = Local.$word.withValue("made") { Fiber(locals: .empty, operation: strand) }
            for fiber in fibers { #expect(try fiber.join() == Self.seenByStrand) }
            #expect(try empty.join() == ["none", "own 1", "none"])
            #expect(mine == "later" && Local.word == "none")
        }
        try await inEveryOrder { () async throws in
            let strand: @Sendable () async throws -> [String] = {
                let first = Local.word
                await Task.yield()
                let second = try await Local.$word.withValue("own 1") {
                    try await Scheduler.sleep(for: .microseconds(3))
                    return Local.word
                }
                await Task.yield()
                return [first, second, Local.word]
            }
            let (tasks, fibers) = Local.$word.withValue("made") {
                ((0..<3).map { _ in taskHere(strand) }, (0..<3).map { _ in Fiber(operation: strand) })
            }
            let mine = await Local.$word.withValue("later") {
                await Task.yield()
                return Local.word
            }
            for task in tasks { #expect(try await task.value == Self.seenByStrand) }
            for fiber in fibers { #expect(try await fiber.join() == Self.seenByStrand) }
            #expect(mine == "later" && Local.word == "none")
        }
    }

    @Test func `a fiber sees what was bound on the plain thread that made it`() throws {
        let scheduler = try Scheduler(SchedulerOptions(workers: 2))
        onPlainThread {
            #expect(throws: Never.self) {
                let seen = try Local.$word.withValue("bound") {
                    let first = scheduler.spawn { Local.word }
                    let second = scheduler.spawn(onWorker: 1) { Local.word }
                    let none = scheduler.spawn(locals: .empty) { Local.word }
                    return try [first.join(), second.join(), none.join()]
                }
                #expect(seen == ["bound", "bound", "none"])
                #expect(try scheduler.spawn { Local.word }.join() == "none")
            }
        }
        scheduler.shutdown()
    }

    @Test func `so do main bodies and whatever a group, a race or a pool starts`() async throws {
        let inFiber = try Local.$word.withValue("bound") {
            try Scheduler.run {
                let gathered = try gather({ Local.word }, { Local.word })
                let raced = try race({ Local.word })
                let beside = try withChild({ Local.word }) { try $0.join() }
                let onThread = try ThreadPool.shared.run { Local.word }
                return [Local.word, raced, beside, onThread] + gathered
            }
        }
        #expect(inFiber == Array(repeating: "bound", count: 6))
        let inTask = try await Local.$word.withValue("bound") {
            try await Scheduler.run { () async throws -> [String] in
                let gathered = try await gather({ () async in Local.word }, { () async in Local.word })
                let raced = try await race({ () async in Local.word })
                let onThread = try await ThreadPool.shared.run { Local.word }
                let part = try await withDeadline(.never) { _ in Local.word }
                return await [Local.word, raced, onThread, part, Task { Local.word }.value] + gathered
            }
        }
        #expect(inTask == Array(repeating: "bound", count: 7))
    }

    @Test func `what begins at its first step sees what is bound there`() async throws {
        let pooled = try await Scheduler.run { () throws -> String? in
            let pool = try FiberPool(capacity: 1)
            let ordered = try Local.$word.withValue("made") { try pool.mapOrdered([1]) { _ in Local.word } }
            return try Local.$word.withValue("stepped") { try ordered.next() }
        }
        #expect(pooled == "stepped")
        let generated = try await Scheduler.run { () async throws -> String? in
            let generator = Local.$word.withValue("made") {
                AsyncGenerator<String, Void, Void> { yield in try await yield(Local.word) }
            }
            return try await Local.$word.withValue("stepped") { try await generator.next() }
        }
        #expect(generated == "stepped")
    }

    @Test func `an empty fiber sees defaults, and its children what it binds`() async throws {
        let seen = try await Scheduler.run(SchedulerOptions(workers: 2)) {
            let scheduler = Scheduler.current!
            let body: @Sendable () throws -> [String] = {
                let before = Local.word
                return try Local.$word.withValue("own") {
                    // Held over a wait.
                    try Fiber.yield()
                    return [before, Local.word, try Fiber { Local.word }.join()]
                }
            }
            return try Local.$word.withValue("bound") {
                let fibers = [
                    Fiber(locals: .empty, operation: body), scheduler.spawn(locals: .empty, operation: body),
                    scheduler.spawn(onWorker: 1, locals: .empty, operation: body),
                    Fiber(at: .now, locals: .empty, operation: body),
                ]
                let pool = try FiberPool(capacity: 3)
                let pooled = try [
                    pool.spawn(locals: .empty, operation: body),
                    #require(pool.trySpawn(locals: .empty, operation: body)),
                ]
                let grouped = try withGroup { group in
                    try [
                        group.spawn(locals: .empty, body), group.spawn(onWorker: 1, locals: .empty, body),
                    ].map { try $0.join() }
                }
                return try (fibers + pooled).map { try $0.join() } + grouped + [[Local.word]]
            }
        }
        #expect(seen.dropLast() == Array(repeating: ["none", "own", "own"], count: 8)[...])
        #expect(seen.last == ["bound"])
    }

    @Test func `an empty fiber that a task makes sees defaults`() async throws {
        let seen = try await Scheduler.run {
            try await Local.$word.withValue("bound") {
                try await [Fiber(locals: .empty) { Local.word }.join(), Fiber { Local.word }.join()]
            }
        }
        #expect(seen == ["none", "bound"])
    }

    @Test func `an empty fiber has the priority of its maker`() async throws {
        let seen = try await Scheduler.run {
            try Fiber(priority: .low) {
                try [
                    Fiber { Task.currentPriority }.join(), Fiber(locals: .empty) { Task.currentPriority }.join(),
                    Fiber(priority: .high, locals: .empty) { Task.currentPriority }.join(),
                ]
            }.join()
        }
        #expect(seen == [.low, .low, .high])
    }

    @Test func `code that a fiber awaits in place sees what the fiber has bound`() async throws {
        // Awaited: the task inside needs a thread of Swift's, of which there may be two.
        let seen = try await Scheduler.run {
            try Local.$word.withValue("bound") {
                try Fiber.await {
                    let inside = Local.word
                    return [inside, await Task { Local.word }.value]
                }
            }
        }
        #expect(seen == ["bound", "bound"])
    }

    @Test func `calls of the scheduler and functions of C see defaults`() async throws {
        let seen = Journal<String>()
        try await Scheduler.run {
            let scheduler = Scheduler.current!
            try Local.$word.withValue("bound") {
                scheduler.soon { seen.note("soon \(Local.word)") }
                scheduler.later(.zero) { seen.note("later \(Local.word)") }
                try yieldUntil("two calls") { seen.count == 2 }
                Fiber {}.onEnd { _ in seen.note("onEnd \(Local.word)") }
                try yieldUntil("three calls") { seen.count == 3 }
                let function: CFiber.Function = { address in
                    let seen = unsafe Unmanaged<Journal<String>>.fromOpaque(address!).takeUnretainedValue()
                    seen.note("C \(Local.word)")
                    return 0
                }
                let address = unsafe Unmanaged.passUnretained(seen).toOpaque()
                let task = unsafe CFiber(
                    function, address, cleanup: nil, name: nil, worker: scheduler.workers[0])
                CFiber.start(task)
                var result: Int64 = 0
                #expect(task.join(deadline: .never, result: &result) == 0)
            }
        }
        #expect(seen.all == ["soon none", "later none", "onEnd none", "C none"])
    }
}
