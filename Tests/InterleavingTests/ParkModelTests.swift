import Testing

@testable import Ringlet

/// The protocol of ``InjectionQueue``, step by step: one worker, and producers that push one item each.
private struct ParkModel: Model {
    /// What may be taken away from the protocol.
    struct Mutations: OptionSet, Hashable {
        let rawValue: UInt8
        /// `park()` does not look at the queue once more.
        static let parksWithoutLook = Self(rawValue: 1)
        /// `park()` publishes `parked` whatever the state was.
        static let parksOverNotification = Self(rawValue: 2)
        /// `push(_:)` notifies first.
        static let notifiesBeforePush = Self(rawValue: 4)
        /// `notify()` does nothing unless the worker is parked.
        static let notifiesOnlyTheParked = Self(rawValue: 8)
        /// `drain(into:)` stores `awake` after it has taken.
        static let takesBeforeStore = Self(rawValue: 16)
        /// The signal is given only when the state was `awake`.
        static let signalsTheAwake = Self(rawValue: 32)
    }

    enum WorkerStep {
        case look, store, take, takeFirst, storeLast, park, lookAgain, giveUp, sleep, unpark
    }
    enum ProducerStep { case push, notify, signal, ended }

    let mutations: Mutations
    /// What the memory model of C++ allows beyond interleaving. The exchange that takes is acquiring and no more, so
    /// it may come before the store before it; and `isEmpty`, a relaxed load, may miss what nothing has announced to the
    /// worker.
    let isWeak: Bool

    var items: UInt8 = 0
    var taken: UInt8 = 0
    /// Items whose notification is in the state's chain of exchanges, and those that the worker has read there.
    var announced: UInt8 = 0
    var known: UInt8 = 0
    var state = InjectionQueue.State.awake
    var isSignalled = false
    /// Completions that wake the worker without a signal.
    var completions = 1
    var worker = WorkerStep.look
    var producers: [ProducerStep]

    init(producers: Int, _ mutations: Mutations = [], isWeak: Bool) {
        self.mutations = mutations
        self.isWeak = isWeak
        let first: ProducerStep = mutations.contains(.notifiesBeforePush) ? .notify : .push
        self.producers = Array(repeating: first, count: producers)
    }

    var threads: Int { 1 + producers.count }
    var violation: String? { nil }
    var violationAtEnd: String? {
        taken == 1 << producers.count - 1 ? nil : "the worker sleeps over an item"
    }

    func steps(of thread: Int) -> [Self] {
        thread == 0 ? workerSteps() : producerSteps(thread - 1)
    }

    private func with(_ change: (inout Self) -> Void) -> Self {
        var next = self
        change(&next)
        return next
    }

    /// The worker's plain store, which ends the chain.
    private mutating func storeAwake(then step: WorkerStep) {
        (state, announced, worker) = (.awake, 0, step)
    }

    private mutating func take(then step: WorkerStep) {
        (taken, items, worker) = (taken | items, 0, step)
    }

    private func workerSteps() -> [Self] {
        switch worker {
        case .look:
            let park = with { $0.worker = .park }
            if items == 0 { return [park] }
            var next = isWeak && items & known == 0 ? [park] : []
            if !mutations.contains(.takesBeforeStore) { next.append(with { $0.worker = .store }) }
            if isWeak || mutations.contains(.takesBeforeStore) {
                next.append(with { $0.worker = .takeFirst })
            }
            return next
        case .store: return [with { $0.storeAwake(then: .take) }]
        case .take: return [with { $0.take(then: .look) }]
        case .takeFirst: return [with { $0.take(then: .storeLast) }]
        case .storeLast: return [with { $0.storeAwake(then: .look) }]
        case .park:
            guard state == .awake || mutations.contains(.parksOverNotification) else {
                return [with { ($0.known, $0.worker) = (known | announced, .giveUp) }]
            }
            let after: WorkerStep = mutations.contains(.parksWithoutLook) ? .sleep : .lookAgain
            return [with { ($0.state, $0.worker) = (.parked, after) }]
        case .lookAgain: return [with { $0.worker = items == 0 ? .sleep : .giveUp }]
        case .giveUp: return [with { $0.storeAwake(then: .look) }]
        case .sleep:
            var next: [Self] = []
            if isSignalled { next.append(with { ($0.isSignalled, $0.worker) = (false, .unpark) }) }
            // Only while something else goes on: it alone must not rescue a lost wake-up.
            if completions > 0 && producers.contains(where: { $0 != .ended }) {
                next.append(with { ($0.completions, $0.worker) = (completions - 1, .unpark) })
            }
            return next
        case .unpark:
            return [with { ($0.state, $0.known, $0.worker) = (.awake, known | announced, .look) }]
        }
    }

    private func producerSteps(_ number: Int) -> [Self] {
        let notifiesFirst = mutations.contains(.notifiesBeforePush)
        switch producers[number] {
        case .push:
            return [
                with {
                    $0.items |= 1 << number
                    $0.producers[number] = notifiesFirst ? .ended : .notify
                }
            ]
        case .notify:
            let after: ProducerStep = notifiesFirst ? .push : .ended
            if mutations.contains(.notifiesOnlyTheParked) && state != .parked {
                return [with { $0.producers[number] = after }]
            }
            let signals = state == (mutations.contains(.signalsTheAwake) ? .awake : .parked)
            return [
                with {
                    $0.state = .notified
                    if !notifiesFirst { $0.announced |= 1 << number }
                    $0.producers[number] = signals ? .signal : after
                }
            ]
        case .signal:
            return [
                with {
                    ($0.isSignalled, $0.producers[number]) = (true, notifiesFirst ? .push : .ended)
                }
            ]
        case .ended:
            return []
        }
    }
}

@Suite struct ParkModelTests {
    private static let lost = "the worker sleeps over an item"

    @Test(arguments: 1...3, [false, true])
    func `no order of steps loses a wake-up`(producers: Int, isWeak: Bool) {
        let found = explore(ParkModel(producers: producers, isWeak: isWeak))
        #expect(found.violation == nil)
        #expect(found.states > 20)
    }

    /// In plain interleaving a notification is overwritten only by a worker that takes its item afterwards, so `park`
    /// fails wherever the look would have found something. The look is for memory that is weaker than that.
    @Test func `the second look makes up for a take that overtakes its store`() {
        let strong = explore(ParkModel(producers: 2, .parksWithoutLook, isWeak: false))
        #expect(strong.violation == nil)
        let weak = explore(ParkModel(producers: 2, .parksWithoutLook, isWeak: true))
        #expect(weak.violation?.hasPrefix(Self.lost) == true)
    }

    @Test(arguments: [
        ParkModel.Mutations.parksOverNotification, .notifiesOnlyTheParked, .takesBeforeStore,
    ])
    private func `the second look makes up for any other slip of the state, and nothing else does`(
        mutation: ParkModel.Mutations
    ) {
        let with = explore(ParkModel(producers: 2, mutation, isWeak: true))
        #expect(with.violation == nil)
        let without = explore(ParkModel(producers: 2, [mutation, .parksWithoutLook], isWeak: true))
        #expect(without.violation?.hasPrefix(Self.lost) == true)
    }

    @Test(arguments: [ParkModel.Mutations.notifiesBeforePush, .signalsTheAwake])
    private func `without its order, or its signal, a wake-up is lost`(
        mutation: ParkModel.Mutations
    ) {
        let found = explore(ParkModel(producers: 2, mutation, isWeak: false))
        #expect(found.violation?.hasPrefix(Self.lost) == true)
    }
}
