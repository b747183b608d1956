// MARK: - For the testing kit

extension Scheduler {
    /// Starts a scheduler of one worker, on a thread of its own, in a simulation.
    ///
    /// - Throws: ``SchedulerError``; `Errno` when the thread cannot start.
    package convenience init(_ options: SchedulerOptions, simulation: any KernelSimulation) throws {
        guard !CurrentThread.mustNotBlock else { throw SchedulerError.nestedRun }
        guard options.workers == 1 else {
            throw SchedulerError.invalidOption("\(options.workers) workers; a simulation has one")
        }
        try self.init(options, inlineWorkers: 0, simulation: simulation)
    }

    /// The simulation whose worker runs this thread, if one does.
    package static var currentSimulation: (any KernelSimulation)? {
        CurrentThread.worker?.shared.kernel.simulation
    }

    /// Runs `body` in a fiber of the current worker. Cancelling the calling task cancels the fiber.
    package static func runInFiber<Success>(
        _ name: String, _ body: sending @escaping () throws -> Success
    ) async throws -> Success {
        let fiber = Fiber(name: name, at: .none, body)
        await withTaskCancellationHandler {
            await fiber.waitForEndShielded()
        } onCancel: {
            fiber.cancel()
        }
        return try await fiber.join()
    }

    /// Cancels what is left, when the main body has ended. Returns at once; the thread ends when everything has.
    package func cancelLeftovers() { cancelEverything() }
}
