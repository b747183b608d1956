import Foundation
import Testing

/// What the README and CONTRIBUTING show is what the repository holds.
@Suite struct ReadmeTests {
    static let root = RoomTests.sources.deletingLastPathComponent()

    static func text(of path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    @Test
    func `the first Swift program is the smallest example`() throws {
        let readme = Page(try Self.text(of: "README.md"))
        let program = try #require(readme.firstBlock(in: "swift"))
        #expect(program == (try Self.text(of: "Examples/Swift/Hello/main.swift")))
    }

    /// Without a C program in the README there is none that is small enough for it.
    @Test
    func `the first C program is the smallest example`() throws {
        let smallest = "Examples/C/hello.c"
        let readme = Page(try Self.text(of: "README.md"))
        if FileManager.default.fileExists(atPath: Self.root.appending(path: smallest).path) {
            let program = try #require(readme.firstBlock(in: "c"), "\(smallest) is not shown")
            #expect(program == (try Self.text(of: smallest)))
        } else {
            #expect(readme.firstBlock(in: "c") == nil, "there is no \(smallest) to show")
        }
    }

    @Test(arguments: ["README.md", "CONTRIBUTING.md"])
    func `paths that are named exist`(_ name: String) throws {
        let paths = Page(try Self.text(of: name)).paths
        #expect(paths.count >= 5, "the check finds paths")
        for path in paths {
            #expect(
                FileManager.default.fileExists(atPath: Self.root.appending(path: path).path),
                "\(name) names \(path)")
        }
    }

    @Test
    func `a page's blocks and paths are found`() {
        let page = Page(
            """
            Look at `Sources/A.swift` and `make -C Tests/C x`, not at `and/or not`, `a/b=c` or `-x/y`.
            ```swift
            let path = "`Sources/B.swift`"

            ```
            See `NOTES.md`, `Type+Topic.swift` and `/usr/local`.
            ```c
            int x;
            ```
            """)
        #expect(page.firstBlock(in: "swift") == "let path = \"`Sources/B.swift`\"\n\n")
        #expect(page.firstBlock(in: "c") == "int x;\n")
        #expect(page.firstBlock(in: "sh") == nil)
        #expect(page.paths == ["Sources/A.swift", "Tests/C", "and/or", "NOTES.md"])
    }
}

/// A Markdown page, as far as these tests read it.
struct Page {
    private var blocks: [(language: String, text: String)] = []
    private var prose: [Substring] = []

    init(_ text: String) {
        var isInBlock = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") {
                isInBlock.toggle()
                if isInBlock { blocks.append((String(line.dropFirst(3)), "")) }
            } else if isInBlock {
                blocks[blocks.count - 1].text += line + "\n"
            } else {
                prose.append(line)
            }
        }
    }

    func firstBlock(in language: String) -> String? {
        blocks(in: language).first
    }

    func blocks(in language: String) -> [String] {
        blocks.filter { $0.language == language }.map(\.text)
    }

    /// Words in backticks that look like a path from the repository's root.
    var paths: [String] {
        let spans = prose.flatMap { line in
            line.split(separator: "`", omittingEmptySubsequences: false)
                .enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
        }
        return spans.flatMap { $0.split(separator: " ") }.filter(Self.isPath).map(String.init)
    }

    private static func isPath(_ word: Substring) -> Bool {
        guard let first = word.first, first.isLetter || first == "." else { return false }
        let characters = word.allSatisfy { $0.isLetter || $0.isNumber || "./_-+".contains($0) }
        return characters && (word.contains("/") || word.hasSuffix(".md"))
    }
}
