import Foundation
import Ringlet
import SystemPackage

/// Loads without connections: families of fibers over all workers, deep stacks, files.
struct StressFamilies {
    let scheduler: Scheduler
    let ledger: StressLedger

    // MARK: Families

    /// Spawns fibers that spawn fibers, on any worker, and counts them by joining across workers.
    func grow(depth: Int, _ random: inout SeededGenerator) throws -> Int {
        guard depth > 0 else { return 1 }
        let children = (0..<Int.random(in: 1...6, using: &random)).map { _ in
            let seed = random.next()
            return scheduler.spawn(onWorker: anyWorker(&random), name: "child") { () -> Int in
                var random = SeededGenerator(seed: seed)
                if Int.random(in: 0..<4, using: &random) == 0 { try Fiber.yield() }
                return try grow(depth: depth - 1, &random)
            }
        }
        ledger.count { $0.fibers += children.count }
        // Level-triggered: what a cancelled parent leaves behind is cancelled, too.
        defer { for child in children { child.cancel() } }
        return try children.reduce(1) { try $0 + $1.join() }
    }

    /// Hands a number round all workers, by turns as a fiber and as a task.
    func handRound(_ count: Int, from worker: Int) throws -> Int {
        guard count > 0 else { return 0 }
        let next = (worker + 1) % scheduler.workerCount
        if count % 2 == 0 {
            return try scheduler.spawn(onWorker: next) { try handRound(count - 1, from: next) + 1 }
                .join()
        }
        let executor = scheduler.taskExecutor(ofWorker: next)
        let fiber = scheduler.spawn(onWorker: worker) { try handRound(count - 1, from: worker) + 1 }
        return try Fiber.await {
            try await Task(executorPreference: executor) { try await fiber.join() }.value
        }
    }

    // MARK: Stacks

    /// Waits at the bottom of a deep stack, whose frames must be what they were.
    @inline(never)
    func dive(_ depth: Int, _ random: inout SeededGenerator) throws -> Int {
        let marks = (depth, depth &* 3, depth &* 5, depth &* 7)
        if depth == 0 {
            try Fiber.sleep(for: .microseconds(Int.random(in: 0...500, using: &random)))
            return 0
        }
        let below = try dive(depth - 1, &random)
        guard marks == (depth, depth &* 3, depth &* 5, depth &* 7), below == depth - 1 else {
            throw StressFailure(description: "a frame at depth \(depth) has changed")
        }
        return depth
    }

    // MARK: Files

    func keepFile(_ number: Int, _ random: inout SeededGenerator) throws {
        let path =
            FileManager.default.temporaryDirectory.path + "/ringlet-stress-\(getpid())-\(number)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try ledger.insist {
            try File.open(FilePath(path), .readWrite, options: [.create, .truncate])
        }
        let size = Int.random(in: 1...60_000, using: &random)
        try file.write(
            Buffer(copying: (0..<size).map { UInt8(truncatingIfNeeded: $0 / 3) }), at: 77)
        var buffer = Buffer(capacity: 7000)
        var position = 0
        while try file.read(into: &buffer, at: UInt64(77 + position)) > 0 {
            for index in 0..<buffer.count
            where buffer[index] != UInt8(truncatingIfNeeded: (position + index) / 3) {
                throw StressFailure(description: "byte \(position + index) of a file is wrong")
            }
            position += buffer.count
        }
        guard position == size else {
            throw StressFailure(description: "a file has \(position) bytes instead of \(size)")
        }
        try file.close()
        ledger.count { $0.bytes += size }
    }

    func anyWorker(_ random: inout SeededGenerator) -> Int {
        Int.random(in: 0..<scheduler.workerCount, using: &random)
    }
}
