import Glibc
import Testing

@testable import Ringlet

/// What /proc/self/maps says of the memory that code runs on.
@Suite(.timeLimit(.patient)) struct MemoryTests {
    /// The permissions of the mapping that `address` lies in, such as "rw-p".
    private static func permissions(at address: UInt) throws -> String? {
        for line in try memoryMaps().split(separator: "\n") {
            let fields = line.split(separator: " ", maxSplits: 2)
            let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            if bounds[0] <= address && address < bounds[1] { return String(fields[1]) }
        }
        return nil
    }

    private static func addressOfLocal() -> UInt {
        var local = 0
        return unsafe withUnsafePointer(to: &local) { UInt(bitPattern: $0) }
    }

    @Test(arguments: ["light", "mprotect"])
    func `stacks are private memory that is not executable`(guards: String) async throws {
        await #expect(processExitsWith: .success) { [guards] in
            _ = unsafe setenv("RINGLET_STACK_GUARDS", guards, 1)
            let onThread = Self.addressOfLocal()
            try await Scheduler.run {
                let inFiber = Self.addressOfLocal()
                let inGenerator = Generator(of: UInt.self) { try $0(Self.addressOfLocal()) }
                for address in [inFiber, try #require(try inGenerator.next())] {
                    #expect(try Self.permissions(at: address) == "rw-p")
                    #expect(address != onThread)
                }
            }
        }
    }

    /// Reads below the stack until it faults: that is 16 KiB and not further.
    @Test(.enabled(if: !addressSanitizer, "AddressSanitizer keeps variables beside the stack"))
    func `below a stack there is a guard`() async throws {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            try await Scheduler.run(SchedulerOptions(fiberStackSize: 64 * 1024)) {
                // A frame is less than a stack above the guard.
                let below = Self.addressOfLocal() - 64 * 1024
                let byte = unsafe UnsafePointer<UInt8>(bitPattern: below)
                _exit(Int32(unsafe byte.unsafelyUnwrapped.pointee))
            }
        }
    }
}
