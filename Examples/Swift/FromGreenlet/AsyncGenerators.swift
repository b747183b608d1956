import Ringlet

func showAsyncGenerators() throws {
    try Scheduler.run {
        let total = AsyncGenerator(of: Int.self, receiving: Int.self) { yield in
            var sum = 0
            while true {
                do {
                    sum += try await yield(sum)
                } catch is Rewind {
                    sum = 0
                }
            }
        }
        try await total.start()  // await anext(g)
        let first = try await total.send(3)  // await g.asend(3): 3
        let again = try await total.throw(Rewind())  // await g.athrow(…): 0
        try await total.close()  // await g.aclose()
        let last = try await total.send(1) ?? -1  // after the end nil: anext(g, -1)

        expect(first == 3 && again == 0 && last == -1, "values and errors go in")

        let notes = Notes()
        let words = AsyncGenerator(of: String.self) { yield in
            try await yield("hello")
            try await yield.from(["and", "so", "on"])  // any sequence
        }
        try await words.closing { words in  // async with aclosing(words)
            for try await word in words {
                notes.add(word)
                break
            }
        }
        expect(notes.all == ["hello"] && words.isFinished, "it has ended, and was waited for")
    }
}
