import Ringlet

func showStates() throws {
    var seen: [CoroutineState] = []
    let worker = Coroutine(name: "worker") {
        let this = Coroutine<Void>.current  // getcurrent(): by the type of the values
        let innermost = AnyCoroutine.innermost  // of whatever type
        seen.append(innermost?.state ?? .ended)
        expect(this === innermost, "this one")
        try Coroutine.switchToParent()
    }
    expect(worker.state == .pending && "\(worker)" == "coroutine 'worker' (pending)", "repr(g)")
    try worker.switch()
    expect(worker.state == .suspended && !worker.isFinished, "bool(g)")
    try worker.switch()
    expect(worker.isFinished && Coroutine<Void>.current == nil, "g.dead; the code outside is nil")

    expect(seen == [.running], "the one that asks is running")

    try showForwarding()
}

private func showForwarding() throws {
    let ended = Coroutine<Int> { first in first }
    try ended.switch(1)
    let outside = try ended.switch(2)  // 2: its parent is the code outside

    let collector = Coroutine<Int> { first in first * 10 }
    try ended.setParent(collector)
    let forwarded = try ended.switch(3)  // 30: to the new parent, which begins

    expect(outside == 2 && forwarded == 30, "one that has ended forwards")
}
