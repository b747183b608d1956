import Ringlet

/// How many descriptors an act may open.
enum DescriptorBudget {
    /// What the limit leaves, raised as far as it goes, without `reserved` ones, which are for the scheduler
    /// and for what the act opens besides.
    static func free(reserved: Int) -> Int {
        DescriptorLimit.raise() - ProcessFigures.now.descriptors - reserved
    }
}
