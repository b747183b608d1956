/// The line of a program that asked for something that goes on: spawned a fiber, asked for a callback, began to watch a
/// descriptor.
public struct CallSite: Sendable, Hashable, CustomStringConvertible {
    /// As `#fileID`: the module and the file's name.
    public let fileID: String

    /// Counted from 1. Lines beyond 65,535 are said to be that one.
    public let line: Int

    public var description: String { "\(fileID):\(line)" }

    init?(_ site: PackedSite) {
        guard let fileID = site.fileID else { return nil }
        self.fileID = fileID
        line = site.line
    }
}

/// A call site in one word, so that each fiber can have one: the address of a C string that is never freed, and the
/// line above it.
///
/// Addresses of user space have 47 bits on x86-64 and 48 on AArch64. The caller passes the two constants in registers.
struct PackedSite: BitwiseCopyable {
    let word: UInt

    static let none = PackedSite(word: 0)
    private static let addressBits: UInt = 48

    init(word: UInt) { self.word = word }

    @inline(__always)
    init(_ fileID: StaticString, _ line: UInt) {
        guard fileID.hasPointerRepresentation else {
            self = .none
            return
        }
        word = unsafe UInt(bitPattern: fileID.utf8Start) | min(line, 0xffff) &<< Self.addressBits
    }

    var line: Int { Int(word >> Self.addressBits) }

    var fileID: String? {
        let address = word & (1 << Self.addressBits - 1)
        guard let start = unsafe UnsafePointer<CChar>(bitPattern: address) else { return nil }
        return unsafe String(cString: start)
    }
}

extension PackedSite: CustomStringConvertible {
    var description: String { CallSite(self).map { "\($0)" } ?? "an unknown place" }
}
