import SystemPackage

extension Buffer {
    /// The path as a C string, byte for byte: names need not be UTF-8.
    init(path: FilePath) {
        let bytes = unsafe path.withPlatformString { start in
            unsafe UnsafeBufferPointer(start: start, count: path.length + 1).map(UInt8.init(bitPattern:))
        }
        self.init(copying: bytes)
    }
}
