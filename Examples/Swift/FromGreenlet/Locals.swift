import Ringlet

enum Request {
    @TaskLocal static var id = "none"
}

func showLocals() throws {
    func reader(_ locals: CoroutineLocals) -> Coroutine<String> {
        Coroutine(locals: locals) { _ in
            while true { _ = try Coroutine.switchToParent(Request.id) }
        }
    }
    try Request.$id.withValue("made") {
        let readers = [reader(.empty), reader(.copied), reader(.shared)]
        let seen = try Request.$id.withValue("resumed") {
            try readers.map { try $0.switch("") }  // ["none", "made", "resumed"]
        }
        expect(seen == ["none", "made", "resumed"], "gr_context: empty, a copy, shared")
        for reader in readers { try reader.close() }
    }
}
