import Testing

@testable import Ringlet

/// Expectations copy what they look into, and the table itself cannot be copied.
private final class Table {
    private var table: OperationTable

    init(capacity: Int = 64) { table = OperationTable(capacity: capacity) }

    var activeCount: Int { table.activeCount }
    var staleCount: UInt64 { table.staleCount }

    func insert(waiter: Waiter, descriptor: Int32) -> OperationToken {
        table.insert(waiter: waiter, descriptor: descriptor)
    }

    func holds(_ token: OperationToken) -> Bool { table.holds(token) }

    func setTimer(_ timer: TimerToken, of token: OperationToken) { table.setTimer(timer, of: token) }

    func markCancelling(_ token: OperationToken, reason: CancelReason) -> Bool {
        table.markCancelling(token, reason: reason)
    }

    func complete(_ token: OperationToken)
        -> (waiter: PackedWaiter, reason: CancelReason, timer: TimerToken)?
    {
        table.complete(token)
    }

    func tokens(where isIncluded: (Int32) -> Bool) -> [OperationToken] {
        table.tokens(where: { isIncluded($0.descriptor) })
    }
}

@Suite struct OperationTableTests {
    @Test func `an operation is held from its insertion to its completion`() {
        let table = Table()
        let token = table.insert(waiter: .none, descriptor: 7)
        #expect(table.holds(token))
        #expect(table.activeCount == 1)
        let end = table.complete(token)
        #expect(end?.reason == CancelReason.none)
        #expect(!table.holds(token))
        #expect(table.activeCount == 0)
        #expect(table.staleCount == 0)
    }

    @Test(arguments: [CancelReason.user, .deadline, .shutdown])
    func `a cancelled operation stays held until its completion`(reason: CancelReason) {
        let table = Table()
        let token = table.insert(waiter: .none, descriptor: -1)
        let requested = table.markCancelling(token, reason: reason)
        #expect(requested)
        // The kernel may still write to its memory.
        #expect(table.holds(token))
        #expect(table.activeCount == 1)
        let end = table.complete(token)
        #expect(end?.reason == reason)
        #expect(table.activeCount == 0)
    }

    @Test func `the first reason to cancel stands`() {
        let table = Table()
        let token = table.insert(waiter: .none, descriptor: -1)
        let first = table.markCancelling(token, reason: .deadline)
        let second = table.markCancelling(token, reason: .user)
        #expect(first)
        #expect(!second)
        let end = table.complete(token)
        #expect(end?.reason == .deadline)
    }

    @Test func `a slot that is used again forgets why it was cancelled, its timer and descriptor`() {
        let table = Table(capacity: 1)
        let first = table.insert(waiter: .none, descriptor: 3)
        _ = table.markCancelling(first, reason: .user)
        table.setTimer(TimerToken(bits: 42), of: first)
        let end = table.complete(first)
        #expect(end?.timer == TimerToken(bits: 42))
        let second = table.insert(waiter: .none, descriptor: 4)
        #expect(second.index == first.index)
        #expect(table.tokens { $0 == 3 }.isEmpty)
        #expect(table.tokens { $0 == 4 } == [second])
        let secondEnd = table.complete(second)
        #expect(secondEnd?.reason == CancelReason.none)
        #expect(secondEnd?.timer == TimerToken.none)
    }

    @Test func `a stale token names nothing`() {
        let table = Table(capacity: 1)
        let old = table.insert(waiter: .none, descriptor: -1)
        _ = table.complete(old)
        let new = table.insert(waiter: .none, descriptor: -1)
        #expect(new.index == old.index)
        #expect(new != old)
        #expect(!table.holds(old))
        let cancelled = table.markCancelling(old, reason: .user)
        #expect(!cancelled)
        let again = table.complete(old)
        #expect(again == nil)
        #expect(table.staleCount == 1)
        // Nothing of it reached the new tenant.
        #expect(table.holds(new))
        let end = table.complete(new)
        #expect(end?.reason == CancelReason.none)
    }

    @Test func `a token beyond the table names nothing`() {
        let table = Table(capacity: 4)
        let stranger = OperationToken(index: 4, generation: 0)
        #expect(!table.holds(stranger))
        let end = table.complete(stranger)
        #expect(end == nil)
        #expect(table.staleCount == 1)
    }

    @Test func `generations wrap without touching the kind of the user data`() {
        let table = Table(capacity: 1)
        let first = table.insert(waiter: .none, descriptor: -1)
        _ = table.complete(first)
        var wrong = 0
        for _ in 1..<1 << 24 {
            let token = table.insert(waiter: .none, descriptor: -1)
            if token.userData >> 56 != 0 || token == first { wrong += 1 }
            if table.complete(token) == nil { wrong += 1 }
        }
        #expect(wrong == 0)
        // After 2^24 tenants the first token is valid again; no earlier.
        let again = table.insert(waiter: .none, descriptor: -1)
        #expect(again == first)
    }

    @Test func `growth keeps what is in flight`() {
        let table = Table(capacity: 2)
        let tokens = (0..<1000).map { table.insert(waiter: .none, descriptor: Int32($0)) }
        #expect(Set(tokens.map(\.userData)).count == 1000)
        #expect(table.activeCount == 1000)
        #expect(tokens.allSatisfy { table.holds($0) })
        for (number, token) in tokens.enumerated() {
            #expect(table.tokens { $0 == Int32(number) } == [token])
        }
        for token in tokens.reversed() { #expect(table.complete(token) != nil) }
        #expect(table.activeCount == 0)
        #expect(table.tokens { _ in true }.isEmpty)
    }

    // MARK: Slot by slot

    private typealias State = OperationTable.State

    private static func slot(in state: State) -> OperationTable.Slot {
        var slot = OperationTable.Slot()
        if state != .free { slot.occupy(by: .none, descriptor: 5, shielded: false) }
        if state == .cancelling { _ = slot.cancel(.user) }
        return slot
    }

    @Test func `a slot does what the table of its states says`() {
        for state in [State.free, .active, .cancelling] {
            var slot = Self.slot(in: state)
            #expect(slot.state == state)
            let cancelled = slot.cancel(.deadline)
            #expect(cancelled == (state.after(.cancel) == .cancelling))
            #expect(slot.state == (state.after(.cancel) ?? state))
            #expect(slot.reason == [.none, .deadline, .user][Int(state.rawValue)])
        }
        var slot = OperationTable.Slot()
        for _ in 0..<3 {
            for state in [State.active, .cancelling] {
                #expect(slot.state.after(.insert) == .active)
                slot.occupy(by: .none, descriptor: 5, shielded: false)
                #expect(slot.state == .active)
                if state == .cancelling { _ = slot.cancel(.shutdown) }
                #expect(slot.state == state)
                #expect(slot.state.after(.complete) == .free)
                slot.release()
                #expect(slot.state == .free)
            }
        }
    }

    @Test(arguments: [
        (State.active, State.Event.insert, "an operation's slot was given to another one"),
        (.cancelling, .insert, "an operation's slot was given to another one"),
        (.free, .complete, "an operation ended twice, or never began"),
    ])
    private func `what is impossible traps`(state: State, event: State.Event, words: String) async {
        #expect(state.after(event) == nil)
        let (from, by) = (state.rawValue, event.rawValue)
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            [from = from as UInt8, by = by as UInt8] in
            var slot = Self.slot(in: try #require(OperationTable.State(rawValue: from)))
            if by == 0 {
                slot.occupy(by: .none, descriptor: 5, shielded: false)
            } else {
                slot.release()
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains(words), "stderr: \(output)")
    }

    @Test func `a completion of what was never submitted traps`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            // The token that the first operation of this slot will have.
            _ = Table(capacity: 1).complete(OperationToken(index: 0, generation: 0))
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("never began"), "stderr: \(output)")
    }

    @Test func `a token's parts survive the trip through a runnable`() {
        let token = OperationToken(index: .max - 1, generation: 0xff_ffff)
        #expect(token.userData >> 56 == 0)
        let runnable = Runnable(deadlineOf: token)
        #expect(runnable.kind == .operationDeadline)
        #expect(runnable.operation == token)
        #expect(token.index == Int(UInt32.max) - 1)
        #expect(token.generation == 0xff_ffff)
    }
}
