import Glibc

@testable import Ringlet

/// Runs `body` with a worker that does nothing, on a thread that is lent to nobody.
func withIdleWorker(_ body: @escaping (Worker) throws -> Interleaver.Report) throws -> Interleaver.Report {
    var thread = pthread_t()
    let box = unsafe Unmanaged.passRetained(IdleWorkerBody(body)).toOpaque()
    unsafe pthread_create(
        &thread, nil,
        { box in
            unsafe Unmanaged<IdleWorkerBody>.fromOpaque(box.unsafelyUnwrapped)._withUnsafeGuaranteedRef { $0.run() }
            return nil
        }, box)
    pthread_join(thread, nil)
    return try unsafe Unmanaged<IdleWorkerBody>.fromOpaque(box).takeRetainedValue().outcome.get()
}

private final class IdleWorkerBody {
    private let body: (Worker) throws -> Interleaver.Report
    private(set) var outcome = Result<Interleaver.Report, any Error>.success(Interleaver.Report())

    init(_ body: @escaping (Worker) throws -> Interleaver.Report) { self.body = body }

    func run() {
        outcome = Result {
            let guest = try GuestScheduler()
            defer { guest.close() }
            return try body(guest.scheduler.workers[0])
        }
    }
}
