@testable import Ringlet

/// What tasks wait at until it is opened, or until they are cancelled.
final class Gate: Sendable {
    private let (stream, continuation) = AsyncStream.makeStream(of: Never.self)

    func open() { continuation.finish() }

    func wait() async {
        for await _ in stream {}
    }
}

/// Suspends a task until another one has run.
func waitForAnotherTask() async {
    let gate = Gate()
    Task { gate.open() }
    await gate.wait()
}

/// Suspends a task in an operation of the current worker, which a cancellation would end with an error. The other
/// side comes from elsewhere, and in its own time.
func waitByAnOperation() async throws {
    let (client, server) = try await connectedPair()
    let other = Task.detached { try await client.write(Buffer(copying: [1])) }
    var buffer = Buffer(capacity: 1)
    let count = try await server.read(into: &buffer)
    precondition(count == 1, "a byte was sent")
    try await other.value
    try await client.close()
    try await server.close()
}
