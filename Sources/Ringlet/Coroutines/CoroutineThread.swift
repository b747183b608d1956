import CContext
import Synchronization

/// What one thread keeps for its coroutines beside their stacks: what is on its way to whoever gets
/// control next when that is more than a value, and the tracer.
///
/// Between a sender that leaves something here and the receiver that takes it no code of the user
/// runs, so there is never more than one delivery.
@safe
final class CoroutineThread: @unchecked Sendable {
    /// What whoever gets control finds in its switch.
    @safe
    struct Delivery {
        /// The value lies here, in the sender's frame.
        var place: UnsafeMutableRawPointer?
        /// The value is kept by a coroutine, which has ended.
        var courier: CoroutineCore?
        /// Who has ended, or was unwound. The last reference to it goes with this, when somebody
        /// has control again: what it is freed with, as the outcomes of its ancestors, may run code
        /// of the user, which may switch.
        var sender: CoroutineCore?
        /// This is thrown.
        var error: (any Error)?
        /// The error is the exit of a child, which is not thrown where there is nothing to return.
        var isExit = false

        init(courier: CoroutineCore? = nil, error: (any Error)? = nil, isExit: Bool = false) {
            self.courier = courier
            self.error = error
            self.isExit = isExit
        }

        /// A plain value.
        init(place: UnsafeMutableRawPointer?) {
            unsafe self.place = place
        }

        var kind: CoroutineTransfer.Kind { error == nil || isExit ? .switch : .throw }
    }

    static var current: CoroutineThread { RawThread.current.coroutines }

    private var delivery = Delivery()
    var tracing = CoroutineTracing()
    /// Coroutines that have begun and not ended, without those that were given up.
    /// Written by this thread.
    private let liveCount = Atomic<Int>(0)
    var live: Int { liveCount.load(ordering: .relaxed) }

    private func countLive(_ change: Int) { liveCount.store(live + change, ordering: .relaxed) }

    func coroutineBegins() {
        countLive(1)
        CoroutineCounts.shared.live.add(1, ordering: .relaxed)
    }

    func coroutineEnds() {
        countLive(-1)
        CoroutineCounts.shared.live.subtract(1, ordering: .relaxed)
    }

    /// Its stack stays for ever.
    func coroutineIsGivenUp() {
        countLive(-1)
        CoroutineCounts.shared.leaked.add(1, ordering: .relaxed)
    }

    /// Leaves something for whoever gets control next.
    func post(_ delivery: Delivery) {
        self.delivery = delivery
        unsafe cctx_current_raw_thread().pointee.attention |= UInt32(cctx_attention_parcel)
    }

    /// Makes the next receiver unwind.
    func postUnwinding() {
        unsafe cctx_current_raw_thread().pointee.attention |= UInt32(cctx_attention_unwind)
    }

    /// Takes what has come.
    func takeDelivery() -> Delivery {
        let thread = unsafe cctx_current_raw_thread()
        let attention = unsafe thread.pointee.attention
        unsafe thread.pointee.attention = attention & UInt32(cctx_attention_traced)
        if attention & UInt32(cctx_attention_unwind) != 0 {
            return Delivery(error: CoroutineExit())
        }
        if attention & UInt32(cctx_attention_parcel) != 0 {
            defer { delivery = Delivery() }
            return delivery
        }
        return unsafe Delivery(place: thread.pointee.mail)
    }
}
