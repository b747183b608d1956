import Foundation
import Glibc
import Testing

/// Runs `body` on a thread of its own and waits.
func onPlainThread(_ body: @escaping () -> Void) {
    pthread_join(startPlainThread(body), nil)
}

/// Runs `body` on a thread of its own, which somebody must join.
func startPlainThread(_ body: @escaping () -> Void) -> pthread_t {
    final class Box {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = unsafe Unmanaged.passRetained(Box(body)).toOpaque()
    unsafe pthread_create(
        &thread, nil,
        { box in
            unsafe Unmanaged<Box>.fromOpaque(box.unsafelyUnwrapped).takeRetainedValue().body()
            return nil
        }, box)
    return thread
}

/// The kernel's number of this thread.
func threadNumber() -> Int32 {
    // "1234/task/1235"
    let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
    return link?.split(separator: "/").last.flatMap { Int32($0) } ?? -1
}

/// Expects that a test process ended with `text` on its stderr.
func expectReport(_ result: ExitTest.Result?, says text: String) throws {
    let output = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(output.contains(text), "\(output)")
}

/// Notes when the last reference to it goes: a frame that holds one was unwound.
final class FrameTrace {
    private let lines: Journal<String>

    init(_ lines: Journal<String>) { self.lines = lines }

    deinit { lines.note("unwound") }
}

/// Ends the testing library's notes about each error that is thrown, whose table grows and has locks. For exit tests
/// that measure memory, and for those that fork.
func stopErrorNotes() {
    for name in ["_swift_willThrow", "_swift_willThrowTypedImpl"] {
        if let hook = unsafe dlsym(nil, name) { unsafe hook.storeBytes(of: 0, as: UInt.self) }
    }
}
