import Glibc

/// One object per thread, which is released when the thread ends (pthread_key_create(3)).
///
/// For a few in the process: there are 1,024 keys, and they are never given back.
@safe
struct ThreadSlot<Object: AnyObject>: Sendable {
    private let key: pthread_key_t

    init() {
        var key: pthread_key_t = 0
        let error = unsafe pthread_key_create(&key) { object in
            guard let object = unsafe object else { return }
            unsafe Unmanaged<AnyObject>.fromOpaque(object).release()
        }
        precondition(error == 0, "the process has no key for a thread's own data left")
        self.key = key
    }

    /// The calling thread's.
    var object: Object? {
        get {
            guard let address = unsafe pthread_getspecific(key) else { return nil }
            return unsafe Unmanaged<Object>.fromOpaque(address).takeUnretainedValue()
        }
        nonmutating set {
            let old = unsafe pthread_getspecific(key)
            let new = unsafe newValue.map { unsafe UnsafeRawPointer(Unmanaged.passRetained($0).toOpaque()) }
            let error = unsafe pthread_setspecific(key, new)
            precondition(error == 0, "no memory for a thread's own data")
            if let old = unsafe old { unsafe Unmanaged<Object>.fromOpaque(old).release() }
        }
    }
}
