import Ringlet

/// Something that takes a moment, and looks as if it blocked.
func fetch(_ number: Int) throws -> Int {
    try Fiber.sleep(for: .milliseconds(number))
    return number
}

/// Something that waits for ever.
func waitForEver() throws {
    try Fiber.sleep(until: .never)
}
