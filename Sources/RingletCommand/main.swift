import Ringlet
import SystemPackage

nonisolated func go() throws {
    let v = try Scheduler.run { () -> Int in
        let a = Fiber(name: "a") { () -> Int in for i in 0..<3 { print("a", i); try Fiber.yield() }; return 1 }
        let b = Fiber(name: "b") { () -> Int in for i in 0..<3 { print("b", i); try Fiber.yield() }; return 2 }
        try Fiber.sleep(for: .milliseconds(20))
        let x = try Fiber.await { try await Task.sleep(for: .milliseconds(5)); return 5 }
        return try a.join() + b.join() + x
    }
    print(v)
    let w = try Scheduler.run { () async throws -> Int in
        let a = Fiber(name: "a") { () -> Int in for i in 0..<3 { print("a", i); try Fiber.yield() }; return 1 }
        try await Task.sleep(for: .milliseconds(5))
        return try await a.join()
    }
    print(w)
    try Scheduler.run {
        let l = try TCPListener(on: .loopback(port: 0))
        Fiber { let c = try l.accept(); var b = Buffer(capacity: 100); while try c.read(into: &b) > 0 { try c.write(b) }; print("server done"); try c.close() }
        let c = try TCPConnection.connect(to: l.address)
        try c.write(Buffer(copying: [1, 2, 3]))
        var b = Buffer(capacity: 10)
        try c.read(into: &b)
        print([UInt8](b))
        try c.close()
        do { _ = try l.accept(deadline: .after(.milliseconds(5))) } catch { print(error) }
        let f = Fiber { do { _ = try l.accept() } catch { print("accept:", error) } }
        try Fiber.yield()
        f.cancel()
        try f.join()
        let g = Fiber { do { _ = try l.accept() } catch { print("accept2:", error) } }
        try Fiber.yield()
        try l.close()
        try g.join()
        let file = try File.open("/etc/hostname")
        try file.read(into: &b, at: 0)
        print([UInt8](b))
    }
}
try go()
