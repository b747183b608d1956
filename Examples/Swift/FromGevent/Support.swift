import Ringlet
import Synchronization

/// What the examples write down.
final class Notes: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

struct Refused: Error {}

/// Something that takes a moment, and looks as if it blocked.
func fetch(_ number: Int) throws -> Int {
    try Fiber.sleep(for: .milliseconds(number))
    return number
}

/// Something that waits for ever.
func waitForEver() throws {
    try Fiber.sleep(until: .never)
}
