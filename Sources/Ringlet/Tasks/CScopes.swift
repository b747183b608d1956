import Glibc

// Parts of a C function with a cancellation of their own.

@_spi(C)
extension CCurrent {
    /// Runs a function all of whose waits end when the deadline passes.
    ///
    /// - Returns: 0 with `result` stored; -ETIMEDOUT when the function said that the deadline ended it.
    public static func withDeadline(
        _ deadline: Deadline, _ function: CFiber.Function, _ userData: UnsafeMutableRawPointer?, result: inout Int64
    ) -> Int32 {
        guard let fiber = FiberRef.current else { return outside }
        let scope = CancelScope(deadline: deadline)
        // Fails for a scope that was entered before.
        guard let place = try? FiberScopePlace(entering: scope, asBodyOf: nil, fiber) else { return -EINVAL }
        let value = unsafe function(userData)
        place.leave()
        if value == Int64(-ECANCELED), scope.absorbs(CancellationError(), isCutOutside: place.isCutOutside) {
            return -ETIMEDOUT
        }
        result = value
        return 0
    }

    /// Runs a function whose waits are not cut short by what is cancelled outside.
    public static func withShield(
        _ function: CFiber.Function, _ userData: UnsafeMutableRawPointer?, result: inout Int64
    ) -> Int32 {
        guard let fiber = FiberRef.current else { return outside }
        if fiber.shieldDepth == .max { return -EOVERFLOW }
        result = fiber.shielded { unsafe function(userData) }
        return 0
    }
}

extension FiberRef {
    /// Whether the deadline of a scope has passed that the code is in. Asks the clock: a long computation never gives
    /// the worker the chance to let the alarm ring.
    var isOverdue: Bool {
        let depth = shieldDepth
        var place = withOwner { $0.existingExtras?.scope }
        while let current = place, current.shieldDepth == depth {
            if current.scope.isCancelled || current.scope.isOverdue { return true }
            place = current.outer
        }
        return false
    }
}
