import Ringlet

func showGroups() throws {
    let notes = Notes()
    try Scheduler.run {
        do {
            try await withGroup { group in
                try group.spawn { try await waitForEver() }
                try group.spawn { try await refuse() }
                try group.spawn { try Fiber.sleep(until: .never) }  // a fiber: its body does not await
            }
        } catch let error as GroupError {
            notes.add("\(error.errors.count) error")
        }

        try await withGroup { group in
            try group.spawn { try await waitForEver() }
            group.cancel()  // an early end that is no error
        }

        try await withGroup { group in
            let port: Int = try await group.start { ready in
                try ready.succeed(8080)
                try await waitForEver()
            }
            notes.add("ready on \(port)")
            group.cancel()
        }
    }
    expect(notes.all == ["1 error", "ready on 8080"], "groups")
}
