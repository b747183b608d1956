import Foundation
import SystemPackage
import Testing

@testable import Ringlet

/// A directory that goes away with its last reference.
private final class Scratch: Sendable {
    let path: FilePath

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("ringlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = FilePath(url.path)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path.string)
    }
}

@Suite(.timeLimit(.patient)) struct FileTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func `a fiber writes a file and reads it at any offset`() async throws {
        let path = scratch.path.appending("file")
        try await Scheduler.run {
            let file = try File.open(path, .readWrite, options: [.create, .exclusiveCreate])
            try file.write(Buffer(copying: pattern(count: 10_000)), at: 0)
            try file.write(Buffer(copying: pattern(from: 10_000, count: 500)), at: 10_000)
            var buffer = Buffer(capacity: 1000)
            for offset in [0, 1, 4095, 4096, 9500, 9999] {
                let count = try file.read(into: &buffer, at: UInt64(offset))
                let expected = pattern(from: offset, count: min(1000, 10_500 - offset))
                #expect(count == expected.count)
                #expect([UInt8](buffer) == expected)
            }
            let end = try file.read(into: &buffer, at: 10_500)
            #expect(end == 0)
            #expect(buffer.count == 0)
            let beyond = try file.read(into: &buffer, at: 1 << 40)
            #expect(beyond == 0)
            try file.sync()
            try file.sync(dataOnly: true)
            try file.close()
        }
        let content = FileManager.default.contents(atPath: path.string)
        #expect(content.map { [UInt8]($0) } == pattern(count: 10_500))
    }

    /// The kernel says ERESTARTSYS then, which system calls do not show.
    @Test func `an open that waits for the other end of a pipe can be cancelled`() async throws {
        let path = scratch.path.appending("pipe")
        let made = unsafe mkfifo(path.string, 0o600)
        #expect(made == 0)
        try await Scheduler.run {
            // io_uring tries an open without O_CREAT by O_NONBLOCK first.
            let opener = Fiber { _ = try File.open(path, .readOnly, options: [.create]) }
            // On the emulated ring a thread has it, which no cancel reaches.
            let kernel = try #require(Scheduler.current).kernel
            let canBeCancelled = kernel.name == "io_uring" && !kernel.emulatedOperations.contains("openat")
            // Mostly it is in the open by then; before that a cancel is one of what has not begun.
            for _ in 0..<1000 { try Fiber.yield() }
            opener.cancel()
            if canBeCancelled {
                #expect(throws: CancellationError.self) { try opener.join(deadline: .after(patience)) }
            }
            while !opener.isFinished {
                try? FileDescriptor.open(path, .writeOnly, options: .nonBlocking).close()
                try Fiber.yield()
            }
        }
    }

    @Test func `a task writes a file and reads it at any offset`() async throws {
        let path = scratch.path.appending("file")
        try await withScheduler { scheduler in
            try await Task(executorPreference: scheduler.taskExecutor) {
                let file = try await File.open(path, .readWrite, options: [.create])
                try await file.write(Buffer(copying: pattern(count: 3000)), at: 0)
                var buffer = Buffer(capacity: 100)
                let count = try await file.read(into: &buffer, at: 2950)
                #expect(count == 50)
                #expect([UInt8](buffer) == pattern(from: 2950, count: 50))
                try await file.sync()
                try await file.close()
            }.value
        }
    }

    @Test func `a task of the default executor reads a file`() async throws {
        let path = scratch.path.appending("file")
        try Data(pattern(count: 100)).write(to: URL(fileURLWithPath: path.string))
        let file = try await File.open(path)
        var buffer = Buffer(capacity: 1000)
        let count = try await file.read(into: &buffer, at: 90)
        #expect(count == 10)
        try await file.close()
    }

    @Test func `many reads of one file are under way at the same time`() async throws {
        let path = scratch.path.appending("file")
        try Data(pattern(count: 100_000)).write(to: URL(fileURLWithPath: path.string))
        try await Scheduler.run {
            let file = try File.open(path)
            let readers = (0..<500).map { number in
                Fiber { () -> Bool in
                    var buffer = Buffer(capacity: 100)
                    let count = try file.read(into: &buffer, at: UInt64(number * 199))
                    return count == 100
                        && [UInt8](buffer) == pattern(from: number * 199, count: 100)
                }
            }
            var right = 0
            for reader in readers where try reader.join() { right += 1 }
            #expect(right == 500)
        }
    }

    @Test func `offsets beyond 32 bits are kept whole`() async throws {
        let path = scratch.path.appending("sparse")
        try await Scheduler.run {
            let file = try File.open(path, .readWrite, options: [.create])
            let offsets: [UInt64] = [0, 1 << 31, 1 << 32, 5 << 32 + 7]
            for (number, offset) in offsets.enumerated() {
                try file.write(Buffer(copying: [UInt8(number + 1)]), at: offset)
            }
            var buffer = Buffer(capacity: 1)
            for (number, offset) in offsets.enumerated() {
                try file.read(into: &buffer, at: offset)
                #expect([UInt8](buffer) == [UInt8(number + 1)])
            }
        }
    }

    @Test func `writing past the end leaves zeroes between`() async throws {
        let path = scratch.path.appending("file")
        try await Scheduler.run {
            let file = try File.open(path, .readWrite, options: [.create])
            try file.write(Buffer(copying: [9]), at: 4)
            var buffer = Buffer(capacity: 10)
            try file.read(into: &buffer, at: 0)
            #expect([UInt8](buffer) == [0, 0, 0, 0, 9])
            // Nothing to write is nothing to do.
            try file.write(Buffer(capacity: 1), at: 100)
            let count = try file.read(into: &buffer, at: 0)
            #expect(count == 5)
        }
    }

    // MARK: Errors

    @Test func `opening fails as open(2) does, in both colours`() async throws {
        let missing = scratch.path.appending("missing")
        let existing = scratch.path.appending("existing")
        try Data().write(to: URL(fileURLWithPath: existing.string))
        let directory = scratch.path
        try await Scheduler.run {
            #expect(throws: Errno.noSuchFileOrDirectory) { try File.open(missing) }
            #expect(throws: Errno.noSuchFileOrDirectory) {
                try File.open(missing.appending("deeper"), .writeOnly, options: [.create])
            }
            #expect(throws: Errno.notDirectory) { try File.open(existing.appending("deeper")) }
            #expect(throws: Errno.isDirectory) { try File.open(directory, .readWrite) }
            #expect(throws: Errno.fileExists) {
                try File.open(existing, .writeOnly, options: [.create, .exclusiveCreate])
            }
            #expect(throws: Errno.noSuchFileOrDirectory) { try File.open("") }
        }
        await #expect(throws: Errno.noSuchFileOrDirectory) { try await File.open(missing) }
        await #expect(throws: Errno.isDirectory) { try await File.open(directory, .writeOnly) }
    }

    @Test func `a directory opens for reading and fails at the first read`() async throws {
        let directory = scratch.path
        try await Scheduler.run {
            let file = try File.open(directory)
            var buffer = Buffer(capacity: 10)
            #expect(throws: Errno.isDirectory) { try file.read(into: &buffer, at: 0) }
            try file.close()
        }
    }

    @Test func `the mode of opening is the mode of use`() async throws {
        let path = scratch.path.appending("file")
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path.string))
        try await Scheduler.run {
            let reader = try File.open(path)
            #expect(throws: Errno.badFileDescriptor) {
                try reader.write(Buffer(copying: [1]), at: 0)
            }
            let writer = try File.open(path, .writeOnly)
            var buffer = Buffer(capacity: 10)
            #expect(throws: Errno.badFileDescriptor) { try writer.read(into: &buffer, at: 0) }
            try writer.write(Buffer(copying: [7]), at: 1)
            try reader.read(into: &buffer, at: 0)
            #expect([UInt8](buffer) == [1, 7, 3])
        }
    }

    @Test func `truncating, appending and permissions are passed on`() async throws {
        let path = scratch.path.appending("file")
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path.string))
        let created = scratch.path.appending("created")
        try await Scheduler.run {
            var buffer = Buffer(capacity: 10)
            let truncated = try File.open(path, .readWrite, options: [.truncate])
            let none = try truncated.read(into: &buffer, at: 0)
            #expect(none == 0)
            let appending = try File.open(path, .readWrite, options: [.append])
            try appending.write(Buffer(copying: [4]), at: 0)
            try appending.write(Buffer(copying: [5]), at: 0)
            try appending.read(into: &buffer, at: 0)
            #expect([UInt8](buffer) == [4, 5])
            _ = try File.open(created, .writeOnly, options: [.create], permissions: .ownerRead)
        }
        let attributes = try FileManager.default.attributesOfItem(atPath: created.string)
        #expect(attributes[.posixPermissions] as? Int == 0o400)
    }

    @Test func `a cancelled fiber opens nothing`() async throws {
        let path = scratch.path.appending("never")
        try await Scheduler.run {
            let fiber = Fiber {
                AnyFiber.current?.cancel()
                _ = try File.open(path, .writeOnly, options: [.create])
            }
            #expect(throws: CancellationError.self) { try fiber.join() }
        }
        #expect(!FileManager.default.fileExists(atPath: path.string))
    }

    @Test func `offsets beyond those of the kernel are invalid`() async throws {
        let path = scratch.path.appending("file")
        try await Scheduler.run {
            let file = try File.open(path, .readWrite, options: [.create])
            var buffer = Buffer(capacity: 10)
            let offsets: [UInt64] = [.max, .max - 1, 1 << 63]
            for offset in offsets {
                #expect(throws: Errno.invalidArgument) {
                    try file.write(Buffer(copying: [1]), at: offset)
                }
                #expect(throws: Errno.invalidArgument) { try file.read(into: &buffer, at: offset) }
            }
            // In particular they are not the file's own position.
            let count = try file.read(into: &buffer, at: 0)
            #expect(count == 0)
        }
    }

    @Test func `names need not be UTF-8`() async throws {
        let bytes = Array(scratch.path.string.utf8CString.dropLast()) + [47, 114, -1, 120, 0]
        let path = FilePath(platformString: bytes)
        let descriptor = try FileDescriptor.open(
            path, .writeOnly, options: [.create], permissions: .ownerReadWrite)
        try descriptor.writeAll([5, 6])
        try descriptor.close()
        try await Scheduler.run {
            let file = try File.open(path)
            var buffer = Buffer(capacity: 10)
            try file.read(into: &buffer, at: 0)
            #expect([UInt8](buffer) == [5, 6])
        }
    }
}
