package import CUring

/// A program that stands for the kernel, the clock and chance: what the testing kit implements.
///
/// It belongs to one scheduler of one worker, whose thread makes all calls but where a comment says otherwise.
package protocol KernelSimulation: AnyObject, Sendable {
    /// The calls that its rings make. Valid as long as the object. Any thread.
    var table: UnsafePointer<curing_kernel> { get }

    /// By which the worker's thread lives.
    var clock: VirtualClock { get }

    /// Which of the next `count` runnables is to run first: less than `count`, which is at least 1.
    func chosen(of count: Int) -> Int

    /// A turn is over in which everything ran that was ready at its beginning.
    func roundEnded()

    /// Enter has answered EDEADLK: all of the scheduler waits for what nobody can do any more.
    func nothingCanHappen(_ error: DeadlockError)

    /// The worker has ended.
    func workerEnded()
}
