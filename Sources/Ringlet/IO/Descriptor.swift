import Synchronization
import SystemPackage

/// An open file descriptor, and the rule that it is closed only when nothing uses it any more.
///
/// Operations count themselves in and out. Closing marks the descriptor, requests cancellation of what is
/// in flight, waits until the count is zero, and only then closes: otherwise the number could be
/// reused while an operation is still on its way, and reach a stranger.
final class Descriptor: WaitSource {
    let raw: Int32

    // The parts of the word.
    private static let counts: UInt64 = 0x7fff_ffff
    private static let closing: UInt64 = 1 << 31

    /// Operations in flight, the closing mark, and the marks of the workers that have had some
    /// (``Worker/mark``). Written by any thread. All in one word, so that a close which finds nothing of a worker has
    /// been seen by the worker's first operation.
    private let state = Atomic<UInt64>(0)

    /// Complete when closing and nothing is in flight.
    private let drained = WaitQueue()

    init(_ raw: Int32) {
        self.raw = raw
        OwnedDescriptors.insert(raw)
    }

    /// Whoever drops an open descriptor closes it; nothing can be in flight, since operations hold a
    /// reference.
    deinit {
        if state.load(ordering: .relaxed) & Self.closing != 0 { return }
        OwnedDescriptors.remove(raw)
        SocketCalls.close(raw)
    }

    /// Counts an operation of `worker` in. False once closing has begun.
    @inline(__always)
    func begin(on worker: Worker) -> Bool {
        let old = state.wrappingAdd(1, ordering: .acquiring).oldValue
        if old & (Self.closing | worker.mark) == worker.mark { return true }
        return beginAsFirst(of: worker)
    }

    /// Leaves the worker's mark, unless closing has begun, which then knows nothing of the worker.
    @inline(never)
    private func beginAsFirst(of worker: Worker) -> Bool {
        let old = state.bitwiseOr(worker.mark, ordering: .acquiringAndReleasing).oldValue
        if old & Self.closing == 0 { return true }
        end()
        return false
    }

    @inline(__always)
    func end() {
        let new = state.wrappingSubtract(1, ordering: .releasing).newValue
        if new & (Self.closing | Self.counts) == Self.closing { drained.complete() }
    }

    var isClosing: Bool { state.load(ordering: .acquiring) & Self.closing != 0 }

    func withdraw(_ node: WaitNode) -> Bool { drained.withdraw(node) }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        WaitDescription("the end of what uses descriptor \(raw)")
    }

    // MARK: Operations, in both colours

    /// From a fiber.
    @inline(__always)
    func perform(_ request: @autoclosure () -> Request, _ call: StaticString, deadline: Deadline) throws
        -> Int32
    {
        let fiber = try FiberRef.require(call)
        guard fiber.withWorker({ begin(on: $0) }) else { throw Errno.badFileDescriptor }
        fiber.complete(request(), deadline: deadline)
        end()
        let result = fiber.outcome.result
        if result >= 0 { return result }
        throw error(fiber.outcome, deadline)
    }

    /// From a task. Inlined, as what it calls is, because an async call costs a frame of the task's allocator.
    @inline(__always)
    func perform(_ request: Request, deadline: Deadline) async throws -> Int32 {
        let worker = try Worker.forCurrentTask
        guard begin(on: worker) else { throw Errno.badFileDescriptor }
        let completion = await worker.perform(request, on: self, deadline: deadline)
        end()
        if completion.result >= 0 { return completion.result }
        throw error(completion, deadline)
    }

    /// Makes a call that does not wait, unless closing has begun, which then waits for the call.
    func call<Result>(on worker: Worker, _ body: (Int32) throws -> Result) throws -> Result {
        guard begin(on: worker) else { throw Errno.badFileDescriptor }
        defer { end() }
        return try body(raw)
    }

    /// What a failed operation on the descriptor throws.
    @inline(never)
    func error(_ completion: Completion, _ deadline: Deadline) -> any Error {
        // Cancelled by nobody: the descriptor is being closed.
        if completion.isUnexplainedCancel && isClosing { return Errno.badFileDescriptor }
        return completion.error(deadline)
    }

    // MARK: Closing

    /// Marks the descriptor and requests cancellation of what is in flight. False when another call
    /// has done so already.
    ///
    /// Every worker that has ever had an operation here may have one in flight, and is asked; one that is stuck in
    /// somebody's code delays the close. Each request counts as in flight itself until the kernel has answered it:
    /// one that came late would cancel operations of a stranger that has got the number meanwhile.
    private func beginClose() -> Bool {
        var old = state.load(ordering: .relaxed)
        while true {
            if old & Self.closing != 0 { return false }
            // While anything is in flight, one more for this function: `drained` must not come early.
            let new = old & Self.counts == 0 ? old | Self.closing : (old | Self.closing) + 1
            let (exchanged, current) = state.weakCompareExchange(
                expected: old, desired: new, ordering: .acquiringAndReleasing)
            if exchanged { break }
            old = current
        }
        if old & Self.counts == 0 {
            drained.complete()
            return true
        }
        for worker in WorkerRegistry.workers where old & worker.mark != 0 {
            state.wrappingAdd(1, ordering: .relaxed)
            worker.perform { $0.cancelAll(on: self) }
        }
        end()
        return true
    }

    /// A worker's request has been answered: with how many operations the kernel has found.
    ///
    /// What it has not found may have been on its way (``Worker/cancelAnswered(_:result:)``), or is another worker's.
    func cancelAnswered(_ completion: Completion) {
        let left = (state.load(ordering: .acquiring) & Self.counts) - 1
        if left > UInt64(max(0, completion.result)) { CurrentThread.worker?.cancelAllAgain(on: self) }
        end()
    }

    /// Sends the worker's request again, unless nothing is in flight any more.
    func cancelAgain(on worker: Worker) {
        var old = state.load(ordering: .relaxed)
        while old & Self.counts > 0 {
            let (exchanged, current) = state.weakCompareExchange(
                expected: old, desired: old + 1, ordering: .acquiringAndReleasing)
            if exchanged { return worker.cancelAll(on: self) }
            old = current
        }
    }

    /// From a fiber. Runs to its end even when the fiber is cancelled.
    func close(_ call: StaticString) throws {
        let fiber = try FiberRef.require(call)
        try fiber.requireMayWait()
        guard beginClose() else { throw Errno.badFileDescriptor }
        let completion = fiber.shielded {
            if !drained.isComplete {
                _ = fiber.wait(in: self, deadline: .never) { drained.add($0) }
            }
            OwnedDescriptors.remove(raw)
            return fiber.perform(.close(raw), deadline: .never)
        }
        try completion.orThrow(.never)
    }

    /// From a task. Runs to its end even when the task is cancelled.
    func close() async throws {
        let worker = try Worker.forCurrentTask
        guard beginClose() else { throw Errno.badFileDescriptor }
        _ = await wait(deadline: .never, isShielded: true) { drained.add($0) }
        OwnedDescriptors.remove(raw)
        let completion = await worker.performUncancellably(.close(raw))
        if completion.reason == .shutdown {
            // The worker ended before it could: nothing is in flight any more, so close it here.
            SocketCalls.close(raw)
        } else if completion.result < 0 {
            throw completion.error(.never)
        }
    }
}
