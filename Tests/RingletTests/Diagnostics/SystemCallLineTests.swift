import CContext
import Testing

/// The line in which the kernel says where a thread waits, of which a sample of the thread is made.
@Suite struct SystemCallLineTests {
    private static func parse(_ line: String) -> [UInt]? {
        let bytes = line.utf8.map { CChar(bitPattern: $0) }
        var (sp, pc) = (UInt(0), UInt(0))
        return unsafe cctx_sample_parse(bytes, bytes.count, &sp, &pc) ? [sp, pc] : nil
    }

    @Test func `stack pointer and program counter are the last two numbers`() {
        #expect(Self.parse("232 0x4 0x7f00 0x40 0xffffffff 0x0 0x8 0x7ffc10 0x7f2a3b\n") == [0x7ffc10, 0x7f2a3b])
        #expect(Self.parse("-1 0x7ffc10 0xffffffffffffffff\n") == [0x7ffc10, .max])
        #expect(Self.parse("-1 0x7ffc10 0x7f2a3b") == [0x7ffc10, 0x7f2a3b])
    }

    @Test(
        arguments: [
            "", "\n", "running\n", "running", "-1\n", "-1 0x7ffc10\n", "0x7ffc10 0x7f2a3b\n", " \n", "-1 0x1 0x\n",
            "-1 0x1 0xg\n", "-1 0x1 2\n", "-1 1 0x2\n", "-1 0x1 0x10000000000000000\n", "-1 0x1 0x2 \n",
            "-1 0x1 0x2\n\n",
        ])
    func `what is no such line says nothing`(line: String) {
        #expect(Self.parse(line) == nil)
    }
}
