/// Which fibers wait for which others: by joining them, or for something that they hold.
///
/// Its ``description`` is a tree: under each fiber those that wait for it, and at the end the cycles.
public struct AwaitGraph: Sendable, Hashable {
    /// That one fiber waits for another.
    public struct Edge: Sendable, Hashable {
        /// The id of the fiber that waits.
        public var waiter: UInt64
        /// The id of the one that it waits for. Where there are several, as for a permit of a semaphore, any one of
        /// them may do.
        public var awaited: UInt64
        /// Goes on from "waits for".
        public var what: String
    }

    /// In order of the waiters' ids.
    public let edges: [Edge]

    /// Fibers that wait for each other in a circle, each for the next one and the last one for the first. At least one
    /// of each knot, however many ways lead round it. A join or lock in a cycle ends only by cancellation or by its
    /// deadline.
    public let cycles: [[UInt64]]

    private let labels: [UInt64: String]

    init(_ snapshot: SchedulerSnapshot) {
        edges = snapshot.fibers.flatMap { fiber in
            (fiber.wait?.fibers ?? []).map {
                Edge(waiter: fiber.id, awaited: $0, what: fiber.wait?.what ?? "")
            }
        }
        labels = Dictionary(uniqueKeysWithValues: snapshot.fibers.map { ($0.id, $0.label) })
        cycles = Self.cycles(in: edges)
    }

    /// The fibers that wait for this one, directly.
    public func waiters(of fiber: UInt64) -> [UInt64] {
        edges.filter { $0.awaited == fiber }.map(\.waiter)
    }

    /// The fibers that this one waits for, directly.
    public func awaited(by fiber: UInt64) -> [UInt64] {
        edges.filter { $0.waiter == fiber }.map(\.awaited)
    }

    /// One cycle for each edge that leads back, in a walk that visits every fiber once. O(edges).
    private static func cycles(in edges: [Edge]) -> [[UInt64]] {
        let next = Dictionary(grouping: edges, by: \.waiter).mapValues { $0.map(\.awaited) }
        var found: [[UInt64]] = []
        // Where each visited fiber is on the path; nil for those that are on it no more.
        var places: [UInt64: Int?] = [:]
        for edge in edges where places[edge.waiter] == nil {
            // The fibers from the first one to the present, and how many ways out of each were tried.
            var path = [edge.waiter]
            var tried = [0]
            places[edge.waiter] = .some(0)
            while let fiber = path.last {
                let ways = next[fiber] ?? []
                if tried[tried.count - 1] == ways.count {
                    places[path.removeLast()] = .some(nil)
                    tried.removeLast()
                    continue
                }
                let other = ways[tried[tried.count - 1]]
                tried[tried.count - 1] += 1
                switch places[other] {
                case .some(.some(let start)): found.append(Array(path[start...]))
                case .some(.none): break
                case .none:
                    places[other] = .some(path.count)
                    path.append(other)
                    tried.append(0)
                }
            }
        }
        return found
    }
}

extension AwaitGraph: CustomStringConvertible {
    public var description: String { text() }

    /// The tree below one fiber, or all of it with the cycles at the end; cut short where it is large.
    ///
    /// - Parameters:
    ///   - fiber: The fiber whose waiters are wanted; nil for all.
    ///   - depth: How many levels of waiters are shown below the first fiber of each tree. A line says where more wait.
    ///   - limit: How many fibers are shown. The last line says that there are more.
    public func text(of fiber: UInt64? = nil, depth: Int = .max, limit: Int = .max) -> String {
        let waiters = Dictionary(grouping: edges, by: \.awaited)
        var lines: [String] = []
        var shown: Set<UInt64> = []
        for root in fiber.map({ [$0] }) ?? roots where !shown.contains(root) {
            var rest = [(root, "", 0)]
            while let (fiber, what, level) = rest.popLast() {
                if lines.count >= limit { return (lines + ["and more"]).joined(separator: "\n") }
                let indent = String(repeating: "  ", count: level)
                let line = "\(indent)\(label(fiber))" + (what.isEmpty ? "" : " waits for \(what)")
                guard shown.insert(fiber).inserted else {
                    lines.append("\(line), as above")
                    continue
                }
                let own = waiters[fiber] ?? []
                if level < depth {
                    lines.append(line)
                    rest += own.reversed().map { ($0.waiter, $0.what, level + 1) }
                } else {
                    lines.append(own.isEmpty ? line : "\(line), and \(own.count) for it")
                }
            }
        }
        return (lines + (fiber == nil ? cycles.map(describe) : [])).joined(separator: "\n")
    }

    /// Where trees begin: first those that wait for nobody, then what is in or behind a cycle.
    private var roots: [UInt64] {
        Set(edges.map(\.awaited)).subtracting(edges.map(\.waiter)).sorted() + cycles.compactMap(\.first)
    }

    /// A cycle in one line.
    func describe(_ cycle: [UInt64]) -> String {
        "cycle: " + (cycle + cycle.prefix(1)).map(label).joined(separator: " waits for ")
    }

    private func label(_ fiber: UInt64) -> String { labels[fiber] ?? "fiber \(fiber), which has ended" }
}

extension SchedulerSnapshot {
    /// Which fibers wait for which others.
    public var awaitGraph: AwaitGraph { AwaitGraph(self) }
}
