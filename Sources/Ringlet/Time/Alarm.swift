/// One call that a worker makes at an instant, on its thread. Any thread may set, move and cancel it.
final class Alarm: @unchecked Sendable {
    private let worker: Worker
    private let holds: Bool

    // The rest is the worker thread's.
    private var timer: (token: TimerToken, message: Runnable)?
    /// Of the setting that counts. Once the worker has ended, an earlier one may ring all the same.
    private var order: UInt64 = 0
    private var action: (@Sendable () -> Void)?

    /// - Parameters:
    ///   - holds: Whether the scheduler is not idle while the alarm is set.
    ///   - action: Must not block. Given up when it was called, or by ``cancel()``.
    init(on worker: Worker, holds: Bool = true, _ action: @escaping @Sendable () -> Void) {
        self.worker = worker
        self.holds = holds
        self.action = action
    }

    /// Sets the alarm, or moves it; ``Deadline/never`` only takes it back.
    ///
    /// - Parameter order: Of several settings the one with the highest counts, whichever comes last.
    func set(at deadline: Deadline, order: UInt64 = 1) {
        worker.perform { worker in
            if order <= self.order { return }
            self.order = order
            self.removeTimer(of: worker)
            if self.action == nil || deadline == .never { return }
            // By way of the worker again: once it has ended, another one keeps its timers.
            let message = Message.runnable(
                { _ in self.worker.perform { _ in self.ring(order) } }, kind: .timedMessage)
            self.timer = (
                worker.timers.insert(deadline: deadline.nanoseconds, payload: message.word, holds: self.holds), message
            )
        }
    }

    func cancel() {
        worker.perform { worker in
            self.action = nil
            self.removeTimer(of: worker)
        }
    }

    private func ring(_ order: UInt64) {
        if order != self.order { return }
        timer = nil
        let action = self.action
        self.action = nil
        action?()
    }

    private func removeTimer(of worker: Worker) {
        guard let (token, message) = timer else { return }
        timer = nil
        if worker.timers.cancel(token) { Message.drop(message) }
    }
}
