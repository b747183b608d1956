public import CRinglet
import Glibc
@_spi(C) import Ringlet
import SystemPackage

// Coroutines without a scheduler. What each function does is written in ringlet.h.

/// A pointer travels, and what is no pointer is a status.
private typealias CCoroutine = Coroutine<UnsafeMutableRawPointer?>

private struct CStatus: Error {
    let code: Int32
}

private func status(of error: any Error) -> Int32 {
    switch error {
    case let status as CStatus: status.code
    case is CoroutineExit: -ECANCELED
    case let error as Errno: -error.rawValue
    case CoroutineError.wrongThread: -EPERM
    case CoroutineError.notSuspended, CoroutineError.insideScope: -EBUSY
    case CoroutineError.parentIsItself: -EINVAL
    case CoroutineError.parentIsDescendant: -ELOOP
    case CoroutineError.parentOnOtherThread: -EXDEV
    default: Int32(RINGLET_E_INTERNAL)
    }
}

private func error(for status: Int32) -> any Error {
    status == -ECANCELED ? CoroutineExit() : CStatus(code: status)
}

/// The coroutine as C holds it, without a new reference.
private func pointer(to coroutine: CCoroutine?) -> OpaquePointer? {
    unsafe coroutine.map { unsafe OpaquePointer(Unmanaged.passUnretained($0).toOpaque()) }
}

/// Stores what came along, or says what came instead.
private func transfer(
    into result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    _ body: () throws -> UnsafeMutableRawPointer?
) -> Int32 {
    do {
        let value = try unsafe body()
        if let result = unsafe result { unsafe result.pointee = value }
        return 0
    } catch {
        return status(of: error)
    }
}

@c @implementation
public func ringlet_coroutine_create(
    _ function: ringlet_coroutine_function!, _ user_data: UnsafeMutableRawPointer!,
    _ name: UnsafePointer<CChar>!, _ stack_size: Int,
    _ coroutine: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    guard let function = unsafe function, let coroutine = unsafe coroutine,
        stack_size == 0 || (16 * 1024...1 << 30).contains(stack_size)
    else { return -EINVAL }
    let made = unsafe CCoroutine(
        name: name.map { unsafe String(cString: $0) },
        stackSize: stack_size == 0 ? 256 * 1024 : stack_size
    ) { first in
        var result: UnsafeMutableRawPointer?
        let status = unsafe function(user_data, first, &result)
        if status < 0 { throw error(for: status) }
        return unsafe result
    }
    // The same each time.
    unsafe ringletc_coroutines_begin(made.familyForC)
    unsafe coroutine.pointee = retained(made)
    return 0
}

// MARK: What C leaves of `ringlet_coroutine_switch`

@c @implementation
public func ringletc_switch_slowly(
    _ coroutine: OpaquePointer?, _ value: UnsafeMutableRawPointer?,
    _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> Int32 {
    unsafe transfer(into: result) {
        guard let coroutine = unsafe coroutine else {
            return try unsafe CCoroutine.switchOutside(value)
        }
        return try unsafe object(coroutine, as: CCoroutine.self).switch(value)
    }
}

@c @implementation
public func ringletc_switch_take(_ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) -> Int32 {
    unsafe transfer(into: result) { try unsafe CCoroutine.takeForC() }
}

@c @implementation
public func ringlet_coroutine_throw(
    _ coroutine: OpaquePointer!, _ status: Int32,
    _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>!
) -> Int32 {
    guard status < 0 else { return -EINVAL }
    return unsafe transfer(into: result) {
        guard let coroutine = unsafe coroutine else {
            return try unsafe CCoroutine.throwOutside(error(for: status))
        }
        return try unsafe object(coroutine, as: CCoroutine.self).throw(error(for: status))
    }
}

@c @implementation
public func ringlet_coroutine_current() -> OpaquePointer! {
    unsafe pointer(to: CCoroutine.current)
}

@c @implementation
public func ringlet_coroutine_parent(
    _ coroutine: OpaquePointer!, _ parent: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    guard let coroutine = unsafe coroutine, let parent = unsafe parent else { return -EINVAL }
    let child = unsafe object(coroutine, as: CCoroutine.self)
    if unsafe child.state == .elsewhere || child.state == .lost { return -EPERM }
    unsafe parent.pointee = unsafe pointer(to: child.parent)
    return 0
}

@c @implementation
public func ringlet_coroutine_set_parent(
    _ coroutine: OpaquePointer!, _ parent: OpaquePointer!
) -> Int32 {
    guard let coroutine = unsafe coroutine else { return -EINVAL }
    do {
        let parent = unsafe parent.map { unsafe object($0, as: CCoroutine.self) }
        try unsafe object(coroutine, as: CCoroutine.self).setParent(parent)
        return 0
    } catch {
        return status(of: error)
    }
}

@c @implementation
public func ringlet_coroutine_state(_ coroutine: OpaquePointer!) -> Int32 {
    guard let coroutine = unsafe coroutine else { return -EINVAL }
    let state =
        switch unsafe object(coroutine, as: CCoroutine.self).state {
        case .pending: RINGLET_COROUTINE_PENDING
        case .running: RINGLET_COROUTINE_RUNNING
        case .waiting: RINGLET_COROUTINE_WAITING
        case .suspended: RINGLET_COROUTINE_SUSPENDED
        case .ended: RINGLET_COROUTINE_ENDED
        case .elsewhere: RINGLET_COROUTINE_ELSEWHERE
        case .lost: RINGLET_COROUTINE_LOST
        }
    return Int32(state)
}

@c @implementation
public func ringlet_coroutine_release(_ coroutine: OpaquePointer!) {
    if let coroutine = unsafe coroutine { _ = unsafe taken(coroutine, as: CCoroutine.self) }
}
