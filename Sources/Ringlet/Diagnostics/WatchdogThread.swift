import Synchronization

/// The thread of a ``Watchdog``. It ends with the last worker.
final class WatchdogThread: Sendable {
    private let watchdog: Watchdog
    private let over = ThreadParker()

    init(_ watchdog: Watchdog) {
        self.watchdog = watchdog
    }

    deinit { over.deallocate() }

    /// Watches the workers of `state`. Once.
    func start(_ state: SchedulerState) throws {
        try WorkerThread.start(named: "ringlet-watch") { [self] in watch(state) }
    }

    /// The last worker has ended. Any thread, at most once.
    func stop() { over.unpark() }

    /// What was last seen of a worker.
    private struct Sight {
        var pulse: UInt64
        var since = Deadline.now
        /// For how long it must last to be reported, again if it was.
        var limit: UInt64
    }

    private func watch(_ state: SchedulerState) {
        let threshold = watchdog.threshold.wholeNanoseconds
        let workers = state.workers
        var sights = workers.map { _ in Sight(pulse: 1, limit: threshold) }
        while !over.park(until: Deadline.now.nanoseconds + threshold / 2) {
            for (place, worker) in workers.enumerated() {
                let pulse = worker.meter.pulse.load(ordering: .relaxed)
                if pulse != sights[place].pulse || pulse & 1 == 1 {
                    sights[place] = Sight(pulse: pulse, limit: threshold)
                    continue
                }
                let blocked = Deadline.now.nanoseconds - sights[place].since.nanoseconds
                if blocked < sights[place].limit { continue }
                if worker.closed.load(ordering: .acquiring) { continue }
                let sample = WorkerSample(of: worker)
                // What came round meanwhile was slow, and its sample is of something else.
                guard worker.meter.pulse.load(ordering: .relaxed) == pulse else { continue }
                let soFar = Deadline.now.nanoseconds - sights[place].since.nanoseconds
                // A turn runs several things: what is blocked then may be another one than what was reported first.
                sights[place].limit = soFar * 10
                watchdog.report(
                    BlockedWorkerReport(
                        worker: worker.index, duration: .nanoseconds(soFar), fiber: sample.fiber,
                        backtrace: sample.backtrace))
            }
        }
    }
}
