// What the article "From asyncio to Ringlet" shows, compiled and run: a file for each of its sections.
// `Tests/ArchitectureTests/ArticleTests.swift` checks that each block of the article stands in one of them.

// First, while there are no other threads that could take the signal.
try showSignals()
try showRunning()
try showEmbedding()
try showCallbacks()
try showTasks()
try showLocals()
try showWaiting()
try showTimeouts()
try showGroups()
try showSynchronization()
try showQueues()
try showThreads()
try showProcesses()
print("every example ran")
