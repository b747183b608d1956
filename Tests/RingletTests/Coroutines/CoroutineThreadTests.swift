import Glibc
import Ringlet
import Synchronization
import Testing

/// One coroutine, one thread.
@Suite struct CoroutineThreadTests {
    @Test func `scenario 10: another thread gets an error and the owner goes on`() throws {
        nonisolated(unsafe) let coroutine = Coroutine<Int>(name: "mine") { first in
            try Coroutine.switchToParent(first) + 1
        }
        #expect(try unsafe coroutine.switch(1) == 1)
        onPlainThread {
            for attempt in [
                { _ = try unsafe coroutine.switch(2) }, { _ = try unsafe coroutine.throw() },
                { try unsafe coroutine.close() },
            ] {
                let error = errorThrown(by: attempt) as? CoroutineError
                guard
                    case .wrongThread("coroutine 'mine'", let owner, let caller, false) = error,
                    owner != caller
                else {
                    Issue.record("\(String(describing: error))")
                    return
                }
                #expect("\(error!)".contains("\(owner)") && "\(error!)".contains("\(caller)"))
            }
            #expect(unsafe coroutine.state == .elsewhere)
            #expect(unsafe coroutine.description == "coroutine 'mine' (elsewhere)")
        }
        #expect(try unsafe coroutine.switch(9) == 10)
    }

    @Test func `the error says when the owner has exited`() throws {
        nonisolated(unsafe) var coroutine: Coroutine<Void>?
        onPlainThread {
            unsafe coroutine = Coroutine(name: "orphan") {}
        }
        let error = errorThrown(by: { try unsafe coroutine?.switch() }) as? CoroutineError
        guard case .wrongThread("coroutine 'orphan'", _, _, true) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect("\(error!)".contains("has exited"))
        #expect(unsafe coroutine?.state == .lost)
        unsafe coroutine = nil
    }

    @Test func `a suspended one of a thread that has exited is lost, to every call`() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            nonisolated(unsafe) var coroutine: Coroutine<Int>?
            onPlainThread {
                unsafe coroutine = Coroutine(name: "orphan") { first in try Coroutine.switchToParent(first) }
                _ = try? unsafe coroutine?.switch(1)
            }
            let child = Coroutine<Int> { first in first }
            for attempt in [
                { _ = try unsafe coroutine?.switch(2) }, { _ = try unsafe coroutine?.throw(Failure()) },
                { try unsafe coroutine?.close() }, { try unsafe coroutine?.setParent(child) },
            ] {
                guard case .wrongThread("coroutine 'orphan'", _, _, true) = errorThrown(by: attempt) as? CoroutineError
                else { exit(1) }
            }
            guard
                case .parentOnOtherThread = errorThrown(by: { try unsafe child.setParent(coroutine) })
                    as? CoroutineError
            else { exit(2) }
            #expect(unsafe coroutine?.description == "coroutine 'orphan' (lost)")
            #expect(unsafe coroutine?.backtrace == nil)
            unsafe coroutine = nil
        }
        try expectReport(result, says: "coroutine 'orphan' was dropped after its thread")
    }

    @Test func `one that waits says so`() throws {
        var waiting: Coroutine<Int>?
        var text = ""
        let other = Coroutine<String> { _ in
            text = waiting?.description ?? "none"
            return ""
        }
        waiting = Coroutine(name: "outer") { first in
            _ = try other.switch("")
            return first
        }
        try waiting?.switch(1)
        #expect(text == "coroutine 'outer' (waiting)")
        waiting = nil
    }

    @Test func `scenario 17: sixteen threads at each other's coroutines`() throws {
        let threads = 16
        let rounds = 20
        // Each thread's coroutine, shown to all. They are taken down again before any is released.
        let shown = Mutex<[Handle?]>(Array(repeating: nil, count: threads))
        let refused = Counter()
        let switched = Counter()
        let ready = Counter()
        let done = Counter()
        var all: [pthread_t] = []
        for number in 0..<threads {
            all.append(
                startPlainThread {
                    var own = 0
                    let coroutine = Coroutine<Int>(name: "\(number)") { first in
                        var value = first
                        while true { value = try Coroutine.switchToParent(value + number) }
                    }
                    let handle = Handle(coroutine)
                    shown.withLock { $0[number] = handle }
                    ready.add()
                    while ready.value < threads { sched_yield() }
                    var generator = Seeded(seed: UInt64(number))
                    for round in 0..<rounds {
                        for _ in 0..<threads {
                            let other = Int.random(in: 0..<threads, using: &generator)
                            guard let target = shown.withLock({ $0[other] }) else { continue }
                            do {
                                let answer = try target.coroutine.switch(round)
                                #expect(other == number && answer == round + number)
                                switched.add()
                            } catch CoroutineError.wrongThread {
                                #expect(other != number)
                                refused.add()
                            } catch {
                                Issue.record("\(error)")
                            }
                        }
                        if (try? coroutine.switch(round)) == round + number { own += 1 }
                    }
                    #expect(own == rounds)
                    done.add()
                    while done.value < threads { sched_yield() }
                    #expect(throws: Never.self) { try coroutine.close() }
                    #expect(coroutine.isFinished)
                })
        }
        for thread in all { pthread_join(thread, nil) }
        #expect(refused.value + switched.value == threads * threads * rounds)
        #expect(refused.value > switched.value)
    }

    @Test func `a destructor of another key, which runs after ours, may use coroutines`() async {
        await #expect(processExitsWith: .success) {
            nonisolated(unsafe) var key = pthread_key_t()
            // The destructors of a thread run in the order of their keys, and ours is made by the first coroutine.
            do { try Coroutine<Int> { $0 }.switch(1) } catch { exit(1) }
            final class Late {
                let body: () -> Void
                init(_ body: @escaping () -> Void) { self.body = body }
            }
            let destructor: @convention(c) (UnsafeMutableRawPointer?) -> Void = { late in
                guard let late = unsafe late else { return }
                unsafe Unmanaged<Late>.fromOpaque(late).takeRetainedValue().body()
            }
            guard unsafe pthread_key_create(&key, destructor) == 0 else { exit(2) }
            nonisolated(unsafe) var earlier: Coroutine<Int>?
            let ran = Flag()
            let late = Late {
                guard unsafe earlier?.state == .lost, Coroutine<Int>.current == nil else { exit(3) }
                guard case .wrongThread(_, _, _, true) = errorThrown(by: { _ = try unsafe earlier?.switch(1) })
                    as? CoroutineError
                else { exit(4) }
                guard CoroutineCounters.current.live == 1, CoroutineCounters.current.leaked == 1 else { exit(5) }
                let coroutine = Coroutine<Int> { first in
                    guard Coroutine<Int>.current != nil else { exit(6) }
                    return try Coroutine.switchToParent(first + 1) * 2
                }
                guard (try? coroutine.switch(1)) == 2, (try? coroutine.switch(4)) == 8 else { exit(7) }
                // One that is dropped while it is suspended, and one that is dropped before it has begun.
                _ = try? Coroutine<Int> { first in try Coroutine.switchToParent(first) }.switch(1)
                _ = Coroutine<Int> { $0 }
                guard (try? Generator(of: Int.self) { try $0(1) }.next()) == 1 else { exit(8) }
                guard CoroutineCounters.current.live == 1 else { exit(9) }
                ran.set()
            }
            let state = unsafe UInt(bitPattern: Unmanaged.passRetained(late).toOpaque())
            onPlainThread {
                unsafe earlier = Coroutine<Int> { first in try Coroutine.switchToParent(first) }
                _ = try? unsafe earlier?.switch(1)
                unsafe pthread_setspecific(key, UnsafeRawPointer(bitPattern: state))
            }
            guard ran.isSet else { exit(10) }
            let counters = CoroutineCounters.current
            guard counters.live == 1, counters.leaked == 1, counters.waitingForOwner == 0 else { exit(11) }
            // The next thread, which may have the same words, finds nothing of this one.
            onPlainThread {
                let next = Coroutine<Int> { first in try Coroutine.switchToParent(first + 1) }
                guard (try? next.switch(1)) == 2 else { exit(12) }
            }
            guard CoroutineCounters.current.live == 1 else { exit(13) }
            exit(0)
        }
    }

    /// Shows a coroutine to other threads, for which it is not meant.
    private struct Handle: @unchecked Sendable {
        let coroutine: Coroutine<Int>
        init(_ coroutine: Coroutine<Int>) { self.coroutine = coroutine }
    }
}
