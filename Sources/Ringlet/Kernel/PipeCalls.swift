import CUring
import SystemPackage

/// Pipes between this process and a child.
enum PipeCalls {
    /// A close-on-exec pipe, of whose ends none is a standard stream. To write to it waits.
    static func make() throws(Errno) -> (reading: Int32, writing: Int32) {
        var ends: (Int32, Int32) = (0, 0)
        let result = unsafe withUnsafeMutableBytes(of: &ends) { bytes in
            unsafe curing_pipe(bytes.assumingMemoryBound(to: Int32.self).baseAddress!)
        }
        try check(Int64(result))
        return (ends.0, ends.1)
    }

    /// The two ends have files of their own, so the other one waits as before.
    static func setNonblocking(_ descriptor: Int32) throws(Errno) {
        try check(Int64(curing_set_nonblocking(descriptor)))
    }

    /// A close-on-exec duplicate with a number that is not less than `least`.
    static func duplicate(_ descriptor: Int32, from least: Int) throws(Errno) -> Int32 {
        Int32(try check(Int64(curing_duplicate(descriptor, Int32(least)))))
    }

    /// Writes what there is room for, to a pipe that does not wait, and raises no SIGPIPE. Returns the number of bytes.
    static func write(_ descriptor: Int32, from address: UInt, count: Int) throws(Errno) -> Int {
        Int(try check(curing_write_pipe(descriptor, address, count)))
    }

    @discardableResult
    private static func check(_ result: Int64) throws(Errno) -> Int64 {
        if result < 0 { throw Errno(rawValue: Int32(-result)) }
        return result
    }
}
