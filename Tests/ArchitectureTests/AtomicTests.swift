import Foundation
import Testing

/// Whatever threads share without a lock is tried in every order of its steps, or has none: then here is why.
@Suite struct AtomicTests {
    /// Files with a protocol, and the test below Tests/InterleavingTests that tries it: the code itself, or a model of it.
    static let tried: [(test: String, files: [String])] = [
        ("LockInterleavingTests", [
            "Ringlet/Synchronization/Lock", "Ringlet/Synchronization/Permits", "Ringlet/Synchronization/Event",
        ]),
        ("ChannelInterleavingTests", ["Ringlet/Synchronization/Channel+Ends", "Ringlet/Operations/Selection"]),
        ("OnceInterleavingTests", [
            "Ringlet/Operations/WaitQueue", "Ringlet/Tasks/WaitCell", "Ringlet/Tasks/WorkPhase",
            "Ringlet/Kernel/PerProcess",
        ]),
        ("WorkerInterleavingTests", [
            "Ringlet/Worker/InjectionQueue", "Ringlet/Worker/QuietMark", "Ringlet/Worker/WorkerMeter",
            "Ringlet/Operations/Callback", "Ringlet/Cancellation/CancelScope", "Ringlet/Worker/FiberTally",
        ]),
        ("StragglerModelTests", ["Ringlet/Worker/Worker"]),
        ("CloseModelTests", ["Ringlet/IO/Descriptor"]),
        ("SampleModelTests", ["CContext/sample.c"]),
    ]

    /// Files in which no thread acts on what two accesses say together.
    static let alone: [(reason: String, files: [String])] = [
        ("counts, and numbers that are given out: each is one addition", [
            "Ringlet/Coroutines/LocalValues", "Ringlet/Coroutines/CoroutineThread",
            "Ringlet/Coroutines/CoroutineCounters", "Ringlet/Scheduler/Scheduler", "Ringlet/Tasks/CEntry",
            "Ringlet/Worker/WorkerRegistry", "Ringlet/Worker/FiberIDs", "Ringlet/Scheduler/Idleness", "RingletCommand/EchoServer",
            "RingletTesting/Seeds", "CUring/emulated/numbers.c", "CContext/stack.c",
        ]),
        ("rights that the first exchange takes", [
            "Ringlet/Groups/Awaitable", "Ringlet/Coroutines/AnyFiber", "Ringlet/Kernel/StandardError",
            "Ringlet/Tasks/CPromise",
        ]),
        ("flags that one side sets and the other only looks at, now or later", [
            "Ringlet/Scheduler/SchedulerState", "Ringlet/Scheduler/Interruption", "Ringlet/Pools/FiberPool",
            "Ringlet/Coroutines/TaskPart", "Ringlet/Coroutines/CFiber", "Ringlet/Coroutines/FiberHost",
            "CUring/interrupt.c", "CUring/emulated/readiness.c", "CContext/host.c", "CContext/raw.c",
            "CContext/include/cctx_raw.h",
        ]),
        ("written under a lock, or by its holder", [
            "Ringlet/Kernel/CrewTicket", "Ringlet/Kernel/ThreadCrew", "Ringlet/Synchronization/RecursiveLock",
            "CUring/emulated/submit.c", "CUring/emulated/threads.c",
        ]),
        ("rings, whose two ends are one thread", [
            "CUring/emulated/kernel.c", "CUring/faults/kernel.c", "CUring/mixed/kernel.c", "CUring/mixed/mixed.h",
            "CUring/mixed/wait.c",
        ]),
        ("words that others build protocols of", ["CUring/include/curing_linux.h", "CUring/include/curing.h"]),
        ("the means of trying", ["Ringlet/Kernel/Interleaving/Atomic", "Ringlet/Kernel/Interleaving/Mutex"]),
    ]

    private static let root = RoomTests.sources.deletingLastPathComponent()

    /// Path below Sources or CSupport; without an extension for Swift.
    private static func sharers() throws -> [String] {
        let swift = try RoomTests.files().filter { file in
            file.lines.contains { $0.drop { $0 == " " }.first != "/" && $0.contains("Atomic<") }
        }.map { String($0.path.dropLast(".swift".count)) }
        let support = root.appending(path: "CSupport")
        let enumerator = try #require(FileManager.default.enumerator(at: support, includingPropertiesForKeys: nil))
        let c = try enumerator.compactMap { $0 as? URL }.filter { ["c", "h"].contains($0.pathExtension) }.filter {
            let text = try String(contentsOf: $0, encoding: .utf8)
            return text.contains("__atomic_") || text.contains("_Atomic ")
        }.map { String($0.path.dropFirst(support.path.count + 1)) }
        return swift + c
    }

    @Test func `every structure without a lock is tried in every order, or has one step`() throws {
        let known = Self.tried.flatMap(\.files) + Self.alone.flatMap(\.files)
        #expect(Set(try Self.sharers()) == Set(known))
        #expect(known.count == Set(known).count)
    }

    @Test(arguments: tried.indices)
    func `the test of a protocol names what it tries`(_ index: Int) throws {
        let (test, files) = Self.tried[index]
        let url = Self.root.appending(path: "Tests/InterleavingTests/\(test).swift")
        let text = try String(contentsOf: url, encoding: .utf8)
        for file in files {
            let name = file.split(separator: "/").last.map(String.init) ?? file
            let type = name.split(separator: "+").first.map(String.init) ?? name
            #expect(text.contains(Self.uses[type] ?? type), "\(test) does not mention \(type)")
        }
    }

    /// How a type is used that has no public name of its own.
    private static let uses = ["Permits": "Semaphore", "Selection": "select(", "Channel": ".split()"]
}
