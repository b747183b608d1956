import CContext
import Glibc

/// One function call on the stack of a suspended coroutine.
public struct CoroutineFrame: Hashable, Sendable {
    /// Where the function goes on.
    public let address: UInt
    /// The function's name, demangled; nil when the file that it was loaded from has none.
    public let function: String?
    /// Of the address in the function, or else in the image.
    public let offset: Int
    /// The file that the function was loaded from.
    public let image: String?
}

extension CoroutineFrame: CustomStringConvertible {
    /// The function and its file, as in a crash report.
    public var description: String {
        let file = image?.split(separator: "/").last.map(String.init) ?? "nowhere"
        guard let function else { return "\(file) + \(offset)" }
        return "\(function) + \(offset) in \(file)"
    }
}

extension AnyCoroutine {
    /// The calls that are in progress on the stack of a suspended coroutine, innermost first; nil
    /// in every other state, and on other threads. The innermost ones are the library's own switch.
    ///
    /// Frames are found by their frame pointers, which Swift code has: calls of C functions that
    /// were compiled without them are left out, as are those on the stacks of generators and
    /// coroutines that the body has resumed. Reads the symbol tables of files, which takes
    /// milliseconds for each frame.
    public final var backtrace: [CoroutineFrame]? {
        guard core.thread.isCurrent, core.state == .suspended, let record = unsafe core.record
        else { return nil }
        let addresses = unsafe [UInt](unsafeUninitializedCapacity: 256) { buffer, count in
            if let start = buffer.baseAddress {
                count = unsafe cctx_return_addresses(
                    &record.pointee.context, start, buffer.count)
            }
        }
        return addresses.map(CoroutineFrame.init(at:))
    }
}

extension CoroutineFrame {
    fileprivate init(at address: UInt) {
        // A return address is that of the next instruction, which may belong to the next function.
        let symbol = unsafe cctx_symbolicate(address - 1)
        defer {
            unsafe free(symbol.name)
            unsafe free(symbol.demangled)
            unsafe free(symbol.image)
        }
        self.address = address
        function = unsafe (symbol.demangled ?? symbol.name).map { unsafe String(cString: $0) }
        image = unsafe symbol.image.map { unsafe String(cString: $0) }
        offset = unsafe Int(symbol.offset) + 1
    }
}
