internal import Foundation
internal import Measure

/// A program that is measured beside ours, and says what it measured.
enum Program {
    /// The path of a file of the benchmarks.
    static func path(_ file: String) -> String {
        URL(filePath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: file).path
    }

    /// Programs of other libraries that do `subject`, where those are installed.
    static func peers(_ subject: String) throws -> [(name: String, command: [String])] {
        try run([path("Peers/peers.sh"), subject]).split(separator: "\n").map { line in
            let fields = line.split(separator: "\t").map(String.init)
            return (fields[0], fields[1].split(separator: " ").map(String.init))
        }
    }

    /// A sample from a program that prints nanoseconds.
    static func sample(_ command: [String]) throws -> Sample {
        let text = try run(command)
        guard let nanoseconds = Double(text) else { throw Failure(text: text) }
        return Sample(nanoseconds: nanoseconds)
    }

    private struct Failure: Error { let text: String }

    /// What the program prints.
    static func run(_ command: [String]) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        guard process.terminationStatus == 0 else { throw Failure(text: text) }
        return text
    }
}
