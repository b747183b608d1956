internal import CReference
internal import Glibc
internal import Measure

/// A C measurement that could not be made.
struct MeasurementFailure: Error, CustomStringConvertible {
    let code: Int64
    var description: String { String(cString: strerror(Int32(-code))) }
}

/// A sample from a C function that does `count` of something and returns nanoseconds.
///
/// - Parameter each: How many operations one of them stands for.
func sample(count: UInt64, each: Double = 1, _ function: (UInt64) -> Int64) throws -> Sample {
    let elapsed = function(count)
    guard elapsed >= 0 else { throw MeasurementFailure(code: elapsed) }
    return Sample(nanoseconds: Double(elapsed) / (Double(count) * each))
}

/// What the body costs, per operation, on this thread.
struct Stopwatch {
    private let start = reference_cpu()
    private let allocations = reference_allocations()

    func sample(operations: Int) -> Sample {
        let elapsed = reference_cpu() - start
        let allocated = reference_allocations() - allocations
        return Sample(
            nanoseconds: Double(elapsed) / Double(operations),
            allocations: Double(allocated) / Double(operations))
    }
}
