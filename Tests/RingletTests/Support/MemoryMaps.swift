import Glibc

/// The mappings of this process as /proc/self/maps has them. The kernel gives at most a page at a time, which
/// Foundation takes for the whole file.
func memoryMaps() throws -> String {
    let file = unsafe open("/proc/self/maps", O_RDONLY | O_CLOEXEC)
    defer { close(file) }
    var text: [UInt8] = []
    var page = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = unsafe read(file, &page, page.count)
        if count < 0 { throw Unreadable() }
        if count == 0 { return String(decoding: text, as: UTF8.self) }
        text += page[..<count]
    }
}

private struct Unreadable: Error {}
