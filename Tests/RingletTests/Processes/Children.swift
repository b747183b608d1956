import Foundation
import Glibc
import SystemPackage
import Testing

@testable import Ringlet

/// The children of this process, with the letter of their state: `Z` for one that nobody has reaped. Only an exit test
/// has a process for itself.
func children() -> [Int32: Character] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    var found: [Int32: Character] = [:]
    for pid in names.compactMap({ Int32($0) }) {
        // "17 (name) S 1 …"
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let fields = text.split(separator: ")").last?.split(separator: " "), fields[1] == "\(getpid())"
        else { continue }
        found[pid] = fields[0].first
    }
    return found
}

/// Suspends a task until no child is left, ended or not.
func awaitNoChildren() async throws {
    try await awaitUntil("no child is left") { children().isEmpty }
}

/// A pipe of the program's own.
func makePipe() throws -> (reading: FileDescriptor, writing: FileDescriptor) {
    let ends = try FileDescriptor.pipe()
    return (ends.readEnd, ends.writeEnd)
}

/// A folder for one test, which is removed afterwards.
func withFolder<Result>(_ body: (FilePath) async throws -> Result) async throws -> Result {
    var template = Array("/tmp/ringlet-processes-XXXXXX".utf8CString)
    let made = unsafe template.withUnsafeMutableBufferPointer { unsafe mkdtemp($0.baseAddress!) } != nil
    try #require(made)
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(FilePath(path))
}

/// Writes a program for `/bin/sh`, by a child: while one that another test starts has this process's descriptors, for the
/// moment before its exec, what is open here for writing cannot be executed.
func writeScript(_ text: String, to path: FilePath, permissions: String = "755") async throws {
    try await Command("sh", "-c", "cat > \"$1\" && chmod \"$2\" \"$1\"", "sh", path.string, permissions)
        .run(input: "#!/bin/sh\n\(text)\n".utf8)
}

/// 4 MiB, many times what a pipe holds.
let muchInput = pattern(count: 4 << 20)
