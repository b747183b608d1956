import CContext

// What C needs to know to switch without a call of Swift; see coroutine_switch.c.

@_spi(C)
extension Coroutine where Value == UnsafeMutableRawPointer? {
    /// By this C tells coroutines of pointers from others. Traps where objects or values do not lie in memory as C takes
    /// for granted, which is the compiler's choice.
    public var familyForC: UnsafeRawPointer {
        let object = unsafe Unmanaged.passUnretained(self).toOpaque()
        let core = unsafe UnsafeMutableRawPointer(Unmanaged.passUnretained(core).toOpaque())
        let first = unsafe UnsafeRawPointer(cctx_raw_head_of(object)).load(as: UnsafeMutableRawPointer.self)
        let isKnown = unsafe first == core && cctx_raw_head_of(core).pointee.handle == object
        precondition(
            unsafe isKnown && lettersAreKnown,
            "coroutines of C were built with a Swift compiler whose layout of objects they do not know")
        return unsafe cctx_raw_head_of(core).pointee.family.unsafelyUnwrapped
    }

    /// A value is a word, and zero in the byte after it.
    private var lettersAreKnown: Bool {
        [0, 16].allSatisfy { word in
            let letter: UnsafeMutableRawPointer?? = unsafe .some(UnsafeMutableRawPointer(bitPattern: word))
            return unsafe withUnsafeBytes(of: letter) { bytes in
                unsafe bytes.count == 9 && bytes.load(as: Int.self) == word && bytes[8] == 0
            }
        }
    }

    /// Takes what has come with the control, which is more than a value.
    public static func takeForC() throws -> UnsafeMutableRawPointer? {
        try unsafe CoroutineBody<UnsafeMutableRawPointer?>.take(nil)
    }
}
