/// A worker in a simulation: its turns are rounds, and it learns when nothing can happen any more.
extension Worker {
    /// Runs everything that is ready, once, in the order that the simulation chooses. Calls, as those of links and of
    /// `soon`, are made in the order in which they were asked for, which is promised.
    ///
    /// What becomes ready meanwhile waits for the next round. So a fiber that yields lets all others run before it comes
    /// again, in every order, and how much a turn does depends on no clock.
    @inline(never)
    func runRound() {
        guard let simulation = shared.kernel.simulation else { return }
        var left = ready.count
        while left > 0 {
            var chosen = simulation.chosen(of: left)
            if ready[chosen].isCall, let earliest = (0..<chosen).first(where: { ready[$0].isCall }) { chosen = earliest }
            ready.bringForward(chosen)
            guard let runnable = ready.pop() else { break }
            stepBegan = VirtualClock.real
            run(runnable)
            left &-= 1
        }
        simulation.roundEnded()
    }

    /// The span that a sleep was asked for of which `rest` is left by the real clock.
    ///
    /// `Task.sleep` reads the real clock, adds, and hands over the sum, so what arrives here is short by what the program has
    /// computed since. That is no more than since the present step began, and of all spans which this allows the
    /// roundest is taken: an exact one as a rule, and the same each time.
    func simulatedSpan(_ rest: Duration) -> Duration {
        guard isSimulated, rest > .zero, rest.components.seconds < 1_000_000_000 else { return rest }
        let least = rest.wholeNanoseconds
        let most = least + (VirtualClock.real - stepBegan)
        var unit: UInt64 = 1_000_000_000_000
        while most / unit * unit < least { unit /= 10 }
        return .nanoseconds(Int64(most / unit * unit))
    }

    /// Enter has answered EDEADLK.
    @inline(never)
    func nothingCanHappen() {
        shared.kernel.simulation?.nothingCanHappen(DeadlockError(SchedulerSnapshot(report(backtraces: true))))
    }
}

extension Runnable {
    fileprivate var isCall: Bool { kind == .message || kind == .callback }
}
