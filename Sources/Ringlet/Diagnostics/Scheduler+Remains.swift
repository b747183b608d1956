@_spi(Testing)
extension Scheduler {
    /// What is left on a worker that has ended; nothing but the count, unless something is wrong.
    public struct Remains: Sendable, Hashable {
        /// Operations whose terminal completion has not come.
        public var operations: Int
        /// Completions of operations that had ended already.
        public var staleCompletions: UInt64
        /// Fibers whose stack has not ended.
        public var hasFibers: Bool
        /// Stacks that were in use when they were given back to the system.
        public var stacks: Int

        public init(
            operations: Int = 0, staleCompletions: UInt64 = 0, hasFibers: Bool = false, stacks: Int = 0
        ) {
            self.operations = operations
            self.staleCompletions = staleCompletions
            self.hasFibers = hasFibers
            self.stacks = stacks
        }
    }

    /// What is left on each worker. After ``shutdown(deadline:)`` or ``run(_:_:)-(_,()->Success)``; as long as workers run,
    /// only they may look.
    public var remains: [Remains] {
        precondition(state.isShuttingDown, "a scheduler that runs has no remains")
        return workers.map {
            Remains(
                operations: $0.operations.activeCount, staleCompletions: $0.operations.staleCount,
                hasFibers: $0.liveFibers != nil, stacks: $0.stacksLeft)
        }
    }
}
