import Glibc
import SystemPackage

/// What can be asked of a bare descriptor number.
enum DescriptorCalls {
    /// Which file a number names. Two that are equal are the same one, or both of a kind of which the kernel tells no two
    /// apart: eventfd(2) and its like.
    struct Identity: Equatable {
        fileprivate let device: UInt
        fileprivate let node: UInt
    }

    /// - Throws: `Errno.notPermitted`, as of epoll(7), for a file that is always ready: a regular one or a directory.
    static func identity(of descriptor: Int32) throws(Errno) -> Identity {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Errno(rawValue: errno) }
        let kind = status.st_mode & S_IFMT
        if kind == S_IFREG || kind == S_IFDIR { throw .notPermitted }
        return Identity(device: UInt(status.st_dev), node: UInt(status.st_ino))
    }
}
