import CContext

/// The part of a worker that a debugger reads: its thread and its started fibers. For the worker's thread.
@safe
struct WorkerAnchor {
    private let anchor: UnsafeMutablePointer<cctx_worker>

    init() {
        unsafe anchor = .allocate(capacity: 1)
        unsafe anchor.initialize(to: cctx_worker())
    }

    /// Shows the worker, on whose thread this is called, to debuggers.
    func begin(index: Int) { unsafe cctx_worker_begin(anchor, Int32(index)) }

    /// Hides it. Does nothing when it was never shown.
    func end() { unsafe cctx_worker_end(anchor) }

    /// Before the first look. On the worker's thread.
    func admitSamples() { cctx_sample_admit() }

    /// Looks at the worker's thread, which must exist. Any other thread. Returns 0 or a negative errno.
    func sample(_ sample: UnsafeMutablePointer<cctx_sample>) -> Int32 {
        unsafe cctx_sample_take(anchor, sample)
    }

    func deallocate() { unsafe anchor.deallocate() }

    /// Head of the list of started fibers.
    @inline(__always)
    var liveFibers: FiberRef? {
        get {
            guard let fiber = unsafe anchor.pointee.live else { return nil }
            return unsafe FiberRef(fiber)
        }
        nonmutating set { unsafe anchor.pointee.live = newValue.map { unsafe $0.record } }
    }
}
