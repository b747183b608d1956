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
}
