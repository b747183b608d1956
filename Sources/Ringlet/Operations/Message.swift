/// A call that another thread asks a worker to make.
final class Message: @unchecked Sendable {
    // The intrusive link of the injection queue: the first stored property, at offset 16. Written by the
    // pusher, read by the worker.
    private var link: UInt = 0

    private let action: (Worker) -> Void

    private init(_ action: @escaping (Worker) -> Void) {
        self.action = action
    }

    /// The message as something runnable, which holds one reference to it.
    static func runnable(_ action: sending @escaping (Worker) -> Void, kind: Runnable.Kind = .message)
        -> Runnable
    {
        let message = unsafe Unmanaged.passRetained(Message(action)).toOpaque()
        return Runnable(address: UInt(bitPattern: message), kind: kind)
    }

    /// Makes the call and gives up the reference.
    static func deliver(_ runnable: Runnable, to worker: Worker) {
        take(runnable).action(worker)
    }

    /// Gives up the reference without making the call.
    static func drop(_ runnable: Runnable) {
        _ = take(runnable)
    }

    private static func take(_ runnable: Runnable) -> Message {
        unsafe Unmanaged<Message>
            .fromOpaque(UnsafeRawPointer(bitPattern: runnable.address).unsafelyUnwrapped)
            .takeRetainedValue()
    }
}
