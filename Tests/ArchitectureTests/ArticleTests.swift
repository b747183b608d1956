import Foundation
import Testing

/// What the articles show in Swift and C is part of a program that is compiled and run.
@Suite struct ArticleTests {
    /// Articles, and the folder that holds what they show.
    static let programs = [
        (article: "FromAsyncioToRinglet.md", folder: "Examples/Swift/FromAsyncio"),
        (article: "FromGeventToRinglet.md", folder: "Examples/Swift/FromGevent"),
        (article: "FromGreenletToRinglet.md", folder: "Examples/Swift/FromGreenlet"),
        (article: "Testing.md", folder: "Tests/RingletTests/Simulation"),
        (article: "Introspection.md", folder: "Examples/Swift/Introspection"),
    ]

    @Test(arguments: programs.indices)
    func `each block stands in a file of the folder`(_ index: Int) throws {
        let (article, folder) = Self.programs[index]
        let page = try Self.page(article)
        let blocks = page.blocks(in: "swift")
        #expect(!blocks.isEmpty, "the check finds blocks")
        try expect(blocks, of: article, standIn: folder, withExtension: "swift")
    }

    @Test
    func `each block in C stands in an example`() throws {
        let articles = Self.programs.map(\.article)
        let blocks = try articles.map { (article: $0, blocks: try Self.page($0).blocks(in: "c")) }
        #expect(blocks.contains { !$0.blocks.isEmpty }, "the check finds blocks")
        for (article, blocks) in blocks {
            try expect(blocks, of: article, standIn: "Examples/C", withExtension: "c")
        }
    }

    private static func page(_ article: String) throws -> Page {
        Page(try ReadmeTests.text(of: "Sources/Ringlet/Ringlet.docc/\(article)"))
    }

    private func expect(
        _ blocks: [String], of article: String, standIn folder: String, withExtension ending: String
    ) throws {
        let files = try FileManager.default
            .contentsOfDirectory(
                at: ReadmeTests.root.appending(path: folder), includingPropertiesForKeys: nil
            )
            .filter { $0.pathExtension == ending }
            .map { flush(try String(contentsOf: $0, encoding: .utf8)) }
        for block in blocks {
            #expect(
                files.contains { $0.contains("\n" + flush(block)) },
                "\(article) shows what no file of \(folder) holds:\n\(block)")
        }
    }

    @Test
    func `indentation does not count and everything else does`() {
        let file = flush("func f() {\n    let a = 1\n\n    g {\n        a\n    }\n}\n")
        #expect(file.contains(flush("let a = 1\n\ng {\n    a\n}\n")))
        #expect(!file.contains(flush("let a = 2\n")))
        #expect(!file.contains(flush("let a = 1\ng {\n")))
    }

    /// The text with its lines at the left margin.
    private func flush(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.drop { $0 == " " } }
            .joined(separator: "\n")
    }
}
