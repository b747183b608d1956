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

extension AnyFiber {
    /// Starts the fiber. Any thread, once.
    final func start(priority: TaskPriority?, locals: InitialLocals) {
        switch locals {
        case .copied: start(priority: priority)
        case .empty:
            let inherited = unsafe withUnsafeCurrentTask { unsafe $0?.priority }
            FiberHost.start(self, priority: (priority ?? inherited)?.rawValue ?? 0, inherits: false)
        }
    }
}
