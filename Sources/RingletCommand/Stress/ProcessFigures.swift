import Foundation
import Ringlet

/// What this process holds, as the kernel counts it.
struct ProcessFigures {
    let descriptors: Int
    let residentKiB: Int
    /// Of address space: stacks, queues and what the allocator has.
    let mappings: Int
    /// Processes that this one has started and not reaped.
    let children: Int

    /// The figures as soon as nothing in them is too much for `baseline`, or after ten seconds. A worker's
    /// last descriptor is closed by its thread, which may end a moment after the scheduler.
    static func settled(at baseline: ProcessFigures) -> ProcessFigures {
        let limit = Deadline.after(.seconds(10))
        while true {
            let figures = now
            if figures.excess(over: baseline).isEmpty || limit.hasPassed { return figures }
            Thread.sleep(forTimeInterval: 0.001)
        }
    }

    /// What has grown since `baseline` by more than a load that leaves nothing behind makes it grow.
    func excess(over baseline: ProcessFigures) -> [String] {
        var wrong: [String] = []
        if descriptors > baseline.descriptors {
            wrong.append("\(descriptors - baseline.descriptors) descriptors leaked by now")
        }
        // A stack that is not given back is two of them; threads that have ended leave some to the allocator.
        if mappings > baseline.mappings + 100 {
            wrong.append("address space grew from \(baseline.mappings) to \(mappings) mappings")
        }
        // Allocator noise is a few MiB; a leak of one connection's buffers per round is far more.
        if residentKiB > baseline.residentKiB * 5 / 4 + 16 * 1024 {
            wrong.append("memory grew from \(baseline.residentKiB) to \(residentKiB) KiB")
        }
        if children > baseline.children {
            wrong.append("\(children - baseline.children) child processes left")
        }
        return wrong
    }

    static var now: ProcessFigures {
        let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        let statm = text(ofKernelFile: "/proc/self/statm")
        let pages = statm.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        // Pages of 4 KiB on both architectures of ours, in the kernels that distributions build.
        return ProcessFigures(
            descriptors: open?.count ?? 0, residentKiB: (pages ?? 0) * 4,
            mappings: text(ofKernelFile: "/proc/self/maps").utf8.count { $0 == UInt8(ascii: "\n") },
            children: countChildren())
    }

    /// Each thread has those that it started; none are seen in a kernel without CONFIG_PROC_CHILDREN.
    private static func countChildren() -> Int {
        let threads = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")
        return (threads ?? []).reduce(0) { sum, thread in
            sum + text(ofKernelFile: "/proc/self/task/\(thread)/children").split(separator: " ").count
        }
    }

    /// What a file of the kernel says, or nothing if it cannot be read. The kernel gives at most a page at a
    /// time, which Foundation's reading of a whole file takes for all of it; and of one that has no text,
    /// as a thread without children, Foundation (Swift 6.3) never frees the buffer.
    private static func text(ofKernelFile path: String) -> String {
        guard let file = FileHandle(forReadingAtPath: path) else { return "" }
        var bytes = Data()
        while let part = try? file.read(upToCount: 4096), !part.isEmpty { bytes += part }
        return String(decoding: bytes, as: UTF8.self)
    }
}
