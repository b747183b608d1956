/// Which task-locals a fiber begins with.
///
/// What it binds itself is its own either way, and so is what its children inherit from it.
public enum InitialLocals: Hashable, Sendable {
    /// Those that are bound where the fiber is made: in a fiber, in a task or on a plain thread. As `Task { }` does.
    case copied
    /// None: each has its default. As `Task.detached { }` does, but the priority is inherited all the same.
    ///
    /// Such a fiber does not count as part of the work of a ``ThreadPool`` or the fiber of a ``FiberPool`` that made it,
    /// since that is told by task-locals: where it waits for a place in the same full pool, nobody makes room for it.
    case empty
}

/// How the task of a fiber begins. Trivial, since each copy of a `TaskPriority?` costs calls.
struct StartTerms {
    /// The raw value of a `TaskPriority`; 0 for that of the current task.
    var priority: UInt8 = 0
    var locals = InitialLocals.copied

    init(locals: InitialLocals = .copied) { self.locals = locals }

    @inline(__always)
    init(_ priority: TaskPriority?, _ locals: InitialLocals) {
        self.priority = priority?.rawValue ?? 0
        self.locals = locals
    }
}

extension AnyFiber {
    /// Starts the fiber with other locals than its maker's. Any thread, once.
    final func startEmpty(_ terms: StartTerms) {
        let inherited = unsafe withUnsafeCurrentTask { unsafe $0?.priority.rawValue } ?? 0
        FiberHost.start(self, priority: terms.priority == 0 ? inherited : terms.priority, inherits: false)
    }
}
