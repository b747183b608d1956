import Ringlet

final class Session {
    var queries = 0
}

let session = FiberLocal(Session())
let depth = FiberLocal(0)

enum Trace {
    @TaskLocal static var id = "none"
}

func showLocals() throws {
    let counts = try Scheduler.run {
        let fibers = (1...3).map { number in
            Fiber {
                for _ in 1...number {
                    session.withValue { $0.queries += 1 }
                    depth.value += 1
                    try Fiber.yield()
                }
                depth.removeValue()
                return session.withValue { $0.queries } + depth.value
            }
        }
        return try fibers.map { try $0.join() }
    }
    expect(counts == [1, 2, 3], "each has its own session")

    try Scheduler.run {
        try Trace.$id.withValue("r1") {
            let inherits = try Fiber { Trace.id }.join()
            let starts = try Fiber(locals: .empty) { Trace.id }.join()
            expect(inherits == "r1" && starts == "none", "a context is copied, or empty")
        }
    }
}
