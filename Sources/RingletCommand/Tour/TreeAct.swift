import Foundation
import Ringlet
import SystemPackage
import Synchronization

/// Real work: every file of a directory tree, read through the ring by many fibers at once and hashed.
struct TreeAct {
    let stage: Stage
    let root: String
    let workers: Int

    private static let mostFibers = 32
    /// Workers with a ring, an eventfd and a file thread's eventfd each, the main queue; and a few.
    private var ownDescriptors: Int { 3 * workers + 7 }
    private static let fileLimit = 20_000
    private static let chunk = 64 * 1024

    private final class SharedProgress: Sendable {
        let state = Mutex(Progress())
    }

    private struct Progress {
        var next = 0
        var files = 0
        var bytes = 0
        var skipped = 0
        /// Combined by exclusive or, so that it does not depend on the order.
        var hash: UInt64 = 0
    }

    func play() throws {
        // Each has one file open.
        let fiberCount = min(Self.mostFibers, DescriptorBudget.free(reserved: ownDescriptors))
        stage.act("A directory tree, read and hashed by \(fiberCount) fibers")
        guard fiberCount > 0 else {
            stage.say("too few descriptors are allowed (ulimit -n); skipped")
            return
        }
        let paths = files()
        guard !paths.isEmpty else {
            stage.say("there is no readable file below \(root); skipped")
            return
        }
        let progress = SharedProgress()
        let stage = stage
        let elapsed = try stage.timed {
            try Scheduler.run(SchedulerOptions(workers: workers)) {
                guard let scheduler = Scheduler.current else { return }
                let fibers = (0..<fiberCount).map { number in
                    scheduler.spawn(onWorker: number % scheduler.workerCount, name: "reader-\(number)") {
                        try Self.readFiles(paths, progress, stage)
                    }
                }
                for fiber in fibers { try fiber.join() }
            }
        }
        let result = progress.state.withLock { $0 }
        stage.note(
            "\(grouped(result.files)) files, \(grouped(result.bytes / 1024)) KiB in \(seconds(elapsed)), hash \(String(result.hash, radix: 16))"
        )
        if result.skipped > 0 { stage.note("\(result.skipped) files could not be read") }
    }

    /// The names come from the file manager: there is no ring operation that lists a directory.
    private func files() -> [String] {
        let keys: [URLResourceKey] = [.isRegularFileKey]
        guard
            let entries = FileManager.default.enumerator(
                at: URL(filePath: root), includingPropertiesForKeys: keys)
        else { return [] }
        var paths: [String] = []
        for case let entry as URL in entries where paths.count < Self.fileLimit {
            let values = try? entry.resourceValues(forKeys: Set(keys))
            if values?.isRegularFile == true { paths.append(entry.path) }
        }
        return paths
    }

    private static func readFiles(
        _ paths: [String], _ progress: SharedProgress, _ stage: Stage
    ) throws {
        var buffer = Buffer(capacity: chunk)
        while true {
            let index = progress.state.withLock { progress in
                defer { progress.next += 1 }
                return progress.next
            }
            guard index < paths.count else { return }
            do {
                let (hash, size) = try hashFile(FilePath(paths[index]), &buffer)
                let files = progress.state.withLock { progress in
                    progress.files += 1
                    progress.bytes += size
                    progress.hash ^= hash
                    return progress.files
                }
                if files.isMultiple(of: max(paths.count / 4, 1)) {
                    stage.say("\(grouped(files)) of \(grouped(paths.count)) files …")
                }
            } catch is Errno {
                progress.state.withLock { $0.skipped += 1 }
            }
        }
    }

    /// FNV-1a, 64 bits, of the content.
    private static func hashFile(_ path: FilePath, _ buffer: inout Buffer) throws -> (UInt64, Int) {
        let file = try File.open(path)
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        var offset = 0
        while true {
            let count = try file.read(into: &buffer, at: UInt64(offset))
            if count == 0 { break }
            buffer.withBytes { bytes in
                for index in 0..<bytes.count {
                    hash ^= UInt64(bytes[index])
                    hash &*= 0x100_0000_01b3
                }
            }
            offset += count
        }
        try file.close()
        return (hash, offset)
    }
}
