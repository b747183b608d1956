import Foundation

/// A C program that awaits Ringlet's tasks, linked against the installed library.
struct CExampleAct {
    let stage: Stage
    let path: String?

    struct Failure: Error, CustomStringConvertible {
        let status: Int32
        var description: String { "the C example ended with status \(status)" }
    }

    func play() throws {
        stage.act("A C program awaits its tasks")
        guard let path else {
            stage.say("skipped: no --c-example was given (make run builds one and gives it)")
            return
        }
        let process = Process()
        process.executableURL = URL(filePath: path)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        for line in text.split(separator: "\n") { stage.say(String(line)) }
        guard process.terminationStatus == 0 else {
            throw Failure(status: process.terminationStatus)
        }
        stage.note("\(path) ended with status 0")
    }
}
