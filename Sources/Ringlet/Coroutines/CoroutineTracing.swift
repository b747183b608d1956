import CContext

/// A transfer of control between coroutines, as a tracer sees it.
public struct CoroutineTransfer {
    /// What the target finds in its switch.
    public enum Kind: Hashable, Sendable {
        /// A value, or the exit of a child.
        case `switch`
        /// An error.
        case `throw`
    }

    /// What the target finds.
    public let kind: Kind
    /// Who had control; nil is code outside coroutines.
    public let origin: AnyCoroutine?
    /// Who has it now, and runs the tracer.
    public let target: AnyCoroutine?
}

/// Sees each transfer of control on its thread.
public typealias CoroutineTracer = (CoroutineTransfer) throws -> Void

extension AnyCoroutine {
    /// Installs a tracer for the calling thread, or with nil removes it.
    ///
    /// It is called after each transfer of control between coroutines, or between one and the code
    /// outside, in the target and before anything else happens there. It may switch; transfers
    /// that it makes are not traced. When it throws, it is removed, and the target's switch throws
    /// the error; in a body that was about to begin, the body does not run.
    ///
    /// - Returns: The one that was installed before.
    @discardableResult
    public static func setTracer(_ tracer: CoroutineTracer?) -> CoroutineTracer? {
        CoroutineThread.current.setTracer(tracer)
    }

    /// The calling thread's tracer.
    public static var tracer: CoroutineTracer? { CoroutineThread.current.tracing.tracer }
}

/// A thread's tracer, and the last origin of a transfer.
struct CoroutineTracing {
    fileprivate(set) var tracer: CoroutineTracer?
    fileprivate var origin: AnyCoroutine?
}

extension CoroutineThread {
    private static let traced = UInt32(cctx_attention_traced)

    func setTracer(_ tracer: CoroutineTracer?) -> CoroutineTracer? {
        defer {
            tracing.tracer = tracer
            tracing.origin = nil
            setTraced(tracer != nil)
        }
        return tracing.tracer
    }

    private func setTraced(_ isTraced: Bool) {
        let thread = unsafe cctx_current_raw_thread()
        if isTraced {
            unsafe thread.pointee.attention |= Self.traced
        } else {
            unsafe thread.pointee.attention &= ~Self.traced
        }
    }

    private var isTraced: Bool {
        unsafe cctx_current_raw_thread().pointee.attention & Self.traced != 0
    }

    /// Notes who gives control away, for the tracer if there is one.
    func noteOrigin(_ origin: AnyCoroutine?) {
        if isTraced { tracing.origin = origin }
    }

    /// Tells the tracer that a transfer has happened. On the target's stack.
    func trace(_ kind: CoroutineTransfer.Kind) throws {
        guard isTraced, let tracer = tracing.tracer else { return }
        let transfer = CoroutineTransfer(
            kind: kind, origin: tracing.origin, target: AnyCoroutine.innermost)
        tracing.origin = nil
        setTraced(false)
        do {
            try tracer(transfer)
        } catch {
            tracing.tracer = nil
            throw error
        }
        setTraced(tracing.tracer != nil)
    }
}
