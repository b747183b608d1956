extension AsyncGenerator {
    /// Calls `body` with this generator, and closes it before returning, whichever way `body` ends: at the last
    /// element, by a `break` out of its loop, by an error, by a cancellation.
    ///
    ///     let header = try await lines(of: address).closing { lines in
    ///         var header: [String] = []
    ///         for try await line in lines {
    ///             if line.isEmpty { break }
    ///             header.append(line)
    ///         }
    ///         return header
    ///     }
    ///     // The connection has been closed.
    ///
    /// Without it the generator would be brought to its end as well, when its last reference goes, but nobody would
    /// wait for that. The end is waited for also in a task that is cancelled. A step that was cancelled has
    /// cancelled the generator's task, for good: what its clean-up has to wait for nevertheless belongs in
    /// `withoutCancellation`.
    ///
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; then an error of the clean-up goes to the handler of ``UnseenError``, since
    /// only one can be thrown. Otherwise what `close()` throws.
    @discardableResult
    public func closing<Result>(
        _ body: (_ generator: AsyncGenerator) async throws -> Result
    ) async throws -> Result {
        let result: Result
        do {
            result = try await body(self)
        } catch {
            do { try await close() } catch { reportUnseen(error) }
            throw error
        }
        try await close()
        return result
    }

    /// As `closing(_:)` of a task. Suspends the fiber.
    @discardableResult
    @_disfavoredOverload
    @available(*, noasync, message: "in a task, await closing(_:)")
    public func closing<Result>(_ body: (_ generator: AsyncGenerator) throws -> Result) throws -> Result {
        let result: Result
        do {
            result = try body(self)
        } catch {
            do { try close() } catch { reportUnseen(error) }
            throw error
        }
        try close()
        return result
    }

    private func reportUnseen(_ error: any Error) {
        UnseenErrors.report(UnseenError(error: error, origin: .generator, source: core.label))
    }
}
