@_spi(Testing) import Ringlet
import Synchronization
import SystemPackage

/// What a round counted.
struct StressTally: Sendable {
    var fibers = 0
    var connections = 0
    var deepest = 0
    var echoes = 0
    var bytes = 0
    var cancelled = 0
    var timedOut = 0
    var closed = 0
    /// Elements that came through a channel.
    var messages = 0
    var groups = 0
    /// Elements of generators, and steps of coroutines.
    var elements = 0
    /// Child processes.
    var children = 0
    /// Operations that ended with the error of a fault.
    var failed = 0
    var faults: [KernelFaults.Kind: Int] = [:]

    mutating func add(_ other: StressTally) {
        fibers += other.fibers
        connections += other.connections
        deepest = max(deepest, other.deepest)
        echoes += other.echoes
        bytes += other.bytes
        cancelled += other.cancelled
        timedOut += other.timedOut
        closed += other.closed
        messages += other.messages
        groups += other.groups
        elements += other.elements
        children += other.children
        failed += other.failed
        faults.merge(other.faults, uniquingKeysWith: +)
    }
}

/// Something that must never happen.
struct StressFailure: Error, CustomStringConvertible {
    let description: String
}

/// An operation ended with the error of a fault: it has been counted, and was not carried out.
struct InjectedError: Error {}

/// What all parts of a round report to, and what is allowed in it. Any thread.
final class StressLedger: Sendable {
    private struct State {
        var tally = StressTally()
        var failures: [String] = []
        var fibers: [AnyFiber] = []
        var broken: Set<UInt64> = []
        var observed: [Errno: Int] = [:]
        var lastID: UInt64 = 0
        var isOver = false
    }

    private let state = Mutex(State())
    let faults: KernelFaults?

    init(faults: KernelFaults?) {
        self.faults = faults
    }

    func count(_ change: (inout StressTally) -> Void) { state.withLock { change(&$0.tally) } }

    /// At the end of the round.
    var tally: StressTally {
        var tally = state.withLock { $0.tally }
        if let faults {
            for kind in KernelFaults.Kind.allCases { tally.faults[kind] = faults.count(kind) }
        }
        return tally
    }

    // MARK: Failures

    func fail(_ what: String) { state.withLock { $0.failures.append(what) } }

    /// The load has ended by itself: from now on servers may be cancelled.
    func close() { state.withLock { $0.isOver = true } }

    /// What may end a fiber or task of the load is counted, everything else fails the round.
    func settle(_ error: any Error, _ who: String, isCancelled: Bool) {
        state.withLock {
            switch error {
            case is CancellationError where isCancelled || $0.isOver: $0.tally.cancelled += 1
            case is InjectedError: break
            default: $0.failures.append("\(who): \(error)")
            }
        }
    }

    // MARK: Faults

    /// Runs one operation. The error of a fault is counted, and thrown as an ``InjectedError``.
    func tolerate<Result>(_ operation: () throws -> Result) throws -> Result {
        do { return try operation() } catch { throw sorted(error) }
    }

    func tolerate<Result>(_ operation: () async throws -> Result) async throws -> Result {
        do { return try await operation() } catch { throw sorted(error) }
    }

    /// Runs an operation that can be repeated until no fault befalls it.
    func insist<Result>(_ operation: () throws -> Result) throws -> Result {
        while true {
            do { return try tolerate(operation) } catch is InjectedError {}
        }
    }

    func insist<Result>(_ operation: () async throws -> Result) async throws -> Result {
        while true {
            do { return try await tolerate(operation) } catch is InjectedError {}
        }
    }

    private func sorted(_ error: any Error) -> any Error {
        guard faults != nil, let errno = error as? Errno, KernelFaults.errors.contains(errno) else {
            return error
        }
        state.withLock {
            $0.observed[errno, default: 0] += 1
            $0.tally.failed += 1
        }
        return InjectedError()
    }

    // MARK: Connections

    var nextID: UInt64 {
        state.withLock {
            $0.lastID += 1
            return $0.lastID
        }
    }

    /// A fault has ended the connection in the middle of a write; its other end may notice.
    func markBroken(_ id: UInt64) { state.withLock { _ = $0.broken.insert(id) } }
    func isBroken(_ id: UInt64) -> Bool { state.withLock { $0.broken.contains(id) } }

    // MARK: Fibers

    /// Spawns a fiber whose end is checked.
    @discardableResult
    func spawn(
        on scheduler: Scheduler, worker: Int, name: String,
        _ body: sending @escaping () throws -> Void
    ) -> Fiber<Void> {
        let fiber = scheduler.spawn(onWorker: worker, name: name) { [self] in
            do { try body() } catch {
                settle(error, name, isCancelled: AnyFiber.current?.isCancelled ?? false)
            }
        }
        state.withLock {
            $0.fibers.append(fiber)
            $0.tally.fibers += 1
        }
        return fiber
    }

    // MARK: The balance

    /// What is wrong after the scheduler has ended.
    func balance(_ remains: [Scheduler.Remains]) -> [String] {
        let state = state.withLock { $0 }
        var wrong = state.failures
        for (index, left) in remains.enumerated() {
            if left.operations > 0 {
                wrong.append("\(left.operations) operations left on worker \(index)")
            }
            if left.hasFibers { wrong.append("fibers left on worker \(index)") }
            if left.stacks > 0 { wrong.append("\(left.stacks) stacks in use on worker \(index)") }
        }
        for fiber in state.fibers where !fiber.isFinished { wrong.append("\(fiber) has not ended") }
        let stale = remains.reduce(0) { $0 + $1.staleCompletions }
        if stale > faults?.repeatedCompletions ?? 0 { wrong.append("\(stale) stale completions") }
        for errno in KernelFaults.errors {
            let (seen, made) = (state.observed[errno] ?? 0, faults?.failures(with: errno) ?? 0)
            // An operation that was to be cancelled anyway hides that the kernel did it by itself.
            if seen > made || (seen < made && errno != .canceled) {
                wrong.append("'\(errno)' came \(seen) times, and was made \(made) times")
            }
        }
        return wrong
    }
}
