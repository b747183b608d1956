import CUring
import Glibc

/// An eventfd(2): a descriptor that becomes readable when any thread signals it.
struct EventDescriptor {
    let descriptor: Int32

    init() throws(KernelRefusal) {
        descriptor = curing_eventfd()
        if descriptor < 0 {
            throw KernelRefusal(stage: .wakeDescriptor, error: descriptor)
        }
    }

    /// Any thread.
    func signal() {
        curing_eventfd_signal(descriptor)
    }

    func close() {
        curing_close(descriptor)
    }
}

/// A word on which a plain thread sleeps until another one wakes it (futex(2)).
@safe
struct ThreadParker: @unchecked Sendable {
    private let word: UnsafeMutablePointer<UInt32>

    init() {
        unsafe word = .allocate(capacity: 1)
        unsafe word.initialize(to: 0)
    }

    func deallocate() {
        unsafe word.deallocate()
    }

    /// Any thread, at most once before the sleeper has called ``rearm()``.
    func unpark() {
        #if DEBUG
            Interleaving.step()
        #endif
        unsafe curing_store_release(word, 1)
        unsafe curing_futex_wake(word)
    }

    /// The sleeper, once it has been woken: it may sleep again.
    func rearm() {
        unsafe curing_store_release(word, 0)
    }

    /// Sleeps until ``unpark()``. False when `deadline` (CLOCK_MONOTONIC nanoseconds) passed first.
    func park(until deadline: UInt64) -> Bool {
        #if DEBUG
            if let thread = Interleaving.current {
                let mayTimeOut = deadline != .max
                return thread.sleep(mayTimeOut: mayTimeOut) { unsafe curing_load_acquire(word) != 0 }
            }
        #endif
        while unsafe curing_load_acquire(word) == 0 {
            if unsafe curing_futex_wait(word, 0, deadline) == -ETIMEDOUT {
                return unsafe curing_load_acquire(word) != 0
            }
        }
        return true
    }
}

/// Facts about the thread and the machine.
enum LinuxThread {
    /// CLOCK_MONOTONIC in nanoseconds.
    @inline(__always)
    static func now() -> UInt64 { curing_now() }

    static func setName(_ name: String) {
        unsafe name.withCString { unsafe curing_name_thread($0) }
    }

    static var isMain: Bool { curing_is_main_thread() }

    /// The main queue's descriptor, or nil where there is none to serve.
    static var mainQueueDescriptor: Int32? {
        let descriptor = curing_main_queue_fd()
        return descriptor < 0 ? nil : descriptor
    }

    static func runMainQueue() { curing_main_queue_run() }
}
