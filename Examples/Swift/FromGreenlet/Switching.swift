import Ringlet

/// The first program of greenlet's documentation.
func showSwitching() throws {
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
