// What the article "From greenlet to Ringlet" shows, compiled and run: a file for each of its sections.
// `Tests/ArchitectureTests/ArticleTests.swift` checks that each block of the article stands in one of them.

try showSwitching()
try showErrors()
try showParents()
try showThreads()
try showTracing()
try showInspection()
try generatorExamples()
print("every example ran")
