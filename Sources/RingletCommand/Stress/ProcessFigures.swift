import Foundation
import Ringlet

/// What this process holds, as the kernel counts it.
struct ProcessFigures {
    let descriptors: Int
    let residentKiB: Int
    /// Of address space: stacks, queues and what the allocator has.
    let mappings: Int

    /// The figures as soon as no more descriptors are open than in `baseline`, or after two seconds. A worker's
    /// last descriptor is closed by its thread, which may end a moment after the scheduler.
    static func settled(at baseline: ProcessFigures) -> ProcessFigures {
        let limit = Deadline.after(.seconds(2))
        while true {
            let figures = now
            if figures.descriptors <= baseline.descriptors || limit.hasPassed { return figures }
            Thread.sleep(forTimeInterval: 0.001)
        }
    }

    static var now: ProcessFigures {
        let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        let statm = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        let pages = statm?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        // Pages of 4 KiB on both architectures of ours, in the kernels that distributions build.
        return ProcessFigures(
            descriptors: open?.count ?? 0, residentKiB: (pages ?? 0) * 4,
            mappings: countMappings())
    }

    /// The kernel gives at most a page of the lines at a time, which Foundation's reading takes for all of them.
    private static func countMappings() -> Int {
        guard let file = FileHandle(forReadingAtPath: "/proc/self/maps") else { return 0 }
        var count = 0
        while let part = try? file.read(upToCount: 4096), !part.isEmpty {
            count += part.count { $0 == UInt8(ascii: "\n") }
        }
        return count
    }
}
