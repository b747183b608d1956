import Ringlet

func showQueues() throws {
    let notes = Notes()
    try Scheduler.run {
        let queue = Queue<Int>(capacity: 1)
        let producer = Fiber {
            for number in 1...3 { try queue.put(number) }
            queue.shutdown()  // the stop marker
        }
        expect(try queue.peek(deadline: .after(.seconds(60))) == 1, "peek")
        var numbers: [Int] = []
        for number in queue {
            numbers.append(number)
            try queue.taskDone()
        }
        try producer.join()
        try queue.join()
        expect(numbers == [1, 2, 3], "iteration")

        let stack = Queue([1, 2, 3], .lastInFirstOut)
        let smallest = Queue([3, 1, 2], .priority)
        expect(try stack.get() == 3 && smallest.get() == 1, "other orders")
        expect(try smallest.tryPut(4) && smallest.tryGet() == 2, "put_nowait and get_nowait")

        let channel = Channel<String>()
        let receiver = Fiber {
            notes.add(try channel.receive())
            notes.add(try channel.receive())
        }
        for word in ["hello", "world"] {
            try channel.send(word)
            notes.add("sent \(word)")
        }
        try receiver.join()
        channel.close()
    }
    expect(notes.all == ["hello", "sent hello", "world", "sent world"], "a rendezvous")
}
