extension Generator: Sequence where Sent == Void {
    /// The elements that are still to come. An error of the body ends them; see
    /// ``Generator/result``. An iteration that cannot be, because the generator is running or the
    /// thread is another one, traps: to a loop it would look like the end.
    public struct Iterator: IteratorProtocol {
        @usableFromInline let generator: Generator

        @usableFromInline init(_ generator: Generator) { self.generator = generator }

        /// The next element; nil at the end, and after an error.
        @inlinable
        public func next() -> Element? {
            do {
                return try generator.next()
            } catch {
                generator.core.endLoop(error)
                return nil
            }
        }
    }

    /// All iterators of a generator share its progress.
    @inlinable
    public func makeIterator() -> Iterator { Iterator(self) }
}
