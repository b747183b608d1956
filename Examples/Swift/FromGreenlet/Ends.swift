import Ringlet

func showEnds() throws {
    let notes = Notes()
    let before = UnseenError.setHandler { unseen in  // the unraisable hook
        notes.add("\(unseen.origin) \(unseen.error)")
    }

    var dropped: Coroutine<Void>? = Coroutine(name: "dropped") {
        defer { notes.add("unwound") }
        try Coroutine.switchToParent()
    }
    try dropped?.switch()
    dropped = nil  // del g: the body is unwound before the next line

    var failing: Coroutine<Void>? = Coroutine {
        do { try Coroutine.switchToParent() } catch is CoroutineExit { throw Stop() }
    }
    try failing?.switch()
    failing = nil

    UnseenError.setHandler(before)
    expect(notes.all == ["unwound", "coroutine Stop()"], "what a drop does, and what is reported")

    try showClosing()
}

private func showClosing() throws {
    let worker = Coroutine<Int> { first in
        defer { print("cleaned up") }
        return try Coroutine.switchToParent(first)
    }
    try worker.switch(1)
    try worker.close()  // as `del g`, for one that others refer to

    if case .exited = worker.outcome {} else { expect(false, "neither a value nor an error") }

    let broken = Coroutine<Int> { _ in throw Stop() }
    do { try broken.switch(1) } catch is Stop {}
    if case .failed(is Stop) = broken.outcome {} else { expect(false, "an error stays readable") }
}
