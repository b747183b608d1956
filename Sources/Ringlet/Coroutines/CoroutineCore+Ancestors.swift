// The line of parents, which may be as long as the program has run: each coroutine may make its successor and end.
// Nothing here recurses.

extension CoroutineCore {
    /// This one, or its nearest ancestor that has not ended.
    final func nearestLiving() -> CoroutineCore? {
        var candidate: CoroutineCore? = self
        while let core = candidate, core.state == .ended { candidate = core.parent?.core }
        return candidate
    }

    /// Lets go of ancestors that have ended and that nobody refers to but their child, which is then that of the next.
    /// Called when this one gets a child, so that a line grows only by those that live or that somebody holds.
    final func forgetAncestors() {
        while parent?.core.state == .ended {
            var ancestor = takeParent()
            guard isKnownUniquelyReferenced(&ancestor) else {
                parent = ancestor
                return
            }
            parent = ancestor?.core.parent
            // It goes here, which may run code of the user.
        }
    }

    /// Called once, at the end of this object. What an ancestor is freed with may run code of the user, and an ancestor
    /// that is suspended is unwound.
    final func freeAncestors() {
        var ancestor = takeParent()
        while var core = ancestor?.core {
            // Its handle may go now. If the core is held only here then, it goes in this loop, without its parent.
            ancestor = nil
            guard isKnownUniquelyReferenced(&core) else { return }
            ancestor = core.takeParent()
        }
    }

    /// The old parent goes after the access, since its end may run code of the user that asks for the new one.
    final func setParent(_ new: AnyCoroutine?) {
        let old = parent
        parent = new
        withExtendedLifetime(old) {}
    }

    private final func takeParent() -> AnyCoroutine? {
        let old = parent
        parent = nil
        return old
    }
}
