import CUring
import SystemPackage

/// The descriptor that a loop of somebody else's waits for: readable when a ring has something for its worker, or when an
/// instant has come. For the worker's thread, but the number, which any thread may wait for.
struct HostDescriptor: ~Copyable {
    private var host = curing_host()

    var number: Int32 { host.fd }

    init() throws(Errno) {
        let error = unsafe curing_host_create(&host)
        guard error == 0 else { throw Errno(rawValue: -error) }
    }

    /// - Parameter due: 0 for at once, `.max` for never.
    mutating func arm(_ ring: Ring, due: UInt64) {
        let error = unsafe curing_host_arm(&host, ring.descriptor, due)
        precondition(error == 0, "a host's descriptor cannot be armed: \(Errno(rawValue: -error))")
    }

    deinit {
        // A copy: what is being destroyed is not mutable.
        var host = host
        unsafe curing_host_destroy(&host)
    }
}
