import Ringlet
import SystemPackage
import Testing

@Suite struct GeneratorTrapTests {
    @Test func `a stack that is too small is refused`() {
        let generator = Generator(of: Int.self, stackSize: 1000) { try $0(1) }
        #expect(throws: Errno.invalidArgument) { try generator.next() }
        #expect(String(describing: generator) == "a generator (pending)")
    }

    @Test func `another thread is refused, and both are named`() throws {
        let generator = Generator(of: Int.self, name: "mine") { yield in
            try yield(1)
            try yield(2)
        }
        #expect(try generator.next() == 1)
        var errors: [GeneratorError] = []
        var there: Int32 = 0
        onPlainThread {
            there = threadNumber()
            for call in [
                { _ = try generator.next() }, { _ = try generator.throw(Failure()) },
                { _ = try generator.close() },
            ] {
                do { try call() } catch {
                    if let error = error as? GeneratorError { errors.append(error) }
                }
            }
        }
        #expect(
            errors
                == Array(repeating: .wrongThread(owner: threadNumber(), current: there), count: 3))
        #expect(
            "\(errors[0])".contains("thread \(there)")
                && "\(errors[0])".contains("\(threadNumber())"))
        #expect(try generator.next() == 2)
    }

    @Test func `a loop on another thread traps and both are named`() async throws {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let generator = Generator(of: Int.self, name: "mine") { try $0(1) }
            onPlainThread { for _ in generator {} }
        }
        try expectReport(result, says: "generator 'mine'")
        try expectReport(result, says: "belongs to thread")
    }

    @Test func `a yield from code that the body did not call traps`() async throws {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            var leaked: Yielder<Int, Void>?
            let generator = Generator(of: Int.self) { yield in
                leaked = yield
                try yield(1)
            }
            _ = try generator.next()
            try leaked?(2)
        }
        try expectReport(result, says: "by code that its body did not call")
    }

    @Test func `a yield inside a task on the body's stack traps`() async throws {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let generator = Generator(of: Int.self) { yield in
                nonisolated(unsafe) let yield = yield
                Task.immediate { try unsafe yield(1) }
            }
            _ = try generator.next()
        }
        try expectReport(result, says: "inside a task")
    }

    @Test func `a body that will not end is reported when its last reference goes`() async throws {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardErrorContent]
        ) {
            let generator = Generator(of: Int.self, name: "stubborn") { yield in
                while true { _ = try? yield(1) }
            }
            _ = try generator.next()
        }
        try expectReport(result, says: "generator 'stubborn' ended with an error that nobody saw")
        try expectReport(result, says: "ignored its exit")
    }
}
