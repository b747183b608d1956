internal import Glibc
internal import Measure
internal import TimerSubjects

// An own harness, not the package benchmark of ordo-one: what counts here are ratios to a reference
// measured in the same second, the same subject on several rungs of the fiber host, and sleepers in
// fresh processes. That package measures one benchmark after the other and knows no ratios, its
// allocation counts need packages that are not fetched without its traits, and it takes two minutes
// to build.

let usage = """
    ringlet-bench [--rounds N] [--only TEXT] SUBJECT...
        switch  generators  fibers  tasks  synchronization  spawn  groups  skynet  timers  ring
                                                             tables, each with its reference
    ringlet-bench sleepers fibers|tasks|tasks-of-swift COUNT     once, in this process
    ringlet-bench lives COUNT     coroutines made and dropped, and the memory afterwards
    ringlet-bench suspensions COUNT      of fibers, and the memory afterwards
    ringlet-bench live-generators COUNT                          once, in this process
    """

@main
enum RingletBench {
    static func main() {
        do {
            try run(Array(CommandLine.arguments.dropFirst()))
        } catch {
            warn("ringlet-bench: \(error)\n")
            exit(1)
        }
    }

    nonisolated private static func run(_ arguments: [String]) throws {
        var arguments = arguments[...]
        var plan = Plan(rounds: 9)
        while let option = arguments.first, option.hasPrefix("--") {
            arguments = arguments.dropFirst()
            guard let value = arguments.popFirst() else { throw Usage() }
            switch (option, Int(value)) {
            case ("--rounds", let rounds?) where rounds > 0: plan.rounds = rounds
            case ("--only", _): plan.only = value
            default: throw Usage()
            }
        }
        if arguments.first == "sleepers" {
            guard arguments.count == 3, let count = Int(arguments.last ?? ""), count > 0 else {
                throw Usage()
            }
            return try measureSleepers(arguments.dropFirst().first ?? "", count: count)
        }
        if arguments.first == "lives" {
            guard arguments.count == 2, let count = Int(arguments.last ?? ""), count > 0 else {
                throw Usage()
            }
            return try measureLives(count: count)
        }
        if arguments.first == "suspensions" {
            guard arguments.count == 2, let count = Int(arguments.last ?? ""), count > 0 else {
                throw Usage()
            }
            return try measureSuspensions(count: count)
        }
        if arguments.first == "live-generators" {
            guard arguments.count == 2, let count = Int(arguments.last ?? ""), count > 0 else {
                throw Usage()
            }
            return try measureLiveGenerators(count)
        }
        guard !arguments.isEmpty else { throw Usage() }
        for subject in arguments {
            switch subject {
            case "switch": try measureSwitch(plan)
            case "generators": try measureGenerators(plan)
            case "fibers": try measureFibers(plan)
            case "tasks": try measureTasks(plan)
            case "synchronization":
                try measureSynchronization(plan)
                try measureTaskChannels(plan)
            case "handoff": try measureHandOff(plan)
            case "spawn": try measureSpawn(plan)
            case "groups": try measureGroups(plan)
            case "skynet": try measureSkynet(plan)
            case "timers": try measureTimers(plan)
            case "ring": try measureRing(plan)
            default: throw Usage()
            }
        }
    }

    /// C's stderr is a global variable, which Swift holds for a race.
    nonisolated private static func warn(_ text: String) {
        _ = text.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }
}

struct Usage: Error, CustomStringConvertible {
    var description: String { "usage:\n\(usage)" }
}
