import Ringlet

func showGeneratorStates() throws {
    let inner = Generator(of: Int.self, name: "inner") { yield in
        try yield.from([1, 2])  // any sequence
        return "inner's"
    }
    let outer = Generator(of: Int.self, name: "outer") { yield in
        let value = try yield.from(inner)
        try yield(3)
        return value
    }
    expect(outer.isPending, "GEN_CREATED")
    expect(try outer.next() == 1, "gi_suspended: neither pending nor running nor finished")
    expect(outer.delegate === inner, "gi_yieldfrom")
    print(outer)  // generator 'outer' (suspended), delegates to generator 'inner'
    expect(Array(outer) == [2, 3], "a loop goes on from there")
    expect(try outer.isFinished && outer.result == "inner's", "GEN_CLOSED, and StopIteration.value")
    expect(try outer.next() ?? -1 == -1, "next(g, -1)")

    let squares = [1, 2, 3].lazy.map { $0 * $0 }  // (x * x for x in [1, 2, 3])
    expect(Array(squares) == [1, 4, 9], "a generator expression is a lazy sequence")

    let failing = Generator(of: Int.self) { yield in
        try yield(1)
        throw Stop()
    }
    for number in failing { expect(number == 1, "the loop ends where Python's would throw") }
    do {
        _ = try failing.result
        expect(false, "the error is here")
    } catch is Stop {}

    // What can be sent something is no sequence.
    let echo = Generator(of: String.self, receiving: String?.self) { yield in
        var word = try yield("first")
        while let received = word { word = try yield("again \(received)") }
    }
    expect(try echo.next() == "first" && echo.send("hello") == "again hello", "send(None) is next")
    while let word = try echo.next() { print(word) }
}
