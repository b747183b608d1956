import ArgumentParser
import Glibc
@testable import Ringlet

/// Gives the input, after its first byte, to the parser that this byte chooses. Whatever comes of it, the parser must
/// come back, and what it has accepted must mean the same when it is written and read again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzParsers(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = [UInt8](UnsafeBufferPointer(start: data, count: size))
    guard let choice = input.first else { return 0 }
    let bytes = [UInt8](input.dropFirst())
    // As a C string would have it.
    let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    switch choice % 5 {
    case 0: readDottedAddress(text, port: UInt16(choice) << 8 | 7)
    case 1: readKernelAddress(bytes)
    case 2: readKernelMask(text)
    case 3: readEnvironment(text)
    default: readCommandLine(text)
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
