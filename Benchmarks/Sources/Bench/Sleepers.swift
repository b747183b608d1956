internal import CReference
internal import Glibc
internal import Measure
internal import Ringlet

/// A great many sleepers with one deadline: their memory, and how late the last of them wakes.
///
/// Once per process, since memory that was used before would hide what is measured. A minute at most,
/// and at most 8 GiB.
func measureSleepers(_ kind: String, count: Int) throws {
    alarm(60)
    let report: Sleepers.Report
    var kibibytes: Double?
    var lateness: Double?
    switch kind {
    case "fibers":
        report = try Scheduler.run { try Sleepers.fibers(count) }
        kibibytes = 4.6
    case "tasks":
        report = try Scheduler.run {
            let executor = here()
            return try await Sleepers.tasks(count) { sleepers, deadline in
                Task(executorPreference: executor) {
                    sleepers.asleep += 1
                    try await Scheduler.sleep(until: Deadline(nanoseconds: deadline))
                    sleepers.wake()
                }
            }
        }
        kibibytes = 1.2
        // The goal is for a million; fewer must be no later.
        lateness = 0.3
    case "tasks-of-swift":
        report = try Scheduler.run {
            let executor = here()
            return try await Sleepers.tasks(count) { sleepers, deadline in
                let rest = Duration.nanoseconds(deadline - reference_now())
                let instant = ContinuousClock.now.advanced(by: rest)
                Task(executorPreference: executor) {
                    sleepers.asleep += 1
                    try await Task.sleep(until: instant, clock: .continuous)
                    sleepers.wake()
                }
            }
        }
    default:
        throw Usage()
    }
    print("\nSleepers, \(count) \(kind), one deadline (once, in a fresh process)")
    line("memory of one", report.kibibytes, "KiB", goal: kibibytes)
    line("of it on the heap", report.heapKibibytes, "KiB", goal: nil)
    line("allocations of one", report.allocations, "", goal: nil)
    line("spawn one, and let it fall asleep", report.spawnNanoseconds, "ns", goal: nil)
    line("first one wakes late by", report.first, "s", goal: nil)
    line("last one wakes late by", report.last, "s", goal: lateness)
    // What the lateness would be if no other program had the processor.
    line("processor time from first to last", report.processor, "s", goal: nil)
    flush()
}

private func line(_ name: String, _ value: Double, _ unit: String, goal: Double?) {
    let judged = goal.map { "  goal <= \(text($0)) \(unit): \(verdict([value], $0))" } ?? ""
    let figure = unit == "s" ? "\((value * 1000).rounded() / 1000)" : text(value)
    print("  " + name.padded(36) + figure.leading(10) + " " + unit.padded(4) + judged)
}

private struct Sleepers: @unchecked Sendable {
    struct Report: Sendable {
        var kibibytes: Double
        var heapKibibytes: Double
        var allocations: Double
        var spawnNanoseconds: Double
        var first: Double
        var last: Double
        var processor: Double
    }

    /// What the process has used so far.
    private struct Use {
        let time = reference_now()
        let allocations = reference_allocations()
        let heap = reference_heap_bytes()
        let resident: Double

        init() throws { resident = try residentKibibytes() }
    }

    private let count: UInt64

    /// All on one worker, so plain words will do. A wake-up writes its instant, the last one stays.
    private let words: UnsafeMutablePointer<UInt64>

    private init(_ count: Int) {
        self.count = UInt64(count)
        words = .allocate(capacity: 6)
        words.initialize(repeating: 0, count: 6)
    }

    var asleep: UInt64 {
        get { words[0] }
        nonmutating set { words[0] = newValue }
    }
    private var awake: UInt64 {
        get { words[1] }
        nonmutating set { words[1] = newValue }
    }

    func wake() {
        let now = reference_now()
        if awake == 0 {
            words[2] = now
            words[4] = reference_cpu()
        }
        words[3] = now
        awake += 1
        if awake == count { words[5] = reference_cpu() }
    }

    /// Long enough to spawn them all.
    private static func deadline(_ count: Int) -> UInt64 {
        reference_now() + 2_000_000_000 + UInt64(count) * 12_000
    }

    private func report(_ count: Int, from start: Use, to end: Use, deadline: UInt64) -> Report {
        let count = Double(count)
        return Report(
            kibibytes: (end.resident - start.resident) / count,
            heapKibibytes: Double(end.heap - start.heap) / 1024 / count,
            allocations: Double(end.allocations - start.allocations) / count,
            spawnNanoseconds: Double(end.time - start.time) / count,
            first: (Double(words[2]) - Double(deadline)) / 1e9,
            last: (Double(words[3]) - Double(deadline)) / 1e9,
            processor: (Double(words[5]) - Double(words[4])) / 1e9)
    }

    static func fibers(_ count: Int) throws -> Report {
        let sleepers = Sleepers(count)
        defer { sleepers.words.deallocate() }
        let deadline = deadline(count)
        let start = try Use()
        for index in 0..<count {
            Fiber {
                sleepers.asleep += 1
                try Fiber.sleep(until: Deadline(nanoseconds: deadline))
                sleepers.wake()
            }
            if index % 1024 == 1023 {
                try Fiber.yield()
                try checkMemory()
            }
        }
        while sleepers.asleep < count { try Fiber.yield() }
        let end = try Use()
        guard end.time < deadline else { throw TooSlow() }
        while sleepers.awake < count { try Fiber.sleep(for: .milliseconds(50)) }
        return sleepers.report(count, from: start, to: end, deadline: deadline)
    }

    /// - Parameter spawn: Starts one task, which sleeps until the deadline.
    static func tasks(_ count: Int, _ spawn: (Sleepers, UInt64) -> Void) async throws -> Report {
        let sleepers = Sleepers(count)
        defer { sleepers.words.deallocate() }
        let deadline = deadline(count)
        let start = try Use()
        for index in 0..<count {
            spawn(sleepers, deadline)
            if index % 1024 == 1023 {
                await Task.yield()
                try checkMemory()
            }
        }
        while sleepers.asleep < count { await Task.yield() }
        let end = try Use()
        guard end.time < deadline else { throw TooSlow() }
        while sleepers.awake < count { try await Scheduler.sleep(for: .milliseconds(50)) }
        return sleepers.report(count, from: start, to: end, deadline: deadline)
    }
}

private struct TooSlow: Error, CustomStringConvertible {
    var description: String { "the sleepers were due before all of them slept" }
}

private struct TooLarge: Error, CustomStringConvertible {
    var description: String { "the sleepers need more than 8 GiB" }
}

private func checkMemory() throws {
    if try residentKibibytes() > 8 * 1024 * 1024 { throw TooLarge() }
}

/// VmRSS of this process.
func residentKibibytes() throws -> Double {
    guard let file = fopen("/proc/self/statm", "r") else {
        throw MeasurementFailure(code: Int64(-errno))
    }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard fgets(&line, Int32(line.count), file) != nil else {
        throw MeasurementFailure(code: Int64(-EIO))
    }
    let bytes = line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
    let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
    guard fields.count > 1, let pages = Double(fields[1]) else {
        throw MeasurementFailure(code: Int64(-EIO))
    }
    return pages * Double(sysconf(Int32(_SC_PAGESIZE))) / 1024
}
