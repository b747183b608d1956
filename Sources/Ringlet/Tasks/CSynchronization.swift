import Glibc

// What strands of C meet at. Any thread; the waits are those of fibers and plain threads.

/// A number of permits.
@_spi(C)
public final class CSemaphore: Sendable {
    private let permits: Permits

    public init(_ count: Int) {
        Fork.watch()
        permits = Permits(count, bound: .max)
    }

    public var hasWaiters: Bool { permits.waiting > 0 }

    @inline(__always)
    public func tryAcquire() -> Int32 { permits.tryTake() ? 0 : -EAGAIN }

    @inline(__always)
    public func acquire(deadline: Deadline) -> Int32 {
        permits.tryTake() ? 0 : permits.waitForOne(forC: deadline)
    }

    @inline(__always)
    public func release() -> Int32 { permits.giveBack() ? 0 : -EOVERFLOW }
}

/// A lock without an owner.
@_spi(C)
public final class CMutex: Sendable {
    private let inner = Lock()

    public init() { Fork.watch() }

    public var isInUse: Bool { inner.waiting > 0 || inner.isLocked }

    @inline(__always)
    public func tryLock() -> Int32 { inner.tryLock() ? 0 : -EAGAIN }

    @inline(__always)
    public func lock(deadline: Deadline) -> Int32 { inner.tryLock() ? 0 : lockLater(deadline) }

    @inline(__always)
    public func unlock() -> Int32 {
        do {
            try inner.unlock()
            return 0
        } catch {
            return -EPERM
        }
    }

    @inline(never)
    private func lockLater(_ deadline: Deadline) -> Int32 {
        let completion = inner.wait(forC: deadline) { inner.enqueue($0) }
        if completion.isTaken { return 0 }
        if completion.isRefused { _ = unlock() }
        return completion.refusalCode
    }
}

/// Something that has happened or has not.
@_spi(C)
public final class CEvent: Sendable {
    private let inner = Event()

    public init() { Fork.watch() }

    public var hasWaiters: Bool { inner.waiting > 0 }
    public var isSet: Bool { inner.isSet }
    public func set() { inner.set() }
    public func clear() { inner.clear() }

    public func wait(deadline: Deadline) -> Int32 {
        inner.isSet ? 0 : inner.wait(forC: deadline) { inner.enqueue($0) }.code
    }
}
