import Glibc
import Ringlet
import SystemPackage

func showCallbacks() throws {
    try showCalls()
    try showErrors()
    try showDescriptors()
}

private func showCalls() throws {
    let notes = Notes()
    try Scheduler.run {
        let scheduler = Scheduler.current!
        scheduler.soon { notes.add("soon") }
        scheduler.later(.milliseconds(2)) { notes.add("later") }
        let start = Deadline.now
        scheduler.at(start) { notes.add("at") }

        let never = scheduler.later(.seconds(3600)) { notes.add("never") }
        never.cancel()
        expect(!never.isPending && never.isCancelled, "a cancelled call is not made")

        // Nobody waits for this one.
        scheduler.later(.seconds(3600), holdsScheduler: false) { notes.add("never") }
        try await scheduler.waitUntilIdle()
    }
    expect(notes.all.sorted() == ["at", "later", "soon"], "calls are made once each")
}

private func showErrors() throws {
    let notes = Notes()
    try Scheduler.run {
        let scheduler = Scheduler.current!
        scheduler.setUnseenErrorHandler { unseen in
            notes.add("\(unseen.origin) \(unseen.error)")
        }
        scheduler.soon { throw Refused() }
        scheduler.soon { notes.add("the loop goes on") }
        // call_exception_handler
        scheduler.reportUnseen(Refused(), source: "a callback of another library")
        try await scheduler.waitUntilIdle()
    }
    expect(
        notes.all == ["report Refused()", "callback Refused()", "the loop goes on"],
        "errors go to the handler")
}

private func showDescriptors() throws {
    let notes = Notes()
    var ends: [Int32] = [0, 0]
    guard unsafe pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
    let (reading, writing) = (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
    try Scheduler.run {
        let scheduler = Scheduler.current!
        let watcher = try scheduler.onReadable(reading) {
            notes.add("read \(takeByte(from: reading))")
            scheduler.stopWatching(reading, for: .readable)  // true: it was watched
        }
        _ = try writing.writeAll([7])
        try await scheduler.waitUntilIdle()
        expect(!watcher.isActive, "the watch has ended")

        _ = try writing.writeAll([8])
        try await Scheduler.waitReadable(reading)
        try await Scheduler.waitWritable(writing)
    }
    try reading.close()
    try writing.close()
    expect(notes.all == ["read 7"], "a watcher calls when there is something to read")
}

private func takeByte(from descriptor: FileDescriptor) -> UInt8 {
    var byte: UInt8 = 0
    _ = unsafe read(descriptor.rawValue, &byte, 1)
    return byte
}
