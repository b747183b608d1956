import Glibc
import Testing

@testable import Ringlet

@Suite(.timeLimit(.patient)) struct EnvironmentTests {
    /// Bytes that a variable may have: any but 0, and those that mean something now and then.
    static func value(_ random: inout Seeded) -> [UInt8] {
        let meanings = ["auto", "io_uring", "emulated", "5.15", "5.19", "6.1", "-recv", "6.1,-openat,-close", "hc", "nc", "plain", "0", "1", "light", "mprotect"]
        var bytes = Array((meanings.randomElement(using: &random) ?? "").utf8)
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let byte = UInt8.random(in: 1 ... .max, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes.append(byte)
            case 1: bytes.insert(byte, at: 0)
            default: _ = bytes.popLast()
            }
        }
        return bytes
    }

    @Test func `a variable has one of its values or is refused by its name`() async {
        await #expect(processExitsWith: .success) {
            var random = Seeded(seed: 9)
            var read = 0
            func check(_ name: String, _ parse: () throws -> String?) {
                let bytes = EnvironmentTests.value(&random)
                _ = unsafe setenv(name, bytes.map { CChar(bitPattern: $0) } + [0], 1)
                do {
                    let value = try parse()
                    #expect(value.map { Array($0.utf8) } == bytes)
                    read += 1
                } catch SchedulerError.invalidEnvironment(let reason) {
                    // By bytes: the value may begin with what combines with the sign before it.
                    #expect(reason.utf8.starts(with: "\(name)=".utf8))
                } catch {
                    Issue.record("\(error)")
                }
            }
            for _ in 0..<3000 {
                check("RINGLET_KERNEL_MASK") { try Environment.kernelMask().text }
                check("RINGLET_KERNEL") { try Environment.kernel()?.rawValue }
                check("RINGLET_FIBER_HOST") { try Environment.fiberHost()?.rawValue }
                check("RINGLET_DEBUG") { try Environment.debug() ? "1" : "0" }
                check("RINGLET_STACK_GUARDS") {
                    try Environment.checkStackGuards()
                    return unsafe String(cString: getenv("RINGLET_STACK_GUARDS"))
                }
            }
            #expect(read > 300)
        }
    }
}
