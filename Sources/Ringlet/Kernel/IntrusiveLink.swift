/// The link word that everything injectable into a worker has at the same place.
///
/// A Swift job reserves two words at offset 16 for its executor (ExecutorImpl.h of the toolchain), a
/// fiber's record keeps its link there, and the first stored property of a Swift object lies there
/// too. So one intrusive queue holds all of them without an allocation.
enum IntrusiveLink {
    private static let offset = 16

    /// Kind bits in an address: everything injectable is at least 16-byte aligned.
    static let tagMask: UInt = 15

    @inline(__always)
    static func next(of word: UInt) -> UInt {
        unsafe place(of: word).pointee
    }

    @inline(__always)
    static func setNext(of word: UInt, to next: UInt) {
        unsafe place(of: word).pointee = next
    }

    @inline(__always)
    private static func place(of word: UInt) -> UnsafeMutablePointer<UInt> {
        let address = (word & ~tagMask) &+ UInt(offset)
        return unsafe UnsafeMutablePointer(bitPattern: address).unsafelyUnwrapped
    }
}
