import CContext

/// A promise about waiting was broken: in ``Fiber/withoutSuspension(_:_:)`` or ``Fiber/withSuspension(_:)``.
public enum SuspensionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Code that promised not to wait was about to.
    case waited
    /// Code that promised to wait did not.
    case didNotWait

    public var description: String {
        switch self {
        case .waited: "a fiber was about to wait inside Fiber.withoutSuspension, which promises that it does not"
        case .didNotWait: "the body of Fiber.withSuspension ended, and the fiber had not waited in it"
        }
    }
}

/// What happens to a wait in ``Fiber/withoutSuspension(_:_:)``.
public enum SuspensionReaction: Sendable, Hashable {
    /// The process ends, with a sentence and the backtrace of the wait.
    case trap
    /// The wait throws ``SuspensionError/waited``, and does not begin.
    case `throw`
}

// MARK: - Promises about waiting

extension Fiber where Success == Never {
    /// Runs `body`, which promises that the fiber does not wait in it: so no other fiber of the worker runs meanwhile,
    /// and what it finds it may change in several steps. Nests; the innermost decides.
    ///
    /// A wait that is over before it begins, such as joining a fiber that has ended, keeps the promise. In a fiber that
    /// is cancelled waits end as always, since they do not suspend it. In release builds too.
    /// Traps outside a fiber.
    @available(*, noasync, message: "a task gives up its thread only where it says await")
    public static func withoutSuspension<Result>(
        _ reaction: SuspensionReaction = .trap, _ body: () throws -> Result
    ) rethrows -> Result {
        guard let fiber = FiberRef.current else {
            // Every wait in it throws.
            if Fork.isChild { return try body() }
            FiberRef.trapOutside("Fiber.withoutSuspension")
        }
        return try fiber.withoutSuspension(reaction, body)
    }

    /// Runs `body`, which promises that the fiber waits in it at least once, and lets others run: for loops that must
    /// not keep their worker to themselves.
    ///
    /// - Throws: What `body` throws; ``SuspensionError/didNotWait`` when it returns without having waited.
    @available(*, noasync, message: "a task gives up its thread only where it says await")
    public static func withSuspension<Result>(_ body: () throws -> Result) throws -> Result {
        let fiber = try FiberRef.require("Fiber.withSuspension")
        let before = fiber.withWorker { $0.steps }
        let result = try body()
        if fiber.withWorker({ $0.steps }) == before { throw SuspensionError.didNotWait }
        return result
    }
}

extension Worker {
    /// How many fibers and jobs it has made go on: while a fiber runs without a wait, it stays.
    fileprivate var steps: UInt64 { counters.fiberResumes &+ counters.jobs }
}

extension FiberRef {
    fileprivate func withoutSuspension<Result>(
        _ reaction: SuspensionReaction, _ body: () throws -> Result
    ) rethrows -> Result {
        let outer = unsafe record.pointee.suspension
        unsafe record.pointee.suspension =
            UInt8((reaction == .trap ? cctx_suspension_traps : cctx_suspension_throws).rawValue)
        let outerBound = unsafe bind()
        updateCancellation()
        defer {
            unsafe record.pointee.suspension = outer
            unsafe record.pointee.bound = outerBound
            updateCancellation()
        }
        return try body()
    }

    /// True where the fiber has promised not to wait.
    var hasPromisedNotToWait: Bool { unsafe record.pointee.suspension != 0 }

    /// Before a wait that does not ask ``mustNotWait``.
    func requireMayWait() throws {
        if let error = brokenPromise { throw error }
    }

    /// What a wait throws that would break the promise, unless it traps; nil when the fiber has made none, or is
    /// cancelled, so that no wait suspends it.
    var brokenPromise: SuspensionError? {
        guard hasPromisedNotToWait, !isCut else { return nil }
        if unsafe record.pointee.suspension == UInt8(cctx_suspension_traps.rawValue) {
            fatalError(
                """
                \(owner) was about to wait inside Fiber.withoutSuspension, which promises that it does not. \
                Move the wait out, or use Fiber.withoutSuspension(.throw).
                """)
        }
        return .waited
    }
}
