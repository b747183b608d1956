/// Whether both are one error that was thrown, caught and thrown again: on Linux an `any Error` is the address of a box that
/// each throw of it shares. Both must be kept meanwhile, as arguments are.
func isSame(_ first: any Error, _ second: any Error) -> Bool { address(of: first) == address(of: second) }

/// Optional, because an `any Error` itself would be opened for the cast, and its contents compared.
private func address(of error: (any Error)?) -> UInt { unsafe unsafeBitCast(error, to: UInt.self) }
