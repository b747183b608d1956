/// What the workers, fibers and tasks of a scheduler are doing: values, which stay as they are while the scheduler goes
/// on. Made by ``Scheduler/snapshot(deadline:backtraces:)``; its ``description`` is the spawn tree.
///
/// A worker describes itself between two of its steps, so what is said of one worker is of one instant. Different
/// workers are of different instants.
///
/// Of Swift's own tasks only those are known that wait on a worker for something of Ringlet's, an operation, a sleep, a
/// fiber or a lock, and of those neither the name nor the place of creation: the runtime keeps no list of tasks. A task of
/// an actor or of another executor is listed while it is in an operation or sleep; one that waits for another task never.
public struct SchedulerSnapshot: Sendable, Hashable {
    /// In order of their indices.
    public var workers: [WorkerSnapshot] = []

    /// Every fiber that was spawned and has not ended, in order of their ids.
    public var fibers: [FiberSnapshot] = []

    /// Tasks and other parties that are no fibers and wait for something of Ringlet's, worker by worker.
    public var tasks: [TaskSnapshot] = []

    /// The fiber with this id, if it is alive. O(log n).
    public func fiber(_ id: UInt64) -> FiberSnapshot? {
        let place = fibers.partitioningIndex { $0.id >= id }
        return place < fibers.count && fibers[place].id == id ? fibers[place] : nil
    }
}

/// One worker in a ``SchedulerSnapshot``.
public struct WorkerSnapshot: Sendable, Hashable {
    /// Its position among the scheduler's workers.
    public var index: Int

    /// What could be learned of a worker.
    public enum State: Sendable, Hashable {
        /// It has answered.
        case running
        /// The same, in a shutdown.
        case shuttingDown
        /// It did not answer in time: a fiber or task computes, or blocks the thread in a call that Ringlet does not
        /// know. Nothing else is known of it, nor of its fibers.
        case blocked
        /// Its thread has left it.
        case ended
    }

    /// What could be learned of it.
    public var state = State.blocked
    /// Turns of its loop so far.
    public var turns: UInt64 = 0
    /// Fibers and jobs that can run, without those that other threads have just made ready.
    public var ready = 0
    /// Of these, jobs of Swift tasks and actors.
    public var jobs = 0
    /// Operations that the kernel has not ended.
    public var operations = 0
    /// Timers that are set: sleeps, deadlines, callbacks.
    public var timers = 0
    /// Submissions that the kernel has not taken yet.
    public var pendingSubmissions = 0
    /// Completions of operations that had ended already: always 0 unless something is wrong.
    public var staleCompletions: UInt64 = 0
}

/// One fiber in a ``SchedulerSnapshot``.
public struct FiberSnapshot: Sendable, Hashable {
    /// Its ``AnyFiber/id``.
    public var id: UInt64
    /// Its ``AnyFiber/name``.
    public var name: String?
    /// The fiber that spawned it, which may have ended.
    public var parentID: UInt64?
    /// The line that spawned it; see ``AnyFiber/spawnSite``.
    public var spawnSite: CallSite?
    /// The index of its worker.
    public var worker: Int

    /// How far a fiber has come.
    public enum State: Sendable, Hashable {
        /// Spawned, and not begun.
        case new
        /// It can run and has not come round.
        case ready
        /// It took the snapshot.
        case running
        /// It waits for what is said.
        case waiting(WaitSnapshot)
    }

    /// How far it has come.
    public var state: State
    /// True once ``AnyFiber/cancel()`` was called.
    public var isCancelled = false
    /// True for a function of C.
    public var isC = false

    /// The calls that are in progress on its stack, innermost first, as in ``AnyCoroutine/backtrace``. Empty when it
    /// has not begun or took the snapshot, and where none were asked for.
    public var backtrace: [CoroutineFrame] = []

    /// What it waits for, if it does.
    public var wait: WaitSnapshot? {
        if case .waiting(let wait) = state { wait } else { nil }
    }
}

/// A task, or another party that is no fiber, in a ``SchedulerSnapshot``.
public struct TaskSnapshot: Sendable, Hashable {
    /// Who waits, if it is no fiber.
    public enum Kind: String, Sendable, Hashable {
        /// A task of the program.
        case task
        /// A task that `Task.sleep` has made for another.
        case sleep
        /// The end of a descriptor, which waits for its operations.
        case close
        /// A ``BufferedWriter`` that sends.
        case writer
        /// A ``Watcher`` of a descriptor.
        case watcher
        /// A ``Callback`` whose time has not come.
        case callback
    }

    /// Who it is.
    public var kind: Kind
    /// The index of the worker that serves it.
    public var worker: Int
    /// Where a watcher or callback was asked for.
    public var site: CallSite?
    /// What it waits for.
    public var wait: WaitSnapshot
}

/// What a fiber or task waits for.
public struct WaitSnapshot: Sendable, Hashable {
    /// What kind of wait it is.
    public enum Kind: Sendable, Hashable {
        /// An operation of the kernel.
        case operation
        /// A sleep.
        case timer
        /// The end of the fiber that ``fibers`` names.
        case join
        /// The children of a ``Group``, of which ``fibers`` names those that are fibers.
        case group
        /// A lock, a channel, an event and the like.
        case synchronization
        /// Work that a thread of a pool does.
        case thread
        /// The end of a child process.
        case process
        /// Code in ``Fiber/await(_:)``: it waits for what its task waits for.
        case task
    }

    /// What kind of wait it is.
    public var kind: Kind

    /// Goes on from "waits for": "recv", "the end of fiber 3 'x'", "recursive lock 0x7f30, held by fiber 4". What has no name
    /// has its address.
    public var what: String

    /// The descriptor that the operation is on.
    public var descriptor: Int32?

    /// What the descriptor leads to: a path, or the address of the peer. Looked up by the thread that took the
    /// snapshot, just after: if the descriptor was closed in between, it is that of whoever has its number now.
    public var place: String?

    /// When the wait ends by itself; nil when it does not.
    public var deadline: Deadline?

    /// What took the snapshot still had to wait until then, when it did. Not negative.
    public var remaining: Duration?

    /// The fibers that must do something before the wait can end: the one that is joined, the owner of a
    /// ``RecursiveLock``, one of the holders of a ``CapacityLimiter``, all children of a group. Empty where they are not
    /// known: a ``Lock`` and a semaphore have no owners.
    public var fibers: [UInt64] = []

    /// The operation is being cancelled, and has not ended yet.
    public var isCancelling = false

    /// False for a watcher, a callback or a sleep that was made with `holdsScheduler: false`: nobody is to wait for it.
    public var holdsScheduler = true
}

extension Array {
    /// Of the first element that satisfies `belongsToSecond`, in an array that is partitioned by it.
    fileprivate func partitioningIndex(where belongsToSecond: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if belongsToSecond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
