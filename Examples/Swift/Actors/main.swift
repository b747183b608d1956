// Actors beside fibers and tasks: the MainActor is served by worker 0, since `Scheduler.run` was called on
// the main thread.

import Ringlet

@MainActor
enum Screen {
    static var lines = 0

    static func show(_ text: String) -> Int {
        print(text)
        lines += 1
        return lines
    }
}

actor Account {
    private var balance = 0

    func deposit(_ amount: Int) -> Int {
        balance += amount
        return balance
    }
}

let account = Account()

let lines = try Scheduler.run { () throws -> Int in
    let saver = Fiber(name: "saver") {
        // In place, in the fiber's own task.
        try Fiber.await { await account.deposit(5) }
    }
    let balance = try saver.join()
    return try Fiber.await { await Screen.show("a fiber saved \(balance)") }
}

let total = try Scheduler.run { () async throws -> Int in
    let balance = await account.deposit(10)
    let shown = Task { @MainActor in
        try await Task.sleep(for: .milliseconds(1))
        return Screen.show("a task saved \(balance)")
    }
    return try await shown.value
}

print("\(lines) line, then \(total)")
