public import CRinglet
import Glibc
@_spi(C) import Ringlet
import SystemPackage

// Generators. What each function does is written in ringlet.h.

private typealias Value = UnsafeMutableRawPointer?

/// A generator as C holds it, and as its body yields by it.
@safe
private final class GeneratorObject {
    /// Nil while the last reference goes: the body may still yield then.
    private(set) var generator: Generator<Value, Value, Int64>?
    private(set) var yielder: Yielder<Value, Value>?
    /// How many others delegate to this one.
    fileprivate var delegations = 0

    init(_ function: ringlet_generator_function, _ user_data: Value, stackSize: Int) {
        unsafe generator = Generator(stackSize: stackSize) { [unowned self] yielder in
            unsafe self.yielder = yielder
            return unsafe function(
                OpaquePointer(Unmanaged.passUnretained(self).toOpaque()), user_data)
        }
    }

    /// Ends the body. C's pointer is valid meanwhile, and the yielder stays: the body may use it up to its end, and when
    /// a reference that is given up here goes, the compiler decides.
    func drop() { unsafe generator = nil }
}

/// What C throws into a body.
private struct Status: Error {
    let code: Int32
}

private func status(of error: any Error) -> Int32 {
    switch error {
    case let status as Status: status.code
    case let errno as Errno: -errno.rawValue
    case is GeneratorExit, GeneratorError.closed: -ECANCELED
    case GeneratorError.alreadyRunning, GeneratorError.insideScope: -EBUSY
    case GeneratorError.wrongThread: -EPERM
    case GeneratorError.ignoredExit: -EAGAIN
    case is GeneratorError: -EINVAL
    default: Int32(RINGLET_E_INTERNAL)
    }
}

/// Calls `body` with the generator: 1 and what it returns, 0 for nil, or a status.
private func use<Result>(
    _ pointer: OpaquePointer?, _ place: UnsafeMutablePointer<Result>?,
    _ body: (Generator<Value, Value, Int64>) throws -> Result?
) -> Int32 {
    guard let pointer = unsafe pointer,
        let generator = unsafe object(pointer, as: GeneratorObject.self).generator
    else { return -EINVAL }
    do {
        guard let result = try unsafe body(generator) else { return 0 }
        unsafe place?.pointee = result
        return 1
    } catch {
        return status(of: error)
    }
}

@c @implementation
public func ringlet_generator_create(
    _ function: ringlet_generator_function!, _ user_data: UnsafeMutableRawPointer!,
    _ stack_size: Int,
    _ generator: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    guard let function = unsafe function, let generator = unsafe generator,
        stack_size == 0 || (16 * 1024...1 << 30).contains(stack_size)
    else { return -EINVAL }
    let stackSize = stack_size == 0 ? 256 * 1024 : stack_size
    unsafe generator.pointee = retained(GeneratorObject(function, user_data, stackSize: stackSize))
    return 0
}

@c @implementation
public func ringlet_generator_next(
    _ generator: OpaquePointer!, _ value: UnsafeMutablePointer<UnsafeMutableRawPointer?>!
) -> Int32 {
    unsafe use(generator, value) { try unsafe $0.next() }
}

@c @implementation
public func ringlet_generator_send(
    _ generator: OpaquePointer!, _ sent: UnsafeMutableRawPointer!,
    _ value: UnsafeMutablePointer<UnsafeMutableRawPointer?>!
) -> Int32 {
    unsafe use(generator, value) { try unsafe $0.send(sent) }
}

@c @implementation
public func ringlet_generator_throw(
    _ generator: OpaquePointer!, _ status: Int32,
    _ value: UnsafeMutablePointer<UnsafeMutableRawPointer?>!
) -> Int32 {
    if status >= 0 { return -EINVAL }
    return unsafe use(generator, value) { try unsafe $0.throw(Status(code: status)) }
}

@c @implementation
public func ringlet_generator_close(
    _ generator: OpaquePointer!, _ result: UnsafeMutablePointer<Int64>!
) -> Int32 {
    unsafe use(generator, result) { try unsafe $0.close() }
}

@c @implementation
public func ringlet_generator_result(
    _ generator: OpaquePointer!, _ result: UnsafeMutablePointer<Int64>!
) -> Int32 {
    unsafe use(generator, result) { generator in
        guard unsafe generator.isOnItsThread else { throw Status(code: -EPERM) }
        if let result = try unsafe generator.result { return result }
        // Closed before it could return something.
        if unsafe generator.isFinished { throw GeneratorError.closed }
        return nil
    }
}

@c @implementation
public func ringlet_generator_release(_ generator: OpaquePointer!) -> Int32 {
    guard let pointer = unsafe generator else { return 0 }
    let object = unsafe object(pointer, as: GeneratorObject.self)
    guard let generator = unsafe object.generator else { return -EBUSY }
    guard unsafe generator.isOnItsThread else { return -EPERM }
    if unsafe generator.isRunning || object.delegations > 0 { return -EBUSY }
    unsafe withExtendedLifetime(taken(pointer, as: GeneratorObject.self)) { $0.drop() }
    return 0
}

// MARK: - Inside the body

@c @implementation
public func ringlet_generator_yield(
    _ generator: OpaquePointer!, _ value: UnsafeMutableRawPointer!,
    _ sent: UnsafeMutablePointer<UnsafeMutableRawPointer?>!
) -> Int32 {
    guard let pointer = unsafe generator else { return -EINVAL }
    guard let yielder = unsafe object(pointer, as: GeneratorObject.self).yielder,
        unsafe yielder.isUsable
    else { return -EPERM }
    do {
        let received = try unsafe yielder(value)
        unsafe sent?.pointee = received
        return 0
    } catch {
        return status(of: error)
    }
}

@c @implementation
public func ringlet_generator_delegate(
    _ generator: OpaquePointer!, _ inner: OpaquePointer!, _ result: UnsafeMutablePointer<Int64>!
) -> Int32 {
    guard let pointer = unsafe generator, let inner = unsafe inner else { return -EINVAL }
    let object = unsafe object(inner, as: GeneratorObject.self)
    guard let other = unsafe object.generator else { return -EINVAL }
    guard let yielder = unsafe RingletC.object(pointer, as: GeneratorObject.self).yielder,
        unsafe yielder.isUsable
    else { return -EPERM }
    object.delegations += 1
    defer { object.delegations -= 1 }
    do {
        let value = try unsafe yielder.from(other)
        unsafe result?.pointee = value
        return 0
    } catch {
        return status(of: error)
    }
}
