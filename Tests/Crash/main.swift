// Crashes in the way that its argument names, for run.sh.

import Ringlet

/// Fills the stack. The names of these functions are looked for in backtraces. Not optimised: a release build
/// would make it a loop.
@_optimize(none)
func diveDeeper(_ depth: Int) -> Int {
    if depth < 0 { return 0 }
    let noise = (depth, depth &+ 1, depth &+ 2, depth &+ 3)
    return diveDeeper(depth + 1) &+ noise.3 &- noise.0
}

@inline(never)
func breakARule(_ depth: Int) -> Int { requireRule(depth > 3) &+ depth }

@inline(never)
func requireRule(_ holds: Bool) -> Int {
    precondition(holds, "a rule was broken")
    return 1
}

@inline(never)
func readPastTheEnd(_ numbers: [Int], _ index: Int) -> Int { numbers[index] }

@inline(never)
func readNothing(_ address: Int) -> Int {
    unsafe UnsafePointer<Int>(bitPattern: address).unsafelyUnwrapped.pointee
}

let small = SchedulerOptions(fiberStackSize: 128 * 1024)

func inFiber(_ name: String?, _ body: @escaping @Sendable () throws -> Void) throws {
    try Scheduler.run(small) {
        // Sleepers below and above, whose stacks are whole; the first waits inside a generator.
        Fiber(name: "bystander") { for number in waitingGenerator() { print(number) } }
        for _ in 0..<2 { Fiber(name: "bystander") { try Fiber.sleep(until: .never) } }
        try Fiber(name: name) {
            try Fiber.yield()
            try body()
        }.join()
    }
}

func overflowingGenerator() -> Generator<Int, Void, Void> {
    Generator(of: Int.self, name: "numbers", stackSize: 64 * 1024) { yield in
        try yield(1)
        try yield(diveDeeper(0))
    }
}

func waitingGenerator() -> Generator<Int, Void, Void> {
    Generator(of: Int.self, name: "waiting") { yield in
        try Fiber.sleep(until: .never)
        try yield(1)
    }
}

switch CommandLine.arguments.dropFirst().first {
case "fiber": try inFiber("deep diver") { _ = diveDeeper(0) }
case "nameless": try inFiber(nil) { _ = diveDeeper(0) }
case "coroutine":
    try Coroutine(name: "ping", stackSize: 64 * 1024) { _ = diveDeeper(0) }.switch()
case "generator": for number in overflowingGenerator() { print(number) }
case "generator-in-fiber": try inFiber("reader") { for number in overflowingGenerator() { print(number) } }
// The generator is whole; the fiber that asks it for elements is full.
case "fiber-below-generator":
    try inFiber("reader") {
        let generator = Generator(of: Int.self) { yield in try yield(1) }
        print(try generator.next() ?? 0)
        _ = diveDeeper(0)
    }
case "rule": try inFiber("breaker") { _ = breakARule(3) }
case "index": try inFiber("counter") { _ = readPastTheEnd([1, 2, 3], 3) }
case "fault": try inFiber("reader of nothing") { print(readNothing(8 << 12)) }
case "rule-in-coroutine": try Coroutine(name: "ping") { _ = breakARule(3) }.switch()
default: fatalError("which crash?")
}
