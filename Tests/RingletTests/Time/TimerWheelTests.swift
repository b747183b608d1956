import Testing

@testable import Ringlet

extension Seeded {
    fileprivate mutating func below(_ limit: UInt64) -> UInt64 {
        next() % limit
    }
}

/// The simplest thing that does the same: timers in an array, in order of firing.
private struct SortedTimers {
    struct Timer {
        let deadline: UInt64
        let payload: UInt
        let token: TimerToken
    }

    private(set) var timers: [Timer] = []

    mutating func insert(_ timer: Timer) {
        let place = timers.firstIndex { $0.deadline > timer.deadline } ?? timers.endIndex
        timers.insert(timer, at: place)
    }

    mutating func take(_ token: TimerToken) -> UInt? {
        guard let place = timers.firstIndex(where: { $0.token == token }) else { return nil }
        return timers.remove(at: place).payload
    }

    func tokens(where isIncluded: (UInt) -> Bool) -> Set<UInt64> {
        Set(timers.filter { isIncluded($0.payload) }.map(\.token.bits))
    }

    mutating func popDue(now: UInt64) -> UInt? {
        guard let first = timers.first, first.deadline <= now, first.deadline != .max else {
            return nil
        }
        return timers.removeFirst().payload
    }
}

private let second: UInt64 = 1_000_000_000
private let boot: UInt64 = 86_400 * second + 123_456_789

/// Takes all timers that are due, in the order in which the wheel gives them.
private func takeAll(_ wheel: inout TimerWheel, now: UInt64) -> [UInt] {
    var payloads: [UInt] = []
    while let payload = wheel.popDue(now: now) {
        payloads.append(payload)
    }
    return payloads
}

/// Whether the wheel holds nothing and asks for no wake-up.
private func isEmptyAndIdle(_ wheel: inout TimerWheel) -> Bool {
    wheel.count == 0 && wheel.nextDeadline() == .max
}

@Suite("A timer wheel fires timers")
struct TimerWheelFiringTests {
    @Test("not before their deadline, to the nanosecond")
    func neverEarly() {
        let delays: [UInt64] = [
            1, 63, 64, 65, 4095, 4096, 262_143, 262_144, second, 3600 * second, 1 << 40, 1 << 62,
        ]
        for delay in delays {
            var wheel = TimerWheel(now: boot)
            let deadline = boot + delay
            _ = wheel.insert(deadline: deadline, payload: 7)
            #expect(wheel.popDue(now: boot) == nil)
            #expect(wheel.popDue(now: deadline - 1) == nil)
            #expect(wheel.nextDeadline() == deadline)
            #expect(wheel.popDue(now: deadline) == 7)
            #expect(wheel.popDue(now: deadline) == nil)
            #expect(isEmptyAndIdle(&wheel) == true)
        }
    }

    @Test("one by one while time passes in small steps")
    func smallSteps() {
        var wheel = TimerWheel(now: boot)
        for step in 0..<2000 as Range<UInt64> {
            _ = wheel.insert(deadline: boot + step * 1000 + 500, payload: UInt(step))
        }
        for step in 0..<2000 as Range<UInt64> {
            #expect(takeAll(&wheel, now: boot + step * 1000 + 499) == [])
            #expect(takeAll(&wheel, now: boot + step * 1000 + 999) == [UInt(step)])
        }
    }

    @Test("with equal deadlines in the order of insertion, wherever each of them was inserted from")
    func equalDeadlines() {
        var wheel = TimerWheel(now: boot)
        let deadline = boot + 5000 * second
        // The nearer the clock, the lower the level at which the wheel takes a timer in.
        for payload in 0..<86 as Range<UInt> {
            let remaining = (5000 * second) >> UInt64(payload / 2)
            _ = wheel.insert(deadline: deadline - remaining, payload: 1000 + payload)
            #expect(takeAll(&wheel, now: deadline - remaining) == [1000 + payload])
            _ = wheel.insert(deadline: deadline, payload: payload)
        }
        _ = wheel.insert(deadline: deadline, payload: 86)
        #expect(takeAll(&wheel, now: deadline) == Array(0...86))
    }

    @Test("that were due before they were inserted, in order with the others")
    func pastDeadlines() {
        var wheel = TimerWheel(now: boot)
        _ = wheel.insert(deadline: boot + 10, payload: 5)
        #expect(wheel.popDue(now: boot + 5) == nil)
        _ = wheel.insert(deadline: boot + 7, payload: 4)
        _ = wheel.insert(deadline: boot + 3, payload: 1)
        _ = wheel.insert(deadline: boot + 5, payload: 3)
        _ = wheel.insert(deadline: boot + 3, payload: 2)
        _ = wheel.insert(deadline: 0, payload: 0)
        #expect(wheel.nextDeadline() == 0)
        #expect(takeAll(&wheel, now: boot + 20) == [0, 1, 2, 3, 4, 5])
        #expect(isEmptyAndIdle(&wheel) == true)
    }

    @Test("that a due timer's owner inserts, in order with those that are due already")
    func insertionBetweenPops() {
        var wheel = TimerWheel(now: boot)
        for payload in [10, 20, 20, 30] as [UInt] {
            _ = wheel.insert(deadline: boot + UInt64(payload), payload: payload)
        }
        let now = boot + 25
        #expect(wheel.popDue(now: now) == 10)
        #expect(wheel.popDue(now: now) == 20)
        _ = wheel.insert(deadline: boot + 20, payload: 21)
        _ = wheel.insert(deadline: boot + 15, payload: 15)
        _ = wheel.insert(deadline: boot + 22, payload: 22)
        #expect(takeAll(&wheel, now: now) == [15, 20, 21, 22])
        #expect(takeAll(&wheel, now: boot + 30) == [30])
    }

    @Test("after a long leap of time, without a walk over the ticks between")
    func longLeaps() {
        var wheel = TimerWheel(now: 0)
        var generator = Seeded(seed: 11)
        var deadlines: [UInt64] = []
        for payload in 0..<500 as Range<UInt> {
            let deadline = generator.next() >> generator.below(64) | 1
            deadlines.append(deadline)
            _ = wheel.insert(deadline: deadline, payload: payload)
        }
        let expected = (0..<500 as Range<UInt>).sorted {
            (deadlines[Int($0)], $0) < (deadlines[Int($1)], $1)
        }
        #expect(wheel.popDue(now: 0) == nil)
        #expect(takeAll(&wheel, now: .max - 1) == expected)
        _ = wheel.insert(deadline: 3, payload: 1)
        _ = wheel.insert(deadline: .max - 1, payload: 2)
        #expect(takeAll(&wheel, now: .max - 1) == [1, 2])
    }

    @Test("even when the time given goes back a little")
    func timeGoesBack() {
        var wheel = TimerWheel(now: boot)
        _ = wheel.insert(deadline: boot + 1000, payload: 2)
        #expect(wheel.popDue(now: boot + 500) == nil)
        _ = wheel.insert(deadline: boot + 400, payload: 1)
        #expect(wheel.popDue(now: boot + 300) == nil)
        #expect(wheel.nextDeadline() == boot + 400)
        #expect(takeAll(&wheel, now: boot + 400) == [1])
        #expect(takeAll(&wheel, now: boot + 1000) == [2])
    }

    @Test("never when their deadline is the end of time")
    func never() {
        var wheel = TimerWheel(now: boot)
        let token = wheel.insert(deadline: .max, payload: 1)
        #expect(wheel.nextDeadline() == .max)
        #expect(wheel.popDue(now: .max) == nil)
        _ = wheel.insert(deadline: .max, payload: 2)
        _ = wheel.insert(deadline: .max - 1, payload: 3)
        #expect(wheel.nextDeadline() == UInt64.max - 1)
        #expect(takeAll(&wheel, now: .max) == [3])
        #expect(wheel.nextDeadline() == .max)
        #expect(wheel.count == 2)
        #expect(wheel.cancel(token) == true)
        #expect(wheel.count == 1)

        var late = TimerWheel(now: .max)
        _ = late.insert(deadline: .max, payload: 1)
        _ = late.insert(deadline: 5, payload: 2)
        #expect(takeAll(&late, now: .max) == [2])
    }
}

@Suite("A timer wheel lets go of a cancelled timer")
struct TimerWheelCancellationTests {
    @Test("once, and its token is stale thereafter")
    func staleTokens() {
        var wheel = TimerWheel(now: boot)
        let first = wheel.insert(deadline: boot + 10, payload: 1)
        #expect(wheel.cancel(first) == true)
        #expect(wheel.cancel(first) == false)
        let second = wheel.insert(deadline: boot + 10, payload: 2)
        #expect(first != second)
        #expect(wheel.cancel(first) == false)
        #expect(wheel.popDue(now: boot + 10) == 2)
        #expect(wheel.cancel(second) == false)
        let third = wheel.insert(deadline: boot, payload: 3)
        #expect(wheel.cancel(second) == false)
        #expect(wheel.cancel(third) == true)
        #expect(wheel.cancel(third) == false)
        #expect(isEmptyAndIdle(&wheel) == true)
    }

    @Test("of another, larger wheel never")
    func foreignTokens() {
        var larger = TimerWheel(now: boot)
        var token = larger.insert(deadline: boot, payload: 0)
        for _ in 0..<5000 {
            token = larger.insert(deadline: boot, payload: 0)
        }
        var wheel = TimerWheel(now: boot)
        #expect(wheel.cancel(token) == false)
    }

    @Test("at each level, at the cursor and behind it")
    func everyPlace() {
        var wheel = TimerWheel(now: boot)
        #expect(wheel.popDue(now: boot + 100) == nil)
        let deadlines = [boot - 50, boot, boot + 100, boot + 101]
            + (6..<63).map { boot + 1 << $0 }
        var tokens: [TimerToken] = []
        for deadline in deadlines {
            for payload in 0..<3 as Range<UInt> {
                tokens.append(wheel.insert(deadline: deadline, payload: payload))
            }
        }
        // The middle one of three leaves a list with neighbours on both sides.
        for start in [1, 0, 2] {
            for index in stride(from: start, to: tokens.count, by: 3) {
                #expect(wheel.cancel(tokens[index]) == true)
            }
        }
        #expect(isEmptyAndIdle(&wheel) == true)
        #expect(wheel.popDue(now: .max) == nil)
    }

    @Test("among timers that are due already")
    func amongDueTimers() {
        var wheel = TimerWheel(now: boot)
        let tokens = (0..<10 as Range<UInt>).map { wheel.insert(deadline: boot + 9, payload: $0) }
        #expect(wheel.popDue(now: boot + 9) == 0)
        let overdue = (10..<20 as Range<UInt>).map { wheel.insert(deadline: boot, payload: $0) }
        for index in [1, 4, 9] {
            #expect(wheel.cancel(tokens[index]) == true)
            #expect(wheel.cancel(overdue[index]) == true)
        }
        #expect(wheel.cancel(tokens[0]) == false)
        let expected: [UInt] = [10, 12, 13, 15, 16, 17, 18, 2, 3, 5, 6, 7, 8]
        #expect(takeAll(&wheel, now: boot + 9) == expected)
    }

    @Test("and uses its cell again, while the slab grows only with the timers held")
    func slabGrowth() {
        var wheel = TimerWheel(now: boot)
        var generator = Seeded(seed: 3)
        var held: [TimerToken] = []
        for payload in 0..<20_000 as Range<UInt> {
            let deadline = boot + generator.below(100 * second)
            held.append(wheel.insert(deadline: deadline, payload: payload))
        }
        #expect(wheel.count == 20_000)
        held.shuffle(using: &generator)
        for token in held.dropLast(5000) {
            #expect(wheel.cancel(token) == true)
        }
        for token in held.dropLast(5000) {
            #expect(wheel.cancel(token) == false)
        }
        #expect(wheel.count == 5000)
        for payload in 0..<15_000 as Range<UInt> {
            _ = wheel.insert(deadline: boot + generator.below(100 * second), payload: payload)
        }
        #expect(takeAll(&wheel, now: boot + 100 * second).count == 20_000)
        for token in held {
            #expect(wheel.cancel(token) == false)
        }
        #expect(isEmptyAndIdle(&wheel) == true)
    }
}

@Suite("A timer wheel wakes its worker")
struct TimerWheelWakingTests {
    @Test("only when a timer is due, as long as none was cancelled")
    func noIdleWakes() {
        for seed in 0..<20 as Range<UInt64> {
            var generator = Seeded(seed: seed)
            var wheel = TimerWheel(now: boot)
            for _ in 0..<2000 {
                let delay = generator.next() >> (20 + generator.below(40))
                _ = wheel.insert(deadline: boot + delay, payload: 0)
            }
            while wheel.count > 0 {
                let now = wheel.nextDeadline()
                #expect(wheel.popDue(now: now) != nil, "seed \(seed)")
                // A busy worker asks in between, which must not make later answers worse.
                if generator.below(4) == 0 {
                    _ = takeAll(&wheel, now: now + generator.below(100_000))
                }
            }
        }
    }

    @Test("once for a lone timer after many others were cancelled")
    func loneTimer() {
        var wheel = TimerWheel(now: boot)
        let others = (1...1000 as ClosedRange<UInt64>).map {
            wheel.insert(deadline: boot + 3000 * second + $0, payload: 0)
        }
        _ = wheel.insert(deadline: boot + 3001 * second, payload: 1)
        #expect(wheel.nextDeadline() == boot + 3000 * second + 1)
        for token in others {
            #expect(wheel.cancel(token) == true)
        }
        #expect(wheel.nextDeadline() == boot + 3001 * second)
        #expect(wheel.popDue(now: boot + 3001 * second) == 1)
    }

    @Test("in vain at most once a level when the nearest of many timers were cancelled")
    func cascadeBound() {
        for seed in 0..<50 as Range<UInt64> {
            var generator = Seeded(seed: seed)
            var wheel = TimerWheel(now: boot)
            let due = boot + 10_000 * second
            var nearer: [TimerToken] = []
            for exponent in 0..<43 as Range<UInt64> {
                for _ in 0..<4 {
                    let lead = (1 << exponent) + generator.below(1 << exponent)
                    nearer.append(wheel.insert(deadline: due - lead, payload: 0))
                }
            }
            for payload in 1...100 as ClosedRange<UInt> {
                _ = wheel.insert(deadline: due, payload: payload)
            }
            for token in nearer {
                #expect(wheel.cancel(token) == true)
            }
            var vainWakes = 0
            var now = wheel.nextDeadline()
            while now < due {
                vainWakes += 1
                #expect(wheel.popDue(now: now) == nil, "seed \(seed)")
                let next = wheel.nextDeadline()
                #expect(next > now, "seed \(seed)")
                guard next > now else { return }
                now = next
            }
            #expect(now == due, "seed \(seed)")
            #expect(vainWakes <= 10, "seed \(seed)")
            #expect(takeAll(&wheel, now: due) == Array(1...100), "seed \(seed)")
        }
    }

    @Test("never while it holds no timer")
    func empty() {
        var wheel = TimerWheel(now: boot)
        #expect(isEmptyAndIdle(&wheel) == true)
        #expect(wheel.popDue(now: boot + 1000 * second) == nil)
        #expect(isEmptyAndIdle(&wheel) == true)
    }
}

@Suite("A timer wheel does the same as a sorted array")
struct TimerWheelModelTests {
    /// How far apart the deadlines and the times of one run are, as powers of two.
    private struct Scale {
        let name: String
        let deadlineBits: UInt64
        let stepBits: UInt64
        let held: Int
    }

    private static let scales = [
        Scale(name: "nanoseconds", deadlineBits: 7, stepBits: 4, held: 40),
        Scale(name: "microseconds", deadlineBits: 14, stepBits: 9, held: 100),
        Scale(name: "seconds", deadlineBits: 36, stepBits: 30, held: 200),
        Scale(name: "seconds, asked seldom", deadlineBits: 33, stepBits: 33, held: 60),
        Scale(name: "centuries", deadlineBits: 62, stepBits: 56, held: 100),
    ]

    @Test("in random runs", arguments: 0..<60 as Range<UInt64>)
    func randomRuns(seed: UInt64) {
        for scale in Self.scales {
            run(seed: seed, scale: scale)
        }
    }

    private func run(seed: UInt64, scale: Scale) {
        let place: Comment = "seed \(seed), \(scale.name)"
        var generator = Seeded(seed: seed)
        var now = generator.next() >> (2 + generator.below(60))
        var wheel = TimerWheel(now: now)
        var model = SortedTimers()
        var pastTokens: [TimerToken] = []
        var recentDeadline = now
        for payload in 0..<1500 as Range<UInt> {
            switch generator.below(8) {
            case 0...3 where model.timers.count < scale.held:
                let delay = generator.next() >> (64 - 1 - generator.below(scale.deadlineBits))
                let deadline: UInt64 =
                    switch generator.below(16) {
                    case 0: now - min(now, delay)
                    case 1: now
                    case 2...4: recentDeadline
                    case 5 where generator.below(8) == 0: .max
                    default: now.addingReportingOverflow(delay).overflow ? .max : now + delay
                    }
                recentDeadline = deadline
                let token = wheel.insert(deadline: deadline, payload: payload)
                model.insert(.init(deadline: deadline, payload: payload, token: token))
                pastTokens.append(token)
            case 4...5:
                guard !pastTokens.isEmpty else { break }
                let choice = Int(generator.below(UInt64(pastTokens.count)))
                let token = generator.below(2) == 0 ? pastTokens[choice] : pastTokens.last
                if let token {
                    #expect(wheel.take(token) == model.take(token), place)
                }
            case 6:
                let step = generator.next() >> (64 - generator.below(scale.stepBits + 1))
                now = now > .max - 1 - step ? .max - 1 : now + step
                fallthrough
            default:
                // Sometimes fewer than are due, as a worker with other things to do takes them.
                for _ in 0...generator.below(12) {
                    // A reading of the clock may be older than the one before.
                    let age = generator.next() >> (64 - scale.stepBits)
                    let reading = generator.below(8) == 0 ? now - min(now, age) : now
                    let fired = wheel.popDue(now: reading)
                    #expect(fired == model.popDue(now: reading), place)
                    if fired == nil { break }
                }
            }
            #expect(wheel.count == model.timers.count, place)
            if generator.below(3) == 0 {
                checkBound(&wheel, model, place)
            }
            if generator.below(200) == 0 {
                let found = wheel.tokens { $0 % 3 == 0 }.map(\.bits)
                #expect(Set(found) == model.tokens { $0 % 3 == 0 }, place)
                #expect(Set(found).count == found.count, place)
            }
        }
        // The rest, driven by the wheel's own answers; none of them may be asked for twice.
        while wheel.nextDeadline() != .max {
            checkBound(&wheel, model, place)
            now = max(now, wheel.nextDeadline())
            let fired = wheel.popDue(now: now)
            #expect(fired == model.popDue(now: now), place)
            if fired == nil {
                #expect(wheel.nextDeadline() > now, place)
                guard wheel.nextDeadline() > now else { return }
            }
        }
        #expect(wheel.count == model.timers.count, place)
        #expect(model.timers.allSatisfy { $0.deadline == .max }, place)
    }

    private func checkBound(_ wheel: inout TimerWheel, _ model: SortedTimers, _ place: Comment) {
        let nearest = model.timers.first?.deadline ?? .max
        #expect(wheel.nextDeadline() <= nearest, place)
        if model.timers.count <= 16 {
            checkExactness(&wheel, nearest, place)
        }
    }

    /// A bound found while a slot was crowded may outlive the crowd, until it is asked about.
    private func checkExactness(_ wheel: inout TimerWheel, _ nearest: UInt64, _ place: Comment) {
        let bound = wheel.nextDeadline()
        if bound < nearest {
            #expect(wheel.popDue(now: bound) == nil, place)
            #expect(wheel.nextDeadline() == nearest, place)
        }
    }

    @Test("with a hundred thousand timers in one slot, in any order")
    func crowdedSlot() {
        var generator = Seeded(seed: 5)
        var wheel = TimerWheel(now: boot)
        var deadlines: [UInt64] = []
        for payload in 0..<100_000 as Range<UInt> {
            let deadline = boot + 50 * second + generator.below(50_000)
            deadlines.append(deadline)
            _ = wheel.insert(deadline: deadline, payload: payload)
        }
        let expected = (0..<100_000 as Range<UInt>).sorted {
            (deadlines[Int($0)], $0) < (deadlines[Int($1)], $1)
        }
        #expect(takeAll(&wheel, now: boot + 51 * second) == expected)
    }

    @Test("with a hundred thousand timers inserted behind the cursor and half of them cancelled")
    func crowdOfOverdueTimers() {
        var generator = Seeded(seed: 6)
        var wheel = TimerWheel(now: boot)
        var timers: [(deadline: UInt64, payload: UInt, token: TimerToken)] = []
        for payload in 0..<100_000 as Range<UInt> {
            let deadline = boot - generator.below(50_000)
            let token = wheel.insert(deadline: deadline, payload: payload)
            timers.append((deadline, payload, token))
        }
        timers.shuffle(using: &generator)
        for timer in timers.dropLast(50_000) {
            #expect(wheel.cancel(timer.token) == true)
        }
        let expected = timers.suffix(50_000)
            .sorted { ($0.deadline, $0.payload) < ($1.deadline, $1.payload) }
            .map(\.payload)
        #expect(takeAll(&wheel, now: boot) == expected)
    }
}
