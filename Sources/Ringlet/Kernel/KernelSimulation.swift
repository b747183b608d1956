package import CUring
package import SystemPackage

/// A program that stands for the kernel, the clock and chance: what the testing kit implements.
///
/// It belongs to one scheduler of one worker, whose thread makes all calls but where a comment says otherwise.
package protocol KernelSimulation: AnyObject, Sendable {
    /// The calls that its rings make. Valid as long as the object. Any thread.
    var table: UnsafePointer<curing_kernel> { get }

    /// By which the worker's thread lives.
    var clock: VirtualClock { get }

    // MARK: Sockets: the calls that do not wait

    func makeSocket() -> Int32
    func bind(_ socket: Int32, to address: SocketAddress) throws(Errno)
    func listen(_ socket: Int32) throws(Errno)
    func localAddress(of socket: Int32) throws(Errno) -> SocketAddress
    func peerAddress(of socket: Int32) throws(Errno) -> SocketAddress

    /// False when the descriptor is one of Linux.
    func close(_ descriptor: Int32) -> Bool

    // MARK: What the worker asks and tells

    /// Which of the next `count` runnables is to run first: less than `count`, which is at least 1.
    func chosen(of count: Int) -> Int

    /// A turn is over in which everything ran that was ready at its beginning.
    func roundEnded()

    /// Enter has answered EDEADLK: all of the scheduler waits for what nobody can do any more.
    func nothingCanHappen(_ error: DeadlockError)

    /// The worker has ended.
    func workerEnded()
}
