import Synchronization

/// The results of a source's elements, computed by the fibers of a pool, on their way to one consumer.
///
/// A fiber of its own, outside the pool's places, takes elements from the source and starts a fiber of the pool for
/// each. It stays at most `bound` elements ahead of the consumer, when there is a bound.
final class PoolFeed<Output: Sendable>: Sendable {
    enum Order { case ofSource, ofCompletion }

    typealias Source = () throws -> (@Sendable () throws -> Output)?

    private struct State: ~Copyable {
        /// Until the first result is asked for.
        var source: Box?
        /// In the source's order: by number. In that of completion: numbered when they come.
        var results: [Int: Result<Output, any Error>] = [:]
        var arrived = 0
        var taken = 0
        /// How many elements the source had, once it has ended.
        var count: Int?
        /// What the source ended with.
        var sourceFailure: (any Error)?
        var running: [UInt64: AnyFiber] = [:]
        var feeder: AnyFiber?
        var isStopped = false
        /// Happens when there is something for the consumer.
        var news: Occurrence?

        mutating func takeSource() -> Box? {
            defer { source = nil }
            return source
        }

        mutating func takeNews() -> Occurrence? {
            defer { news = nil }
            return news
        }
    }

    /// Belongs to whoever takes it out of the state.
    private final class Box: @unchecked Sendable {
        let next: Source
        init(_ next: @escaping Source) { self.next = next }
    }

    private let order: Order
    private let pool: FiberPool
    private let credits: Places?
    private let state: Mutex<State>

    /// - Parameter source: Asked in a fiber for one element after the other, each as something to compute.
    init(_ order: Order, in pool: FiberPool, bound: Int?, _ source: sending @escaping Source) {
        self.order = order
        self.pool = pool
        credits = bound.map { Places($0, "a result to be taken of pool map") }
        state = Mutex(State(source: Box(source)))
    }

    // MARK: The source's side

    /// Starts the fiber that asks the source, once.
    private func start() {
        guard let source = state.withLock({ $0.takeSource() }) else { return }
        let feeder = pool.spawnAnywhere("FiberPool source") { [self] in
            var number = 0
            do {
                while try feed(source.next(), number) { number += 1 }
                sourceEnded(at: number, nil)
            } catch {
                sourceEnded(at: number, error)
            }
        }
        let isStopped = state.withLock { state in
            state.feeder = feeder
            return state.isStopped
        }
        if isStopped { feeder.cancel() }
        // One that was cancelled before it began has not said so.
        feeder.whenEnded { [self] in sourceEnded(at: 0, CancellationError()) }
    }

    /// False at the end of the source.
    private func feed(_ work: (@Sendable () throws -> Output)?, _ number: Int) throws -> Bool {
        guard let work else { return false }
        try credits?.take("FiberPool.map", deadline: .never)
        guard try pool.takePlace() else {
            deliver(Result { try work() }, number)
            return true
        }
        let fiber = pool.start(operation: work)
        let isStopped = state.withLock { state in
            state.running[fiber.id] = fiber
            return state.isStopped
        }
        if isStopped { fiber.cancel() }
        fiber.whenEnded { [self] in
            state.withLock { $0.running[fiber.id] = nil }
            deliver(Result { try fiber.join() }, number)
        }
        return true
    }

    private func sourceEnded(at number: Int, _ error: (any Error)?) {
        let news = state.withLock { state in
            if state.count == nil {
                state.count = number
                state.sourceFailure = error
            }
            return state.takeNews()
        }
        news?.happen()
    }

    private func deliver(_ result: Result<Output, any Error>, _ number: Int) {
        let news: Occurrence? = state.withLock { state in
            state.results[order == .ofSource ? number : state.arrived] = result
            state.arrived += 1
            return state.takeNews()
        }
        news?.happen()
    }

    // MARK: The consumer's side

    private enum Step {
        case result(Result<Output, any Error>)
        case end
        case wait(Occurrence)
    }

    private func step() -> Step {
        let step: Step = state.withLock { state in
            if let result = state.results.removeValue(forKey: state.taken) {
                state.taken += 1
                return .result(result)
            }
            if state.isStopped || state.taken == state.count {
                defer { state.sourceFailure = nil }
                return state.sourceFailure.map { .result(.failure($0)) } ?? .end
            }
            let news = state.news ?? Occurrence("the next result of a pool's map")
            state.news = news
            return .wait(news)
        }
        if case .result = step { credits?.give() }
        return step
    }

    /// The next result, or nil after the last. From a fiber or a plain thread.
    func next(_ call: StaticString) throws -> Output? {
        start()
        while true {
            switch step() {
            case .result(let result): return try result.get()
            case .end: return nil
            case .wait(let news): try check(news.wait(call, deadline: .never))
            }
        }
    }

    /// The next result, or nil after the last. From a task.
    func next() async throws -> Output? {
        start()
        while true {
            switch step() {
            case .result(let result): return try result.get()
            case .end: return nil
            case .wait(let news): try check(await news.wait(deadline: .never))
            }
        }
    }

    private func check(_ completion: Completion) throws {
        if completion.result >= 0 { return }
        stop()
        throw completion.error(.never)
    }

    // MARK: Ending early

    /// Cancels what is under way and starts nothing more. Any thread.
    func stop() {
        let fibers: [AnyFiber] = state.withLock { state in
            state.isStopped = true
            return Array(state.running.values) + (state.feeder.map { [$0] } ?? [])
        }
        for fiber in fibers { fiber.cancel() }
    }

    /// What has been started and has not ended, to be waited for after ``stop()``: first the source's fiber, which
    /// then starts no others.
    var leftovers: (source: AnyFiber?, others: [AnyFiber]) {
        state.withLock { ($0.feeder, Array($0.running.values)) }
    }
}
