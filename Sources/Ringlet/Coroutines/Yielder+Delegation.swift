// yield.from: what Python calls `yield from`.

extension Yielder {
    /// Delegates to another generator until it ends: its elements go to this one's caller; what the
    /// caller sends and throws goes to the other's pending `yield`. Returns what the other returned.
    ///
    ///     func walk(_ tree: Tree?, _ yield: Yielder<Int, Void>) throws {
    ///         guard let tree else { return }
    ///         try yield.from(Generator { try walk(tree.left, $0) })
    ///         try yield(tree.value)
    ///         try yield.from(Generator { try walk(tree.right, $0) })
    ///     }
    ///
    /// An element costs the same at any depth of delegation: it goes from the innermost body to the
    /// caller, and the bodies in between stay suspended until the one that they wait for ends.
    ///
    /// Closing this generator closes the other first; ``GeneratorExit`` is then thrown here, whatever
    /// the other returned. If it ignores the exit, ``GeneratorError/ignoredExit`` is thrown here instead.
    ///
    /// The other may also be advanced or closed by somebody else meanwhile: the delegation then goes
    /// on from where that left it. Two generators may delegate to the same third one; then one of them
    /// takes a step of its own for each element.
    ///
    /// - Throws: What the other body throws, and what is thrown into this one and not caught there;
    ///   ``GeneratorError/alreadyStarted``, when a `yield` of the other waits for a value;
    ///   ``GeneratorError/alreadyRunning``, when the other is running, as in a circle of delegations;
    ///   ``GeneratorError/wrongThread(owner:current:)``; ``GeneratorError/closed``; `Errno` when there
    ///   is no memory for a stack.
    @discardableResult
    @inlinable
    public func from<Value>(_ other: Generator<Element, Sent, Value>) throws -> Value {
        if other.core.isSuspended { throw GeneratorError.alreadyStarted }
        return try unsafe delegate(to: other) { try other.start() }
    }

    /// Delegates to `other`, whose pending `yield`, if there is one, is given what lies at `first`.
    ///
    /// - Parameter begin: Asks `other` for its first element, where that has to be done here.
    @inlinable
    func delegate<Value>(
        to other: Generator<Element, Sent, Value>, first: UnsafeMutableRawPointer? = nil,
        begin: () throws -> Element?
    ) throws -> Value {
        // Held until the end of the delegation: links between cores count no references.
        defer { withExtendedLifetime(other) {} }
        if try unsafe !core.delegate(to: other.core, handle: other, first: first) {
            try pump(other, begin)
        }
        return try other.core.outcome()
    }

    /// Delegates step by step.
    @usableFromInline
    func pump<Value>(
        _ other: Generator<Element, Sent, Value>, _ begin: () throws -> Element?
    ) throws {
        var element = try begin()
        while let offered = element {
            do {
                let sent = try self(offered)
                element = try other.send(sent)
            } catch let exit as GeneratorExit where !other.isFinished {
                try other.close()
                throw exit
            } catch  where !other.isFinished {
                element = try other.throw(error)
            }
        }
    }
}

extension Yielder where Sent == Void {
    /// Delegates to a generator that may have begun; otherwise as with values that are sent.
    @discardableResult
    @inlinable
    public func from<Value>(_ other: Generator<Element, Void, Value>) throws -> Value {
        try unsafe delegate(to: other) { try other.next() }
    }

    /// Yields the elements of a sequence. An error that is thrown into the generator is thrown here.
    @inlinable
    public func from(_ elements: some Sequence<Element>) throws {
        for element in elements { try self(element) }
    }
}

extension Yielder where Sent: ExpressibleByNilLiteral {
    /// Delegates to a generator that may have begun: then nil is sent to its pending `yield`.
    @discardableResult
    @inlinable
    public func from<Value>(_ other: Generator<Element, Sent, Value>) throws -> Value {
        var first: Sent? = .some(nil)
        return try unsafe withUnsafeMutablePointer(to: &first) { first in
            try unsafe delegate(to: other, first: UnsafeMutableRawPointer(first)) {
                try other.next()
            }
        }
    }

    /// Yields the elements of a sequence.
    ///
    /// - Throws: ``GeneratorError/cannotReceive`` when something else than nil is sent.
    @inlinable
    public func from<Value>(_ elements: some Sequence<Element>) throws where Sent == Value? {
        for element in elements {
            if try self(element) != nil { throw GeneratorError.cannotReceive }
        }
    }
}
