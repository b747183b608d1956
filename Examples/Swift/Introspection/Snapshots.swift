import Ringlet

/// A server with a reader that has nothing to read, and somebody who waits for it.
func serve() throws {
    let listener = try TCPListener(on: .loopback(port: 0))
    let client = try TCPConnection.connect(to: listener.address)
    let server = try listener.accept()
    let reader = Fiber(name: "reader") {
        var buffer = Buffer(capacity: 1)
        try server.read(into: &buffer)
    }
    Fiber(name: "closer") {
        try reader.join(deadline: .after(.seconds(60)))
    }
    try Fiber.sleep(until: .never)
    try client.close()
}

func showSnapshot() throws {
    try Scheduler.run {
        let server = Fiber(name: "server") { try serve() }
        try Fiber.sleep(for: .milliseconds(10))
        let snapshot = Scheduler.current!.snapshot()
        print(snapshot)
        for fiber in snapshot.fibers where fiber.parentID == server.id {
            print(fiber.label, fiber.wait?.what ?? "runs", fiber.backtrace.count > 0)
        }
    }
}

func showGraph() throws {
    try Scheduler.run {
        let server = Fiber(name: "server") { try serve() }
        Fiber(name: "waiter") { try server.join() }
        try Fiber.sleep(for: .milliseconds(10))
        let graph = Scheduler.current!.snapshot().awaitGraph
        print(graph)
        print(graph.waiters(of: server.id).count, graph.cycles)
    }
}

func showDeadlock() throws {
    var options = SchedulerOptions()
    options.detectsDeadlocks = true
    do {
        try Scheduler.run(options) {
            let first = Fiber(name: "first") {
                let second = Fiber(name: "second") { [first = AnyFiber.current!] in
                    try (first as! Fiber<Void>).join()
                }
                try second.join()
            }
            try first.join()
        }
    } catch let error as DeadlockError {
        print(error)
    }
}

func showCounters() throws {
    try Scheduler.run {
        for _ in 0..<100 { try Fiber { try Fiber.yield() }.join() }
        try Fiber.sleep(for: .milliseconds(1))
        let counters = Scheduler.current!.counters
        print(counters.liveFibers, counters.total.fibersStarted >= 100, counters.total.turns > 0)
    }
}
