import Glibc

/// libdispatch's main queue, served by a main thread that waits for something else.
enum MainQueue {
    /// Runs what the queue holds until `wake` is signalled. The main thread only.
    static func serve(until wake: EventDescriptor) {
        var entries = [
            pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: LinuxThread.mainQueueDescriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let count = unsafe poll(&entries, 2, -1)
            if count <= 0 { continue }
            if entries[0].revents != 0 { return }
            LinuxThread.runMainQueue()
        }
    }
}
