import CContext

// MARK: - Cancel scopes of fibers

extension CancelScope {
    /// Runs `body` in the scope, in a fiber.
    ///
    /// - Returns: What `body` returns; nil when it ended with `CancellationError` because this scope was cancelled,
    ///   and nothing further out was.
    /// - Throws: What `body` throws otherwise; ``CancelScopeError/enteredTwice``.
    @discardableResult
    @_disfavoredOverload
    @available(*, noasync, message: "in a task, await scope.run { }")
    public func run<Result>(_ body: (CancelScope) throws -> Result) throws -> Result? {
        try run(asBodyOf: nil, body)
    }

    /// Runs `body`, which is that of `group`.
    func run<Result>(asBodyOf group: Group?, _ body: (CancelScope) throws -> Result) throws -> Result? {
        let fiber = try FiberRef.require("CancelScope.run")
        let place = try FiberScopePlace(entering: self, asBodyOf: group, fiber)
        do {
            let result = try body(self)
            place.leave()
            return result
        } catch {
            place.leave()
            if absorbs(error, isCutOutside: place.isCutOutside) { return nil }
            throw error
        }
    }
}

/// One scope among those that a fiber is in, innermost first. The worker's thread.
@safe
final class FiberScopePlace {
    let scope: CancelScope
    /// The next one further out.
    let outer: FiberScopePlace?
    /// How many shielded parts the fiber was in when it entered.
    let shieldDepth: UInt8
    /// The group whose body runs in the scope.
    let group: Group?
    private let fiber: FiberRef
    private let outerBound: UnsafePointer<cctx>?

    init(entering scope: CancelScope, asBodyOf group: Group?, _ fiber: FiberRef) throws {
        self.scope = scope
        self.group = group
        self.fiber = fiber
        let owner = fiber.owner
        let extras = owner.madeExtras
        outer = extras.scope
        shieldDepth = fiber.shieldDepth
        unsafe outerBound = fiber.bind()
        extras.scope = self
        do {
            try scope.enter(.fiber(owner), timerOf: owner.worker)
        } catch {
            extras.scope = outer
            unsafe fiber.record.pointee.bound = outerBound
            throw error
        }
        // It may have been cancelled before.
        fiber.updateCancellation()
    }

    func leave() {
        scope.leave()
        fiber.withOwner { $0.existingExtras?.scope = outer }
        unsafe fiber.record.pointee.bound = outerBound
        fiber.updateCancellation()
    }

    /// After ``leave()``: whether waits are cut short outside as well, or are about to be.
    var isCutOutside: Bool {
        if fiber.isCut { return true }
        var place = outer
        while let current = place, current.shieldDepth == shieldDepth {
            if current.scope.isOverdue { return true }
            place = current.outer
        }
        return false
    }
}

extension AnyFiber {
    /// A scope that the fiber is in, or has just left, was cancelled. Any thread.
    func scopeWasCancelled() {
        worker.perform { [self] _ in
            guard let stack = stackInUse else { return }
            stack.updateCancellation()
            tellGroups()
            cutShort(stack)
        }
    }

    /// Tells the groups whose bodies are in what is cancelled: in a scope that is, or in the fiber if that is. A shielded
    /// part between the two keeps it out; one inside the body does not. The worker's thread.
    func tellGroups() {
        var place = existingExtras?.scope
        // Those at this depth of shielded parts that nothing further in has told.
        var groups: [Group] = []
        var depth = place?.shieldDepth ?? 0
        while let current = place {
            if current.shieldDepth != depth {
                groups = []
                depth = current.shieldDepth
            }
            if let group = current.group { groups.append(group) }
            if current.scope.isCancelled {
                for group in groups { group.openerWasCancelled() }
                groups = []
            }
            place = current.outer
        }
        if isCancelled && depth == 0 {
            for group in groups { group.openerWasCancelled() }
        }
    }
}
