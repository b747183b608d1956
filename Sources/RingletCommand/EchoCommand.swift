import ArgumentParser
import Ringlet

struct EchoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Serve TCP echo until SIGINT or SIGTERM.")

    @Option(help: "The port; 0 lets the kernel choose.")
    var port: UInt16 = 7000

    @Option(help: "The IPv4 address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "Threads, each with its own ring.")
    var workers = 1

    @Option(help: "Bytes of each connection's buffer.")
    var buffer = 16 * 1024

    @Flag(help: "What serves a connection.")
    var colour = EchoColour.fibers

    @Flag(help: "Send answers behind the server's back, and save a call into the kernel for each.")
    var buffered = false

    func validate() throws {
        guard SocketAddress(ipv4: host, port: port) != nil else {
            throw ValidationError("'\(host)' is not an IPv4 address.")
        }
        guard buffer > 0 else { throw ValidationError("A buffer holds at least one byte.") }
    }

    func run() throws {
        let signals = try SignalListener(for: [.interrupt, .terminate])
        guard let address = SocketAddress(ipv4: host, port: port) else { return }
        let (colour, buffer, buffered) = (colour, buffer, buffered)
        // When the body returns, what still serves is cancelled and awaited.
        let server = try Scheduler.run(SchedulerOptions(workers: workers)) {
            let server = try EchoServer(
                on: address, colour: colour, bufferSize: buffer, isBuffered: buffered)
            print("listening on \(server.address)")
            if let kernel = Scheduler.current?.kernel { print("kernel: \(kernel)") }
            flushOutput()
            _ = try signals.next()
            return server
        }
        print("stopped after \(server.connectionCount) connections")
    }
}

/// Which kind of coroutine serves a connection.
enum EchoColour: String, EnumerableFlag {
    case fibers, tasks
}
