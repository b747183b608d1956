import Foundation
import Synchronization
import Testing

@testable import Ringlet

/// What happened, in order, noted from any thread.
final class Journal<Entry: Sendable>: Sendable {
    private let entries = Synchronization.Mutex<[Entry]>([])

    func note(_ entry: Entry) {
        entries.withLock { $0.append(entry) }
    }

    var all: [Entry] { entries.withLock { $0 } }
    var count: Int { entries.withLock { $0.count } }
}

/// A number that any thread may change.
final class Counter: Sendable {
    private let number = Synchronization.Atomic<Int>(0)

    var value: Int { number.load(ordering: .sequentiallyConsistent) }

    @discardableResult
    func add(_ amount: Int = 1) -> Int {
        number.add(amount, ordering: .sequentiallyConsistent).newValue
    }
}

extension TimeLimitTrait.Duration {
    /// Upper bound for a whole test, which waits more than once: for the same machine.
    static let patient = minutes(40)
}

/// Blocks a plain thread until `condition` holds.
func blockUntil(_ what: String, _ condition: () -> Bool) throws {
    let limit = Deadline.after(patience)
    while !condition() {
        if limit.hasPassed { throw WaitedTooLong(what: what) }
        usleep(200)
    }
}

/// Suspends a task until `condition` holds.
func awaitUntil(_ what: String, _ condition: () async -> Bool) async throws {
    let limit = Deadline.after(patience)
    while await !condition() {
        if limit.hasPassed { throw WaitedTooLong(what: what) }
        try await Task.sleep(for: .milliseconds(1))
    }
}

/// Waits until the worker holds so many timers. A close on another scheduler may have it keep one more for a moment
/// (`Worker.cancelAllAgain(on:)`).
func awaitTimers(_ count: Int, on worker: Worker) async throws {
    try await awaitUntil("\(count) timers are held") {
        await withCheckedContinuation { continuation in
            worker.perform { continuation.resume(returning: $0.timers.count == count) }
        }
    }
}

/// Runs `body` on a plain thread, which runs no task, and awaits its outcome.
func onThread<Success: Sendable>(
    _ body: @escaping @Sendable () throws -> Success
) async throws -> Success {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            continuation.resume(with: Result { try body() })
        }
    }
}

/// Gives `body` a scheduler on threads of its own, which is shut down afterwards.
func withScheduler<Success>(
    workers: Int = 1, _ body: (Scheduler) async throws -> Success
) async throws -> Success {
    let scheduler = try Scheduler(
        SchedulerOptions(workers: workers, cleanUpLimit: .seconds(600)))
    let outcome: Result<Success, any Error>
    do { outcome = .success(try await body(scheduler)) } catch { outcome = .failure(error) }
    let report = scheduler.shutdown(deadline: .after(patience))
    if report != ShutdownReport() {
        Issue.record("the shutdown left \(report): \(scheduler.workers.map(describe))")
    }
    return try outcome.get()
}

/// What keeps a worker from ending. Its thread is expected to sleep.
private func describe(_ worker: Worker) -> String {
    """
    worker \(worker.index): shutting down \(worker.isShuttingDown), \
    operations \(worker.operations.activeCount), ready \(worker.ready.count), \
    injected \(!worker.inbox.isEmpty), timers \(worker.timers.count), \
    live fibers \(worker.liveFibers != nil)
    """
}

/// The error that `body` throws, or nil.
func errorThrown(by body: () throws -> Void) -> (any Error)? {
    do {
        try body()
        return nil
    } catch {
        return error
    }
}

/// The same in a task.
func errorThrown(by body: () async throws -> Void) async -> (any Error)? {
    do {
        try await body()
        return nil
    } catch {
        return error
    }
}

/// Bytes that tell where in a stream they belong: a shifted, doubled or lost byte shows.
func pattern(from start: Int = 0, count: Int) -> [UInt8] {
    (start..<start + count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &* 7) }
}

/// The descriptors that the process has open. Only an exit test has a process for itself.
///
/// Without those of libdispatch, which come and go with its timers.
func openDescriptors() -> Int {
    let files = FileManager.default
    let numbers = (try? files.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return numbers.count { number in
        let target = try? files.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")
        // The descriptor that read the directory has no target any more.
        guard let target else { return false }
        return target != "anon_inode:[timerfd]" && target != "anon_inode:[eventpoll]"
    }
}

/// The same, once it has stopped changing: the last references of a scheduler that has ended may be those
/// of threads that are about to exit.
func settledDescriptors() async throws -> Int {
    var last = openDescriptors()
    var unchanged = 0
    while unchanged < 10 {
        try await Task.sleep(for: .milliseconds(2))
        let now = openDescriptors()
        unchanged = now == last ? unchanged + 1 : 0
        last = now
    }
    return last
}

/// Whether AddressSanitizer watches, under which frames are several times as large and memory that was freed
/// stays resident for a while.
let addressSanitizer = unsafe dlsym(nil, "__asan_init") != nil

/// Whether ThreadSanitizer watches, which keeps a history of memory beside it, of threads and of their stacks.
let threadSanitizer = unsafe dlsym(nil, "__tsan_init") != nil

/// The current thread, as a number.
func pthreadNumber() -> UInt { UInt(pthread_self()) }

extension Worker {
    /// Operations in flight that a test has begun. More than 32 workers share marks, so that other tests' closes may
    /// have shielded operations here for a moment. On the worker's thread.
    var operationsOfTheTest: Int { operations.tokens(where: { !$0.isShielded }).count }
}
