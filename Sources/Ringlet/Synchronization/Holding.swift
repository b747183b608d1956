// What a body holds is given back whatever comes of the body. Where giving back may fail, that failure is thrown: somebody
// has broken a rule, and the body's outcome was reached without what it should have held.

/// Calls `body`, then `release`.
@inline(__always)
func holding<Result>(_ body: () throws -> Result, release: () throws -> Void) throws -> Result {
    let outcome = Swift.Result { try body() }
    try release()
    return try outcome.get()
}

/// Calls `body`, then `release`. Inlined, because an async call costs a frame of the task's allocator.
@inline(__always)
func holding<Result>(_ body: () async throws -> Result, release: () throws -> Void) async throws -> Result {
    let result: Result
    do {
        result = try await body()
    } catch {
        try release()
        throw error
    }
    try release()
    return result
}
