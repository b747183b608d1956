import CUring
import Glibc
import SystemPackage

/// Starting a child: posix_spawn(3), which waits on the calling thread until the child executes its program.
enum SpawnCalls {
    /// Where one of the child's descriptors comes from.
    enum Stream: Sendable {
        /// Not less than the number of the child's descriptors.
        case descriptor(Int32)
        case inherited, null
        /// What the child's standard output is.
        case merged

        fileprivate var native: Int32 {
            switch self {
            case .descriptor(let descriptor): descriptor
            case .inherited: Int32(CURING_STREAM_INHERITED)
            case .null: Int32(CURING_STREAM_NULL)
            case .merged: Int32(CURING_STREAM_MERGED)
            }
        }
    }

    enum Group: Sendable {
        case inherited, own, session

        fileprivate var native: Int32 {
            switch self {
            case .inherited: Int32(CURING_GROUP_INHERITED)
            case .own: Int32(CURING_GROUP_OWN)
            case .session: Int32(CURING_GROUP_SESSION)
            }
        }
    }

    /// Everything about a child. No string has a byte 0.
    struct Plan: Sendable {
        var executable: [UInt8]
        var arguments: [[UInt8]]
        /// Entries of the form `name=value`; nil for the environment of this process.
        var environment: [[UInt8]]?
        var directory: [UInt8]?
        /// What the child's descriptors from 0 on are; it has no others.
        var streams: [Stream]
        var group: Group
    }

    /// The number of the child.
    static func spawn(_ plan: Plan) throws(Errno) -> Int32 {
        if plan.executable.isEmpty || plan.executable.contains(slash) { return try spawn(plan.executable, plan) }
        // As execvp(3) does it: a file that may not be executed is passed over, and told if there is no other.
        var refusal = Errno.noSuchFileOrDirectory
        for folder in folders(inPathOf: plan.environment ?? HostEnvironment.entries) {
            let path = folder.isEmpty ? plan.executable : folder + [slash] + plan.executable
            // Relative ones count from the child's directory.
            let isChecked = path.first == slash
            do throws(Errno) {
                if isChecked { try checkExecutable(path) }
            } catch {
                if error == .permissionDenied { refusal = error }
                continue
            }
            do throws(Errno) {
                return try spawn(path, plan)
            } catch .permissionDenied {
                refusal = .permissionDenied
            } catch {
                // What is not there is the directory, or the interpreter, where it is not the file.
                if isChecked || error != .noSuchFileOrDirectory && error != .notDirectory { throw error }
            }
        }
        throw refusal
    }

    private static let slash = UInt8(ascii: "/")

    /// Those of the PATH in entries of the form `name=value`; the first counts. An empty one is the current directory.
    static func folders(inPathOf environment: [[UInt8]]) -> [[UInt8]] {
        let name = Array("PATH=".utf8)
        let entry = environment.first { $0.starts(with: name) }
        // What confstr(3) says of it.
        let path = entry?.dropFirst(name.count) ?? Array("/bin:/usr/bin".utf8)[...]
        return path.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map { Array($0) }
    }

    /// Spares a child that could not execute it.
    private static func checkExecutable(_ path: [UInt8]) throws(Errno) {
        let result = unsafe (path + [0]).withUnsafeBytes { bytes in
            unsafe faccessat(AT_FDCWD, bytes.assumingMemoryBound(to: CChar.self).baseAddress!, X_OK, AT_EACCESS)
        }
        if result < 0 { throw Errno(rawValue: errno) }
    }

    private static func spawn(_ path: [UInt8], _ plan: Plan) throws(Errno) -> Int32 {
        let path = CStrings([path])
        let directory = plan.directory.map { CStrings([$0]) }
        let arguments = CStrings([plan.executable] + plan.arguments)
        let environment = plan.environment.map { CStrings($0) }
        let streams = plan.streams.map(\.native)
        let result = unsafe streams.withUnsafeBufferPointer { streams in
            var spawn = unsafe curing_spawn(
                path: path.first, arguments: arguments.pointers, environment: environment?.pointers,
                directory: directory?.first, descriptors: streams.baseAddress!, count: Int32(streams.count),
                group: plan.group.native)
            return unsafe curing_spawn_child(&spawn)
        }
        withExtendedLifetime((path, directory, arguments, environment)) {}
        if result < 0 { throw Errno(rawValue: -result) }
        return result
    }
}

/// Strings as C wants them, one after the other, and an array of pointers to them that a null pointer ends.
@safe
private final class CStrings {
    private let bytes: UnsafeMutablePointer<CChar>
    private let list: UnsafeMutablePointer<UnsafePointer<CChar>?>

    init(_ strings: [[UInt8]]) {
        unsafe bytes = .allocate(capacity: strings.reduce(0) { $0 + $1.count + 1 } + 1)
        unsafe list = .allocate(capacity: strings.count + 1)
        var offset = 0
        for (index, string) in strings.enumerated() {
            unsafe list[index] = UnsafePointer(bytes + offset)
            for byte in string + [0] {
                unsafe bytes[offset] = CChar(bitPattern: byte)
                offset += 1
            }
        }
        unsafe list[strings.count] = nil
    }

    deinit {
        unsafe bytes.deallocate()
        unsafe list.deallocate()
    }

    var pointers: UnsafePointer<UnsafePointer<CChar>?> { unsafe UnsafePointer(list) }
    var first: UnsafePointer<CChar> { unsafe UnsafePointer(bytes) }
}

extension FilePath {
    /// Its bytes: names need not be UTF-8.
    var bytes: [UInt8] {
        unsafe withPlatformString { start in
            unsafe UnsafeBufferPointer(start: start, count: length).map(UInt8.init(bitPattern:))
        }
    }
}
