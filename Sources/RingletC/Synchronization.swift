import CRinglet
import Glibc
@_spi(C) import Ringlet

// Semaphores, mutexes and events. What each function does is written in ringlet.h.
//
// Who was woken may destroy the object while the call that woke it has not returned. So a wake is the last thing that a
// call does, and what destroys takes the lock of the waiters first.

// MARK: - Semaphores

@c @implementation
public func ringlet_semaphore_create(
    _ permits: UInt32, _ semaphore: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    unsafe make(semaphore) { CSemaphore(Int(permits)) }
}

@c @implementation
public func ringlet_semaphore_acquire(_ semaphore: OpaquePointer!, _ deadline: Int64) -> Int32 {
    unsafe use(semaphore, as: CSemaphore.self) { $0.acquire(deadline: deadline) }
}

@c @implementation
public func ringlet_semaphore_try_acquire(_ semaphore: OpaquePointer!) -> Int32 {
    unsafe use(semaphore, as: CSemaphore.self) { $0.tryAcquire() }
}

@c @implementation
public func ringlet_semaphore_release(_ semaphore: OpaquePointer!) -> Int32 {
    unsafe use(semaphore, as: CSemaphore.self) { $0.release() }
}

@c @implementation
public func ringlet_semaphore_destroy(_ semaphore: OpaquePointer!) -> Int32 {
    unsafe destroy(semaphore, as: CSemaphore.self) { $0.hasWaiters }
}

// MARK: - Mutexes

@c @implementation
public func ringlet_mutex_create(_ mutex: UnsafeMutablePointer<OpaquePointer?>!) -> Int32 {
    unsafe make(mutex) { CMutex() }
}

@c @implementation
public func ringlet_mutex_lock(_ mutex: OpaquePointer!, _ deadline: Int64) -> Int32 {
    unsafe use(mutex, as: CMutex.self) { $0.lock(deadline: deadline) }
}

@c @implementation
public func ringlet_mutex_try_lock(_ mutex: OpaquePointer!) -> Int32 {
    unsafe use(mutex, as: CMutex.self) { $0.tryLock() }
}

@c @implementation
public func ringlet_mutex_unlock(_ mutex: OpaquePointer!) -> Int32 {
    unsafe use(mutex, as: CMutex.self) { $0.unlock() }
}

@c @implementation
public func ringlet_mutex_destroy(_ mutex: OpaquePointer!) -> Int32 {
    unsafe destroy(mutex, as: CMutex.self) { $0.isInUse }
}

// MARK: - Events

@c @implementation
public func ringlet_event_create(_ event: UnsafeMutablePointer<OpaquePointer?>!) -> Int32 {
    unsafe make(event) { CEvent() }
}

@c @implementation
public func ringlet_event_set(_ event: OpaquePointer!) -> Int32 {
    unsafe use(event, as: CEvent.self) { $0.set() }
}

@c @implementation
public func ringlet_event_clear(_ event: OpaquePointer!) -> Int32 {
    unsafe use(event, as: CEvent.self) { $0.clear() }
}

@c @implementation
public func ringlet_event_is_set(_ event: OpaquePointer!) -> Int32 {
    unsafe use(event, as: CEvent.self) { $0.isSet }
}

@c @implementation
public func ringlet_event_wait(_ event: OpaquePointer!, _ deadline: Int64) -> Int32 {
    unsafe use(event, as: CEvent.self) { $0.wait(deadline: deadline) }
}

@c @implementation
public func ringlet_event_destroy(_ event: OpaquePointer!) -> Int32 {
    unsafe destroy(event, as: CEvent.self) { $0.hasWaiters }
}
