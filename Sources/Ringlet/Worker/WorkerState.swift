/// What only the worker's thread touches.
struct WorkerState: ~Copyable {
    var ready = RunQueue()

    /// Calls that were asked for on this thread and wait for the next pass.
    var callbacks = RunQueue()

    var operations = OperationTable()
    var timers: TimerWheel

    /// The kernel, the clock and the order are those of a simulation.
    let isSimulated: Bool

    /// In a simulation, when what runs began to, by the real clock.
    var stepBegan: UInt64 = 0

    var counters = WorkerCounters()

    /// Of fibers that are made here.
    var fiberIDs = FiberIDs()

    /// Hosts of C functions that have none to run.
    var idleHosts = IdleHosts()

    /// Tasks of the runtime that wait for a fiber.
    var idleTasks = IdleTasks()

    /// Places of parked tasks in lists that are not the kernel's.
    var taskNodes = TaskNodes()

    /// The host rung of fibers that start here; set once by ``FiberHost``.
    var rung = FiberHost.Rung.plain

    /// In debug mode on the plain rung, where a fiber goes on as a job: the fiber of the step that runs.
    var steppingFiber: AnyFiber?

    /// While a job runs that prefers this worker; not while a fiber, an actor's job or the main queue
    /// does.
    var isRunningOwnJob = false

    /// While a call is made that was asked for with ``Awaitable/onEnd(_:_:)``.
    var isInEndCall = false

    /// Operations that settle, in the order in which they were begun.
    var settling: [SettlingOperation] = []

    /// Somebody depends on one of them: set until the turn that finds all of them submitted.
    var mustSettle = false

    /// Operations in flight that nobody is to wait for.
    var idleOperations = 0

    /// Submissions of the worker's own in flight: the wake-up, the main queue.
    var internalOperations = 0

    /// Set by ``Worker/beginShutdown(tasksUntil:)``.
    var isShuttingDown = false

    /// Set by ``Worker/endTasks()``, later in a shutdown: no task waits here any more.
    var refusesTasks = false

    /// Keeps the limit of the time between the two.
    var taskLimit: Alarm?

    /// Set by ``Worker/end()``: the wake-up is not armed again.
    var isEnding = false

    /// Set by ``Worker/destroy()``.
    var isDestroyed = false

    /// Stacks that were still in use then: none, unless something is wrong.
    var stacksLeft = 0
}

/// What a worker has done so far.
struct WorkerCounters {
    var turns: UInt64 = 0
    var fiberResumes: UInt64 = 0
    var jobs: UInt64 = 0
    var completions: UInt64 = 0
    var wakeUps: UInt64 = 0
    var fibersStarted: UInt64 = 0
    var fibersEnded: UInt64 = 0
    /// Of the two above, since the meter showed them last.
    var fiberChanges: UInt64 = 0
    /// What was in the ring's queue by the last turn; the queue itself counts in 32 bits.
    var submissions: UInt64 = 0
}

// The fields under their own names.
extension Worker {
    @inline(__always) var ready: RunQueue {
        _read { yield state.value.ready }
        _modify { yield &state.value.ready }
    }
    @inline(__always) var callbacks: RunQueue {
        _read { yield state.value.callbacks }
        _modify { yield &state.value.callbacks }
    }
    @inline(__always) var operations: OperationTable {
        _read { yield state.value.operations }
        _modify { yield &state.value.operations }
    }
    @inline(__always) var timers: TimerWheel {
        _read { yield state.value.timers }
        _modify { yield &state.value.timers }
    }
    @inline(__always) var isSimulated: Bool { state.value.isSimulated }
    @inline(__always) var stepBegan: UInt64 {
        get { state.value.stepBegan }
        set { state.value.stepBegan = newValue }
    }
    @inline(__always) var counters: WorkerCounters {
        _read { yield state.value.counters }
        _modify { yield &state.value.counters }
    }
    @inline(__always) var fiberIDs: FiberIDs {
        _read { yield state.value.fiberIDs }
        _modify { yield &state.value.fiberIDs }
    }
    @inline(__always) var taskNodes: TaskNodes {
        _read { yield state.value.taskNodes }
        _modify { yield &state.value.taskNodes }
    }
    @inline(__always) var idleTasks: IdleTasks {
        _read { yield state.value.idleTasks }
        _modify { yield &state.value.idleTasks }
    }
    @inline(__always) var idleHosts: IdleHosts {
        _read { yield state.value.idleHosts }
        _modify { yield &state.value.idleHosts }
    }
    @inline(__always) var liveFibers: FiberRef? {
        get { anchor.liveFibers }
        set { anchor.liveFibers = newValue }
    }
    @inline(__always) var rung: FiberHost.Rung {
        get { state.value.rung }
        set { state.value.rung = newValue }
    }
    @inline(__always) var steppingFiber: AnyFiber? {
        get { state.value.steppingFiber }
        set { state.value.steppingFiber = newValue }
    }
    @inline(__always) var isRunningOwnJob: Bool {
        get { state.value.isRunningOwnJob }
        set { state.value.isRunningOwnJob = newValue }
    }
    @inline(__always) var isInEndCall: Bool {
        get { state.value.isInEndCall }
        set { state.value.isInEndCall = newValue }
    }
    @inline(__always) var settling: [SettlingOperation] {
        _read { yield state.value.settling }
        _modify { yield &state.value.settling }
    }
    @inline(__always) var mustSettle: Bool {
        get { state.value.mustSettle }
        set { state.value.mustSettle = newValue }
    }
    @inline(__always) var idleOperations: Int {
        get { state.value.idleOperations }
        set { state.value.idleOperations = newValue }
    }
    @inline(__always) var internalOperations: Int {
        get { state.value.internalOperations }
        set { state.value.internalOperations = newValue }
    }
    @inline(__always) var isShuttingDown: Bool {
        get { state.value.isShuttingDown }
        set { state.value.isShuttingDown = newValue }
    }
    @inline(__always) var refusesTasks: Bool {
        get { state.value.refusesTasks }
        set { state.value.refusesTasks = newValue }
    }
    @inline(__always) var taskLimit: Alarm? {
        get { state.value.taskLimit }
        set { state.value.taskLimit = newValue }
    }
    @inline(__always) var isEnding: Bool {
        get { state.value.isEnding }
        set { state.value.isEnding = newValue }
    }
    @inline(__always) var isDestroyed: Bool {
        get { state.value.isDestroyed }
        set { state.value.isDestroyed = newValue }
    }
    @inline(__always) var stacksLeft: Int {
        get { state.value.stacksLeft }
        set { state.value.stacksLeft = newValue }
    }
}
