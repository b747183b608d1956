import Ringlet
import SystemPackage
import Synchronization

/// Real work: an echo server and its clients, half of each fibers and half tasks.
struct EchoAct {
    let stage: Stage
    let connections: Int
    let workers: Int

    private static let duration = Duration.seconds(3)
    private static let messageSize = 64

    /// One half of the workers, which serve, and the other, which ask; a single one does both.
    private var serving: Range<Int> { 0..<max(1, workers / 2) }
    private var asking: Range<Int> { workers == 1 ? 0..<1 : serving.upperBound..<workers }

    /// Workers with a ring, an eventfd and a file thread's eventfd each, two listeners on each that serves; the main
    /// queue, and a few.
    private var ownDescriptors: Int { 3 * workers + 2 * serving.count + 8 }

    func play() throws {
        stage.act("An echo server under \(grouped(connections)) connections")
        let tally = Mutex(LatencyHistogram())
        // Both ends are in this process.
        let affordable = DescriptorBudget.free(reserved: ownDescriptors) / 2
        guard affordable >= 2 else {
            stage.say("too few descriptors are allowed for two connections (ulimit -n); skipped")
            return
        }
        let connections = min(connections, affordable)
        if connections < self.connections {
            stage.say("the limit of open descriptors leaves room for \(grouped(connections)) (ulimit -n)")
        }
        let half = connections / 2
        try Scheduler.run(SchedulerOptions(workers: workers)) { [self] in
            guard let scheduler = Scheduler.current else { return }
            let fibers = try EchoServer(
                on: .loopback(port: 0), colour: .fibers, bufferSize: 4096, workers: serving)
            let tasks = try EchoServer(
                on: .loopback(port: 0), colour: .tasks, bufferSize: 4096, workers: serving)
            stage.say("fibers on \(Self.name(serving)) serve \(half) connections at \(fibers.address)")
            stage.say("tasks on \(Self.name(serving)) serve \(connections - half) at \(tasks.address)")
            stage.say("fibers and tasks on \(Self.name(asking)) ask, \(Self.messageSize) B at a time …")
            let end = Deadline.after(Self.duration)
            let asking = asking
            func worker(_ number: Int) -> Int { asking.lowerBound + number % asking.count }
            // Each client talks to the server of its own colour.
            let clients = (0..<half).map { number in
                scheduler.spawn(onWorker: worker(number), name: "client-\(number)") {
                    try EchoClient(of: fibers.address).ask(until: end)
                }
            }
            let askers = (half..<connections).map { number in
                Task(executorPreference: scheduler.taskExecutor(ofWorker: worker(number))) {
                    try await EchoClient(of: tasks.address).ask(until: end)
                }
            }
            for client in clients {
                let latencies = try client.join()
                tally.withLock { $0.add(latencies) }
            }
            for asker in askers {
                let latencies = try Fiber.await { try await asker.value }
                tally.withLock { $0.add(latencies) }
            }
        }
        report(tally.withLock { $0 })
    }

    private static func name(_ workers: Range<Int>) -> String {
        let (first, last) = (workers.lowerBound, workers.upperBound - 1)
        return first == last ? "worker \(first)" : "workers \(first) to \(last)"
    }

    private func report(_ latencies: LatencyHistogram) {
        let perSecond = latencies.count / Int(Self.duration.components.seconds)
        func milliseconds(_ fraction: Double) -> String {
            decimal(Double(latencies.percentile(fraction)) / 1e6, digits: 2)
        }
        stage.note("\(grouped(perSecond)) echoes a second, client and server together")
        stage.note(
            "latency p50 \(milliseconds(0.5)) ms, p90 \(milliseconds(0.9)) ms, p99 \(milliseconds(0.99)) ms, p99.9 \(milliseconds(0.999)) ms"
        )
    }
}

/// One connection that asks and checks the answer, again and again.
private struct EchoClient {
    let address: SocketAddress

    private static let size = 64

    init(of address: SocketAddress) {
        self.address = address
    }

    func ask(until end: Deadline) throws -> LatencyHistogram {
        var latencies = LatencyHistogram()
        let connection = try TCPConnection.connect(to: address)
        let question = Buffer(copying: (0..<Self.size).map { UInt8($0) })
        var answer = Buffer(capacity: Self.size)
        while !end.hasPassed {
            let asked = Deadline.now
            try connection.write(question)
            var received = 0
            while received < Self.size {
                let count = try connection.read(into: &answer)
                guard count > 0, answer[0] == question[received] else { throw Errno.ioError }
                received += count
            }
            latencies.add(nanoseconds: Int(Deadline.now.nanoseconds - asked.nanoseconds))
        }
        try connection.close()
        return latencies
    }

    func ask(until end: Deadline) async throws -> LatencyHistogram {
        var latencies = LatencyHistogram()
        let connection = try await TCPConnection.connect(to: address)
        let question = Buffer(copying: (0..<Self.size).map { UInt8($0) })
        var answer = Buffer(capacity: Self.size)
        while !end.hasPassed {
            let asked = Deadline.now
            try await connection.write(question)
            var received = 0
            while received < Self.size {
                let count = try await connection.read(into: &answer)
                guard count > 0, answer[0] == question[received] else { throw Errno.ioError }
                received += count
            }
            latencies.add(nanoseconds: Int(Deadline.now.nanoseconds - asked.nanoseconds))
        }
        try await connection.close()
        return latencies
    }
}
