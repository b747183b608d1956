import Glibc
@_spi(C) import Ringlet
import Synchronization

/// The ids of tasks and of what can be waited for like one: a slab of slots with generations.
///
/// An id is generation (32 bits) | index (32). A slot's generation moves on at each release, and a
/// slot whose generations are used up is never used again, so a stale id names nothing for ever.
struct TaskTable: ~Copyable {
    private struct Slot {
        var generation: UInt32 = 1
        /// Of a free slot: the next free one, or ``end``.
        var nextFree = end
        /// Nil in a free slot.
        var task: (any CTask)?
    }

    private static let end = UInt32.max

    private var slots: [Slot] = []
    private var firstFree = end

    private mutating func insert(_ task: any CTask) -> UInt64 {
        if firstFree == Self.end {
            firstFree = UInt32(slots.count)
            slots.append(Slot())
        }
        let index = Int(firstFree)
        firstFree = slots[index].nextFree
        slots[index].task = task
        return UInt64(slots[index].generation) << 32 | UInt64(index)
    }

    private func find(_ id: UInt64) -> (any CTask)? {
        let index = Int(id & 0xffff_ffff)
        guard index < slots.count, slots[index].generation == UInt32(id >> 32) else { return nil }
        return slots[index].task
    }

    private mutating func remove(_ id: UInt64) -> (any CTask)? {
        guard let task = find(id) else { return nil }
        let index = Int(id & 0xffff_ffff)
        slots[index].task = nil
        if slots[index].generation < UInt32.max {
            slots[index].generation += 1
            slots[index].nextFree = firstFree
            firstFree = UInt32(index)
        }
        return task
    }
}

extension TaskTable {
    /// All ids of the process: they outlive their schedulers.
    private static let shared = Mutex(TaskTable())

    /// Gives `task` an id.
    static func add(_ task: any CTask) -> UInt64 { shared.withLock { $0.insert(task) } }

    /// The task that an id names. In the child of a fork none does: the lock may have been taken by a thread
    /// of the parent.
    static func find(_ id: UInt64) -> (any CTask)? {
        CCurrent.isForked ? nil : shared.withLock { $0.find(id) }
    }

    /// Makes an id stale. The task is returned so that nothing is freed under the lock.
    static func remove(_ id: UInt64) -> (any CTask)? {
        CCurrent.isForked ? nil : shared.withLock { $0.remove(id) }
    }
}

/// What a call says of an id that names nothing.
var noSuchTask: Int32 { CCurrent.isForked ? CCurrent.forked : -ESRCH }

/// An object as C holds it: a pointer with one reference.
func retained(_ object: AnyObject) -> OpaquePointer {
    unsafe OpaquePointer(Unmanaged.passRetained(object).toOpaque())
}

/// The object behind a pointer, which keeps its reference.
func object<Object: AnyObject>(
    _ pointer: OpaquePointer, as type: Object.Type = Object.self
) -> Object {
    unsafe Unmanaged<Object>.fromOpaque(UnsafeRawPointer(pointer)).takeUnretainedValue()
}

/// The object behind a pointer, which gives up its reference.
func taken<Object: AnyObject>(
    _ pointer: OpaquePointer, as type: Object.Type = Object.self
) -> Object {
    unsafe Unmanaged<Object>.fromOpaque(UnsafeRawPointer(pointer)).takeRetainedValue()
}

/// Calls `body` with the object behind a pointer, which the caller keeps alive, without counting a reference; -EINVAL
/// for NULL.
@inline(__always)
func use<Object: AnyObject>(
    _ pointer: OpaquePointer?, as type: Object.Type, _ body: (Object) -> Int32
) -> Int32 {
    guard let pointer = unsafe pointer else { return -EINVAL }
    return unsafe Unmanaged<Object>.fromOpaque(UnsafeRawPointer(pointer))._withUnsafeGuaranteedRef(body)
}

/// Makes an object for C.
func make(_ place: UnsafeMutablePointer<OpaquePointer?>?, _ body: () -> AnyObject) -> Int32 {
    guard let place = unsafe place else { return -EINVAL }
    if CCurrent.isForked { return CCurrent.forked }
    unsafe place.pointee = retained(body())
    return 0
}

/// Frees an object of C, unless it is in use. NULL is allowed.
func destroy<Object: AnyObject>(
    _ pointer: OpaquePointer?, as type: Object.Type, unless isBusy: (Object) -> Bool
) -> Int32 {
    guard let pointer = unsafe pointer else { return 0 }
    if CCurrent.isForked { return CCurrent.forked }
    if unsafe isBusy(object(pointer)) { return -EBUSY }
    _ = unsafe taken(pointer, as: Object.self)
    return 0
}
