import Ringlet
import Testing

@Suite struct CoroutineBacktraceTests {
    @Test func `scenario 2: six plain frames, suspended at the bottom, and seen only then`() throws
    {
        let coroutine = Coroutine<Int>(name: "deep") { first in
            #expect(Coroutine<Int>.current?.backtrace == nil)
            return try multiply(first)
        }
        #expect(coroutine.backtrace == nil)
        #expect(try coroutine.switch(5) == 0)
        let backtrace = try #require(coroutine.backtrace)
        let calls = backtrace.compactMap(\.function).filter { $0.contains("multiply") }
        #expect(calls.count == 6, "\(backtrace.map(\.description).joined(separator: "\n"))")
        // The image of a test is its executable or its bundle.
        #expect(backtrace.allSatisfy { $0.image != nil })
        #expect(try coroutine.switch(10) == 1200)
        #expect(coroutine.backtrace == nil)
    }
}

/// The number that is switched in at the bottom, times the factorial of `factor`.
private func multiply(_ factor: Int) throws -> Int {
    if factor == 0 { return try Coroutine.switchToParent(0) }
    return try multiply(factor - 1) * factor
}
