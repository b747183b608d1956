/// A reference that a method takes to its own object, when a caller may hold none by the time it returns.
///
/// By address and out of line: the optimizer trusts that callers hold `self`, and removes or moves what it can see to be a
/// reference to it.
@safe
struct Hold: ~Copyable {
    private let address: UnsafeMutableRawPointer

    @inline(__always)
    init(_ object: AnyObject) {
        unsafe address = Unmanaged.passUnretained(object).toOpaque()
        unsafe Self.retain(address)
    }

    @inline(__always)
    deinit {
        unsafe Self.release(address)
    }

    @inline(never)
    private static func retain(_ address: UnsafeMutableRawPointer) {
        _ = unsafe Unmanaged<AnyObject>.fromOpaque(address).retain()
    }

    @inline(never)
    private static func release(_ address: UnsafeMutableRawPointer) {
        unsafe Unmanaged<AnyObject>.fromOpaque(address).release()
    }
}
