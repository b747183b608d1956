import CUring
import Ringlet
import SystemPackage

/// The table behind the seam: from the functions that a ring calls to the object that stands for the kernel.
@safe
final class SimulatedKernel: @unchecked Sendable {
    /// Whose kernel it is. Written once, before there is a ring.
    unowned var world: World!

    let table: UnsafeMutablePointer<curing_kernel>

    private static let name: StaticString = "simulated"

    init() {
        unsafe table = .allocate(capacity: 1)
        unsafe table.initialize(
            to: curing_kernel(
                name: UnsafeRawPointer(Self.name.utf8Start).assumingMemoryBound(to: CChar.self),
                setup: { ring, submissions, completions, _ in
                    // Whatever the flags ask for is how this kernel works anyway.
                    let kernel = unsafe Unmanaged<SimulatedKernel>
                        .fromOpaque(ring.pointee.kernel.unsafelyUnwrapped.pointee.context.unsafelyUnwrapped)
                        .takeUnretainedValue()
                    let simulated = unsafe SimulatedRing(ring, submissions, completions, in: kernel.world)
                    unsafe ring.pointee.kernel_state = Unmanaged.passRetained(simulated).toOpaque()
                    return 0
                },
                enter: { ring, count, least, flags, timeout in
                    unsafe SimulatedKernel.ring(ring).enter(
                        submitting: count, least: least, collects: flags & UInt32(CURING_ENTER_GETEVENTS) != 0,
                        timeout: timeout)
                },
                // It can do what the emulated ring can.
                do_register: unsafe curing_emulated().pointee.do_register,
                teardown: { ring in
                    let state = unsafe ring.pointee.kernel_state.unsafelyUnwrapped
                    unsafe Unmanaged<SimulatedRing>.fromOpaque(state).release()
                    unsafe ring.pointee.kernel_state = nil
                },
                patience: nil, with_emulation: nil, context: Unmanaged.passUnretained(self).toOpaque()))
    }

    deinit { unsafe table.deallocate() }

    private static func ring(_ ring: UnsafeMutablePointer<curing_ring>) -> SimulatedRing {
        unsafe Unmanaged<SimulatedRing>.fromOpaque(ring.pointee.kernel_state.unsafelyUnwrapped)
            .takeUnretainedValue()
    }
}

extension World: KernelSimulation {
    var table: UnsafePointer<curing_kernel> { unsafe UnsafePointer(kernel.table) }

    func makeSocket() -> Int32 { network.makeSocket() }

    func bind(_ socket: Int32, to address: SocketAddress) throws(Errno) { try network.bind(socket, to: address) }

    func listen(_ socket: Int32) throws(Errno) { try network.listen(socket) }

    func localAddress(of socket: Int32) throws(Errno) -> SocketAddress { try network.localAddress(of: socket) }

    func peerAddress(of socket: Int32) throws(Errno) -> SocketAddress { try network.peerAddress(of: socket) }

    func close(_ descriptor: Int32) -> Bool {
        if descriptor < SimulatedNetwork.firstNumber { return false }
        network.close(descriptor)
        return true
    }
}
