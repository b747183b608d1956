/// The environment variables that Ringlet reads, each when a scheduler is made, but for the seed.
package enum Environment {
    /// `RINGLET_KERNEL_MASK`: imitate another kernel.
    static func kernelMask() throws(SchedulerError) -> KernelMask {
        guard let value = value(of: "RINGLET_KERNEL_MASK") else { return .none }
        guard let mask = KernelMask(value) else {
            throw .invalidEnvironment(
                "RINGLET_KERNEL_MASK=\(value); it can be 5.15, 5.19 or 6.1, and -recv or another opcode")
        }
        return mask
    }

    /// `RINGLET_KERNEL`: which kernel to run on.
    static func kernel() throws(SchedulerError) -> KernelPreference? {
        guard let value = value(of: "RINGLET_KERNEL") else { return nil }
        guard let preference = KernelPreference(rawValue: value) else {
            throw .invalidEnvironment(
                "RINGLET_KERNEL=\(value); it can be auto, io_uring or emulated")
        }
        return preference
    }

    /// `RINGLET_FAULTS`: a seed for faults of which a program must not notice anything, for tests.
    static func faults() throws(SchedulerError) -> KernelFaults? {
        guard let value = value(of: "RINGLET_FAULTS") else { return nil }
        guard let seed = UInt64(value) else {
            throw .invalidEnvironment("RINGLET_FAULTS=\(value); it can be a number from 0 on")
        }
        return KernelFaults(seed: seed, .hidden)
    }

    /// `RINGLET_SEED`: the one seed to try, in place of those that the tests name. Read when a test asks.
    package static func seed() throws(SchedulerError) -> UInt64? {
        guard let value = value(of: "RINGLET_SEED") else { return nil }
        guard let seed = UInt64(value) else {
            throw .invalidEnvironment("RINGLET_SEED=\(value); it can be a number from 0 on")
        }
        return seed
    }

    /// `RINGLET_DEBUG`: whether debug mode is on.
    static func debug() throws(SchedulerError) -> Bool {
        switch value(of: "RINGLET_DEBUG") {
        case nil, "0": return false
        case "1": return true
        case let value?: throw .invalidEnvironment("RINGLET_DEBUG=\(value); it can be 0 or 1")
        }
    }

    /// `RINGLET_FIBER_HOST`: force a rung of the fiber host.
    static func fiberHost() throws(SchedulerError) -> FiberHost.Rung? {
        guard let value = value(of: "RINGLET_FIBER_HOST") else { return nil }
        guard let rung = FiberHost.Rung(rawValue: value) else {
            throw .invalidEnvironment("RINGLET_FIBER_HOST=\(value); it can be hc, nc or plain")
        }
        return rung
    }

    /// `RINGLET_STACK_GUARDS`, which the pools of stacks read: whether it means something.
    static func checkStackGuards() throws(SchedulerError) {
        switch value(of: "RINGLET_STACK_GUARDS") {
        case nil, "light", "mprotect": return
        case let value?:
            throw .invalidEnvironment("RINGLET_STACK_GUARDS=\(value); it can be light or mprotect")
        }
    }

    private static func value(of name: String) -> String? {
        HostEnvironment.value(of: name)
    }
}
