/// A value at a fixed address that is reached without dynamic exclusivity checks.
///
/// Checks on the stored properties of a worker cost more than the work they guard: they were half of all
/// instructions of an echo. The owner sees to it that no access is held over a call that may reach
/// the value again, and calls ``destroy()`` at the end.
@safe
struct Pinned<Value: ~Copyable> {
    private let address: UnsafeMutablePointer<Value>

    init(_ value: consuming Value) {
        let address = UnsafeMutablePointer<Value>.allocate(capacity: 1)
        unsafe address.initialize(to: value)
        unsafe self.address = address
    }

    @inline(__always)
    var value: Value {
        unsafeAddress { unsafe UnsafePointer(address) }
        nonmutating unsafeMutableAddress { unsafe address }
    }

    func destroy() {
        unsafe address.deinitialize(count: 1)
        unsafe address.deallocate()
    }
}
