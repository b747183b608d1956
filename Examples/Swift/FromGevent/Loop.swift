import Glibc
import Ringlet
import SystemPackage

func showLoop() throws {
    let notes = Notes()
    try Scheduler.run {
        let scheduler = Scheduler.current!
        scheduler.setUnseenErrorHandler { unseen in notes.add("\(unseen.origin)") }
        scheduler.soon { notes.add("run_callback") }
        let timer = scheduler.later(.milliseconds(1)) { notes.add("timer") }
        scheduler.later(.seconds(3600), holdsScheduler: false) { notes.add("ref=False") }
        scheduler.soon { throw Refused() }
        try scheduler.waitUntilIdle()  // hub.join()
        expect(!timer.isPending, "it was called")
    }
    expect(notes.all == ["run_callback", "callback", "timer"], "the loop's calls")
    try showWatchers()
    try showWaiter()
}

private func showWatchers() throws {
    var ends: [Int32] = [0, 0]
    guard unsafe pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
    let (reading, writing) = (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
    let notes = Notes()
    try Scheduler.run {
        let watcher = try Scheduler.current!.onReadable(reading, holdsScheduler: false) {
            notes.add("readable")
            Scheduler.current?.stopWatching(reading, for: .readable)
        }
        try Scheduler.waitWritable(writing)
        try writing.writeAll([1])
        try Scheduler.waitReadable(reading)
        while watcher.isActive { try Fiber.yield() }
    }
    try reading.close()
    try writing.close()
    expect(notes.all == ["readable"], "a watcher")
}

private func showWaiter() throws {
    try Scheduler.run {
        let promise = Promise<String>()
        Scheduler.current?.soon { try promise.succeed("from the hub") }
        expect(try promise.value() == "from the hub", "a value for one who waits")
    }
}
