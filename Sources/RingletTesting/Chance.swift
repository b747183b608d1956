/// Numbers that a seed decides; without one, always the first choice.
///
/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Chance {
    private var state: UInt64?

    init(seed: UInt64?) {
        state = seed
    }

    /// A number in `0..<limit`.
    mutating func number(below limit: Int) -> Int {
        guard limit > 1, let old = state else { return 0 }
        let word = old &+ 0x9e37_79b9_7f4a_7c15
        state = word
        var mixed = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        mixed ^= mixed >> 31
        return Int(mixed.multipliedFullWidth(by: UInt64(limit)).high)
    }
}
