import Ringlet

func showParents() throws {
    let collector = Coroutine<Int> { first in first * 10 }
    let worker = Coroutine<Int> { first in first + 1 }
    try worker.setParent(collector)
    let collected = try worker.switch(1)  // 20: the return has started the parent

    expect(collected == 20, "a return goes to the parent")

    do {
        try collector.setParent(worker)
    } catch CoroutineError.parentIsDescendant {
        // Nothing has changed.
    }

    expect(collector.parent == nil, "a cycle is refused")
}
