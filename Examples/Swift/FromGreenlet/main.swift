// What the article "From greenlet to Ringlet" shows, compiled and run: a file for each of its sections.
// `Tests/ArchitectureTests/ArticleTests.swift` checks that each block of the article stands in one of them.

try showSwitching()
try showErrors()
try showParents()
try showThreads()
try showTracing()
try showInspection()
try showStates()
try showEnds()
try showLocals()
try generatorExamples()
try showGeneratorStates()
try showAsyncGenerators()
try showScopes()
print("every example ran")
