import Glibc

// What strands of C meet at. Any thread; the waits are those of fibers and plain threads. In the child of a fork, where
// a thread of the parent may have left the object in the middle of a change, every call says so.

/// A number of permits.
@_spi(C)
public final class CSemaphore: Sendable {
    private let permits: Permits

    public init(_ count: Int) {
        Fork.watch()
        permits = Permits(count, bound: .max)
    }

    public var hasWaiters: Bool { permits.waiting > 0 }

    public func tryAcquire() -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        return permits.tryTake() ? 0 : -EAGAIN
    }

    public func acquire(deadline: Int64) -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        return permits.tryTake() ? 0 : permits.waitForOne(forC: Deadline(c: deadline))
    }

    public func release() -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        return permits.giveBack() ? 0 : -EOVERFLOW
    }
}

/// A lock without an owner.
@_spi(C)
public final class CMutex: Sendable {
    private let inner = Lock()

    public init() { Fork.watch() }

    public var isInUse: Bool { inner.waiting > 0 || inner.isLocked }

    public func tryLock() -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        return inner.tryLock() ? 0 : -EAGAIN
    }

    public func lock(deadline: Int64) -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        return inner.tryLock() ? 0 : lockLater(Deadline(c: deadline))
    }

    public func unlock() -> Int32 {
        if Fork.isChild { return CCurrent.forked }
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

    public var isSet: Int32 {
        if Fork.isChild { return CCurrent.forked }
        return inner.isSet ? 1 : 0
    }

    public func set() -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        inner.set()
        return 0
    }

    public func clear() -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        inner.clear()
        return 0
    }

    public func wait(deadline: Int64) -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        return inner.isSet ? 0 : inner.wait(forC: Deadline(c: deadline)) { inner.enqueue($0) }.code
    }
}
