import Glibc
import Synchronization

/// What an id of the C library names: something that ends once, with a number.
@_spi(C)
public protocol CTask: AnyObject, Sendable {
    /// Asks it to end. False when it has already.
    @discardableResult
    func cancel() -> Bool

    /// Waits for the end, on a plain thread or in a fiber.
    ///
    /// - Returns: 0 with `result` stored, or a negated errno.
    func join(deadline: Deadline, result: inout Int64) -> Int32

    /// Calls `body` with the result once it has ended, on the thread that ends it, or at once.
    func whenFinished(_ body: @escaping @Sendable (Int64) -> Void)

    /// The id was given up.
    func wasReleased()
}

/// An end without a function of its own that could be waited for: it is somebody else's to bring about. Any thread.
@_spi(C)
public class CEnd: CTask, WaitSource, @unchecked Sendable {
    private let isTaken = Atomic<Bool>(false)

    /// Written by who takes the end, before it is announced; read after that.
    private var result: Int64 = 0

    private let end = WaitQueue()

    /// False when there is an end already.
    final func finish(_ result: Int64) -> Bool {
        if isTaken.exchange(true, ordering: .relaxed) { return false }
        self.result = result
        end.complete()
        return true
    }

    @discardableResult
    public func cancel() -> Bool { finish(Int64(-ECANCELED)) }

    public final func join(deadline: Deadline, result: inout Int64) -> Int32 {
        if !end.isComplete {
            let status = wait(forC: deadline) { end.add($0) }.code
            if status < 0 { return status }
        }
        result = self.result
        return 0
    }

    public final func whenFinished(_ body: @escaping @Sendable (Int64) -> Void) {
        let node = WaitNode(.callback { _ in body(self.result) }, in: self)
        if !end.add(node) { body(result) }
    }

    public func wasReleased() {}

    final func withdraw(_ node: WaitNode) -> Bool { end.withdraw(node) }

    final func waitDescription(of node: WaitNode) -> WaitDescription {
        WaitDescription(WaitDescription.name("promise", self))
    }
}

/// An end that code outside brings about.
@_spi(C)
public final class CPromise: CEnd, @unchecked Sendable {
    override public init() { Fork.watch() }

    /// False when it has a result already.
    public func resolve(_ result: Int64) -> Bool { finish(result) }

    /// Nobody can name it any more, so nobody could resolve it.
    override public func wasReleased() { cancel() }
}

extension CFiber: CTask {
    public func wasReleased() { handle = 0 }
}

extension WaitSource {
    /// As the `wait` of fibers and plain threads, but a deadline that has passed does not suspend, and where the thread
    /// must not be blocked the completion says so.
    func wait(forC deadline: Deadline, _ add: (WaitNode) -> Bool) -> Completion {
        if let fiber = FiberRef.current {
            if deadline.hasPassed && !fiber.mustNotWait { return .cancelled(.deadline) }
            return fiber.wait(in: self, deadline: deadline, add)
        }
        if CurrentThread.mustNotBlock { return Completion(-EDEADLK) }
        return wait("a call of C", deadline: deadline, add)
    }
}
