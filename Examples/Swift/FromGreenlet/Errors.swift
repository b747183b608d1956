import Ringlet

struct Stop: Error {}

func showErrors() throws {
    let worker = Coroutine<String> { first in
        do {
            return try Coroutine.switchToParent(first)
        } catch is Stop {
            return "stopped"
        }
    }
    try worker.switch("working")
    let last = try worker.throw(Stop())  // "stopped"

    expect(last == "stopped", "a body catches what is thrown into it")

    try showKilling()
}

private func showKilling() throws {
    var isClean = false

    let worker = Coroutine {
        defer { isClean = true }
        while true { try Coroutine.switchToParent() }
    }
    try worker.switch()
    try worker.throw()  // the exit signal

    switch worker.outcome {
    case .exited: break  // neither a value nor an error
    case .returned, .failed, nil: fatalError()
    }

    expect(isClean && worker.isFinished, "the exit signal ends a body")
}
