// What the article "From gevent to Ringlet" shows, compiled and run: a file for each of its sections.
// `Tests/ArchitectureTests/ArticleTests.swift` checks that each block of the article stands in one of them.

try showSpawning()
try showEnds()
try showTimeouts()
try showLoop()
try showLocals()
try showSynchronization()
try showQueues()
try showPools()
print("every example ran")

/// Ends the program with the sentence when an example did not do what the article says.
func expect(
    _ condition: Bool, _ sentence: String, file: StaticString = #file, line: UInt = #line
) {
    precondition(condition, "the article is wrong: \(sentence)", file: file, line: line)
}
