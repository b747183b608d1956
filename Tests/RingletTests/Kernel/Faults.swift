import SystemPackage
import Testing

@testable @_spi(Testing) import Ringlet

/// A scheduler on a kernel that fails as a script says.
final class FaultyScheduler: Sendable {
    let scheduler: Scheduler
    let faults: KernelFaults

    var worker: Worker { scheduler.workers[0] }

    init(
        _ kernel: KernelPreference, workers: Int = 1, _ script: [KernelFault] = [],
        faults: KernelFaults = KernelFaults()
    ) throws {
        self.faults = faults
        for fault in script { faults.add(fault) }
        var options = SchedulerOptions(workers: workers, kernel: kernel)
        options.faults = faults
        scheduler = try Scheduler(options)
    }

    /// Runs `body` as a fiber to its end, shuts down, and checks that nothing is left.
    static func run<Success: Sendable>(
        _ kernel: KernelPreference, _ script: [KernelFault] = [], stale: UInt64 = 0,
        _ body: @escaping @Sendable (FaultyScheduler) throws -> Success,
        at location: SourceLocation = #_sourceLocation
    ) async throws -> Success {
        let faulty = try FaultyScheduler(kernel, script)
        let fiber = faulty.scheduler.spawn { try body(faulty) }
        let outcome: Result<Success, any Error>
        do { outcome = .success(try await fiber.join(deadline: .after(patience))) } catch {
            outcome = .failure(error)
        }
        try await faulty.end(stale: stale, at: location)
        return try outcome.get()
    }

    func end(stale: UInt64 = 0, at location: SourceLocation = #_sourceLocation) async throws {
        let report = try await onThread { [scheduler] in
            scheduler.shutdown(deadline: .after(patience))
        }
        #expect(report == ShutdownReport(), sourceLocation: location)
        guard report == ShutdownReport() else { return }
        for worker in scheduler.workers {
            let left = worker.operations.activeCount
            #expect(left == 0, sourceLocation: location)
        }
        let found = scheduler.workers.reduce(0) { $0 + $1.operations.staleCount }
        #expect(found == stale, sourceLocation: location)
    }
}

extension Trait where Self == ConditionTrait {
    /// For tests of what can happen when a worker enables its ring.
    static var needsDisabledRings: Self {
        .enabled(
            if: !KernelPreference.enabledByWorkers.isEmpty, "this kernel's rings are enabled from the start")
    }
}

extension KernelPreference {
    /// What tests with faults run on: io_uring where there is one, and the emulated ring. `RINGLET_KERNEL` makes
    /// both of them the same.
    static let underFaults: [KernelPreference] = [.automatic, .emulated]

    /// Those of them whose rings are made disabled, so that a worker which begins can be late or fail: all but the lowest
    /// rung of the setup ladder (Linux before 5.19, and `RINGLET_KERNEL_MASK=5.15`).
    static let enabledByWorkers = underFaults.filter { kernel in
        guard let scheduler = try? Scheduler(SchedulerOptions(kernel: kernel)) else { return false }
        defer { scheduler.shutdown() }
        let madeDisabled: UInt32 = 1 << 6
        return scheduler.kernel.setupFlags & madeDisabled != 0
    }
}
