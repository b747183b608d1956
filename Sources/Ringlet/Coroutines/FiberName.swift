import CContext
import Glibc
import Synchronization

extension AnyFiber {
    /// Part of crash reports, snapshots and dumps. May be changed at any time, from any thread.
    ///
    /// The fiber's task, which Swift's own tools show, keeps the name that was given at creation. A crash report has a
    /// new name once the worker has come round.
    public final var name: String? {
        get { existingExtras?.shared.withLock { $0.newName } ?? givenName }
        set {
            madeExtras.shared.withLock { $0.newName = .some(newValue) }
            worker.perform { [self] _ in nameHasChanged() }
        }
    }
}

extension AnyFiber {
    /// On the worker's thread.
    private func nameHasChanged() {
        if let record { record.show(name: name) } else { wasRenamed = true }
    }
}

extension FiberRef {
    /// Of a fiber of Swift's: functions of C have their names shown by their host.
    fileprivate func show(name: String?) {
        if runsC { return }
        unsafe free(UnsafeMutablePointer(mutating: record.pointee.context.name))
        unsafe record.pointee.context.name = name.flatMap { unsafe UnsafePointer(strdup($0)) }
    }
}
