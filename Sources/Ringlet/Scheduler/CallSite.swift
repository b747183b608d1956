/// Where a call was made that asked for another, for reports.
struct CallSite: Sendable, CustomStringConvertible {
    private let fileID: StaticString
    private let line: UInt

    init(_ fileID: StaticString, _ line: UInt) {
        self.fileID = fileID
        self.line = line
    }

    var description: String { "\(fileID):\(line)" }
}
