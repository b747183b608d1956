import Testing

@testable import Ringlet

@Suite struct DeadlineTests {
    @Test func `a duration beyond the clock's range gives never, and a negative one an instant that has passed`() {
        let longest = Duration.seconds(Int64.max)
        for duration in [.seconds(600 * 365 * 86400), longest, longest + .nanoseconds(1), longest * 4] {
            #expect(Deadline.after(duration) == .never)
        }
        for duration in [.nanoseconds(-1), .seconds(Int64.min), .seconds(Int64.min) * 4] {
            #expect(Deadline.after(duration) <= .after(.zero))
        }
        // The longest that there is.
        #expect(Deadline.after(.seconds(580 * 365 * 86400)) > .after(.seconds(579 * 365 * 86400)))
    }
}
