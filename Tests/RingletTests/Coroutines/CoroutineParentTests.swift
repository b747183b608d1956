import Ringlet
import Testing

@Suite struct CoroutineParentTests {
    @Test func `scenario 9: parents that cannot be are refused, and nothing changes`() throws {
        let a = Coroutine<Int>(name: "a") { first in first }
        let b = Coroutine<Int>(name: "b") { first in first }
        let c = Coroutine<Int>(name: "c") { first in first }
        try b.setParent(a)
        try c.setParent(b)
        #expect(throws: CoroutineError.parentIsItself) { try a.setParent(a) }
        #expect(throws: CoroutineError.parentIsDescendant) { try a.setParent(b) }
        #expect(throws: CoroutineError.parentIsDescendant) { try a.setParent(c) }
        #expect(a.parent == nil && b.parent === a && c.parent === b)
        // The third refusal of greenlet, a parent for the main one, cannot be written down: the
        // code outside is no object. Nor can a parent of another type.
        try c.setParent(nil)
        #expect(c.parent == nil)
        try a.setParent(c)
        #expect(a.parent === c)
    }

    @Test func `a parent on another thread is refused, on both threads`() throws {
        nonisolated(unsafe) let here = Coroutine<Int>(name: "here") { first in first }
        onPlainThread {
            let there = Coroutine<Int>(name: "there") { first in first }
            let error = errorThrown(by: { try unsafe there.setParent(here) })
            guard case .parentOnOtherThread(let parent, let child) = error as? CoroutineError else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(parent != child)
            guard
                case .wrongThread("coroutine 'here'", parent, child, false) = errorThrown(by: {
                    try unsafe here.setParent(there)
                }) as? CoroutineError
            else {
                Issue.record("the wrong thread may not set a parent")
                return
            }
        }
        #expect(unsafe here.parent == nil)
    }

    @Test func `the parent is who made it, and decides where the end goes, until it changes`()
        throws
    {
        let log = Journal<String>()
        let parent = Coroutine<String>(name: "parent") { _ in
            let child = Coroutine<String>(name: "child") { first in first }
            #expect(child.parent === Coroutine<String>.current)
            let other = Coroutine<String>(name: "other") { first in
                log.note("other got \(first)")
                return "from other"
            }
            try child.setParent(other)
            return try child.switch("a value")
        }
        #expect(try parent.switch("") == "from other")
        #expect(log.all == ["other got a value"])
    }

    @Test func `one that has ended forwards to its new parent`() throws {
        let ended = Coroutine<Int> { first in first }
        try ended.switch(0)
        let heir = Coroutine<Int> { first in first * 2 }
        try ended.setParent(heir)
        #expect(try ended.switch(21) == 42)
        #expect(heir.isFinished)
    }
}
