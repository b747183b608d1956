import CRinglet
import Glibc
import Testing

@testable import Ringlet

/// A body that yields or switches inside a scope would leave its caller in it (PEP 789): it is an error, at the yield.
@Suite(.timeLimit(.patient)) struct ScopeBoundTests {
    /// What a body may be in on a fiber.
    private static let scopes: [@Sendable (() throws -> Void) throws -> Void] = [
        { body in _ = try withDeadline(.after(.seconds(60))) { _ in try body() } },
        { body in _ = try CancelScope().run { _ in try body() } },
        { body in try withGroup { _ in try body() } },
        { body in try withoutCancellation { try body() } },
        { body in try Fiber.withoutSuspension { try body() } },
    ]

    private static func rootCause(_ error: (any Error)?) -> (any Error)? {
        (error as? GroupError)?.errors.first ?? error
    }

    @Test(arguments: 0..<5) func `a generator may not yield inside a scope`(scope: Int) async throws {
        try await inEveryOrder {
            let enter = Self.scopes[scope]
            let reached = Counter()
            let generator = Generator(of: Int.self) { yield in
                try yield(1)
                var refused = errorThrown { try enter { try yield(2) } }
                #expect(Self.rootCause(refused) as? GeneratorError == .insideScope)
                // A delegation would leave it in the same way.
                let inner = Generator(of: Int.self) { yield in try yield(3) }
                refused = errorThrown { try enter { try yield.from(inner) } }
                #expect(Self.rootCause(refused) as? GeneratorError == .insideScope)
                // Whoever has left may yield, and so may what runs inside and is finished there.
                try enter { #expect(Array(inner) == [3]) }
                try yield(4)
                reached.add()
            }
            #expect(try generator.next() == 1)
            #expect(try generator.next() == 4)
            // The consumer is in nothing: it can be cancelled, and may wait.
            try Fiber.yield()
            #expect(AnyFiber.current?.existingExtras?.scope == nil)
            #expect(try generator.next() == nil)
            #expect(reached.value == 1)

            // A generator that was made outside may be asked inside.
            let outer = Generator(of: Int.self) { yield in for number in 0..<4 { try yield(number) } }
            try enter {
                let first = try outer.next()
                #expect(first == 0)
            }
            #expect(Array(outer) == [1, 2, 3])
        }
    }

    @Test(arguments: 0..<5) func `a coroutine may not switch inside a scope`(scope: Int) async throws {
        try await inEveryOrder {
            let enter = Self.scopes[scope]
            let coroutine = Coroutine<Int>(name: "it") { first in
                let refused = errorThrown { try enter { try Coroutine.switchToParent(first) } }
                #expect(Self.rootCause(refused) as? CoroutineError == .insideScope(coroutine: "coroutine 'it'"))
                return try Coroutine.switchToParent(first + 1) + 1
            }
            #expect(try coroutine.switch(1) == 2)
            #expect(AnyFiber.current?.existingExtras?.scope == nil)
            try enter {
                let value = try coroutine.switch(3)
                #expect(value == 4)
            }
        }
    }

    /// What a refused call would have sent is not left for the next one.
    @Test(arguments: 0..<5) func `a throw that is refused inside a scope has thrown nothing`(scope: Int) async throws {
        try await inEveryOrder {
            let enter = Self.scopes[scope]
            let refusal = CoroutineError.insideScope(coroutine: "coroutine 'it'")
            let other = Coroutine<Int>(name: "other") { try Coroutine.switchToParent($0) + 1 }
            let pending = Coroutine<Int>(name: "pending") { $0 + 2 }
            let begun = try other.switch(1)
            #expect(begun == 1)
            let coroutine = Coroutine<Int>(name: "it") { first in
                for target in [other, pending] {
                    let refused = errorThrown { try enter { _ = try target.throw(Failure(number: 3)) } }
                    #expect(Self.rootCause(refused) as? CoroutineError == refusal)
                    #expect(!target.isFinished)
                }
                let refused = errorThrown { try enter { _ = try Coroutine<Int>.throwOutside(Failure(number: 4)) } }
                #expect(Self.rootCause(refused) as? CoroutineError == refusal)
                try pending.setParent(.current)
                return try pending.switch(first)
            }
            let heir = try coroutine.switch(5)
            let value = try other.switch(8)
            #expect(heir == 7 && value == 9)
        }
    }

    @Test func `two generators whose scopes would end in the wrong order`() async throws {
        try await inEveryOrder {
            let bodies = (0..<2).map { number in
                Generator(of: Int.self) { yield in
                    try withDeadline(.after(.milliseconds(number + 1))) { _ in try yield(number) }
                }
            }
            for body in bodies {
                #expect(throws: GeneratorError.insideScope) { _ = try body.next() }
            }
            // Nothing is left that could end the waits of this fiber.
            try Fiber.sleep(for: .milliseconds(5))
        }
    }

    /// Only Swift opens scopes, and C that it calls inside one may switch or yield.
    private static func inDeadline(_ body: () -> Int32) -> Int32 {
        (try? withDeadline(.after(.seconds(60))) { _ in body() }) ?? 1
    }

    @Test func `in C a switch and a yield inside a scope have a status`() async throws {
        try await inEveryOrder {
            var coroutine: OpaquePointer?
            let switching: ringlet_coroutine_function = { _, _, _ in
                let refused = Self.inDeadline { ringlet_coroutine_switch(nil, nil, nil) }
                return refused == -EBUSY ? ringlet_coroutine_switch(nil, nil, nil) : refused
            }
            #expect(unsafe ringlet_coroutine_create(switching, nil, nil, 0, &coroutine) == 0)
            #expect(unsafe ringlet_coroutine_switch(coroutine, nil, nil) == 0)
            #expect(unsafe ringlet_coroutine_state(coroutine) == Int32(RINGLET_COROUTINE_SUSPENDED))
            #expect(unsafe ringlet_coroutine_switch(coroutine, nil, nil) == 0)
            #expect(unsafe ringlet_coroutine_state(coroutine) == Int32(RINGLET_COROUTINE_ENDED))
            unsafe ringlet_coroutine_release(coroutine)

            var (inner, outer) = unsafe (OpaquePointer?.none, OpaquePointer?.none)
            let one: ringlet_generator_function = { _, _ in 1 }
            let yielding: ringlet_generator_function = { generator, inner in
                let inner = OpaquePointer(inner)
                let refused = Self.inDeadline { unsafe ringlet_generator_yield(generator, nil, nil) }
                let delegated = Self.inDeadline { unsafe ringlet_generator_delegate(generator, inner, nil) }
                return refused == -EBUSY && delegated == -EBUSY ? 0 : -1
            }
            #expect(unsafe ringlet_generator_create(one, nil, 0, &inner) == 0)
            let argument = unsafe UnsafeMutableRawPointer(inner)
            #expect(unsafe ringlet_generator_create(yielding, argument, 0, &outer) == 0)
            #expect(unsafe ringlet_generator_next(outer, nil) == 0)
            var result: Int64 = 7
            #expect(unsafe ringlet_generator_result(outer, &result) == 1 && result == 0)
            #expect(unsafe ringlet_generator_release(outer) == 0 && ringlet_generator_release(inner) == 0)
        }
    }
}
