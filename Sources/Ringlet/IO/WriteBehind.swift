import Synchronization
import SystemPackage

/// What a ``BufferedWriter`` shares with the operation that sends for it: two buffers, of which one
/// is filled while the kernel has the other.
///
/// Bytes wait in `filling` only while a send is in flight, and its completion starts the next one. So
/// the operation, which holds a reference, sends everything that was accepted, whether the writer is
/// still there or not.
///
/// As long as nothing depends on the end of a send, its first attempt does not wait for room in the
/// socket and makes no completion when it succeeds: the worker sleeps in the very call that submits
/// it. What comes to depend on it later takes ``State/indifferent`` away, once, and has the worker look.
final class WriteBehind: Sendable {
    struct State: ~Copyable {
        var filling: Buffer
        var sending: Buffer
        /// Bytes of `sending` that the kernel has taken.
        var sent = 0
        /// The socket had no room for all of it: the next attempt waits.
        var mustWait = false
        var isSending = false
        /// The worker that has a send in flight whose success does not wake it.
        var indifferent: Worker?
        /// How the first send that failed ended. Nothing is accepted any more.
        var failure: Completion?
        var isAbandoned = false
        /// Happens when the send in flight ends; there when somebody waits.
        var progress: Event?
    }

    /// Changed by whoever writes, and by the worker that completes a send.
    private let state: Mutex<State>
    private let descriptor: Descriptor
    let capacity: Int

    init(_ descriptor: Descriptor, capacity: Int) {
        self.descriptor = descriptor
        self.capacity = capacity
        state = Mutex(
            State(filling: Buffer(capacity: capacity), sending: Buffer(capacity: capacity)))
    }

    // MARK: The writer's side

    /// Takes a copy of all of `bytes`, which must fit into an empty buffer, or none.
    ///
    /// - Returns: What to wait for before the next attempt; nil when the bytes were accepted.
    /// - Throws: What an earlier send failed with.
    func accept(_ bytes: borrowing Buffer, deadline: Deadline) throws -> Event? {
        let (failure, progress, mustSend, indifferent) = state.withLock { state in
            if state.failure != nil { return (state.failure, Event?.none, false, Worker?.none) }
            if bytes.count > capacity - state.filling.count {
                return (nil, state.makeProgress(), false, state.indifferent.take())
            }
            state.filling.append(bytes)
            let mustSend = state.beginSend()
            return (nil, nil, mustSend, mustSend ? nil : state.indifferent.take())
        }
        if let failure { throw descriptor.error(failure, deadline) }
        if mustSend { send() }
        indifferent?.settleSoon()
        return progress
    }

    /// What to wait for until everything accepted is sent; nil when it is.
    ///
    /// - Throws: What an earlier send failed with.
    func unsent(deadline: Deadline) throws -> Event? {
        let (failure, progress, indifferent) = state.withLock { state in
            (
                state.failure, state.isSending ? state.makeProgress() : nil,
                state.indifferent.take()
            )
        }
        if let failure { throw descriptor.error(failure, deadline) }
        indifferent?.settleSoon()
        return progress
    }

    /// The writer was dropped. What is left is sent, and then the connection may have to be closed.
    func abandon() {
        let indifferent = state.withLock { state in
            state.isAbandoned = true
            return state.indifferent.take()
        }
        indifferent?.settleSoon()
    }

    // MARK: The operation's side

    private func send() {
        guard let worker = try? Worker.forCurrentTask else { return advance(.cancelled(.fork)) }
        if CurrentThread.runs(worker) {
            send(on: worker)
        } else {
            worker.perform { [self] worker in send(on: worker) }
        }
    }

    private func send(on worker: Worker) {
        guard descriptor.begin(on: worker) else {
            return advance(Completion(-Errno.badFileDescriptor.rawValue))
        }
        if worker.refusesTasks { return sendEnded(.cancelled(.shutdown)) }
        let (address, count, settles) = state.withLock { state in
            let settles = !state.hasDependents && worker.ring.canSkipSuccess
            if settles { state.indifferent = worker }
            return (
                state.sending.address + UInt(state.sent), state.sending.count - state.sent, settles
            )
        }
        if settles {
            worker.startSettling(
                .sendAtOnce(descriptor.raw, from: address, count: count), result: Int32(count),
                waiter: .writer(self))
        } else {
            _ = worker.start(
                .send(descriptor.raw, from: address, count: count), waiter: .writer(self),
                deadline: .never)
        }
    }

    /// The terminal completion of the send in flight.
    func sendEnded(_ completion: Completion) {
        descriptor.end()
        advance(completion)
    }

    private func advance(_ completion: Completion) {
        let (mustSend, progress) = state.withLock { state in
            (state.advance(completion), state.progress.take())
        }
        if mustSend { send() }
        progress?.set()
    }
}

extension WriteBehind.State {
    /// Whether anything happens at the end of the send in flight.
    fileprivate var hasDependents: Bool {
        mustWait || filling.count > 0 || progress != nil || isAbandoned
    }

    fileprivate mutating func makeProgress() -> Event {
        if let progress { return progress }
        let event = Event()
        progress = event
        return event
    }

    /// True when there is something to send and nothing in flight: the caller must send.
    fileprivate mutating func beginSend() -> Bool {
        if isSending || filling.count == 0 { return false }
        swap(&filling, &sending)
        filling.removeAll()
        sent = 0
        mustWait = false
        isSending = true
        return true
    }

    /// A send has ended. True when the caller must send more.
    fileprivate mutating func advance(_ completion: Completion) -> Bool {
        indifferent = nil
        if completion.result == -Errno.resourceTemporarilyUnavailable.rawValue && !mustWait {
            mustWait = true
            return true
        }
        guard completion.result >= 0 else {
            failure = completion
            isSending = false
            filling.removeAll()
            return false
        }
        sent = sending.end(ofTaking: completion.result, from: sent)
        if sent < sending.count {
            mustWait = true
            return true
        }
        isSending = false
        return beginSend()
    }
}
