import Foundation
import Ringlet
import Testing

/// Coroutines and generators in the child of a fork.
@Suite(.timeLimit(.patient)) struct ForkCoroutineTests {
    @Test func `a suspended coroutine and a suspended generator go on in a child, and in the parent`() async {
        await #expect(processExitsWith: .success) {
            let lines = Journal<String>()
            let coroutine = Coroutine<Int> { first in
                defer { lines.note("unwound") }
                var sum = first
                while true { sum += try Coroutine.switchToParent(sum) }
            }
            let numbers = Generator(of: Int.self) { yield in
                defer { lines.note("closed") }
                for number in 1... { try yield(number) }
            }
            guard try coroutine.switch(1) == 1, try numbers.next() == 1 else { exit(1) }
            let status = inChild {
                guard try coroutine.switch(10) == 11, try numbers.next() == 2 else { return 2 }
                guard CoroutineCounters.current.live == 1, CoroutineCounters.current.leaked == 0 else { return 3 }
                try coroutine.close()
                try numbers.close()
                guard lines.all == ["unwound", "closed"] else { return 4 }
                return CoroutineCounters.current.live == 0 ? 0 : 5
            }
            #expect(status == .exitCode(0))
            #expect(try coroutine.switch(100) == 101)
            #expect(try numbers.next() == 2)
            #expect(lines.all.isEmpty)
        }
    }

    /// ThreadSanitizer sees no locks of the child's, and looks for the stacks of threads that are not there.
    @Test(.enabled(if: !threadSanitizer, "ThreadSanitizer knows no fork of a process with threads"))
    func `what other threads did with coroutines at the fork does not matter to a child`() async {
        await #expect(processExitsWith: .success) {
            nonisolated(unsafe) let coroutine: Coroutine<Int> = Coroutine { first in
                try Coroutine.switchToParent(first)
            }
            let lines = Journal<String>()
            nonisolated(unsafe) var given: Coroutine<Int>? = Coroutine { first in
                defer { lines.note("unwound") }
                return try Coroutine.switchToParent(first)
            }
            _ = try unsafe (coroutine.switch(1), given?.switch(1))
            let stop = Flag()
            let seen = Counter()
            // They hold the locks of the figures and of this thread for most of the time.
            let threads = (0..<2).map { _ in
                startPlainThread {
                    while !stop.isSet {
                        for _ in 0..<100 {
                            _ = CoroutineCounters.current
                            _ = unsafe coroutine.state
                        }
                        seen.add()
                    }
                }
            }
            try blockUntil("both run") { seen.value > 10 }
            for _ in 0..<200 {
                let status = inChild {
                    guard CoroutineCounters.current.live == 2 else { return 1 }
                    // A drop by another thread, and this thread's next use.
                    onPlainThread { unsafe given = nil }
                    guard CoroutineCounters.current.waitingForOwner == 1 else { return 2 }
                    guard try unsafe coroutine.switch(3) == 3 else { return 3 }
                    return lines.all == ["unwound"] ? 0 : 4
                }
                #expect(status == .exitCode(0))
                if status != .exitCode(0) { break }
            }
            stop.set()
            for thread in threads { pthread_join(thread, nil) }
        }
    }

    @Test func `the coroutines of threads that a child does not have are lost and leaked there`() async {
        await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            nonisolated(unsafe) var coroutine: Coroutine<Int>?
            let (begun, stop) = (Flag(), Flag())
            let thread = startPlainThread {
                unsafe coroutine = Coroutine { first in try Coroutine.switchToParent(first) }
                _ = try? unsafe coroutine?.switch(1)
                begun.set()
                try? blockUntil("the end") { stop.isSet }
                unsafe coroutine = nil
            }
            try blockUntil("the coroutine") { begun.isSet }
            let own = Coroutine<Int> { first in try Coroutine.switchToParent(first) }
            _ = try own.switch(2)
            let status = inChild {
                guard unsafe coroutine?.state == .lost else { return 1 }
                guard CoroutineCounters.current.live == 2, CoroutineCounters.current.leaked == 1 else { return 2 }
                guard case .wrongThread(_, _, _, true) = errorThrown(by: { _ = try unsafe coroutine?.switch(1) })
                    as? CoroutineError
                else { return 3 }
                // Said on stderr.
                unsafe coroutine = nil
                return CoroutineCounters.current.leaked == 1 ? 0 : 4
            }
            #expect(status == .exitCode(0))
            #expect(unsafe coroutine?.state == .elsewhere)
            #expect(CoroutineCounters.current.leaked == 0)
            stop.set()
            pthread_join(thread, nil)
            try own.close()
        }
    }
}
