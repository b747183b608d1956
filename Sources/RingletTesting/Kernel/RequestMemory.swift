import CUring

/// A request's memory, which is the program's.
extension curing_sqe {
    /// Writes `bytes` to it, `progress` bytes from its beginning. There is room for them.
    func receive(_ bytes: ArraySlice<UInt8>, after progress: Int = 0) {
        let memory = unsafe UnsafeMutablePointer<UInt8>(bitPattern: UInt(address) + UInt(progress))
        guard let memory = unsafe memory else { return }
        for (offset, byte) in bytes.enumerated() { unsafe memory[offset] = byte }
    }

    /// Its `count` bytes from `progress` on.
    func sent(from progress: Int = 0, count: Int) -> [UInt8] {
        let memory = unsafe UnsafePointer<UInt8>(bitPattern: UInt(address) + UInt(progress))
        guard count > 0, let memory = unsafe memory else { return [] }
        return unsafe Array(UnsafeBufferPointer(start: memory, count: count))
    }

    /// What the request comes to as a call that Linux answers.
    func callingLinux() -> Int32 {
        var entry = self
        return unsafe curing_call(&entry)
    }
}
