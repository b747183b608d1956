import Testing

@testable import Ringlet

/// Elements that nobody takes, and whose end takes time.
@Suite(.timeLimit(.patient)) struct ElementEndTests {
    @Test func `an element that is aligned to a page finds such a room`() {
        let node = WaitNode(callback: { _ in })
        for alignment in [8, 64, 4096, 16, 1 << 16] {
            let room = unsafe UInt(bitPattern: node.makeRoom(size: 128, alignment: alignment))
            #expect(room % UInt(alignment) == 0)
        }
    }

    private struct Words: Sendable { var (one, two) = (1, 2) }

    private final class Sending: Sendable {
        let channel: Channel<Words>
        init(_ channel: Channel<Words>) { self.channel = channel }
        deinit { try? withoutCancellation { try channel.send(Words()) } }
    }

    private final class Counting: Sendable {
        let counter: Counter
        init(_ counter: Counter) { self.counter = counter }
        deinit { counter.add() }
    }

    private struct Pair: Sendable {
        let first: Sending
        let second: Counting
    }

    @Test func `an element that waits while it ends is not in the way of what its fiber waits for`() async {
        await #expect(processExitsWith: .success) {
            try await Scheduler.run {
                let (queue, channel, ended) = (Queue<Pair>(), Channel<Words>(), Counter())
                let getter = Fiber { _ = try queue.get() }
                try yieldUntil("it waits") { queue.balance == -1 }
                // In one turn: the getter refuses the element, and has nobody to give it back to.
                _ = try queue.tryPut(Pair(first: Sending(channel), second: Counting(ended)))
                getter.cancel()
                queue.shutdown(immediately: true)
                try yieldUntil("the element waits") { channel.balance == 1 }
                let words = try channel.receive()
                precondition(words.one == 1 && words.two == 2)
                precondition(errorThrown { try getter.join() } is CancellationError)
                precondition(ended.value == 1)
            }
        }
    }
}
