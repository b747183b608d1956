import Foundation
import Testing

/// A test that shows what deadlines, sleeps and orders mean does it in a simulation, whose clock is exact and does
/// not depend on how busy the machine is. What is about the machine itself is in these files. There an assertion has
/// to hold on a machine ten times slower: a lower bound may be as short as it likes, an upper one is `patience`.
@Suite struct ClockTests {
    /// Files that read the machine's clock, or keep a thread for a time.
    static let readers: [(reason: String, files: [String])] = [
        ("scenarios in every order, once on a real scheduler", ["Synchronization/SynchronizationScenarioTests"]),
        ("the kernel's timeouts", ["IO/EndedWaitTests", "Scheduler/RandomStressTests"]),
        ("threads, guests and tasks that no worker runs", [
            "Coroutines/FiberHostTests", "Scheduler/GuestSchedulerTests", "Scheduler/IdleTests",
            "Scheduler/ShutdownTests", "Tasks/TaskSleepTests",
        ]),
        ("signals and processes", ["Process/ForkCallTests", "Process/RunInterruptTests", "Process/SignalTests"]),
        ("what computes for too long, in a clock that goes on meanwhile", [
            "Diagnostics/DeadlockWatchTests", "Diagnostics/DebugTests", "Diagnostics/WatchdogTests",
            "Worker/TurnFairnessTests",
        ]),
        ("a simulated hour takes no hour", ["Simulation/VirtualTimeTests"]),
        ("polls what other threads and the kernel do", ["Support/Support"]),
    ]

    /// Files that sleep for less than a second outside simulations.
    static let sleepers: [(reason: String, files: [String])] = [
        ("load and races of several threads, where a sleep spreads what happens", [
            "Coroutines/FiberHostTests", "IO/EndedWaitTests", "IO/TCPConnectionTests", "Kernel/SetupFaultTests",
            "Kernel/SubmissionFaultTests", "Process/ForkTests", "Processes/ChildProcessTests",
            "Processes/ChildWatchTests", "Programs/ProgramRun", "Scheduler/RandomStressTests",
            "Scheduler/SchedulerRunnerTests", "Scheduler/ThreadLimitTests",
        ]),
        ("threads, guests and real descriptors", [
            "IO/BufferedWriterTests", "IO/ReadinessTests", "Scheduler/GuestSchedulerTests", "Scheduler/IdleTests",
            "Scheduler/SchedulerRunTests", "Scheduler/ShutdownTests",
        ]),
        ("signals and processes", [
            "IO/SignalListenerTests", "Process/RunInterruptTests", "Process/SignalTests",
            "Processes/CommunicateTests",
        ]),
        ("what diagnostics say of a sleep", [
            "Diagnostics/DeadlockWatchTests", "Diagnostics/DebugTests", "Diagnostics/SnapshotTests",
            "Diagnostics/WatchdogTests",
        ]),
        ("polls what other threads and the kernel do", ["IO/Obstacle", "Support/Support"]),
    ]

    private static let readingWords = [
        "ContinuousClock", "SuspendingClock", "DispatchTime", "clock_gettime", "nanosleep(", "usleep(", "Thread.sleep",
        ".hasPassed",
    ]
    private static let sleepingWords = [
        "sleep(nanoseconds:", "sleep(for: .milliseconds", "sleep(for: .microseconds", "sleep(for: .nanoseconds",
    ]

    private static let tests = RoomTests.sources.deletingLastPathComponent().appending(path: "Tests/RingletTests")

    /// Path below the suite without its extension, and the text of each file, without comments and without limits
    /// against a hang.
    private static func files() throws -> [(path: String, text: String)] {
        let enumerator = try #require(FileManager.default.enumerator(at: tests, includingPropertiesForKeys: nil))
        return try enumerator.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }.map { url in
            let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
            let code = lines.filter { !$0.drop { $0 == " " }.hasPrefix("//") }.joined(separator: "\n")
            let path = url.deletingPathExtension().path.dropFirst(tests.path.count + 1)
            return (String(path), code.replacingOccurrences(of: "limit.hasPassed", with: ""))
        }
    }

    @Test func `only tests of what has no other clock read the machine's`() throws {
        let found = try Self.files().filter { file in
            Self.readingWords.contains(where: file.text.contains)
                || (file.text.contains("Deadline.now") && !file.text.contains("import RingletTesting"))
        }
        #expect(Set(found.map(\.path)) == Set(Self.readers.flatMap(\.files)))
    }

    @Test func `only tests of what has no other clock sleep by the machine's`() throws {
        let found = try Self.files().filter { file in
            Self.sleepingWords.contains(where: file.text.contains)
                && !file.text.contains("import RingletTesting") && !file.text.contains("inEveryOrder")
        }
        #expect(Set(found.map(\.path)) == Set(Self.sleepers.flatMap(\.files)))
    }
}
