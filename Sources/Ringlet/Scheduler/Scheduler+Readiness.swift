public import SystemPackage

// MARK: - Calls when a descriptor is ready

extension Scheduler {
    /// Has `body` called in each pass in which `descriptor` is readable: it has data, a connection to accept, an end
    /// or an error. For descriptors that are not Ringlet's own, such as those of another library.
    ///
    ///     let watcher = try scheduler.onReadable(library.descriptor) { library.dispatch() }
    ///
    /// The body is called by the rules of ``soon(fileID:line:_:)``: it must not wait, and errors of it go to the
    /// handler of unseen errors while the watch goes on. A second watch of the same descriptor takes the place of the
    /// first. When the descriptor was closed, the watch ends with a report of `Errno.badFileDescriptor`; it never calls for
    /// another file that got the number, except for another of a kind that the kernel does not tell apart, as eventfd(2).
    ///
    /// After ``shutdown(deadline:)`` has begun nothing is called any more: the watcher is not active, at the latest from the
    /// worker's next turn on.
    ///
    /// - Parameters:
    ///   - descriptor: Stays open until the watch ends; it belongs to the caller.
    ///   - holdsScheduler: False for a watch that `waitUntilIdle(deadline:)` does not wait for.
    ///   - fileID: Where the watch was asked for, for reports.
    ///   - line: Its line.
    ///   - body: Called on the worker.
    /// - Throws: `Errno.badFileDescriptor`; `Errno.notPermitted` for a regular file or a directory, which are always ready;
    ///   ``SchedulerError/ownedDescriptor(_:)`` for that of a connection, listener or file of Ringlet.
    @discardableResult
    public func onReadable(
        _ descriptor: FileDescriptor, holdsScheduler: Bool = true, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: sending @escaping () throws -> Void
    ) throws -> Watcher {
        try watch(.readable, of: descriptor, holdsScheduler, PackedSite(fileID, line), body)
    }

    /// Has `body` called in each pass in which `descriptor` is writable: there is room, or an error.
    /// As ``onReadable(_:holdsScheduler:fileID:line:_:)``.
    @discardableResult
    public func onWritable(
        _ descriptor: FileDescriptor, holdsScheduler: Bool = true, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: sending @escaping () throws -> Void
    ) throws -> Watcher {
        try watch(.writable, of: descriptor, holdsScheduler, PackedSite(fileID, line), body)
    }

    /// Ends the watch for `readiness` of a descriptor, which may have been closed meanwhile. Any thread.
    ///
    /// - Returns: True when there was one.
    @discardableResult
    public func stopWatching(_ descriptor: FileDescriptor, for readiness: Readiness) -> Bool {
        state.watchers.find(readiness, of: descriptor.rawValue)?.cancel() ?? false
    }

    private func watch(
        _ readiness: Readiness, of descriptor: FileDescriptor, _ holdsScheduler: Bool, _ site: PackedSite,
        _ body: sending @escaping () throws -> Void
    ) throws -> Watcher {
        try Fork.check()
        try Self.checkOwner(descriptor.rawValue)
        let watcher = try Watcher(
            readiness, of: descriptor.rawValue, on: callbackWorker, holdsScheduler: holdsScheduler, site: site, body)
        state.watchers.replace(with: watcher)?.cancel()
        watcher.start()
        return watcher
    }

    private static func checkOwner(_ descriptor: Int32) throws(SchedulerError) {
        if OwnedDescriptors.contains(descriptor) { throw .ownedDescriptor(descriptor) }
    }
}

// MARK: - Waiting until a descriptor is ready, in both colours

extension Scheduler {
    /// Suspends the current fiber until `descriptor` is readable. See `wait(for:on:deadline:)`.
    @available(*, noasync, message: "in a task, await Scheduler.waitReadable(_:)")
    public static func waitReadable(_ descriptor: FileDescriptor, deadline: Deadline = .never) throws {
        _ = try wait(for: .readable, on: descriptor, deadline: deadline)
    }

    /// Suspends the current task until `descriptor` is readable.
    public static func waitReadable(_ descriptor: FileDescriptor, deadline: Deadline = .never) async throws {
        _ = try await wait(for: .readable, on: descriptor, deadline: deadline)
    }

    /// Suspends the current fiber until `descriptor` is writable.
    @available(*, noasync, message: "in a task, await Scheduler.waitWritable(_:)")
    public static func waitWritable(_ descriptor: FileDescriptor, deadline: Deadline = .never) throws {
        _ = try wait(for: .writable, on: descriptor, deadline: deadline)
    }

    /// Suspends the current task until `descriptor` is writable.
    public static func waitWritable(_ descriptor: FileDescriptor, deadline: Deadline = .never) async throws {
        _ = try await wait(for: .writable, on: descriptor, deadline: deadline)
    }

    /// Suspends the current fiber until `descriptor` is ready for one of `wanted`; returns for which.
    ///
    /// End the wait before the descriptor is closed: with io_uring it keeps the file open, and nothing may come of it.
    ///
    /// - Throws: `CancellationError`; ``TimeoutError``; `Errno.invalidArgument` when nothing is wanted; and as
    ///   ``onReadable(_:holdsScheduler:fileID:line:_:)``.
    @available(*, noasync, message: "in a task, await Scheduler.wait(for:on:)")
    public static func wait(
        for wanted: Readiness, on descriptor: FileDescriptor, deadline: Deadline = .never
    ) throws -> Readiness {
        let fiber = try FiberRef.require("Scheduler.wait(for:on:)")
        let request = try pollRequest(wanted, descriptor.rawValue)
        while true {
            let completion = fiber.perform(request, deadline: deadline)
            if let ready = try result(completion, wanted, deadline) { return ready }
            try Fiber.sleep(until: min(deadline, .after(Readiness.pause)))
        }
    }

    /// Suspends the current task until `descriptor` is ready for one of `wanted`; returns for which.
    ///
    /// - Throws: As the synchronous form.
    public static func wait(
        for wanted: Readiness, on descriptor: FileDescriptor, deadline: Deadline = .never
    ) async throws -> Readiness {
        let worker = try Worker.forCurrentTask
        let request = try pollRequest(wanted, descriptor.rawValue)
        while true {
            let completion = await worker.perform(request, deadline: deadline)
            if let ready = try result(completion, wanted, deadline) { return ready }
            try await sleep(until: min(deadline, .after(Readiness.pause)))
        }
    }

    private static func pollRequest(_ wanted: Readiness, _ descriptor: Int32) throws -> Request {
        if wanted.isEmpty { throw Errno.invalidArgument }
        try checkOwner(descriptor)
        _ = try DescriptorCalls.identity(of: descriptor)
        return .poll(descriptor, events: wanted.pollEvents)
    }

    private static func result(
        _ completion: Completion, _ wanted: Readiness, _ deadline: Deadline
    ) throws -> Readiness? {
        try completion.orThrow(deadline)
        let ready = Readiness(pollResult: completion.result, of: wanted)
        return ready.isEmpty ? nil : ready
    }
}
