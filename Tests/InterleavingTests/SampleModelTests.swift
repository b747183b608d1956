import Testing

/// How a thread that computes is sampled from outside, step by step: `take_computing` and `on_signal` of CContext's
/// sample.c.
private struct SampleModel: Model {
    enum Mutation: CaseIterable {
        case none
        /// Who asked gives up without looking whether a handler has begun.
        case givesUpBlindly
        /// The handler begins without taking the request.
        case copiesBlindly
        /// Who asked takes a request that nobody has begun for an answer.
        case takesAnyChange
    }

    enum State { case nothing, asked, copying, done }
    enum AskerStep { case ask, signal, look, sleep, giveUp, ended }
    enum HandlerStep { case idle, look, claim, copy, finish }

    let mutation: Mutation
    var state = State.nothing
    var asker = AskerStep.ask
    /// Requests that are still to be made, after this one.
    var requests = 1
    /// Signals that are on their way to the thread.
    var signals = 0
    var handler = HandlerStep.idle

    var threads: Int { 2 }

    var violation: String? {
        let isWaiting = asker == .signal || asker == .look || asker == .sleep || asker == .giveUp
        return handler == .copy && !isWaiting ? "the handler writes to a sample that nobody waits for" : nil
    }
    var violationAtEnd: String? { asker == .ended ? nil : "who asked waits for ever" }

    private func with(_ change: (inout Self) -> Void) -> Self {
        var next = self
        change(&next)
        return next
    }

    private mutating func ends() {
        asker = requests > 0 ? .ask : .ended
        requests -= 1
    }

    func steps(of thread: Int) -> [Self] { thread == 0 ? askerSteps() : handlerSteps() }

    private func askerSteps() -> [Self] {
        switch asker {
        case .ask: return [with { ($0.state, $0.asker) = (.asked, .signal) }]
        case .signal:
            return [
                with { ($0.signals, $0.asker) = (signals + 1, .look) },
                // The thread is gone.
                with { next in
                    if next.state == .asked { next.state = .nothing; next.ends() } else { next.asker = .look }
                },
            ]
        case .look:
            if state == .done || (mutation == .takesAnyChange && state != .asked) { return [with { $0.ends() }] }
            return [with { $0.asker = .sleep }]
        case .sleep:
            // The futex wakes when the state is done, and at the limit.
            return (state == .done ? [with { $0.asker = .look }] : []) + [with { $0.asker = .giveUp }]
        case .giveUp:
            return [
                with { next in
                    if state == .asked || mutation == .givesUpBlindly {
                        next.state = .nothing
                        next.ends()
                    } else {
                        next.asker = .look
                    }
                }
            ]
        case .ended: return []
        }
    }

    private func handlerSteps() -> [Self] {
        switch handler {
        case .idle: return signals > 0 ? [with { ($0.signals, $0.handler) = (signals - 1, .look) }] : []
        case .look: return [with { $0.handler = state == .asked ? .claim : .idle }]
        case .claim:
            let isTaken = state == .asked || mutation == .copiesBlindly
            return [with { if isTaken { ($0.state, $0.handler) = (.copying, .copy) } else { $0.handler = .idle } }]
        case .copy: return [with { $0.handler = .finish }]
        case .finish: return [with { ($0.state, $0.handler) = (.done, .idle) }]
        }
    }
}

@Suite struct SampleModelTests {
    @Test func `a handler writes only to a sample that is waited for`() {
        let result = explore(SampleModel(mutation: .none))
        #expect(result.violation == nil)
        #expect(result.states > 40)
    }

    @Test(arguments: SampleModel.Mutation.allCases.dropFirst())
    fileprivate func `each part of the protocol is needed`(_ mutation: SampleModel.Mutation) {
        #expect(explore(SampleModel(mutation: mutation)).violation != nil)
    }
}
