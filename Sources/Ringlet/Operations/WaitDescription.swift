/// What somebody waits for in a list that is not the kernel's, for snapshots: a ``WaitSource`` says it of itself.
struct WaitDescription: Sendable {
    /// Goes on from "waits for": "lock 0x7f21", "the end of fiber 3 'x'".
    let what: String

    let kind: WaitSnapshot.Kind

    /// The ids of fibers that must do something before the wait can end, as far as they are known: the fiber that is
    /// joined, the children of a group.
    let fibers: [UInt64]

    /// Who has what is waited for, and must give it back.
    let holders: [WaitHolder]

    init(
        _ what: String, _ kind: WaitSnapshot.Kind = .synchronization, fibers: [UInt64] = [], holders: [WaitHolder] = []
    ) {
        self.what = what
        self.kind = kind
        self.fibers = fibers
        self.holders = holders
    }

    /// The name of something that has none: what it is and where, so that two who wait for the same can be seen.
    static func name(_ what: String, _ object: AnyObject) -> String {
        "\(what) 0x\(String(UInt(bitPattern: ObjectIdentifier(object)), radix: 16))"
    }
}

/// One who has a lock or a token.
struct WaitHolder: Sendable {
    /// As ``CurrentThread/strand``; nil for one that is no strand. Which fiber that is, the snapshot finds out.
    let strand: UInt?

    /// For one that is no fiber.
    let description: String
}
