import Glibc

/// A channel of pointers as the C library holds it. Any thread.
///
/// Nothing here throws: every wait ends with a number of the C library, and with any but 0 the item stays with the
/// sender. In the child of a fork, where a thread of the parent may hold the lock for ever, every call says so.
@_spi(C) @safe
public final class CChannel: Sendable {
    /// Called with what is left at the end.
    public typealias Drop = @convention(c) (UnsafeMutableRawPointer?) -> Void

    // Items travel as plain words.
    private let core: ChannelCore
    private let drop: Drop?

    public init(capacity: Int, drop: Drop?) {
        Fork.watch()
        core = ChannelCore(ElementType(of: UInt.self), capacity: capacity, ended: ChannelError.closed)
        unsafe self.drop = drop
    }

    deinit {
        guard let drop = unsafe drop else { return }
        while case .element(let item) = core.takeNow(UInt.self) {
            unsafe drop(UnsafeMutableRawPointer(bitPattern: item))
        }
    }

    public func close() -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        core.close()
        return 0
    }

    // MARK: Sending

    public func trySend(_ item: UInt) -> Int32 { begin(item) }

    @inline(__always)
    private func begin(_ item: UInt) -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        switch core.beginSend() {
        case .go(let transfer):
            transfer.put(item)
            core.endSend(transfer)
            return 0
        case .wait: return -EAGAIN
        case .closed: return -EPIPE
        }
    }

    public func send(_ item: UInt, deadline: Int64) -> Int32 {
        let status = sendNow(item)
        return status == -EAGAIN ? sendLater(item, Deadline(c: deadline)) : status
    }

    /// What is sent by a call that may wait: a rendezvous is not over before the receiver has gone on.
    @inline(__always)
    private func sendNow(_ item: UInt) -> Int32 {
        let status = begin(item)
        if status == 0 && core.capacity == 0 { core.letReceiverRun() }
        return status
    }

    @inline(never)
    private func sendLater(_ item: UInt, _ deadline: Deadline) -> Int32 {
        while true {
            var queued: FilledRoom?
            let completion = core.wait(forC: deadline) { node in
                guard core.enqueueSender(node, with: item) else { return false }
                queued = FilledRoom(of: node)
                return true
            }
            guard let queued else {
                if !completion.isTaken { return completion.code }
                let status = sendNow(item)
                if status != -EAGAIN { return status }
                continue
            }
            if completion.result == 0 {
                queued.leave()
                return 0
            }
            core.discard(queued)
            return completion.result > 0 ? -EPIPE : completion.code
        }
    }

    // MARK: Receiving

    public func tryReceive(_ item: inout UInt) -> Int32 { take(&item) }

    @inline(__always)
    private func take(_ item: inout UInt) -> Int32 {
        if Fork.isChild { return CCurrent.forked }
        switch core.takeNow(UInt.self) {
        case .element(let next):
            item = next
            return 0
        case .wait: return -EAGAIN
        case .ended: return -EPIPE
        }
    }

    public func receive(_ item: inout UInt, deadline: Int64) -> Int32 {
        let status = take(&item)
        return status == -EAGAIN ? receiveLater(&item, Deadline(c: deadline)) : status
    }

    @inline(never)
    private func receiveLater(_ item: inout UInt, _ deadline: Deadline) -> Int32 {
        while true {
            var queued: FilledRoom?
            let completion = core.wait(forC: deadline) { node in
                guard core.enqueueReceiver(node) else { return false }
                queued = FilledRoom(of: node)
                return true
            }
            guard completion.isTaken && completion.result == 0 else {
                if let queued {
                    if completion.result == 0 { core.giveBack(queued) } else { queued.leave() }
                }
                return completion.result > 0 ? -EPIPE : completion.refusalCode
            }
            if let queued {
                item = queued.take(UInt.self)
                return 0
            }
            let status = take(&item)
            if status != -EAGAIN { return status }
        }
    }
}

extension Completion {
    /// What a wait says that was not woken, or refuses what it was woken with.
    var refusalCode: Int32 { result < 0 ? code : Completion.cancelled(reason).code }
}
