/// Tasks of one worker that have served fibers and are as if they had just been made: for fibers to come, of one
/// priority.
struct IdleTasks: ~Copyable {
    /// More than these end, so that a peak does not keep its tasks for ever.
    static let limit = 256

    private var addresses = HotArray<UInt>(repeating: 0, capacity: limit)
    private(set) var count = 0
    private var priority: UInt8 = 0

    /// False when there are enough, or those there are have another priority.
    fileprivate mutating func push(_ task: UnownedJob, priority: UInt8) -> Bool {
        if count == Self.limit || count > 0 && priority != self.priority { return false }
        self.priority = priority
        addresses[count] = unsafe unsafeBitCast(task, to: UInt.self)
        count &+= 1
        return true
    }

    fileprivate mutating func pop(priority: UInt8) -> UnownedJob? {
        if count == 0 || priority != self.priority { return nil }
        return pop()
    }

    fileprivate mutating func pop() -> UnownedJob? {
        if count == 0 { return nil }
        count &-= 1
        return unsafe unsafeBitCast(addresses[count], to: UnownedJob.self)
    }

    deinit {
        assert(count == 0, "idle tasks end with their worker")
        addresses.deallocate()
    }
}

extension Worker {
    /// A task without name and task-locals, for a fiber that begins.
    func takeTask(priority: UInt8) -> UnownedJob {
        idleTasks.pop(priority: priority) ?? FiberHost.makeTask(name: nil, priority: priority, inherits: false)
    }

    /// Keeps a task that a fiber has left as it had found it, or ends it.
    func keepTask(_ task: UnownedJob, priority: UInt8) {
        if !idleTasks.push(task, priority: priority) { FiberHost.end(task, on: self) }
    }

    /// No fiber will begin any more.
    func endIdleTasks() {
        while let task = idleTasks.pop() { FiberHost.end(task, on: self) }
    }
}
