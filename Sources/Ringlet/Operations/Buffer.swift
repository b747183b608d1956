/// Memory that the kernel reads from and writes to: a fixed capacity, of which the first
/// ``count`` bytes hold data.
///
/// A buffer has one owner. An operation borrows it until the operation has ended, cancelled or not, so
/// memory is never reused while the kernel may still write to it.
///
///     var buffer = Buffer(capacity: 4096)
///     while try connection.read(into: &buffer) > 0 {
///         try connection.write(buffer)
///     }
@safe
public struct Buffer: ~Copyable, @unchecked Sendable {
    private let base: UnsafeMutableRawPointer

    /// Bytes that fit.
    public let capacity: Int

    /// Bytes that hold data, from the start. Reading into the buffer sets it.
    public private(set) var count = 0

    /// The most bytes that the kernel moves in one operation (MAX_RW_COUNT).
    public static let largestCapacity = 0x7fff_f000

    /// Allocates `capacity` bytes, 1 to ``largestCapacity``, without data.
    public init(capacity: Int) {
        precondition(
            capacity > 0 && capacity <= Self.largestCapacity,
            "a Buffer holds 1 to \(Self.largestCapacity) bytes")
        self.capacity = capacity
        unsafe base = .allocate(byteCount: capacity, alignment: 16)
    }

    /// Allocates a buffer that is full of a copy of `bytes`.
    public init(copying bytes: some Collection<UInt8>) {
        self.init(capacity: max(bytes.count, 1))
        append(contentsOf: bytes)
    }

    deinit {
        unsafe base.deallocate()
    }

    /// Calls `body` with the bytes that hold data.
    public borrowing func withBytes<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows
        -> Result
    {
        try unsafe body(
            UnsafeBufferPointer(start: base.assumingMemoryBound(to: UInt8.self), count: count).span)
    }

    /// Forgets the data; the capacity stays.
    public mutating func removeAll() {
        count = 0
    }

    /// Adds bytes after the data. Traps when they do not fit.
    public mutating func append(contentsOf bytes: some Collection<UInt8>) {
        precondition(count + bytes.count <= capacity, "the bytes do not fit into the Buffer")
        let rest = unsafe UnsafeMutableRawBufferPointer(
            start: base + count, count: capacity - count)
        unsafe rest.copyBytes(from: bytes)
        count += bytes.count
    }

    /// Adds a copy of another buffer's data after this one's. Traps when it does not fit.
    public mutating func append(_ other: borrowing Buffer) {
        unsafe other.withUnsafeBytes { bytes in unsafe append(contentsOf: bytes) }
    }

    /// The byte at `index`, which must be less than ``count``.
    public subscript(index: Int) -> UInt8 {
        get {
            precondition(index >= 0 && index < count, "index out of the Buffer's data")
            return unsafe base.load(fromByteOffset: index, as: UInt8.self)
        }
        set {
            precondition(index >= 0 && index < count, "index out of the Buffer's data")
            unsafe base.storeBytes(of: newValue, toByteOffset: index, as: UInt8.self)
        }
    }

    /// Calls `body` with the data. The pointer is valid during the call only.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
        -> Result
    {
        try unsafe body(UnsafeRawBufferPointer(start: base, count: count))
    }

    // MARK: For operations

    /// Where the kernel writes to and reads from.
    @inline(__always)
    var address: UInt { UInt(bitPattern: unsafe base) }

    // A count is the kernel's word, and what runs beyond the memory because of a wrong one would be silent.

    /// The kernel has filled the first `count` bytes.
    @inline(__always)
    mutating func setCount(_ count: Int) {
        precondition(count >= 0 && count <= capacity, "the kernel reports more bytes than the Buffer has room for")
        self.count = count
    }

    /// The kernel has taken `count` bytes of the data from `start` on.
    ///
    /// - Returns: Where it goes on.
    @inline(__always)
    borrowing func end(ofTaking count: Int32, from start: Int) -> Int {
        precondition(count >= 0 && Int(count) <= self.count - start, "the kernel reports more bytes than it was given")
        return start + Int(count)
    }
}

extension Array where Element == UInt8 {
    /// A copy of the buffer's data.
    public init(_ buffer: borrowing Buffer) {
        self = unsafe buffer.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}
