/// What a descriptor is ready for: a call of that kind would not wait. It may still fail, or give an end of file.
public struct Readiness: OptionSet, Hashable, Sendable {
    /// A bit for each kind of call.
    public let rawValue: UInt8

    /// A set of such bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A read or an accept would not wait.
    public static let readable = Readiness(rawValue: 1)
    /// A write would not wait.
    public static let writable = Readiness(rawValue: 2)

    // poll(2): what it is asked for, and what it tells of errors and hang-ups, for which both calls return at once.
    private static let input: UInt32 = 1
    private static let output: UInt32 = 4
    private static let failure: UInt32 = 8 | 16
    private static let peerHasShutDown: UInt32 = 0x2000

    var pollEvents: UInt32 {
        (contains(.readable) ? Self.input : 0) | (contains(.writable) ? Self.output : 0)
    }

    /// What was told of those of `wanted`. Empty for a peer that has shut down its sending half, which io_uring tells
    /// whether asked or not, to one who only wants to write: then the descriptor is to be asked again later.
    init(pollResult: Int32, of wanted: Readiness) {
        let events = UInt32(bitPattern: pollResult)
        var ready: Readiness = []
        if events & (Self.input | Self.failure | Self.peerHasShutDown) != 0 { ready.insert(.readable) }
        if events & (Self.output | Self.failure) != 0 { ready.insert(.writable) }
        self = ready.intersection(wanted)
    }

    /// How long to wait before that.
    static let pause = Duration.milliseconds(5)
}
