import Testing

@testable import Ringlet

/// Expectations copy what they look into, and the queue itself cannot be copied.
private final class Queue {
    private var queue = RunQueue()

    var count: Int { queue.count }
    var isEmpty: Bool { queue.isEmpty }
    func push(_ runnable: Runnable) { queue.push(runnable) }
    func pop() -> Runnable? { queue.pop() }
}

@Suite struct RunQueueTests {
    /// A word that no kind of runnable forbids: its low bits are `job`.
    private func runnable(_ number: Int) -> Runnable {
        Runnable(address: UInt(number + 1) << 4, kind: .job)
    }

    @Test func `what comes first leaves first`() {
        let queue = Queue()
        for number in 0..<100 { queue.push(runnable(number)) }
        for number in 0..<100 { #expect(queue.pop() == runnable(number)) }
        #expect(queue.pop() == nil)
    }

    @Test func `an empty queue gives nothing`() {
        let queue = Queue()
        #expect(queue.isEmpty)
        #expect(queue.count == 0)
        #expect(queue.pop() == nil)
    }

    @Test(arguments: [1, 255, 256, 257, 1000, 70_000])
    func `order survives growth`(count: Int) {
        let queue = Queue()
        for number in 0..<count { queue.push(runnable(number)) }
        #expect(queue.count == count)
        var misplaced = 0
        for number in 0..<count where queue.pop() != runnable(number) { misplaced += 1 }
        #expect(misplaced == 0)
        #expect(queue.isEmpty)
    }

    @Test(arguments: [1, 100, 255, 256, 300])
    func `order survives growth when the contents wrap around the end`(consumed: Int) {
        let queue = Queue()
        var pushed = 0
        var popped = 0
        var misplaced = 0
        func push() -> Runnable {
            defer { pushed += 1 }
            return runnable(pushed)
        }
        for _ in 0..<consumed {
            queue.push(push())
            if queue.pop() != runnable(popped) { misplaced += 1 }
            popped += 1
        }
        for _ in 0..<1500 { queue.push(push()) }
        while let next = queue.pop() {
            if next != runnable(popped) { misplaced += 1 }
            popped += 1
        }
        #expect(misplaced == 0)
        #expect(popped == pushed)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `a random history behaves as an array does`(seed: UInt64) {
        var random = Seeded(seed: seed)
        let queue = Queue()
        var model: [Runnable] = []
        var head = 0
        var wrong = 0
        for number in 0..<50_000 {
            // Drifts upwards, so that it also grows.
            if Int.random(in: 0..<100, using: &random) < 52 {
                queue.push(runnable(number))
                model.append(runnable(number))
            } else {
                let expected = head < model.count ? model[head] : nil
                if expected != nil { head += 1 }
                if queue.pop() != expected { wrong += 1 }
            }
            if queue.count != model.count - head { wrong += 1 }
        }
        #expect(wrong == 0, "seed \(seed)")
    }
}
