import Testing

@testable import Ringlet

/// The memory of operations, and the numbers of bytes that the kernel reports about it.
@Suite struct BufferTests {
    @Test func `counts that fit are taken`() {
        var buffer = Buffer(capacity: 4)
        buffer.setCount(4)
        #expect(buffer.count == 4)
        #expect(buffer.end(ofTaking: 0, from: 0) == 0)
        #expect(buffer.end(ofTaking: 3, from: 1) == 4)
        buffer.setCount(0)
        #expect(buffer.end(ofTaking: 0, from: 0) == 0)
    }

    /// Everything that reads and writes comes by these two.
    @Test(arguments: [(-1, nil), (5, nil), (5, 0), (-1, 0), (2, 3), (.max, 4)] as [(Int32, Int?)])
    func `a count of the kernel that is none of the memory traps`(count: Int32, start: Int?) async {
        let start = start ?? -1
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            [count = count as Int32, start = start as Int] in
            var buffer = Buffer(copying: [1, 2, 3, 4])
            if start < 0 {
                buffer.setCount(Int(count))
            } else {
                _ = buffer.end(ofTaking: count, from: start)
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("the kernel reports more bytes than"), "stderr: \(output)")
    }

    @Test(arguments: [0, 1, 2])
    func `what does not fit, and an index outside the data, trap`(which: Int) async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            [which = which as Int] in
            var buffer = Buffer(capacity: 4)
            buffer.append(contentsOf: [1, 2, 3])
            switch which {
            case 0: buffer.append(contentsOf: [4, 5])
            case 1: _ = buffer[3]
            default: buffer[-1] = 0
            }
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("Buffer"), "stderr: \(output)")
    }
}
