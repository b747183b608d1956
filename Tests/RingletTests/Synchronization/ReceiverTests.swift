import Testing

@testable import Ringlet

/// The iteration of one end of a channel that was split.
@Suite(.timeLimit(.patient)) struct ReceiverTests {
    /// The only receiver of a channel with two elements, which its maker does not keep.
    private static func makeReceiver() throws -> Channel<Int>.Receiver {
        let (sender, receiver) = Channel<Int>(capacity: 2).split()
        try sender.send(1)
        try sender.send(2)
        return receiver
    }

    @Test func `an iteration keeps its end open, which nothing else refers to`() async throws {
        try await inEveryOrder {
            var elements: [Int] = []
            for element in try Self.makeReceiver() { elements.append(element) }
            #expect(elements == [1, 2])
        }
        try await inEveryOrder { () async throws in
            var elements: [Int] = []
            for try await element in try Self.makeReceiver() { elements.append(element) }
            #expect(elements == [1, 2])
        }
    }

    @Test func `an iteration ends when its end is closed, although others are open`() async throws {
        try await inEveryOrder {
            let receiver = try Self.makeReceiver()
            let other = try receiver.clone()
            var elements: [Int] = []
            for element in receiver {
                elements.append(element)
                receiver.close()
            }
            #expect(elements == [1])
            #expect(Array(other) == [2])
        }
        try await inEveryOrder { () async throws in
            let receiver = try Self.makeReceiver()
            let other = try receiver.clone()
            var elements: [Int] = []
            for try await element in receiver {
                elements.append(element)
                receiver.close()
            }
            #expect(elements == [1])
            #expect(try await other.receive() == 2)
        }
    }
}
