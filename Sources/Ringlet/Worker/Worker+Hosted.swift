/// Turns of a worker whose thread belongs to somebody else's loop. Between them it is parked: whoever pushes something to it
/// signals its eventfd, and with that its ring's descriptor becomes readable.
extension Worker {
    /// Runs what is ready, once; before that waits for something, until `deadline` at most.
    ///
    /// - Returns: When the next turn is due, unless the ring's descriptor becomes readable before; 0 for at once, `.max`
    ///   for never.
    func hostedTurn(until deadline: UInt64) -> UInt64 {
        meter.wakesUp()
        defer { meter.fallsAsleep() }
        inbox.unpark()
        quiet.end()
        if nextTurn() == 0 || deadline <= LinuxThread.now() {
            // What an enter alone would find: not every kernel says that there is something.
            enter(wait: false, timeout: -1)
        } else {
            waitForHost(until: deadline)
        }
        work()
        if ring.pending > 0 || ring.needsEnter { enter(wait: false, timeout: -1) }
        if nextTurn() > 0 && shared.idleness.isWanted && isQuiet { _ = shared.idleness.becameQuiet(self) }
        let due = nextTurn()
        return due > 0 && !inbox.park() ? 0 : due
    }

    private func waitForHost(until deadline: UInt64) {
        guard inbox.park() else { return }
        let limit = min(deadline, timers.nextDeadline())
        let now = LinuxThread.now()
        meter.fallsAsleep()
        if limit > now {
            enter(wait: true, timeout: limit == .max ? -1 : Int64(clamping: limit &- now))
        } else {
            enter(wait: false, timeout: -1)
        }
        meter.wakesUp()
        inbox.unpark()
    }

    /// When there is something to do here that no descriptor tells of. 0: at once; `.max`: never.
    private func nextTurn() -> UInt64 {
        let isBusy =
            !ready.isEmpty || !callbacks.isEmpty || !inbox.isEmpty || ring.hasBacklog || mustSettle
            || ring.hasCompletions || ring.pending > 0
        if isBusy { return 0 }
        let timer = timers.nextDeadline()
        guard let patience = ring.patience else { return timer }
        return min(timer, LinuxThread.now() &+ patience)
    }
}
