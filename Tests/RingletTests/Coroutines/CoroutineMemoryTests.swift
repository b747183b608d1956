import Foundation
import Ringlet
import SystemPackage
import Testing

/// Coroutines and generators that get no stack.
@Suite struct CoroutineMemoryTests {
    private static let tooSmall = 1000

    @Test func `a parent that gets no stack ends when a child would start it, and the error goes on`() throws {
        let ends: [(String, (Int) throws -> Int)] = [
            ("returns", { $0 }), ("throws", { _ in throw Failure() }), ("exits", { _ in throw CoroutineExit() }),
        ]
        for (name, body) in ends {
            let outer = Coroutine<Int> { first in
                let parent = Coroutine<Int>(stackSize: Self.tooSmall) { first in first }
                let child = Coroutine<Int>(name: name, body)
                try child.setParent(parent)
                #expect(throws: Errno.invalidArgument) { try child.switch(1) }
                #expect(child.isFinished && parent.isFinished)
                guard case .failed(Errno.invalidArgument) = parent.outcome else {
                    Issue.record("\(name): \(String(describing: parent.outcome))")
                    return 0
                }
                // From now on it is passed over like any that has ended.
                return try parent.switch(first + 1)
            }
            #expect(try outer.switch(6) == 7)
        }
    }

    @Test func `what such a parent has captured may switch when it goes`() throws {
        final class Farewell {
            let body: () -> Void
            init(_ body: @escaping () -> Void) { self.body = body }
            deinit { body() }
        }
        let helper = Coroutine<Int> { first in
            var value = first
            while true { value = try Coroutine.switchToParent(value + 1) }
        }
        var answers: [Int?] = []
        let child = Coroutine<Int> { first in first }
        do {
            let farewell = Farewell { answers.append(try? helper.switch(1)) }
            let parent = Coroutine<Int>(stackSize: Self.tooSmall) { first in
                withExtendedLifetime(farewell) { first }
            }
            try child.setParent(parent)
        }
        #expect(throws: Errno.invalidArgument) { try child.switch(5) }
        #expect(answers == [2])
        try helper.close()
    }

    @Test func `a switch that finds no memory leaves its coroutine or generator as it was`() async {
        await #expect(processExitsWith: .success) {
            let size = 1 << 30
            var before = rlimit()
            _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &before)
            let coroutine = Coroutine<Int>(stackSize: size) { first in try Coroutine.switchToParent(first) + 1 }
            let numbers = Generator(of: Int.self, stackSize: size) { yield in try yield(1) }
            // Stacks come 64 at a time; there is no room for so many.
            var limit = before
            limit.rlim_cur = rlim_t(addressSpace() + 1 << 30)
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
            for _ in 1...2 {
                #expect(throws: Errno.noMemory) { try coroutine.switch(1) }
                #expect(throws: Errno.noMemory) { try numbers.next() }
                #expect(coroutine.state == .pending && numbers.isPending)
            }
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &before)
            let values = try (coroutine.switch(1), coroutine.switch(2))
            #expect(values == (1, 3))
            let numbersSeen = try (numbers.next(), numbers.next())
            #expect(numbersSeen.0 == 1 && numbersSeen.1 == nil)
        }
    }
}

private func addressSpace() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    return (text.split(separator: " ").first.flatMap { Int($0) } ?? 0) * Int(getpagesize())
}
