import CContext
import Glibc
import Synchronization

/// One function call on the stack of a coroutine or fiber.
public struct CoroutineFrame: Hashable, Sendable {
    /// Where the function goes on.
    public let address: UInt
    /// The function's name, demangled; nil when the file that it was loaded from has none.
    public let function: String?
    /// Of the address in the function, or else in the image.
    public let offset: Int
    /// The file that the function was loaded from.
    public let image: String?
    /// The function is Ringlet's or the standard library's, as those are in which a wait ends.
    let isOfLibrary: Bool
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
    /// milliseconds for each function that was not seen before.
    public final var backtrace: [CoroutineFrame]? {
        guard core.isOnOwnThread, core.state == .suspended else { return nil }
        return core.frames
    }
}

extension Generator {
    /// The calls that are in progress in a suspended body, innermost first: at first those of the
    /// innermost body that it delegates to, at last its own. Nil in every other state, and on other
    /// threads. The innermost ones of each body are the library's own.
    ///
    /// Otherwise as ``AnyCoroutine/backtrace``.
    public var backtrace: [CoroutineFrame]? {
        guard core.isOnOwnThread, core.state == .suspended, !core.isRunning else { return nil }
        return core.chain.reversed().flatMap(\.frames)
    }
}

extension RawContext {
    /// The calls on the stack of one that does not run.
    fileprivate final var frames: [CoroutineFrame] {
        guard let record = unsafe record else { return [] }
        return unsafe returnAddresses(on: &record.pointee.context, limit: 256).map(CoroutineFrame.init(at:))
    }
}

extension FiberRef {
    /// The same as addresses, of a fiber that does not run; on its worker's thread.
    func returnAddresses(limit: Int) -> [UInt] {
        unsafe Ringlet.returnAddresses(on: &record.pointee.context, limit: limit)
    }
}

private func returnAddresses(on context: UnsafePointer<cctx>, limit: Int) -> [UInt] {
    unsafe [UInt](unsafeUninitializedCapacity: limit) { buffer, count in
        if let start = buffer.baseAddress {
            count = unsafe cctx_return_addresses(context, start, buffer.count)
        }
    }
}

/// The functions that were looked up, since the same are on many stacks. Any thread.
///
/// Forgotten when an image is unloaded, whose addresses another may take, and when they are many.
private final class KnownFrames: Sendable {
    private static let limit = 4096

    private struct State {
        var unloads: UInt64 = 0
        var frames: [UInt: CoroutineFrame] = [:]
    }

    private let state = Mutex(State())

    /// The child of a fork may have none of the threads, one of which might hold the lock.
    static let ofProcess = PerProcess { KnownFrames() }

    func frame(at address: UInt) -> CoroutineFrame {
        let unloads = cctx_image_unloads()
        let known = state.withLock { state in
            if state.unloads != unloads || state.frames.count >= Self.limit {
                state = State(unloads: unloads)
            }
            return state.frames[address]
        }
        if let known { return known }
        let frame = CoroutineFrame(lookingUp: address)
        state.withLock { state in
            if state.unloads == unloads { state.frames[address] = frame }
        }
        return frame
    }
}

extension CoroutineFrame {
    /// Of a return address. Any thread; takes milliseconds for one that was not seen before.
    init(at address: UInt) {
        self = KnownFrames.ofProcess.object.frame(at: address)
    }

    /// How the symbols begin of Ringlet, of its C half, and of the standard library and its `Synchronization`.
    private static let libraries = ["$s7Ringlet", "cctx_", "$ss", "$sS", "$s15Synchronization"]

    /// Reads the symbol table of a file, which takes milliseconds.
    fileprivate init(lookingUp address: UInt) {
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
        let name = unsafe symbol.name.map { unsafe String(cString: $0) } ?? ""
        isOfLibrary = Self.libraries.contains { name.hasPrefix($0) }
    }
}
