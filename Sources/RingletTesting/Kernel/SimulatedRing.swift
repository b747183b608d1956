import CUring
import Ringlet

/// The two queues of one ring in plain memory, and what moves between them.
///
/// Everything happens inside enter. A request either ends there and then, or it waits for another request of the same
/// program, or, of what is not simulated, for a descriptor of Linux: the worker's own wake-up above all.
@safe
final class SimulatedRing {
    private unowned let world: World
    private let ring: UnsafeMutablePointer<curing_ring>
    // The words of the two queues: the submissions' head, tail and flags, the completions' head and tail.
    private let words: UnsafeMutablePointer<UInt32>

    /// Requests that have ended and whose completions are not visible, in the order in which they ended.
    private var ended: [curing_cqe] = []
    private var outside = OutsideWaits()

    init(
        _ ring: UnsafeMutablePointer<curing_ring>, _ submissions: UInt32, _ completions: UInt32,
        in world: World
    ) {
        self.world = world
        unsafe self.ring = ring
        unsafe words = .allocate(capacity: 5)
        unsafe words.initialize(repeating: 0, count: 5)
        unsafe ring.pointee.sq_head = words
        unsafe ring.pointee.sq_tail = words + 1
        unsafe ring.pointee.sq_flags = words + 2
        unsafe ring.pointee.cq_head = words + 3
        unsafe ring.pointee.cq_tail = words + 4
        // The library asks for powers of two.
        unsafe ring.pointee.sq_entries = submissions
        unsafe ring.pointee.sq_mask = submissions - 1
        unsafe ring.pointee.cq_entries = completions
        unsafe ring.pointee.cq_mask = completions - 1
        unsafe ring.pointee.sqes = .allocate(capacity: Int(submissions))
        unsafe ring.pointee.sqes?.initialize(repeating: curing_sqe(), count: Int(submissions))
        unsafe ring.pointee.cqes = .allocate(capacity: Int(completions))
        unsafe ring.pointee.cqes?.initialize(repeating: curing_cqe(), count: Int(completions))
        unsafe ring.pointee.features =
            UInt32(CURING_FEAT_NODROP) | UInt32(CURING_FEAT_FAST_POLL) | UInt32(CURING_FEAT_EXT_ARG)
    }

    deinit {
        unsafe ring.pointee.sqes?.deallocate()
        unsafe ring.pointee.cqes?.deallocate()
        unsafe words.deallocate()
    }

    // MARK: Enter

    /// Returns the number of submissions consumed, or a negative errno when there were none.
    func enter(submitting count: UInt32, least: UInt32, collects: Bool, timeout: Int64) -> Int32 {
        let submitted = submit(count)
        let error = collects && least > 0 ? wait(timeout) : 0
        show(everything: error != 0 || least > 0)
        return submitted > 0 ? Int32(submitted) : error
    }

    private func submit(_ count: UInt32) -> UInt32 {
        let mask = unsafe ring.pointee.sq_mask
        var submitted: UInt32 = 0
        while submitted < count, unsafe words[0] != words[1] {
            let entry = unsafe ring.pointee.sqes.unsafelyUnwrapped[Int(words[0] & mask)]
            unsafe words[0] &+= 1
            submitted += 1
            begin(entry)
        }
        return submitted
    }

    /// Until there is a completion to see. Returns 0 or a negative errno.
    private func wait(_ timeout: Int64) -> Int32 {
        while true {
            // What the program closed by itself may have ended a wait.
            ended += world.network.takeEnded()
            outside.collect(mayBlock: false, into: &ended)
            if !ended.isEmpty || isVisible { return 0 }
            if world.waitsForOthers {
                outside.collect(mayBlock: true, into: &ended)
            } else if timeout >= 0 {
                world.pass(UInt64(timeout))
                return -62 /* ETIME */
            } else if outside.hasRequestsOfTheProgram {
                outside.collect(mayBlock: true, into: &ended)
            } else {
                return -35 /* EDEADLK */
            }
        }
    }

    private var isVisible: Bool { unsafe words[3] != words[4] }

    /// Makes completions visible, in an order that chance decides. Those that are held back come with a later enter.
    private func show(everything: Bool) {
        let mask = unsafe ring.pointee.cq_mask
        while !ended.isEmpty, unsafe words[4] &- words[3] < ring.pointee.cq_entries {
            if !everything && world.chosen(of: 2) == 1 { break }
            let next = ended.remove(at: world.chosen(of: ended.count))
            unsafe ring.pointee.cqes.unsafelyUnwrapped[Int(words[4] & mask)] = next
            unsafe words[4] &+= 1
        }
        // Either flag brings the owner back.
        unsafe words[2] = ended.isEmpty ? 0 : UInt32(CURING_SQ_TASKRUN)
    }

    // MARK: Requests

    private func begin(_ entry: curing_sqe) {
        switch Int(entry.opcode) {
        case CURING_OP_NOP:
            end(entry.user_data, 0)
        case CURING_OP_ASYNC_CANCEL:
            end(entry.user_data, cancel(entry))
        case _ where SimulatedNetwork.knows(entry):
            world.network.begin(entry)
            ended += world.network.takeEnded()
        case _ where OutsideWaits.mustWait(for: entry):
            outside.add(entry)
        default:
            // A file of Linux: it answers at once, and the same each time if nobody else changes the file.
            end(entry.user_data, entry.callingLinux())
        }
    }

    private func end(_ userData: UInt64, _ result: Int32) {
        ended.append(curing_cqe(user_data: userData, result: result, flags: 0))
    }

    private func cancel(_ entry: curing_sqe) -> Int32 {
        let isByDescriptor = entry.operation_flags & UInt32(CURING_CANCEL_FD) != 0
        if isByDescriptor && SimulatedNetwork.knows(entry) {
            defer { ended += world.network.takeEnded() }
            return world.network.cancelAll(on: entry.fd)
        }
        if !isByDescriptor && world.network.cancel(entry.address) {
            ended += world.network.takeEnded()
            return 0
        }
        let cancelled = outside.remove { wait in
            isByDescriptor ? wait.fd == entry.fd : wait.user_data == entry.address
        }
        for userData in cancelled { end(userData, -125 /* ECANCELED */) }
        if isByDescriptor { return Int32(cancelled.count) }
        return cancelled.isEmpty ? -2 /* ENOENT */ : 0
    }
}
