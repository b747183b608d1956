import Foundation
import SystemPackage
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct DumpTests {
    /// In a process of its own: those of other tests are busy, or blocked on purpose.
    @Test func `a dump has all schedulers of the process`() async {
        await #expect(processExitsWith: .success) {
            try await withScheduler { first in
                try await withScheduler(workers: 2) { second in
                    let one = first.spawn(name: "dumped one") { try Fiber.sleep(until: .never) }
                    let two = second.spawn(name: "dumped two") { try Fiber.sleep(until: .never) }
                    let text = try await onThread { Scheduler.dumpAll(deadline: .after(patience)) }
                    #expect(text.hasPrefix("ringlet: "))
                    #expect(text.contains("\(one) on worker 0: "))
                    #expect(text.contains("\(two) on worker "))
                    one.cancel()
                    two.cancel()
                }
            }
        }
    }

    /// Also of a worker that does not come round, and beside a handler that was there before.
    @Test func `a signal prints the dump`() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await onThread {
                signal(SIGUSR1) { _ in strangersSignals.add() }
                // What is printed goes through a pipe first, to know when it has come.
                var ends: [Int32] = [-1, -1]
                _ = unsafe pipe(&ends)
                let (reading, realError) = (ends[0], dup(2))
                dup2(ends[1], 2)
                var options = SchedulerOptions(workers: 2)
                options.dumpSignal = SIGUSR1
                let scheduler = try Scheduler(options)
                _ = try Scheduler(options)
                let release = Flag()
                let spins = Flag()
                scheduler.spawn(onWorker: 0) {
                    spins.set()
                    while !release.isSet {}
                }
                scheduler.spawn(onWorker: 1, name: "sleeper") { try Fiber.sleep(until: .never) }
                try blockUntil("it spins") { spins.isSet }
                kill(getpid(), SIGUSR1)
                var said: [UInt8] = []
                var byte: UInt8 = 0
                while !String(decoding: said.suffix(200), as: UTF8.self).contains("'sleeper'") {
                    if unsafe read(reading, &byte, 1) == 1 { said.append(byte) }
                }
                _ = unsafe write(realError, said, said.count)
                #expect(strangersSignals.value == 1)
                release.set()
                _exit(0)
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("worker 0 does not come round"), "stderr: \(output)")
        #expect(output.contains("'sleeper'"), "stderr: \(output)")
    }

    @Test func `a handler that was there before and is used up is not called`() async {
        await #expect(processExitsWith: .success) {
            useUpHandler(of: SIGUSR1)
            var options = SchedulerOptions()
            options.dumpSignal = SIGUSR1
            try await Scheduler.run(options) { raiseHere(SIGUSR1) }
        }
    }

    @Test(
        .enabled(if: !addressSanitizer, "AddressSanitizer has all of the address space for itself"),
        .enabled(if: !threadSanitizer, "ThreadSanitizer ends the process where it gets no address space"))
    func `a signal whose thread cannot be had does what it did before, and can be asked for again`() async {
        await #expect(processExitsWith: .success) {
            let scarcity = ThreadLimitTests.Scarcity.addressSpace
            try scarcity.begin(room: 0)
            let error = errorThrown { try DumpSignal.install(SIGUSR2) { "dumped" } } as? Errno
            scarcity.end()
            #expect(error == .resourceTemporarilyUnavailable)
            // The default is a null pointer.
            let before = signal(SIGUSR2, SIG_DFL)
            #expect(before == nil)
            try DumpSignal.install(SIGUSR2) { "dumped" }
            raiseHere(SIGUSR2)
        }
    }

    @Test func `what is no signal, or cannot be handled, is refused`() {
        for signal: Int32 in [0, -1, 1000, SIGKILL] {
            var options = SchedulerOptions()
            options.dumpSignal = signal
            #expect(throws: Errno.invalidArgument) { try Scheduler(options) }
        }
    }
}

private let strangersSignals = Counter()
