import Ringlet
import Synchronization

/// A TCP echo server: one listener per worker on a shared port, one fiber or task per connection.
final class EchoServer: Sendable {
    let address: SocketAddress

    private let listeners: [TCPListener]
    private let bufferSize: Int
    private let isBuffered: Bool
    private let connections = Atomic<Int>(0)

    /// Starts serving on the current scheduler, until that shuts down.
    ///
    /// - Parameters:
    ///   - isBuffered: Answers go out behind the server's back, through a ``BufferedWriter``.
    ///   - workers: Which of its workers serve; nil for all of them.
    init(
        on address: SocketAddress, colour: EchoColour, bufferSize: Int, isBuffered: Bool = false,
        workers: Range<Int>? = nil
    ) throws {
        guard let scheduler = Scheduler.current else {
            preconditionFailure("an EchoServer is made inside Scheduler.run")
        }
        let workers = workers ?? 0..<scheduler.workerCount
        self.bufferSize = bufferSize
        self.isBuffered = isBuffered
        let first = try TCPListener(on: address, sharesPort: true)
        var listeners = [first]
        for _ in workers.dropFirst() {
            listeners.append(try TCPListener(on: first.address, sharesPort: true))
        }
        self.listeners = listeners
        self.address = first.address
        for (index, listener) in zip(workers, listeners) {
            switch colour {
            case .fibers:
                scheduler.spawn(onWorker: index, name: "accept-\(index)") { [self] in
                    acceptInFiber(listener)
                }
            case .tasks:
                let executor = scheduler.taskExecutor(ofWorker: index)
                Task(executorPreference: executor) { [self] in
                    await acceptInTask(listener, executor)
                }
            }
        }
    }

    /// Connections accepted so far.
    var connectionCount: Int { connections.load(ordering: .relaxed) }

    // MARK: Fibers

    private func acceptInFiber(_ listener: TCPListener) {
        // Ends when the scheduler shuts down, which cancels the wait.
        while let connection = try? listener.accept() {
            connections.add(1, ordering: .relaxed)
            Fiber { [self] in
                if isBuffered { serveBehind(connection) } else { serve(connection) }
            }
        }
    }

    private func serve(_ connection: TCPConnection) {
        var buffer = Buffer(capacity: bufferSize)
        do {
            while try connection.read(into: &buffer) > 0 {
                try connection.write(buffer)
            }
        } catch {
            // A peer that resets, or the shutdown: either way this connection is over.
        }
        try? connection.close()
    }

    private func serveBehind(_ connection: TCPConnection) {
        var writer = BufferedWriter(connection, capacity: bufferSize)
        var buffer = Buffer(capacity: bufferSize)
        do {
            while try connection.read(into: &buffer) > 0 {
                try writer.write(buffer)
            }
        } catch {
            // As above.
        }
        try? writer.close()
    }

    // MARK: Tasks

    private func acceptInTask(_ listener: TCPListener, _ executor: any TaskExecutor) async {
        while let connection = try? await listener.accept() {
            connections.add(1, ordering: .relaxed)
            Task(executorPreference: executor) { [self] in
                if isBuffered { await serveBehind(connection) } else { await serve(connection) }
            }
        }
    }

    private func serve(_ connection: TCPConnection) async {
        var buffer = Buffer(capacity: bufferSize)
        do {
            while try await connection.read(into: &buffer) > 0 {
                try await connection.write(buffer)
            }
        } catch {
            // As above.
        }
        try? await connection.close()
    }

    private func serveBehind(_ connection: TCPConnection) async {
        var writer = BufferedWriter(connection, capacity: bufferSize)
        var buffer = Buffer(capacity: bufferSize)
        do {
            while try await connection.read(into: &buffer) > 0 {
                try await writer.write(buffer)
            }
        } catch {
            // As above.
        }
        try? await writer.close()
    }
}
