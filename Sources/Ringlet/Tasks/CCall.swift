import Glibc

/// A call of a C function that a scheduler makes once, between two tasks. Its end is that of the call, and of its
/// clean-up; cancelling takes the call back.
@_spi(C)
public final class CCall: CEnd, @unchecked Sendable {
    public typealias Function = @convention(c) (UnsafeMutableRawPointer?) -> Void

    /// Written before anybody else knows the object.
    private var callback: Callback?

    fileprivate init(
        on worker: Worker, deadline: Deadline?, _ function: @escaping Function, _ userData: UnsafeMutableRawPointer?,
        cleanup: CFiber.Cleanup?
    ) {
        super.init()
        let body = unsafe Body(function, userData, cleanup, of: self)
        callback = Callback(on: worker, deadline: deadline, holdsScheduler: true, site: .none) { body.run() }
    }

    /// Queues the call. Any thread, once.
    public func start() { callback?.start() }

    /// What the call holds is given up before this returns, and that ends it.
    @discardableResult
    override public func cancel() -> Bool { callback?.cancel() ?? false }

    /// What the callback holds: it goes after the call, or instead of it.
    @safe
    private final class Body: @unchecked Sendable {
        private let function: Function
        private let userData: UnsafeMutableRawPointer?
        private let cleanup: CFiber.Cleanup?
        private let call: CCall
        private var wasCalled = false

        init(
            _ function: @escaping Function, _ userData: UnsafeMutableRawPointer?, _ cleanup: CFiber.Cleanup?,
            of call: CCall
        ) {
            unsafe self.function = function
            unsafe self.userData = userData
            unsafe self.cleanup = cleanup
            self.call = call
        }

        func run() {
            wasCalled = true
            unsafe function(userData)
        }

        deinit {
            if let cleanup = unsafe cleanup { unsafe cleanup(userData) }
            _ = call.finish(wasCalled ? 0 : Int64(-ECANCELED))
        }
    }
}

extension CScheduler {
    /// A call that has not been asked for yet, or why there is none.
    public func makeCall(
        at deadline: Deadline?, _ function: @escaping CCall.Function, _ userData: UnsafeMutableRawPointer?,
        cleanup: CFiber.Cleanup?
    ) -> Result<CCall, CFailure> {
        if Fork.isChild { return .failure(.forked) }
        if scheduler.state.isShuttingDown { return .failure(.errno(-ESHUTDOWN)) }
        return .success(
            unsafe CCall(on: scheduler.callbackWorker, deadline: deadline, function, userData, cleanup: cleanup))
    }
}
