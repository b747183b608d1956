import Ringlet

/// What is simulated for one run: its kernel, its clock and its choices.
///
/// Everything belongs to the worker's thread, but for ``conclusion`` and what is constant.
final class World: @unchecked Sendable {
    let seed: UInt64?
    let clock = VirtualClock(at: World.beginning)
    let conclusion = Conclusion()
    let kernel = SimulatedKernel()
    let network = SimulatedNetwork()

    private(set) var phase = Phase.preparing
    private var chance: Chance
    /// Calls of `Simulation.outside` that have not ended.
    var callsOutside = 0
    /// Rounds since the clock moved.
    private var rounds = 0

    enum Phase {
        /// The worker tests itself, and the main body is on its way from another thread.
        case preparing
        case running
        /// Nothing can happen, and not everything could be cancelled: only another thread could still help.
        case abandoned
    }

    /// An hour after the clock's own beginning, so that there is a past to name.
    private static let beginning: UInt64 = 3_600_000_000_000

    /// An instant has room for so many rounds. What goes on longer waits for time to pass, as a fiber that yields until a
    /// deadline does; each round then takes as long as a turn may in production.
    private static let roundsPerInstant = 10_000
    private static let nanosecondsPerRound: UInt64 = 100_000

    init(seed: UInt64?) {
        self.seed = seed
        chance = Chance(seed: seed)
        kernel.world = self
        network.world = self
    }

    /// The world of the thread that runs this code.
    static var current: World? { Scheduler.currentSimulation as? World }

    static func required(_ call: StaticString) -> World {
        guard let current else {
            fatalError("\(call) was asked for outside a simulation. Call it from the body of Simulation.run { }.")
        }
        return current
    }

    /// Another thread is expected to act: time stands, and nothing is known about what can happen.
    var waitsForOthers: Bool { phase != .running || callsOutside > 0 }

    // MARK: Time

    var elapsed: Duration { .nanoseconds(Int64(clamping: clock.now - Self.beginning)) }

    /// The kernel waits: everything else does so already.
    func pass(_ nanoseconds: UInt64) {
        clock.advance(by: nanoseconds)
        rounds = 0
    }

    func roundEnded() {
        guard phase == .running else { return }
        rounds += 1
        if rounds > Self.roundsPerInstant { clock.advance(by: Self.nanosecondsPerRound) }
    }

    // MARK: Chance

    /// The main body begins. What came before depends on what the process has done earlier.
    func begin() {
        phase = .running
        rounds = 0
    }

    func chosen(of count: Int) -> Int {
        phase == .running ? chance.number(below: count) : 0
    }

    // MARK: The end

    func nothingCanHappen(_ error: DeadlockError) {
        // The second time, those that were cancelled wait all the same.
        if !conclusion.deadlocked(error) { phase = .abandoned }
    }

    func workerEnded() { conclusion.conclude() }
}
