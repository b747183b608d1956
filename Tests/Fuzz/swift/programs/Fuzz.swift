import Glibc

@testable @_spi(Testing) import Ringlet

/// One scheduler for all inputs, on two threads of its own. A program that went wrong ends the process.
private let scheduler: Scheduler = {
    do { return try Scheduler(SchedulerOptions(workers: 2)) } catch {
        fatalError("there is no scheduler to fuzz: \(error)")
    }
}()

/// Makes a program of fibers of the input, runs it, and compares what it came to with what the model says.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPrograms(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    var decoder = ProgramDecoder([UInt8](UnsafeBufferPointer(start: data, count: size)))
    let program = decoder.program()
    let expected = ProgramModel.run(program)
    do {
        let found = try scheduler.spawn { try ProgramRun.run(program, on: scheduler) }
            .join(deadline: .after(.seconds(60)))
        guard found.notes == expected.notes, found.end == expected.end else {
            fatalError("\(program)\ncame to \(found)\ninstead of \(expected)")
        }
    } catch {
        fatalError("\(program)\nended with \(error)\n\(scheduler.snapshot())")
    }
    return 0
}
