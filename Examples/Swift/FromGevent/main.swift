// What the article "From gevent to Ringlet" shows, compiled and run: a file for each of its sections.
// `Tests/ArchitectureTests/ArticleTests.swift` checks that each block of the article stands in one of them.

// First, while there are no other threads that could take the signal.
try showSignals()
try showSpawning()
try showEnds()
try showTimeouts()
try showLoop()
try showLocals()
try showSynchronization()
try showQueues()
try showPools()
try showChildren()
print("every example ran")
