// What a body holds is given back whatever comes of the body. Where giving back may fail, that failure is thrown: somebody
// has broken a rule, and the body's outcome was reached without what it should have held.
//
// Inlinable, as what calls them is, so that a user's module has them for the types that it uses: else the runtime would
// look up the type of the result at each call, which costs more than the lock.

/// Calls `body`, then `release`.
@inlinable
@inline(__always)
func holding<Result>(_ body: () throws -> Result, release: () throws -> Void) throws -> Result {
    let result: Result
    do {
        result = try body()
    } catch {
        try release()
        throw error
    }
    try release()
    return result
}

/// Calls `body`, then `release`. Inlined, because an async call costs a frame of the task's allocator.
@inlinable
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
