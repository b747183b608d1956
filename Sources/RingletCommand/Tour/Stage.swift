import Ringlet
import Synchronization

/// Where the tour speaks: numbered acts, a clock, indented lines.
final class Stage: Sendable {
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private let acts = Mutex(0)

    init() {
        start = clock.now
    }

    func title(_ text: String) {
        print(text)
        print(String(repeating: "═", count: text.count))
    }

    func act(_ text: String) {
        let number = acts.withLock { count in
            count += 1
            return count
        }
        print("\n\(number). \(text)")
    }

    /// A line of the act that is playing.
    func say(_ text: String) {
        print("   \(text)")
        flushOutput()
    }

    /// What was learned from the act.
    func note(_ text: String) {
        print("   → \(text)")
        flushOutput()
    }

    /// Runs `body` and returns how long it took.
    func timed(_ body: () throws -> Void) rethrows -> Duration {
        try clock.measure(body)
    }

    func end() {
        print("\nThat was the tour: \(seconds(clock.now - start, digits: 1)).")
        flushOutput()
    }
}

/// "2.003 s".
func seconds(_ duration: Duration, digits: Int = 3) -> String {
    let nanoseconds = duration.components.seconds * 1_000_000_000
        + duration.components.attoseconds / 1_000_000_000
    return decimal(Double(nanoseconds) / 1e9, digits: digits) + " s"
}

/// A number with a fixed count of digits after the point.
func decimal(_ value: Double, digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((value * scale).rounded())
    let whole = scaled / Int(scale)
    guard digits > 0 else { return "\(whole)" }
    let fraction = String(scaled % Int(scale))
    return "\(whole)." + String(repeating: "0", count: digits - fraction.count) + fraction
}

/// "12,345,678".
func grouped(_ value: Int) -> String {
    var digits = String(value)
    var groups: [String] = []
    while digits.count > 3 {
        groups.insert(String(digits.suffix(3)), at: 0)
        digits.removeLast(3)
    }
    return ([digits] + groups).joined(separator: ",")
}
