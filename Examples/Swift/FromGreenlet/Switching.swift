import Ringlet

func showSwitching() throws {
    try showPingPong()
    try showValues()
    try showFamilies()
}

/// The first program of greenlet's documentation.
private func showPingPong() throws {
    var lines: [String] = []

    var pong: Coroutine<Void>!
    let ping = Coroutine(name: "ping") {
        lines.append("ping 1")
        try pong.switch()
        lines.append("ping 2")
    }
    pong = Coroutine(name: "pong") {
        lines.append("pong 1")
        try ping.switch()
        lines.append("never")
    }
    try ping.switch()

    expect(lines == ["ping 1", "pong 1", "ping 2"], "control moves where the program says")
    try pong.close()
}

private func showValues() throws {
    let average = Coroutine<Double> { first in
        var (sum, count) = (first, 1.0)
        while true {
            sum += try Coroutine.switchToParent(sum / count)
            count += 1
        }
    }
    let one = try average.switch(10)  // 10
    let two = try average.switch(20)  // 15

    expect(one == 10 && two == 15, "values go both ways")
    try average.close()

    enum Message {
        case start(Int, Int)
        case more(Int)
        case done(String)
    }
    let adder = Coroutine<Message> { first in
        guard case .start(let a, let b) = first else { return .done("no numbers") }
        guard case .more(let c) = try Coroutine<Message>.switchToParent(.more(a + b)) else {
            return .done("no more")
        }
        return .done("\(a + b + c)")
    }
    _ = try adder.switch(.start(1, 2))
    let answer = try adder.switch(.more(3))

    guard case .done("6") = answer else { return expect(false, "an enum is what varies") }
}

private func showFamilies() throws {
    let numbers = Coroutine<Int> { first in
        var number = first
        while true { number = try Coroutine.switchOutside(number + 1) }
    }
    let words = Coroutine<String> { word in
        // To `numbers` this body is the code outside.
        "\(word) \(try numbers.switch(1))"
    }
    let answer = try words.switch("one and")  // "one and 2"

    expect(answer == "one and 2", "families nest")
    try numbers.close()
}
