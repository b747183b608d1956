import Synchronization

/// A call that a scheduler makes once: what ``Scheduler/soon(fileID:line:_:)``,
/// ``Scheduler/later(_:holdsScheduler:fileID:line:_:)`` and ``Scheduler/at(_:holdsScheduler:fileID:line:_:)`` return.
///
/// Dropping it changes nothing: the call is made all the same. All members may be used from any thread.
public final class Callback: @unchecked Sendable {
    // The intrusive link of the injection queue: the first stored property, at offset 16. Written by the
    // pusher, read by the worker.
    private var link: UInt = 0

    private enum State: UInt8, AtomicRepresentable {
        case pending, called, cancelled
    }

    /// Leaves `pending` once. Whoever takes it from there owns the body.
    private let state = Atomic<State>(.pending)

    private var body: (() throws -> Void)?

    private let worker: Worker

    /// When the call is due; nil for one that was wanted soon.
    public let deadline: Deadline?

    let holdsScheduler: Bool
    let site: PackedSite

    // The rest is the worker thread's.

    private var timer = TimerToken.none

    /// It has been given a timer. What comes to be run and has none is on its way to one.
    private var hasTimer = false

    init(
        on worker: Worker, deadline: Deadline?, holdsScheduler: Bool, site: PackedSite,
        _ body: sending @escaping () throws -> Void
    ) {
        self.worker = worker
        self.deadline = deadline
        self.holdsScheduler = holdsScheduler
        self.site = site
        self.body = body
    }

    /// True until the call begins or is cancelled.
    public var isPending: Bool { state.load(ordering: .acquiring) == .pending }

    /// True when the call will never be made: it was cancelled before it began, or the scheduler shut down.
    public var isCancelled: Bool { state.load(ordering: .acquiring) == .cancelled }

    /// Takes the call back. What its closure refers to is released before this returns, and what it takes up among
    /// the timers at once, or in the worker's next turn when another thread cancels. O(1).
    ///
    /// - Returns: True when this prevented the call. It does nothing once the call has begun, or a second time.
    @discardableResult
    public func cancel() -> Bool {
        guard take(.cancelled) != nil else { return false }
        if deadline != nil { worker.perform { [self] in removeTimer(of: $0) } }
        return true
    }

    /// The body, for whoever is the first to ask.
    private func take(_ next: State) -> (() throws -> Void)? {
        let (exchanged, _) = state.compareExchange(
            expected: .pending, desired: next, ordering: .acquiringAndReleasing)
        guard exchanged else { return nil }
        defer { body = nil }
        return body
    }

    // MARK: As something runnable, which holds one reference

    /// Queues the call, or its timer. Any thread, once.
    func start() {
        if !CurrentThread.runs(worker) {
            worker.enqueue(retained())
        } else if worker.isShuttingDown {
            _ = take(.cancelled)
        } else if deadline == nil {
            worker.callbacks.push(retained())
        } else {
            setTimer(of: worker)
        }
    }

    /// The worker's turn: makes the call, unless it must wait for its time first.
    static func run(_ runnable: Runnable, on worker: Worker) {
        let callback = released(runnable)
        if worker.isShuttingDown {
            _ = callback.take(.cancelled)
        } else if callback.deadline != nil && !callback.hasTimer {
            callback.setTimer(of: worker)
        } else {
            callback.call()
        }
    }

    /// The call will not be made: the worker ends.
    static func drop(_ runnable: Runnable) { _ = released(runnable).take(.cancelled) }

    /// The one that `runnable` is, or the timer of.
    static func named(by runnable: Runnable) -> Callback { unsafe reference(runnable).takeUnretainedValue() }

    /// Its timer, whose payload `runnable` is, has fired.
    static func isDue(_ runnable: Runnable) {
        unsafe reference(runnable)._withUnsafeGuaranteedRef { $0.timer = .none }
    }

    private func call() {
        guard let body = take(.called) else { return }
        do {
            try body()
        } catch {
            let source = deadline == nil ? "the callback asked for at \(site)" : "the timer set at \(site)"
            worker.shared.unseenErrors.report(UnseenError(error: error, origin: .callback, source: source))
        }
    }

    private func setTimer(of worker: Worker) {
        hasTimer = true
        guard isPending, let deadline else { return }
        timer = worker.timers.insert(
            deadline: deadline.nanoseconds, payload: retained().word, holds: holdsScheduler)
    }

    private func removeTimer(of worker: Worker) {
        if let word = worker.timers.take(timer) { _ = Self.released(Runnable(word: word)) }
        timer = .none
    }

    private func retained() -> Runnable {
        let address = unsafe Unmanaged.passRetained(self).toOpaque()
        return Runnable(address: UInt(bitPattern: address), kind: .callback)
    }

    private static func released(_ runnable: Runnable) -> Callback { unsafe reference(runnable).takeRetainedValue() }

    private static func reference(_ runnable: Runnable) -> Unmanaged<Callback> {
        unsafe Unmanaged<Callback>
            .fromOpaque(UnsafeRawPointer(bitPattern: runnable.address).unsafelyUnwrapped)
    }
}
