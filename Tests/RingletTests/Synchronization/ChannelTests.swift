import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct ChannelTests {
    @Test func `a rendezvous interleaves its two sides (72)`() async throws {
        try await Scheduler.run {
            let events = Journal<String>()
            let channel = Channel<String>()
            let receiver = Fiber {
                while true { events.note(try channel.receive()) }
            }
            try yieldUntil("it waits") { channel.balance == -1 }
            let sender = Fiber {
                events.note("sending")
                for word in ["hello", "world"] {
                    try channel.send(word)
                    events.note("sent \(word)")
                }
            }
            try sender.join()
            receiver.cancel()
            #expect(throws: CancellationError.self) { try receiver.join() }
            #expect(events.all == ["sending", "hello", "sent hello", "world", "sent world"])
        }
    }

    @Test(arguments: [0, 1, 100], Colour.allCases)
    func `every element arrives once and in order`(capacity: Int, colour: Colour) async throws {
        for receiverColour in Colour.allCases {
            let alive = Counter()
            try await withScheduler(workers: 2) { scheduler in
                let channel = Channel<Parcel>(capacity: capacity)
                let count = 300
                let sender = Strand(colour, on: scheduler) {
                    for number in 0..<count { try channel.send(Parcel(number, alive)) }
                    channel.close()
                } async: {
                    for number in 0..<count { try await channel.send(Parcel(number, alive)) }
                    channel.close()
                }
                let arrived = Journal<Int>()
                let receiver = Strand(receiverColour, on: scheduler, worker: 1) {
                    for token in channel { arrived.note(token.number) }
                } async: {
                    for try await token in channel { arrived.note(token.number) }
                }
                try await sender.end()
                try await receiver.end()
                #expect(arrived.all == Array(0..<count))
                #expect(channel.count == 0)
            }
            #expect(alive.value == 0)
        }
    }

    @Test(arguments: Colour.allCases)
    func `waiting receivers are served in their order, and the close wakes the rest (76)`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let channel = Channel<Int>(capacity: 3)
            let served = Journal<[Int]>()
            var strands: [Strand] = []
            for number in 0..<4 {
                strands.append(
                    Strand(colour, on: scheduler) {
                        let element = try channel.receive()
                        served.note([number, element])
                    } async: {
                        let element = try await channel.receive()
                        served.note([number, element])
                    })
                try await awaitUntil("it waits") { channel.balance == -number - 1 }
            }
            for element in 0..<3 { #expect(try channel.trySend(element)) }
            for strand in strands.prefix(3) { try await strand.end() }
            channel.close()
            #expect(await strands[3].failure as? ChannelError == .closed)
            #expect(Set(served.all) == [[0, 0], [1, 1], [2, 2]])
        }
    }

    @Test(arguments: Colour.allCases)
    func `a close ends waiting sends, and leaves what was sent`(colour: Colour) async throws {
        let alive = Counter()
        try await withScheduler { scheduler in
            let channel = Channel<Parcel>(capacity: 1)
            try await channel.send(Parcel(0, alive))
            let strand = Strand(colour, on: scheduler) {
                try channel.send(Parcel(1, alive))
            } async: {
                try await channel.send(Parcel(1, alive))
            }
            try await awaitUntil("it waits") { channel.balance == 1 }
            #expect(try channel.trySend(Parcel(2, alive)) == false)
            channel.close()
            #expect(await strand.failure as? ChannelError == .closed)
            #expect(throws: ChannelError.closed) { _ = try channel.trySend(Parcel(3, alive)) }
            #expect(try channel.tryReceive()?.number == 0)
            #expect(throws: ChannelError.closed) { _ = try channel.tryReceive() }
        }
        #expect(alive.value == 0)
    }

    @Test(arguments: [0, 2], [Colour.fiber, .task])
    func `an element that came with the cancellation is not lost (53)`(capacity: Int, colour: Colour) async throws {
        let alive = Counter()
        try await withScheduler { scheduler in
            let channel = Channel<Parcel>(capacity: capacity)
            let received = Journal<Int>()
            func receiver() -> Strand {
                Strand(colour, on: scheduler) {
                    received.note(try channel.receive().number)
                } async: {
                    received.note(try await channel.receive().number)
                }
            }
            let first = receiver()
            try await awaitUntil("the first waits") { channel.balance == -1 }
            // Nobody else waits: it goes back to the front.
            try await scheduler.spawn {
                _ = try channel.trySend(Parcel(1, alive))
                first.cancel()
            }.join()
            #expect(await first.failure is CancellationError)
            #expect(channel.count == 1)
            #expect(try channel.tryReceive()?.number == 1)
            let second = receiver()
            try await awaitUntil("the second waits") { channel.balance == -1 }
            let third = receiver()
            try await awaitUntil("the third waits") { channel.balance == -2 }
            try await scheduler.spawn {
                _ = try channel.trySend(Parcel(2, alive))
                second.cancel()
            }.join()
            #expect(await second.failure is CancellationError)
            try await third.end()
            #expect(received.all == [2])
        }
        #expect(alive.value == 0)
    }

    @Test(arguments: Colour.cancellable)
    func `a sender that gives up has sent nothing`(colour: Colour) async throws {
        let alive = Counter()
        try await withScheduler { scheduler in
            let channel = Channel<Parcel>()
            let strand = Strand(colour, on: scheduler) {
                try channel.send(Parcel(1, alive))
            } async: {
                try await channel.send(Parcel(1, alive))
            }
            try await awaitUntil("it waits") { channel.balance == 1 }
            strand.cancel()
            #expect(await strand.failure is CancellationError)
            #expect(channel.balance == 0)
            #expect(alive.value == 0)
        }
    }

    @Test(arguments: Colour.allCases)
    func `a deadline ends the wait for an element`(colour: Colour) async throws {
        try await atAnInstant(for: colour) { scheduler, deadline in
            let channel = Channel<Int>()
            let late = Strand(colour, on: scheduler) {
                _ = try channel.receive(deadline: deadline)
            } async: {
                _ = try await channel.receive(deadline: deadline)
            }
            #expect(await late.failure as? TimeoutError == TimeoutError(deadline: deadline))
        }
    }

    @Test func `the last end of either side ends the channel for the other`() async throws {
        let alive = Counter()
        try await Scheduler.run {
            let (sender, receiver) = Channel<Parcel>(capacity: 4).split()
            let second = try sender.clone()
            try sender.send(Parcel(0, alive))
            sender.close()
            #expect(throws: ChannelError.closed) { try sender.send(Parcel(1, alive)) }
            #expect(throws: ChannelError.closed) { _ = try sender.clone() }
            try second.send(Parcel(2, alive))
            second.close()
            #expect(receiver.map(\.number) == [0, 2])
            let (other, end) = Channel<Parcel>(capacity: 4).split()
            try other.send(Parcel(3, alive))
            let clone = try end.clone()
            end.close()
            try other.send(Parcel(4, alive))
            clone.close()
            #expect(throws: ChannelError.closed) { try other.send(Parcel(5, alive)) }
        }
        #expect(alive.value == 0)
    }

    // MARK: Select

    @Test(arguments: Colour.allCases)
    func `a select takes what comes first, and leaves the others`(colour: Colour) async throws {
        let alive = Counter()
        try await withScheduler(workers: 2) { scheduler in
            let left = Channel<Parcel>()
            let right = Channel<Int>()
            let out = Channel<Parcel>()
            let chosen = Journal<String>()
            let strand = Strand(colour, on: scheduler) {
                for _ in 0..<3 {
                    chosen.note(
                        try select(
                            .receive(from: left) { "left \($0?.number ?? -1)" },
                            .receive(from: right) { "right \($0 ?? -1)" },
                            .send(Parcel(7, alive), to: out) { "sent" }))
                }
            } async: {
                for _ in 0..<3 {
                    chosen.note(
                        try await select(
                            .receive(from: left) { "left \($0?.number ?? -1)" },
                            .receive(from: right) { "right \($0 ?? -1)" },
                            .send(Parcel(7, alive), to: out) { "sent" }))
                }
            }
            try await awaitUntil("it waits") { out.balance == 1 }
            try await right.send(1)
            try await awaitUntil("it waits again") { chosen.count == 1 && out.balance == 1 }
            let token = try await out.receive()
            #expect(token.number == 7)
            try await awaitUntil("it waits again") { chosen.count == 2 && out.balance == 1 }
            left.close()
            try await strand.end()
            #expect(chosen.all == ["right 1", "sent", "left -1"])
            #expect(right.balance == 0)
            #expect(out.balance == 0)
        }
        #expect(alive.value == 0)
    }

    @Test(arguments: Colour.cancellable)
    func `a select ends early with nothing done`(colour: Colour) async throws {
        try await withScheduler { scheduler in
            let one = Channel<Int>()
            let other = Channel<Int>()
            let deadline = Shared(Deadline.never)
            let start = {
                Strand(colour, on: scheduler) {
                    try select(
                        .receive(from: one) { _ in }, .send(1, to: other) {}, deadline: deadline.value)
                } async: {
                    try await select(
                        .receive(from: one) { _ in }, .send(1, to: other) {}, deadline: deadline.value)
                }
            }
            let strand = start()
            try await awaitUntil("it waits") { other.balance == 1 }
            strand.cancel()
            #expect(await strand.failure is CancellationError)
            deadline.value = .after(.milliseconds(3))
            #expect(await start().failure as? TimeoutError == TimeoutError(deadline: deadline.value))
            #expect(one.balance == 0 && other.balance == 0)
            #expect(try select(.receive(from: one) { _ in 1 }, otherwise: { 2 }) == 2)
            one.close()
            #expect(try select(.receive(from: one) { _ in 1 }, otherwise: { 2 }) == 1)
            other.close()
            #expect(throws: ChannelError.closed) { try select(.send(1, to: other) {}, otherwise: {}) }
        }
    }

    @Test(arguments: 0..<4)
    func `selects on many channels from many strands lose nothing and double nothing`(seed: UInt64) async throws {
        try await withScheduler(workers: 2) { scheduler in
            let channels = (0..<3).map { Channel<Int>(capacity: $0) }
            let got = Journal<Int>()
            let count = 200
            var random = Seeded(seed: seed)
            let receivers = (0..<4).map { number in
                let colour = Colour.allCases.randomElement(using: &random)!
                let mine = channels.shuffled(using: &random)
                return Strand(colour, on: scheduler, worker: number % 2) {
                    while let element = try select(
                        .receive(from: mine[0]) { $0 }, .receive(from: mine[1]) { $0 },
                        .receive(from: mine[2]) { $0 })
                    { got.note(element) }
                } async: {
                    while let element = try await select(
                        .receive(from: mine[0]) { $0 }, .receive(from: mine[1]) { $0 },
                        .receive(from: mine[2]) { $0 })
                    { got.note(element) }
                }
            }
            let senders = (0..<3).map { number in
                let colour = Colour.allCases.randomElement(using: &random)!
                return Strand(colour, on: scheduler, worker: number % 2) {
                    for element in 0..<count { try channels[number].send(number * count + element) }
                } async: {
                    for element in 0..<count { try await channels[number].send(number * count + element) }
                }
            }
            for sender in senders { try await sender.end() }
            try await awaitUntil("all arrived") { got.count == 3 * count }
            for channel in channels { channel.close() }
            for receiver in receivers { try await receiver.end() }
            #expect(got.all.sorted() == Array(0..<3 * count))
        }
    }
}
