import Synchronization
import SystemPackage

/// A child on its way: what is opened for it, and closed again when it does not start. Any thread.
final class Launch: Sendable {
    private let plan: SpawnCalls.Plan
    private let input: PipeWriter?
    private let output: PipeReader?
    private let errorOutput: PipeReader?
    private let hasOwnGroup: Bool
    private let childEnds: ChildEnds
    /// Written by the thread that starts it.
    private let started = Mutex<ChildProcess?>(nil)

    /// - Throws: `Errno`, when there is no descriptor left, or a string that no process can be given.
    init(_ command: Command) throws {
        try Fork.check()
        // A child lives in the time of the machine.
        if Scheduler.currentSimulation != nil { throw Errno.notSupported }
        let ends = ChildEnds(count: 3 + command.descriptors.count)
        var (input, output, errorOutput) = (PipeWriter?.none, PipeReader?.none, PipeReader?.none)
        var streams = [
            try ends.stream(command.input) { try ends.openInput(&input) },
            try ends.stream(command.output) { try ends.openOutput(&output) },
            command.errorOutput == .merged
                ? .merged : try ends.stream(command.errorOutput?.stream) { try ends.openOutput(&errorOutput) },
        ]
        for descriptor in command.descriptors { streams.append(try ends.take(descriptor)) }
        plan = try command.plan(streams)
        (self.input, self.output, self.errorOutput) = (input, output, errorOutput)
        hasOwnGroup = command.group != .inherited
        childEnds = ends
    }

    /// The work that starts it.
    func begin() -> BlockingJob<ChildProcess> {
        ThreadPool.spawning.job("start \(String(decoding: plan.executable, as: UTF8.self))", .waits) { [self] in
            let pid = try SpawnCalls.spawn(plan)
            let child = ChildProcess(
                ChildWatch(pid), input: input, output: output, errorOutput: errorOutput, hasOwnGroup: hasOwnGroup)
            started.withLock { $0 = child }
            childEnds.close()
            return child
        }
    }

    /// The child, also when nobody waited for it until the end.
    var child: ChildProcess? { started.withLock { $0 } }
}

/// Descriptors that are the child's, until it has them.
private final class ChildEnds: Sendable {
    private let least: Int
    private let descriptors = Mutex<[Int32]>([])

    /// - Parameter count: How many descriptors the child has. Those that it gets have higher numbers here, so that none is
    ///   replaced before it has been handed over.
    init(count: Int) { least = count }

    deinit { close() }

    func close() {
        for descriptor in descriptors.withLock({ $0.take() }) { SocketCalls.close(descriptor) }
    }

    /// One that is closed here.
    func own(_ descriptor: Int32) throws(Errno) -> SpawnCalls.Stream {
        descriptors.withLock { $0.append(descriptor) }
        return Int(descriptor) < least ? try duplicate(descriptor) : .descriptor(descriptor)
    }

    /// One of the program's.
    func take(_ descriptor: FileDescriptor) throws(Errno) -> SpawnCalls.Stream {
        // Also when the number would do: a descriptor that is closed meanwhile may be another's by then.
        try duplicate(descriptor.rawValue)
    }

    private func duplicate(_ descriptor: Int32) throws(Errno) -> SpawnCalls.Stream {
        let copy = try PipeCalls.duplicate(descriptor, from: least)
        descriptors.withLock { $0.append(copy) }
        return .descriptor(copy)
    }

    /// What a command says of a stream.
    ///
    /// - Parameter openPipe: Makes the pipe, if it is to be one, and returns the child's end.
    func stream(
        _ stream: Command.Stream?, openPipe: () throws -> SpawnCalls.Stream
    ) throws -> SpawnCalls.Stream {
        switch stream ?? .inherited {
        case .inherited: .inherited
        case .null: .null
        case .descriptor(let descriptor): try take(descriptor)
        case .pipe: try openPipe()
        }
    }

    /// A pipe from which the child reads.
    func openInput(_ end: inout PipeWriter?) throws(Errno) -> SpawnCalls.Stream {
        let pipe = try PipeCalls.make()
        end = PipeWriter(pipe.writing)
        let stream = try own(pipe.reading)
        try PipeCalls.setNonblocking(pipe.writing)
        return stream
    }

    /// A pipe to which the child writes.
    func openOutput(_ end: inout PipeReader?) throws(Errno) -> SpawnCalls.Stream {
        let pipe = try PipeCalls.make()
        end = PipeReader(pipe.reading)
        return try own(pipe.writing)
    }
}

extension Command.ErrorStream {
    /// The same as a stream; nil for one that is merged into another.
    fileprivate var stream: Command.Stream? {
        switch self {
        case .merged: nil
        case .inherited: .inherited
        case .null: .null
        case .pipe: .pipe
        case .descriptor(let descriptor): .descriptor(descriptor)
        }
    }
}

extension [Int32] {
    fileprivate mutating func take() -> [Int32] {
        defer { self = [] }
        return self
    }
}

extension Command {
    /// - Throws: `Errno.invalidArgument` for what no process can be given.
    fileprivate func plan(_ streams: [SpawnCalls.Stream]) throws(Errno) -> SpawnCalls.Plan {
        let plan = SpawnCalls.Plan(
            executable: executable.bytes, arguments: arguments.map { Array($0.utf8) },
            environment: try environment.entries(), directory: directory?.bytes, streams: streams,
            group: group.native)
        // C would cut them there.
        let strings = [plan.executable] + plan.arguments + (plan.environment ?? [])
        if strings.contains(where: { $0.contains(0) }) { throw .invalidArgument }
        return plan
    }
}

extension Command.ProcessGroup {
    fileprivate var native: SpawnCalls.Group {
        switch self {
        case .inherited: .inherited
        case .own: .own
        case .session: .session
        }
    }
}

extension Command.Environment {
    /// Nil for what this process has.
    fileprivate func entries() throws(Errno) -> [[UInt8]]? {
        if isInherited && changes.isEmpty { return nil }
        let equals = UInt8(ascii: "=")
        for name in changes.keys where name.isEmpty || name.utf8.contains(equals) { throw .invalidArgument }
        let names = Set(changes.keys.map { Array($0.utf8) })
        let kept = isInherited
            ? HostEnvironment.entries.filter { !names.contains(Array($0.prefix { $0 != equals })) } : []
        return kept + changes.compactMap { name, value in value.map { Array("\(name)=\($0)".utf8) } }
    }
}
