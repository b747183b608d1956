import Foundation
import Testing

/// The walls between rooms: an import line is the key to one, and these are the only holders.
@Suite struct RoomTests {
    static let keys: [(module: String, rooms: [String])] = [
        ("CUring", ["Ringlet/Kernel/", "Ringlet/Operations/", "RingletTesting/Kernel/"]),
        ("CContext", ["Ringlet/Coroutines/"]),
        ("CRinglet", ["RingletC/"]),
    ]

    /// Folders whose code may use unsafe constructs.
    static let unsafeRooms = [
        "Ringlet/Kernel/", "Ringlet/Operations/", "Ringlet/Coroutines/", "Ringlet/Tasks/", "RingletC/",
        "RingletTesting/Kernel/",
    ]

    static let sources = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources")

    /// Path below Sources, and the lines of each Swift file.
    static func files() throws -> [(path: String, lines: [Substring])] {
        let enumerator = try #require(
            FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        return try enumerator.compactMap { $0 as? URL }
            .filter { $0.pathExtension == "swift" }
            .map { url in
                let text = try String(contentsOf: url, encoding: .utf8)
                let path = url.path.dropFirst(sources.path.count + 1)
                return (String(path), text.split(separator: "\n", omittingEmptySubsequences: false))
            }
    }

    @Test(arguments: keys.indices)
    func `only the rooms that hold a key import its module`(_ index: Int) throws {
        let (module, rooms) = Self.keys[index]
        let importers = try Self.files().filter { file in
            file.lines.contains { line in
                line.split(separator: " ").suffix(2) == ["import", Substring(module)]
            }
        }
        #expect(!importers.isEmpty, "the check looks at the right folder")
        for file in importers {
            #expect(rooms.contains { file.path.hasPrefix($0) }, "\(file.path) imports \(module)")
        }
    }

    @Test
    func `unsafe code stays in its rooms`() throws {
        for file in try Self.files() where !Self.unsafeRooms.contains(where: file.path.hasPrefix) {
            for (number, line) in file.lines.enumerated() {
                let code = line.prefix { $0 != "/" }
                #expect(
                    !code.split(whereSeparator: { !$0.isLetter }).contains("unsafe"),
                    "\(file.path):\(number + 1)")
            }
        }
    }

    @Test
    func `a file over 300 lines says why at its head`() throws {
        for file in try Self.files() where file.lines.count > 300 {
            let head = file.lines.prefix(5).joined(separator: " ")
            #expect(head.contains("long because"), "\(file.path) has \(file.lines.count) lines")
        }
    }
}
