import Testing

@testable import Ringlet

/// Expectations copy what they look into, and the queue itself cannot be copied.
private final class Queue {
    private var queue = RunQueue()

    var count: Int { queue.count }
    var isEmpty: Bool { queue.isEmpty }
    func push(_ runnable: Runnable) { queue.push(runnable) }
    func pop() -> Runnable? { queue.pop() }
    var nextPlace: Int { queue.nextPlace }
    var all: [Runnable] {
        var all: [Runnable] = []
        queue.forEach { all.append($0) }
        return all
    }
    func bringForward(_ runnable: Runnable, from place: Int, in turn: UInt64) -> Bool {
        queue.bringForward(runnable, from: place, in: turn)
    }
    func bringLastForward() { queue.bringLastForward() }
    func neighbour(before place: Int) -> Runnable? { queue.neighbour(before: place) }
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

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `what is brought forward leaves first, and the order of the others stays`(seed: UInt64) {
        var random = Seeded(seed: seed)
        let queue = Queue()
        var model: [Runnable] = []
        var places: [UInt: Int] = [:]
        var wrong = 0
        for number in 0..<20_000 {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<40:
                places[runnable(number).word] = queue.nextPlace
                queue.push(runnable(number))
                model.append(runnable(number))
            case 40..<70:
                if queue.pop() != (model.isEmpty ? nil : model.removeFirst()) { wrong += 1 }
            case 70..<75:
                guard let last = model.popLast() else { continue }
                queue.bringLastForward()
                model.insert(last, at: 0)
                places[last.word] = nil
            default:
                // Anything that was pushed: queued still, or gone, or no longer at its place.
                let chosen = runnable(Int.random(in: 0...number, using: &random))
                guard let place = places.removeValue(forKey: chosen.word) else { continue }
                let index = model.firstIndex(of: chosen)
                if queue.bringForward(chosen, from: place, in: 0) != (index != nil) { wrong += 1 }
                if let index { model.insert(model.remove(at: index), at: 0) }
            }
            if queue.count != model.count || queue.isEmpty != model.isEmpty { wrong += 1 }
            if number % 100 == 0, queue.all != model { wrong += 1 }
        }
        #expect(wrong == 0, "seed \(seed)")
    }

    @Test func `the first one is passed in two turns and not in a third`() {
        let queue = Queue()
        func passes(_ number: Int, in turn: UInt64) -> Bool {
            let place = queue.nextPlace
            queue.push(runnable(number))
            let isFirst = queue.bringForward(runnable(number), from: place, in: turn)
            if isFirst { #expect(queue.pop() == runnable(number)) }
            return isFirst
        }
        queue.push(runnable(0))
        for turn in [7, 7, 8, 8] as [UInt64] { #expect(passes(1, in: turn)) }
        #expect(!passes(2, in: 9) && !passes(3, in: 20))
        #expect(queue.pop() == runnable(0))
        // Another one is the first now.
        #expect(passes(4, in: 21))
        #expect(queue.all == [runnable(2), runnable(3)])
    }

    @Test func `a neighbour is what lies before, as long as both are queued`() {
        let queue = Queue()
        for number in 0..<3 { queue.push(runnable(number)) }
        #expect(queue.neighbour(before: 2) == runnable(1) && queue.neighbour(before: 0) == nil)
        #expect(queue.bringForward(runnable(1), from: 1, in: 0))
        #expect(queue.neighbour(before: 2) == nil && queue.neighbour(before: 3) == nil)
    }
}
