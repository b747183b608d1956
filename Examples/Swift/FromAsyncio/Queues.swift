import Ringlet

func showQueues() throws {
    try Scheduler.run {
        let queue = Queue<Int>(capacity: 2)
        let consumer = Task {
            var sum = 0
            for try await number in queue {
                sum += number
                try queue.taskDone()
            }
            return sum
        }
        for number in 1...5 { try await queue.put(number) }
        try await queue.join()
        queue.shutdown()
        let sum = try await consumer.value
        expect(sum == 15, "all were taken")
        do { try await queue.put(6) } catch QueueError.shutDown {}

        let stack = Queue([1, 2, 3], .lastInFirstOut)
        let smallest = Queue([3, 1, 2], .priority)
        let (last, least) = (try stack.tryGet(), try smallest.tryGet())
        expect(last == 3 && least == 1, "other orders")
        let isPut = try queueOfOne().tryPut(2)
        expect(!isPut, "no room")
        stack.shutdown(immediately: true)

        // What asyncio does not have: a rendezvous, two ends, and a choice.
        let (numbers, words) = (Channel<Int>(), Channel<String>(capacity: 1))
        try await words.send("hello")
        let said = try await select(
            .receive(from: numbers) { "number \($0 ?? 0)" }, .receive(from: words) { $0 ?? "closed" })
        expect(said == "hello", "whichever is ready")
    }
}

private func queueOfOne() -> Queue<Int> { Queue([1], capacity: 1) }
