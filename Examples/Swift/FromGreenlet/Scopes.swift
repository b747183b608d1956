import Ringlet

/// ExitStack: what was entered last is left first, and the error of an exit takes the place of an earlier one.
final class ExitStack {
    private var exits: [() throws -> Void] = []

    func push(_ exit: @escaping () throws -> Void) { exits.append(exit) }

    static func with<Value>(_ body: (ExitStack) throws -> Value) throws -> Value {
        let stack = ExitStack()
        var outcome = Result { try body(stack) }
        while let exit = stack.exits.popLast() {
            do { try exit() } catch { outcome = .failure(error) }
        }
        return try outcome.get()
    }
}

/// AsyncExitStack: the same, of exits that may wait.
final class AsyncExitStack {
    private var exits: [() async throws -> Void] = []

    func push(_ exit: @escaping () async throws -> Void) { exits.append(exit) }

    static func with<Value>(_ body: (AsyncExitStack) async throws -> Value) async throws -> Value {
        let stack = AsyncExitStack()
        var outcome: Result<Value, any Error>
        do { outcome = .success(try await body(stack)) } catch { outcome = .failure(error) }
        while let exit = stack.exits.popLast() {
            do { try await exit() } catch { outcome = .failure(error) }
        }
        return try outcome.get()
    }
}

/// contextmanager: what is before the `yield` there, the body, and what is after it.
func withTag<Value>(_ name: String, _ notes: Notes, _ body: () throws -> Value) rethrows -> Value {
    notes.add("<\(name)>")
    defer { notes.add("</\(name)>") }
    return try body()
}

func showScopes() throws {
    let notes = Notes()
    withTag("p", notes) { notes.add("text") }
    expect(notes.all == ["<p>", "text", "</p>"], "before, body, after")

    do {
        try ExitStack.with { stack in
            for name in ["a", "b"] { stack.push { notes.add("left \(name)") } }
            throw Stop()
        }
    } catch is Stop {}
    expect(notes.all.suffix(2) == ["left b", "left a"], "in the reverse order")

    do {
        try ExitStack.with { stack in
            stack.push { throw Rewind() }
            throw Stop()
        }
    } catch {
        expect(error is Rewind, "the error of an exit takes the place of the earlier one")
    }
    try showAsyncScopes(notes)
}

func showAsyncScopes(_ notes: Notes) throws {
    try Scheduler.run {
        let sum = try await AsyncExitStack.with { stack in
            for name in ["c", "d"] {
                stack.push {  // push_async_callback
                    try await Scheduler.sleep(for: .milliseconds(1))
                    notes.add("left \(name)")
                }
            }
            return 1 + 2
        }
        expect(sum == 3 && notes.all.suffix(2) == ["left d", "left c"], "in the reverse order, and waited for")
    }
}
