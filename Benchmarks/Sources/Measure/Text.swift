internal import Glibc

extension [Double] {
    /// The middle value; the mean of the middle two. 0 when there is none.
    public var median: Double {
        let sorted = sorted()
        guard let last = sorted.last else { return 0 }
        let middle = sorted.count / 2
        if sorted.count == 1 { return last }
        return sorted.count % 2 == 1
            ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

extension String {
    /// Spaces after it up to `width`.
    public func padded(_ width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }

    /// Spaces before it up to `width`.
    public func leading(_ width: Int) -> String {
        String(repeating: " ", count: Swift.max(0, width - count)) + self
    }
}

/// A figure with as many digits as it deserves.
public func text(_ value: Double) -> String {
    let digits = abs(value) >= 1000 ? 0 : abs(value) >= 20 ? 1 : 2
    let scale = digits == 0 ? 1.0 : digits == 1 ? 10.0 : 100.0
    let rounded = (value * scale).rounded() / scale
    return digits == 0 || rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
}

/// Shows what was printed so far, also to a pipe.
public func flush() {
    fflush(nil)
}
