import ArgumentParser

@main
struct RingletCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ringlet",
        abstract: "Fibers and Swift tasks on one io_uring loop.",
        subcommands: [TourCommand.self, EchoCommand.self, StressCommand.self]
    )
}
