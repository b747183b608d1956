import Ringlet

/// Something that takes a moment and can be cancelled.
func fetch(_ number: Int) async throws -> Int {
    try await Scheduler.sleep(for: .milliseconds(number))
    return number
}

/// Something that refuses after a moment.
func refuse(after milliseconds: Int = 1) async throws -> Int {
    try await Scheduler.sleep(for: .milliseconds(milliseconds))
    throw Refused()
}

/// Something that waits for ever.
func waitForEver() async throws {
    try await Scheduler.sleep(until: .never)
}
