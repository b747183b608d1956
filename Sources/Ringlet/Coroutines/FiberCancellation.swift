import CContext
import Synchronization

// MARK: - Asking a fiber to end

extension AnyFiber {
    /// As ``cancel()``, but what the waits throw is `error`: the fiber fails with it, unless its body catches it.
    ///
    /// gevent's `kill` with an exception. The first cancellation decides which error it is.
    public func cancel(throwing error: any Error) {
        let isFirst = madeExtras.shared.withLock { extras in
            if cancelRequested.load(ordering: .relaxed) || extras.cancellationError != nil { return false }
            extras.cancellationError = error
            return true
        }
        if isFirst { cancel() }
    }

    /// Ends the wait that the fiber is in, or its next one, by throwing `error` there, once: what asyncio's
    /// `Task.cancel()` does. A body that catches it goes on and may wait again.
    ///
    /// Returns at once. A wait whose result is already there still delivers it, and the next one throws; of two
    /// interrupts that come before a wait, the later one is thrown. A fiber that has not begun runs its body up to
    /// its first wait. After the end this does nothing. Code that ``Fiber/await(_:)`` runs is not interrupted.
    public func interrupt(throwing error: any Error = CancellationError()) {
        let extras = madeExtras
        extras.shared.withLock { $0.interruptCount += 1 }
        worker.perform { [self] _ in
            if isFinished { return }
            extras.interrupt = error
            guard let record else { return wasInterrupted = true }
            record.updateCancellation()
            cutShort(record)
        }
    }

    /// How many interrupts were requested and not withdrawn: asyncio's `Task.cancelling()`.
    public var interruptCount: Int { existingExtras?.shared.withLock { $0.interruptCount } ?? 0 }

    /// Takes back one interrupt, for whoever asked for it and has seen to it: asyncio's `Task.uncancel()`. At zero,
    /// one that no wait has thrown yet is not thrown any more.
    ///
    /// - Returns: How many are left.
    @discardableResult
    public func withdrawInterrupt() -> Int {
        guard let extras = existingExtras else { return 0 }
        let left = extras.shared.withLock { shared in
            if shared.interruptCount > 0 { shared.interruptCount -= 1 }
            return shared.interruptCount
        }
        guard left == 0 else { return left }
        worker.perform { [self] _ in
            extras.interrupt = nil
            record?.updateCancellation()
        }
        return left
    }
}

// MARK: - What cancellation comes to

extension AnyFiber {
    /// Whether something other than the cancellation of the whole fiber cuts waits short: an interrupt, or a scope
    /// that was entered at this depth of shielded parts. The worker's thread.
    func isCut(atShieldDepth depth: UInt8) -> Bool {
        guard let extras = existingExtras else { return false }
        if depth == 0 && extras.interrupt != nil { return true }
        var place = extras.scope
        while let current = place, current.shieldDepth == depth {
            if current.scope.isCancelled { return true }
            place = current.outer
        }
        return false
    }

    /// Ends the wait that a fiber is in, if it must not wait. The worker's thread.
    func cutShort(_ record: FiberRef) {
        guard record.mustNotWait else { return }
        if let awaited = existingExtras?.awaited {
            awaited.cancel()
        } else {
            worker.interrupt(record, reason: .user)
        }
    }

    /// What the wait throws that was cut short just now. The worker's thread; takes an interrupt.
    var cancellationError: any Error {
        guard let extras = existingExtras, record?.shieldDepth ?? 0 == 0 else { return CancellationError() }
        if let error = extras.interrupt, record != nil {
            extras.interrupt = nil
            record?.updateCancellation()
            return error
        }
        guard isCancelled else { return CancellationError() }
        return extras.shared.withLock { $0.cancellationError } ?? CancellationError()
    }
}

extension FiberRef {
    /// What the wait throws that was cut short just now.
    @inline(never)
    var cancellationError: any Error { brokenPromise ?? withOwner { $0.cancellationError } }
}

// MARK: - Await in place

extension FiberRef {
    /// Runs `body` in the fiber's task; where a scope or a shielded part comes between the two, in a task of its own,
    /// which can be cancelled apart from the fiber's.
    func awaitInPlace<Success>(_ body: () async throws -> Success) throws -> Success {
        try requireMayWait()
        let extras = withOwner { $0.madeExtras }
        let part = extras.scope != nil || shieldDepth > 0 ? TaskPart(of: CurrentThread.strand) : nil
        var outcome: Result<Success, any Error>?
        withoutActuallyEscaping(body) { body in
            let run = {
                do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
            }
            extras.pendingAwait = part.map { part in { await self.await(run, as: part, apartFrom: extras) } } ?? run
            unsafe record.pointee.wants_await = true
            cctx_suspend()
        }
        return try unsafe outcome.unsafelyUnwrapped.get()
    }

    private func await(_ body: @escaping () async -> Void, as part: TaskPart, apartFrom extras: FiberExtras) async {
        // The fiber waits for the task, so nothing runs beside it.
        let body = unsafe Unchecked(value: body)
        let worker = withOwner { $0.worker }
        let task = Task(executorPreference: worker) { await part.run { await unsafe body.value() } }
        extras.awaited = task
        if mustNotWait { task.cancel() }
        await task.value
        extras.awaited = nil
    }
}

/// A value that is handed to a task and not touched before that has ended.
@unsafe
struct Unchecked<Value>: @unchecked Sendable {
    let value: Value
}
