import Foundation
import SystemPackage
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct NameLookupTests {
    private let local: Set<SocketAddress> = [.loopback(port: 80), .loopbackV6(port: 80)]

    @Test func `a name is looked up in a fiber, a task and a thread`() async throws {
        let inTask = try await SocketAddress.resolve(host: "localhost", port: 80)
        #expect(!inTask.isEmpty && local.isSuperset(of: inTask))
        let inFiber = try await Scheduler.run { try SocketAddress.resolve(host: "localhost", port: 80) }
        #expect(inFiber == inTask)
        #expect(try await onThread { try SocketAddress.resolve(host: "localhost", port: 80) } == inTask)
        #expect(Set(inTask).count == inTask.count)
    }

    @Test func `an address needs no thread`() async throws {
        let addresses = try await SocketAddress.resolve(host: "127.0.0.1", port: 1)
        #expect(addresses == [.loopback(port: 1)])
        #expect(try await Scheduler.run { try SocketAddress.resolve(host: "::1", port: 2) } == [.loopbackV6(port: 2)])
    }

    @Test func `a look-up does not wait for what blocks in the pool`() async throws {
        // In a process of its own, whose pool it may fill.
        await #expect(processExitsWith: .success) {
            let gate = DispatchSemaphore(value: 0)
            let running = Counter()
            let jobs = (0..<2 * ThreadPool.defaultLimit).map { _ in
                ThreadPool.shared.spawn {
                    running.add()
                    gate.wait()
                }
            }
            try await awaitUntil("the pool is full") { running.value == ThreadPool.defaultLimit }
            let found = try await SocketAddress.resolve(host: "localhost", port: 1)
            #expect(!found.isEmpty)
            let inFiber = try await Scheduler.run { try SocketAddress.resolve(host: "localhost", port: 1) }
            #expect(inFiber == found)
            #expect(running.value == ThreadPool.defaultLimit && !jobs[0].isFinished)
            for _ in jobs { gate.signal() }
            for job in jobs { try await job.join() }
        }
    }

    @Test(arguments: ["", "name\0other", "a..b"])
    func `what is no name is not found`(_ host: String) async throws {
        let error = NameLookupError(host: host, reason: .notFound)
        await #expect(throws: error) { _ = try await SocketAddress.resolve(host: host, port: 1) }
        let inFiber = try await Scheduler.run {
            errorThrown { _ = try SocketAddress.resolve(host: host, port: 1) } as? NameLookupError
        }
        #expect(inFiber == error)
        #expect("\(error)" == "cannot find '\(host)': no such host, or it has no address")
    }

    @Test func `a cancelled fiber or task looks nothing up`() async throws {
        try await Scheduler.run {
            let fiber = Fiber {
                AnyFiber.current?.cancel()
                _ = try SocketAddress.resolve(host: "127.0.0.1", port: 1)
            }
            #expect(throws: CancellationError.self) { try fiber.join() }
        }
    }

    @Test func `an address that was found can be connected to`() async throws {
        try await Scheduler.run {
            let listener = try TCPListener(on: .loopback(port: 0))
            let port = listener.address.port
            let found = try SocketAddress.resolve(host: "localhost", port: port)
            let address = try #require(found.first { $0.family == 2 })
            let client = Fiber { try TCPConnection.connect(to: address) }
            _ = try listener.accept()
            _ = try client.join()
        }
    }
}
