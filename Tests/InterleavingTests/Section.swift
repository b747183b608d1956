import Testing

@testable import Ringlet

/// A section that so many may be in at a time. Entering and leaving are steps, so others come between.
final class Section {
    private let limit: Int
    private var inside = 0
    private var wasCrowded = false
    /// Who passed or skipped it; or whatever a test counts.
    var count = 0

    init(limit: Int = 1) { self.limit = limit }

    func pass() {
        inside += 1
        if inside > limit { wasCrowded = true }
        Interleaving.step()
        inside -= 1
        count += 1
    }

    func skip() { count += 1 }

    func violation(expecting passes: Int) -> String? {
        if wasCrowded { return "more than \(limit) were in the section" }
        return count == passes ? nil : "\(count) of \(passes) came through"
    }
}

/// The threads of an ``Interleaved`` program are one thread.
struct UncheckedSection: @unchecked Sendable {
    let section: Section
    init(_ section: Section) { self.section = section }
}

/// A thread of an ``Interleaved`` program saw something wrong.
struct Wrong: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Expects that all orders were tried, and nothing was wrong in any.
func expectClean(_ report: Interleaver.Report, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(report.violation == nil, sourceLocation: sourceLocation)
    #expect(report.isComplete, "\(report.orders) orders were not all", sourceLocation: sourceLocation)
    // One order is no choice: then nothing was interleaved.
    #expect(report.orders > 1, sourceLocation: sourceLocation)
}

extension Deadline {
    /// Any time but never: the order decides when it has passed.
    static let sometime = after(.seconds(3600))
}
