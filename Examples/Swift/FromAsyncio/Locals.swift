import Ringlet

enum Request {
    @TaskLocal static var id = "none"
}

/// Each fiber's own.
let visits = FiberLocal(0)

func showLocals() throws {
    let seen = try Scheduler.run {
        try await Request.$id.withValue("r1") {
            let inherited = Fiber { Request.id }
            let empty = Fiber(locals: .empty) { Request.id }
            let task = Task { Request.id }
            let onThread = try await ThreadPool.shared.run { Request.id }
            return try await [inherited.join(), empty.join(), task.value, onThread]
        }
    }
    expect(seen == ["r1", "none", "r1", "r1"], "who inherits what")

    let counts = try Scheduler.run {
        let fibers = (1...2).map { number in
            Fiber {
                for _ in 1...number { visits.value += 1 }
                return visits.value
            }
        }
        return try await [fibers[0].join(), fibers[1].join()]
    }
    expect(counts == [1, 2], "each fiber counts for itself")
}
