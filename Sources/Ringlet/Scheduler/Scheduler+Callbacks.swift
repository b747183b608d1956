// MARK: - Calls made by the scheduler

extension Scheduler {
    /// Has `body` called on a worker in its next pass: the one that runs this thread, otherwise worker 0.
    ///
    ///     scheduler.soon { connections -= 1 }
    ///
    /// What one thread asks of one worker is called in that order, each once. A call that is asked for in a pass comes
    /// in the next one, after I/O and timers have had their turn. From any thread: a worker that sleeps is woken.
    ///
    /// The body belongs to no fiber and no task, so it must not wait; a plain form that would wait traps. It sees no
    /// task-locals. For more than a moment's work start a fiber from it. What it throws goes to the handler of unseen
    /// errors, ``setUnseenErrorHandler(_:)``, and the scheduler goes on.
    ///
    /// After ``shutdown(deadline:)`` has begun nothing is called any more: the result is cancelled.
    @discardableResult
    public func soon(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: sending @escaping () throws -> Void
    ) -> Callback {
        makeCallback(at: nil, holdsScheduler: true, PackedSite(fileID, line), body)
    }

    /// Has `body` called in `duration` from now; at once when that is negative, never when it is beyond the clock's
    /// range. As ``at(_:holdsScheduler:fileID:line:_:)``.
    @discardableResult
    public func later(
        _ duration: Duration, holdsScheduler: Bool = true, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: sending @escaping () throws -> Void
    ) -> Callback {
        makeCallback(at: .after(duration), holdsScheduler: holdsScheduler, PackedSite(fileID, line), body)
    }

    /// Has `body` called at `deadline` or as soon after it as the worker comes round, as by ``soon(fileID:line:_:)``.
    ///
    /// Calls are made in order of their deadlines, those with equal ones in the order in which they were asked for.
    ///
    /// - Parameters:
    ///   - deadline: When the call is due; in the past it is at once.
    ///   - holdsScheduler: False for a call that nobody is to wait for: `waitUntilIdle(deadline:)` returns although it is
    ///     outstanding.
    ///   - fileID: Where the call was asked for, for reports.
    ///   - line: Its line.
    ///   - body: Called once, on the worker.
    @discardableResult
    public func at(
        _ deadline: Deadline, holdsScheduler: Bool = true, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: sending @escaping () throws -> Void
    ) -> Callback {
        makeCallback(at: deadline, holdsScheduler: holdsScheduler, PackedSite(fileID, line), body)
    }

    private func makeCallback(
        at deadline: Deadline?, holdsScheduler: Bool, _ site: PackedSite, _ body: sending @escaping () throws -> Void
    ) -> Callback {
        let callback = Callback(
            on: callbackWorker, deadline: deadline, holdsScheduler: holdsScheduler, site: site, body)
        callback.start()
        return callback
    }

    /// The worker that runs this thread, or the first: in turns, as for fibers, one thread's calls would lose their order.
    var callbackWorker: Worker { isCurrent ? placement : workers[0] }
}
