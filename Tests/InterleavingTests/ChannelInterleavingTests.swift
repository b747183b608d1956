import Testing

@testable import Ringlet

/// Channels, queues and select between plain threads, in every order. A wait with a deadline may end at any moment, and
/// then the element is still its sender's, or somebody else's to receive.
@Suite struct ChannelInterleavingTests {
    @Test(arguments: [0, 1])
    func `every element arrives once, whoever gives up`(capacity: Int) {
        let report = Interleaver.everyOrder(preemptions: 1) {
            let channel = Channel<Int>(capacity: capacity)
            let ledger = Ledger()
            return Interleaved([
                ledger.sending(1, to: channel), ledger.sending(2, to: channel, until: .sometime),
                ledger.receiving(from: channel, until: .sometime),
                ledger.receiving(from: channel, until: .sometime),
                { channel.close() },
            ]) {
                // What lies in a buffer when the channel is closed may still be received.
                while let element = try? channel.tryReceive() { ledger.received.append(element) }
                return ledger.violation
            }
        }
        expectClean(report)
    }

    @Test func `what tries does not wait, and loses nothing`() {
        let report = Interleaver.everyOrder(preemptions: 2) {
            let channel = Channel<Int>()
            let ledger = Ledger()
            return Interleaved([
                { if try channel.trySend(1) { ledger.sent.append(1) } },
                { if let element = try channel.tryReceive() { ledger.received.append(element) } },
                ledger.sending(2, to: channel, until: .sometime),
                ledger.receiving(from: channel, until: .sometime),
            ]) { ledger.violation }
        }
        expectClean(report)
    }

    @Test func `an end that is closed twice is closed once`() {
        let report = Interleaver.everyOrder(preemptions: 2) {
            let (sender, receiver) = Channel<Int>(capacity: 2).split()
            let other = try! sender.clone()
            let ledger = Ledger()
            return Interleaved([
                { sender.close() },
                { sender.close() },
                {
                    // The other end is open, whatever becomes of the first.
                    try other.send(1)
                    ledger.sent.append(1)
                    other.close()
                },
                {
                    while true {
                        do { ledger.received.append(try receiver.receive()) } catch ChannelError.closed { return }
                    }
                },
            ]) { ledger.violation }
        }
        expectClean(report)
    }

    @Test func `a select takes from one channel, and leaves the others alone`() {
        let report = Interleaver.everyOrder(preemptions: 1) {
            let (left, right) = (Channel<Int>(), Channel<Int>())
            let ledger = Ledger()
            let selecting = {
                do {
                    ledger.received.append(
                        try select(
                            .receive(from: left) { $0 ?? -1 }, .receive(from: right) { $0 ?? -1 },
                            deadline: .sometime))
                } catch is TimeoutError {}
            }
            return Interleaved([
                selecting, ledger.sending(1, to: left, until: .sometime),
                ledger.sending(2, to: right, until: .sometime), selecting,
            ]) { ledger.violation }
        }
        expectClean(report)
    }

    @Test func `two selects meet in one of their channels`() {
        let report = Interleaver.everyOrder(preemptions: 2) {
            let (left, right) = (Channel<Int>(), Channel<Int>())
            let ledger = Ledger()
            return Interleaved([
                {
                    ledger.received.append(
                        try select(.receive(from: left) { $0 ?? -1 }, .receive(from: right) { $0 ?? -1 }))
                },
                {
                    let element = try select(
                        .send(1, to: left) { 1 }, .send(2, to: right) { 2 })
                    ledger.sent.append(element)
                },
            ]) { ledger.violation ?? (ledger.sent.count == 1 ? nil : "they did not meet") }
        }
        expectClean(report)
    }

    @Test func `a queue is joined when all that was put is done`() {
        let report = Interleaver.everyOrder(preemptions: 2) {
            let queue = Queue<Int>(capacity: 1)
            let ledger = Ledger()
            let worker = {
                let element = try queue.get()
                ledger.received.append(element)
                try queue.taskDone()
            }
            return Interleaved([
                {
                    for element in 1...2 {
                        try queue.put(element)
                        ledger.sent.append(element)
                    }
                    try queue.join()
                    if ledger.received.count < 2 { throw Wrong("the join came before the last element was done") }
                },
                worker, worker,
            ]) { ledger.violation }
        }
        expectClean(report)
    }
}

/// What was sent, and what has come.
private final class Ledger {
    var sent: [Int] = []
    var received: [Int] = []

    func sending(_ element: Int, to channel: Channel<Int>, until deadline: Deadline = .never) -> () throws -> Void {
        {
            do {
                try channel.send(element, deadline: deadline)
                self.sent.append(element)
            } catch is TimeoutError {} catch ChannelError.closed {}
        }
    }

    func receiving(from channel: Channel<Int>, until deadline: Deadline) -> () throws -> Void {
        {
            do {
                self.received.append(try channel.receive(deadline: deadline))
            } catch is TimeoutError {} catch ChannelError.closed {}
        }
    }

    var violation: String? {
        sent.sorted() == received.sorted() ? nil : "sent \(sent), received \(received)"
    }
}
