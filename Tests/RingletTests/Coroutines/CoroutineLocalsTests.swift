import CContext
import Glibc
import Ringlet
import Testing

private final class Token: Sendable {}

private enum Locals {
    @TaskLocal static var value = 0
    @TaskLocal static var text = "none"
    @TaskLocal static var token: Token?
}

@Suite struct CoroutineLocalsTests {
    /// Reads the local now, and once more after a switch.
    private func reader(_ locals: CoroutineLocals) -> Coroutine<Int> {
        Coroutine(locals: locals) { _ in
            _ = try Coroutine.switchToParent(Locals.value)
            return Locals.value
        }
    }

    private func expect(_ coroutine: Coroutine<Int>, reads value: Int) throws {
        #expect(try coroutine.switch(0) == value)
    }

    private func checkScenario() throws {
        try Locals.$value.withValue(1) {
            let empty = reader(.empty)
            let copied = reader(.copied)
            let shared = reader(.shared)
            try expect(empty, reads: 0)
            try expect(copied, reads: 1)
            try expect(shared, reads: 1)
            // Only those who share see what is bound afterwards.
            try Locals.$value.withValue(2) {
                try expect(empty, reads: 0)
                try expect(copied, reads: 1)
                try expect(shared, reads: 2)
            }
        }
        #expect(Locals.value == 0)
    }

    @Test func `scenario 15: locals are empty, copied or shared`() throws {
        onPlainThread { #expect(throws: Never.self) { try checkScenario() } }
    }

    // The third clause of the scenario, "only shared writes are visible back", has no such form: a task-local is bound
    // for a scope and never written, so that nothing can come back. What is shared is everything else of the resumer.
    @Test func `one that shares has its resumer's task, and the others have none or their own`() async {
        func isCancelledIn(_ locals: CoroutineLocals) throws -> Coroutine<Bool> {
            Coroutine(locals: locals) { _ in
                while true {
                    // One step for a task that is cancelled, one for another.
                    _ = try Coroutine<Bool>.switchToParent(Task.isCancelled)
                }
            }
        }
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            let (empty, copied, shared) = try (
                isCancelledIn(.empty), isCancelledIn(.copied), isCancelledIn(.shared)
            )
            #expect(try [empty, copied, shared].map { try $0.switch(false) } == [false, false, true])
            let own = unsafe withUnsafeCurrentTask { unsafe $0?.hashValue }
            let inside = Coroutine<Int?>(locals: .shared) { _ in unsafe withUnsafeCurrentTask { unsafe $0?.hashValue } }
            #expect(try inside.switch(nil) == own && own != nil)
            for coroutine in [empty, copied, shared] { try coroutine.close() }
        }
        task.cancel()
        await #expect(throws: Never.self) { try await task.value }
    }

    @Test func `the same in a task, in a fiber and in another coroutine`() async throws {
        try await Task { try checkScenario() }.value
        onPlainThread {
            #expect(throws: Never.self) {
                try Scheduler.run { try checkScenario() }
                try Coroutine(locals: .copied) { try checkScenario() }.switch()
            }
        }
    }

    @Test func `copies outlive their scope and take bindings that are held over switches`() throws {
        var made: [Coroutine<Int>] = []
        for number in 1...3 {
            Locals.$value.withValue(number) {
                Locals.$text.withValue("text \(number), longer than a word") {
                    made.append(
                        Coroutine(locals: .copied) { factor in
                            #expect(Locals.text == "text \(number), longer than a word")
                            let sum = try Locals.$value.withValue(Locals.value * factor) {
                                _ = try Coroutine.switchToParent(Locals.value)
                                return Locals.value
                            }
                            return sum + Locals.value
                        })
                }
            }
        }
        #expect(try made.map { try $0.switch(10) } == [10, 20, 30])
        #expect(try made.map { try $0.switch(0) } == [11, 22, 33])
        #expect(Locals.value == 0)
    }

    @Test func `copies that were never used are let go`() {
        weak var token: Token?
        do {
            let coroutine = {
                let held = Token()
                token = held
                return Locals.$token.withValue(held) { Coroutine(locals: .copied) {} }
            }()
            #expect(token != nil)
            #expect(coroutine.state == .pending)
        }
        #expect(token == nil)
    }

    @Test func `on a runtime that is not known, copied and shared cannot begin, and empty can`() async {
        await #expect(processExitsWith: .success) {
            cctx_host_forget_runtime()
            // A thread that has never looked for the runtime's words.
            onPlainThread {
                for locals in [CoroutineLocals.copied, .shared] {
                    let coroutine = Locals.$value.withValue(1) { Coroutine<Int>(locals: locals) { $0 } }
                    for _ in 1...2 {
                        let error = errorThrown { _ = try coroutine.switch(1) }
                        guard error as? CoroutineError == .localsUnavailable, coroutine.state == .pending
                        else { exit(1) }
                    }
                    do { try coroutine.close() } catch { exit(2) }
                    guard coroutine.isFinished, case .exited = coroutine.outcome else { exit(3) }
                    // One that never gets its stack back is dropped as well.
                    _ = try? Coroutine<Int>(locals: locals) { $0 }.switch(1)
                }
                let empty = Coroutine<Int> { first in try Coroutine.switchToParent(first + Locals.value) }
                guard (try? empty.switch(2)) == 2, (try? empty.switch(3)) == 3, empty.isFinished else { exit(4) }
                guard CoroutineCounters.current.live == 0, CoroutineCounters.current.leaked == 0 else { exit(5) }
            }
        }
    }
}
