import Foundation
import Ringlet
import Testing

/// Long lines of ancestors, on small stacks.
@Suite struct CoroutineAncestorTests {
    @Test func `a switch passes over a hundred thousand ancestors that have ended`() async {
        await #expect(processExitsWith: .success) {
            try onSmallStacks {
                let line = try Line(ended: 100_000)
                let last = try #require(line.made.last)
                try last.close()
                #expect(try last.switch(7) == 7)
                #expect(throws: Failure(number: 8)) { try last.throw(Failure(number: 8)) }
            }
        }
    }

    @Test(arguments: [false, true])
    func `a hundred thousand that nobody refers to any more go at once`(_ isLastEnded: Bool) async {
        await #expect(processExitsWith: .success) { [isLastEnded] in
            try onSmallStacks {
                let line = try Line(ended: 100_000)
                weak let first = line.made.first
                do {
                    let last = try #require(line.made.last)
                    line.made = []
                    #expect(first != nil)
                    if isLastEnded { try last.close() }
                }
                #expect(first == nil)
            }
        }
    }

    @Test func `a line of suspended ones is unwound from its end`() async {
        await #expect(processExitsWith: .success) {
            try onSmallStacks {
                var unwound: [Int] = []
                var last: Coroutine<Int>?
                for number in 0..<2_000 {
                    let next = Coroutine<Int>(stackSize: 64 * 1024) { first in
                        defer { unwound.append(first) }
                        return try Coroutine.switchOutside(first)
                    }
                    try next.setParent(last)
                    try next.switch(number)
                    last = next
                }
                #expect(unwound.isEmpty)
                last = nil
                #expect(unwound == (0..<2_000).reversed())
            }
        }
    }

    @Test func `where each makes its successor and ends, no more than two are kept`() throws {
        let chain = Chain()
        weak let first = chain.latest
        weak var third: Coroutine<Int>?
        for number in 0..<100 {
            if number == 3 { third = chain.latest }
            #expect(try chain.latest?.switch(number) == number)
        }
        #expect(first == nil && third == nil)
        #expect(chain.latest?.state == .pending)
    }

    @Test func `an ancestor that somebody refers to stays the parent, and may be given another`() throws {
        let chain = Chain()
        let first = try #require(chain.latest)
        for number in 0..<3 { _ = try chain.latest?.switch(number) }
        // Made by the first, by the second, by the third.
        let fourth = try #require(chain.latest)
        let ancestors = sequence(first: fourth) { $0.parent }
        #expect(ancestors.contains { $0 === first })
        let heir = Coroutine<Int> { value in value * 2 }
        try first.setParent(heir)
        try fourth.close()
        #expect(try fourth.switch(21) == 42)
    }
}

/// Coroutines, each of which makes the next and ends.
private final class Chain {
    var latest: Coroutine<Int>?

    init() { extend() }

    private func extend() {
        latest = Coroutine { [unowned self] first in
            extend()
            return first
        }
    }
}

/// One that has not begun, and before it in `made` its parent, that one's parent, and so on, which have ended.
private final class Line {
    var made: [Coroutine<Int>]

    init(ended count: Int) throws {
        made = (0...count).map { _ in Coroutine { first in first } }
        // From the child upwards, where the look for a circle is short.
        for number in (1...count).reversed() {
            try made[number].setParent(made[number - 1])
            try made[number - 1].close()
        }
    }
}

/// Runs `body` in a coroutine and in a fiber, both with the usual stack of 256 KiB. For exit tests.
private func onSmallStacks(_ body: @escaping @Sendable () throws -> Void) throws {
    try Coroutine<String>(stackSize: 256 * 1024) { _ in
        try body()
        return ""
    }.switch("")
    try Scheduler.run(SchedulerOptions(fiberStackSize: 256 * 1024)) { try body() }
}
