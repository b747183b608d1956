// Of the programs beside this folder, by links: they are programs of their own, and show nothing else in common.

/// Ends the program with the sentence when an example did not do what the article says.
func expect(
    _ condition: Bool, _ sentence: String, file: StaticString = #file, line: UInt = #line
) {
    precondition(condition, "the article is wrong: \(sentence)", file: file, line: line)
}
