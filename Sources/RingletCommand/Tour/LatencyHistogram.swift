/// Latencies in buckets that grow by an eighth: at most 12.5 per cent off, in little memory.
struct LatencyHistogram: Sendable {
    private var buckets = [Int](repeating: 0, count: 64 * 8)
    private(set) var count = 0
    private(set) var largest = 0

    mutating func add(nanoseconds: Int) {
        buckets[Self.bucket(of: max(nanoseconds, 1))] += 1
        count += 1
        largest = max(largest, nanoseconds)
    }

    mutating func add(_ other: LatencyHistogram) {
        for index in buckets.indices { buckets[index] += other.buckets[index] }
        count += other.count
        largest = max(largest, other.largest)
    }

    /// The value that `fraction` of all are at most, in nanoseconds.
    func percentile(_ fraction: Double) -> Int {
        var left = Int((Double(count) * fraction).rounded(.up))
        for index in buckets.indices {
            left -= buckets[index]
            if left <= 0 { return min(Self.upperBound(of: index), largest) }
        }
        return largest
    }

    private static func bucket(of value: Int) -> Int {
        let exponent = Int.bitWidth - 1 - value.leadingZeroBitCount
        let eighth = exponent < 3 ? 0 : value >> (exponent - 3) & 7
        return exponent * 8 + eighth
    }

    private static func upperBound(of index: Int) -> Int {
        let (exponent, eighth) = (index / 8, index % 8)
        return exponent < 3 ? 2 << exponent : (9 + eighth) << (exponent - 3)
    }
}
