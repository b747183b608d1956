import ArgumentParser
import CContext
import Glibc
@testable import Ringlet

/// With RINGLET_FUZZ_PARSER=5 everything goes to that parser, whatever the first byte says.
private let only: UInt8? = getenv("RINGLET_FUZZ_PARSER").flatMap { UInt8(String(cString: $0)) }

/// Gives the input, after its first byte, to the parser that this byte chooses. Whatever comes of it, the parser must
/// come back, and what it has accepted must mean the same when it is written and read again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzParsers(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = [UInt8](UnsafeBufferPointer(start: data, count: size))
    guard let choice = input.first else { return 0 }
    let bytes = [UInt8](input.dropFirst())
    // As a C string would have it.
    let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    switch (only ?? choice) % 8 {
    case 0: readDottedAddress(text, port: UInt16(choice) << 8 | 7)
    case 1: readKernelAddress(bytes)
    case 2: readKernelMask(text)
    case 3: readEnvironment(text)
    case 4: readCommandLine(text)
    case 5: readSymbols(bytes)
    case 6: readSystemCall(bytes)
    default: readPath(bytes)
    }
    return 0
}

private func readDottedAddress(_ text: String, port: UInt16) {
    let address = SocketAddress(ipv4: text, port: port)
    var number = in_addr()
    precondition((address != nil) == (inet_pton(AF_INET, text, &number) == 1), "inet_pton differs on '\(text)'")
    guard let address else { return }
    precondition(address.description == "\(text):\(port)", "\(address) was read from '\(text)'")
    precondition(SocketAddress(encoded: address.encoded) == address, "\(address) changes on its way")
    let bytes = withUnsafeBytes(of: number) { Array($0) }
    precondition(bytes == Array(address.encoded[4..<8]), "\(address) is another one")
}

private func readKernelAddress(_ bytes: [UInt8]) {
    guard let address = SocketAddress(encoded: bytes) else { return }
    precondition(SocketAddress(encoded: address.encoded) == address, "\(address) changes on its way")
    precondition(address.encoded.count <= SocketAddress.largestEncoding, "\(address) is too large")
    precondition(!address.description.isEmpty)
}

private func readKernelMask(_ text: String) {
    guard let mask = KernelMask(text) else { return }
    guard let again = KernelMask(mask.text) else { preconditionFailure("'\(mask.text)' means nothing") }
    precondition(again.version == mask.version && again.lacking == mask.lacking, "'\(text)' changes")
}

/// Each variable has a meaning, or there is an error that says what was found.
private func readEnvironment(_ text: String) {
    func read(_ name: String, _ get: () throws -> Void) {
        setenv(name, text, 1)
        defer { unsetenv(name) }
        do { try get() } catch SchedulerError.invalidEnvironment(let what) {
            precondition(what.hasPrefix("\(name)=\(text); it can be "), "'\(what)' does not name '\(text)'")
        } catch {
            preconditionFailure("\(name)=\(text): \(error)")
        }
    }
    read("RINGLET_KERNEL") { _ = try Environment.kernel() }
    read("RINGLET_KERNEL_MASK") { _ = try Environment.kernelMask() }
    read("RINGLET_FIBER_HOST") { _ = try Environment.fiberHost() }
    read("RINGLET_FAULTS") { _ = try Environment.faults() }
    read("RINGLET_SEED") { _ = try Environment.seed() }
    read("RINGLET_DEBUG") { _ = try Environment.debug() }
    read("RINGLET_STACK_GUARDS") { try Environment.checkStackGuards() }
}

/// The command's options, with all that is checked of them before anything runs.
private func readCommandLine(_ text: String) {
    let words = text.split(separator: "\n").map(String.init)
    func parse<Command: ParsableCommand>(_ command: Command.Type) -> Command? {
        do { return try command.parse(words) } catch {
            precondition(!command.fullMessage(for: error).isEmpty, "an error without a message")
            return nil
        }
    }
    if let echo = parse(EchoCommand.self) {
        precondition(echo.buffer > 0 && SocketAddress(ipv4: echo.host, port: echo.port) != nil)
    }
    if let stress = parse(StressCommand.self) {
        precondition(stress.seconds >= 0 && (1...64).contains(stress.workers))
    }
    if let tour = parse(TourCommand.self) { precondition((2...50_000).contains(tour.connections)) }
}

// MARK: The loader's and the kernel's word

/// Memory of which the last byte lies before a page that nobody may read.
private enum Fenced {
    private static let room = 4096
    /// libFuzzer gives one input after the other.
    nonisolated(unsafe) private static let fence: UnsafeMutableRawPointer = {
        guard let start = mmap(nil, 2 * room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            start != MAP_FAILED, mprotect(start + room, room, PROT_NONE) == 0
        else { preconditionFailure("no memory for the input") }
        return start + room
    }()

    static func with<Result>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        precondition(bytes.count <= room, "libFuzzer was asked for less")
        let start = fence - bytes.count
        _ = bytes.withUnsafeBytes { memcpy(start, $0.baseAddress ?? UnsafeRawPointer(start), bytes.count) }
        return body(UnsafePointer(start.assumingMemoryBound(to: CChar.self)))
    }
}

/// The first byte is the place that is looked for, the others are the file.
private func readSymbols(_ bytes: [UInt8]) {
    guard let value = bytes.first.map({ UInt($0) }) else { return }
    let file = Array(bytes.dropFirst())
    Fenced.with(file) { start in
        var offset = 0
        guard let name = cctx_find_function(start, file.count, value, &offset) else { return }
        let place = name - start
        precondition(file.indices.contains(place), "a name outside the file")
        precondition(file[place...].contains(0), "a name without an end")
        precondition(offset <= Int(value), "a function that begins below the file")
    }
}

private func readSystemCall(_ bytes: [UInt8]) {
    func number(_ field: ArraySlice<UInt8>) -> UInt? {
        guard field.starts(with: "0x".utf8), (3...18).contains(field.count) else { return nil }
        let digits = field.dropFirst(2)
        let isHexadecimal = digits.allSatisfy { "0123456789abcdef".utf8.contains($0) }
        return isHexadecimal ? UInt(String(decoding: digits, as: UTF8.self), radix: 16) : nil
    }
    let line = bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...]
    let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    var expected: [UInt]?
    if fields.count > 2, line.count > fields.suffix(2).reduce(2, { $0 + $1.count }),
        let sp = number(fields[fields.count - 2]), let pc = number(fields[fields.count - 1])
    {
        expected = [sp, pc]
    }
    Fenced.with(bytes) { start in
        var (sp, pc) = (UInt(0), UInt(0))
        let isThere = cctx_sample_parse(start, bytes.count, &sp, &pc)
        precondition((isThere ? [sp, pc] : nil) == expected, "\(bytes): \(isThere) \(sp) \(pc)")
    }
}

/// The input is an environment, whose entries end with a byte 0.
private func readPath(_ bytes: [UInt8]) {
    let colon = UInt8(ascii: ":")
    let environment = bytes.split(separator: 0).map { Array($0) }
    let folders = SpawnCalls.folders(inPathOf: environment)
    let entry = environment.first { $0.starts(with: "PATH=".utf8) }
    let path = entry.map { Array($0.dropFirst(5)) } ?? Array("/bin:/usr/bin".utf8)
    precondition(Array(folders.joined(separator: [colon])) == path, "\(path) was split into \(folders)")
    precondition(!folders.contains { $0.contains(colon) }, "\(folders) is not split")
}
