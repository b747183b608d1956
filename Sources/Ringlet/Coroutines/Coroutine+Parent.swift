extension Coroutine {
    /// Where control goes when the body ends, and what is switched to this coroutine afterwards:
    /// the coroutine of the family that was current when this one was made, until ``setParent(_:)``
    /// changes it. Nil: the code outside. Control passes over ancestors that have ended, and, when
    /// a body ends, over those that wait; one that has not begun is started, or ends with the error
    /// if it gets no stack, which goes on to its own parent then. (A direct switch to it leaves it
    /// as it was.) A parent that has ended and that nobody else refers to may be forgotten, so that
    /// its own parent stands here: a coroutine that makes its successor and ends leaves nothing.
    public var parent: Coroutine? {
        core.parent.map { unsafe unsafeDowncast($0, to: Coroutine.self) }
    }

    /// Makes another coroutine the parent, in any state of both; nil is the code outside.
    ///
    /// A parent of another family, or no parent at all, cannot be written down. Linear in the
    /// number of the new parent's ancestors.
    ///
    /// - Throws: ``CoroutineError/wrongThread(coroutine:owner:caller:ownerHasExited:)``,
    ///   ``CoroutineError/parentOnOtherThread(parent:child:)``,
    ///   ``CoroutineError/parentIsItself`` or ``CoroutineError/parentIsDescendant``; the parent is
    ///   what it was, then.
    public func setParent(_ parent: Coroutine?) throws(CoroutineError) {
        try core.requireOwnThread()
        if let parent {
            guard parent.core.thread === core.thread else {
                throw .parentOnOtherThread(parent: parent.core.thread.id, child: core.thread.id)
            }
            if parent === self { throw .parentIsItself }
            var ancestor: AnyCoroutine? = parent.core.parent
            while let next = ancestor {
                if next === self { throw .parentIsDescendant }
                ancestor = next.core.parent
            }
        }
        parent?.core.forgetAncestors()
        core.setParent(parent)
    }
}
