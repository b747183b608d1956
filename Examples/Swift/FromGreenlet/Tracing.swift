import Ringlet

func showTracing() throws {
    var lines: [String] = []

    AnyCoroutine.setTracer { transfer in
        let names = [transfer.origin, transfer.target].map { $0?.name ?? "outside" }
        lines.append("\(transfer.kind) \(names[0]) -> \(names[1])")
    }
    let worker = Coroutine(name: "worker") { throw Stop() }
    try? worker.switch()
    AnyCoroutine.setTracer(nil)

    expect(
        lines == ["switch outside -> worker", "throw worker -> outside"], "a tracer sees switches")
}
