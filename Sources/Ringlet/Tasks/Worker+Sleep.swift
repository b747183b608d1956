@_spi(ExperimentalScheduling) import _Concurrency

/// `Task.sleep` of a task on a worker becomes one of the worker's timers.
///
/// The runtime asks a task executor that conforms to this protocol to enqueue the job at an instant;
/// otherwise it wakes a thread of libdispatch, and the job comes back as injected work. The protocol is
/// SPI in Swift 6.3 (SE-0505 was returned for revision), so the conformance is alone in this file and
/// nothing else depends on it.
extension Worker: SchedulingExecutor {
    func enqueue<C: Clock>(
        _ job: consuming ExecutorJob, after delay: C.Duration, tolerance: C.Duration?, clock: C
    ) {
        let span = (delay as? Duration) ?? .zero
        schedule(UnownedJob(job), at: .after(span))
    }

    func enqueue<C: Clock>(
        _ job: consuming ExecutorJob, at instant: C.Instant, tolerance: C.Duration?, clock: C
    ) {
        let span = (clock.now.duration(to: instant) as? Duration) ?? .zero
        schedule(UnownedJob(job), at: .after(CurrentThread.runs(self) ? simulatedSpan(span) : span))
    }

    /// Runs a scheduled job without an executor identity. The task of `Task.sleep` that wakes the sleeper
    /// prefers none, and with ours it would first hop to the default executor: a thread of libdispatch
    /// per sleep.
    @inline(never)
    func runScheduledJob(_ runnable: Runnable) {
        let generic = unsafe unsafeBitCast((0, 0), to: UnownedSerialExecutor.self)
        unsafe runnable.job.runSynchronously(on: generic)
    }

    private func schedule(_ job: UnownedJob, at deadline: Deadline) {
        perform { worker in
            let runnable = Runnable(job, kind: .scheduledJob)
            _ = worker.timers.insert(deadline: deadline.nanoseconds, payload: runnable.word)
        }
    }
}
