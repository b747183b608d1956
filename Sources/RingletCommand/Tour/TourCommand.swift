import ArgumentParser
import Ringlet

struct TourCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tour",
        abstract: "Show what Ringlet does, on this machine, in under half a minute.")

    @Option(help: "The directory tree to read and hash.")
    var tree = "/usr/include"

    @Option(help: "Connections of the echo act.")
    var connections = 1000

    @Option(help: "Threads of each scheduler, each with its own ring.")
    var workers = 2

    @Option(help: "The C example to run, built against the installed library.")
    var cExample: String?

    func validate() throws {
        guard (2...50_000).contains(connections) else {
            throw ValidationError("The echo act takes 2 to 50000 connections.")
        }
        guard (1...64).contains(workers) else { throw ValidationError("1 to 64 workers.") }
    }

    func run() throws {
        let stage = Stage()
        stage.title("Ringlet: greenlets and Swift tasks on one ring")
        // All of them: the kernel may have room for one ring and not for many.
        let kernel = try Scheduler.run(SchedulerOptions(workers: workers)) { () throws -> KernelInfo? in Scheduler.current?.kernel }
        if let kernel { print("kernel: \(kernel)") }
        try ClassicActs(stage: stage, workers: workers).play()
        try EchoAct(stage: stage, connections: connections, workers: workers).play()
        try TreeAct(stage: stage, root: tree, workers: workers).play()
        try CExampleAct(stage: stage, path: cExample).play()
        stage.end()
    }
}
