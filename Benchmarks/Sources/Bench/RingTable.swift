internal import CReference
internal import CSubjects
internal import Measure
internal import Ringlet
internal import SystemPackage

/// Operations of the kernel.
///
/// The library has no public no-operation, so the cheapest operation is a byte written to /dev/null.
/// A pipe is no public type of the Swift side either: there the C interface, which takes any
/// descriptor, is measured, and Swift's fibers and tasks talk over TCP.
func measureRing(_ plan: Plan) throws {
    let count: UInt64 = 50_000
    var cheapest = Comparison("One cheap operation at a time: a byte to /dev/null", plan)
    cheapest.add("raw liburing, write") { try sample(count: count, reference_ring_null_write) }
    cheapest.add("raw liburing, no-operation") { try sample(count: count, reference_ring_nop) }
    cheapest.add("fiber, File.write") {
        try Scheduler.run { try writeInFiber(Int(count)) }
    }
    cheapest.add("task, File.write") {
        try Scheduler.run { try await writeInTask(Int(count)) }
    }
    cheapest.add("C coroutine, ringlet_write") { try sample(count: count, subject_c_null_write) }
    try cheapest.run()

    var pipes = Comparison("Pipe round trip of 64 B, two parties, four operations", plan)
    pipes.add("raw liburing") { try sample(count: count, reference_ring_pipe) }
    pipes.add("two C coroutines") { try sample(count: count, subject_c_pipe) }
    try pipes.run()

    var streams = Comparison("TCP round trip of 64 B, two parties, four operations", plan)
    streams.add("raw liburing") { try sample(count: count, reference_ring_tcp) }
    for rung in rungs {
        streams.add("two fibers, \(rung.name)") {
            try onRung(rung.name) { try Scheduler.run { try converseInFibers(Int(count)) } }
        }
    }
    streams.add("two tasks") {
        try Scheduler.run { try await converseInTasks(Int(count), on: here()) }
    }
    try streams.run()
}

// MARK: - The cheapest operation

private func writeInFiber(_ count: Int) throws -> Sample {
    let file = try File.open("/dev/null", .writeOnly)
    let byte = Buffer(copying: [1])
    let watch = Stopwatch()
    for _ in 0..<count {
        try file.write(byte, at: 0)
    }
    let sample = watch.sample(operations: count)
    try file.close()
    return sample
}

private func writeInTask(_ count: Int) async throws -> Sample {
    let file = try await File.open("/dev/null", .writeOnly)
    let byte = Buffer(copying: [1])
    let watch = Stopwatch()
    for _ in 0..<count {
        try await file.write(byte, at: 0)
    }
    let sample = watch.sample(operations: count)
    try await file.close()
    return sample
}

// MARK: - TCP

private func message() -> Buffer {
    Buffer(copying: [UInt8](repeating: 1, count: 64))
}

private func converseInFibers(_ count: Int) throws -> Sample {
    let listener = try TCPListener(on: .loopback(port: 0))
    let other = Fiber {
        let connection = try listener.accept()
        var buffer = message()
        while try connection.read(into: &buffer) > 0 {
            try connection.write(buffer)
        }
        try connection.close()
    }
    let connection = try TCPConnection.connect(to: listener.address)
    var buffer = message()
    let watch = Stopwatch()
    for _ in 0..<count {
        try connection.write(buffer)
        try connection.read(into: &buffer)
    }
    let sample = watch.sample(operations: count)
    try connection.close()
    try other.join()
    try listener.close()
    return sample
}

private func converseInTasks(_ count: Int, on executor: any TaskExecutor) async throws -> Sample {
    let listener = try TCPListener(on: .loopback(port: 0))
    let other = Task(executorPreference: executor) {
        let connection = try await listener.accept()
        var buffer = message()
        while try await connection.read(into: &buffer) > 0 {
            try await connection.write(buffer)
        }
        try await connection.close()
    }
    let connection = try await TCPConnection.connect(to: listener.address)
    var buffer = message()
    let watch = Stopwatch()
    for _ in 0..<count {
        try await connection.write(buffer)
        try await connection.read(into: &buffer)
    }
    let sample = watch.sample(operations: count)
    try await connection.close()
    try await other.value
    try await listener.close()
    return sample
}
