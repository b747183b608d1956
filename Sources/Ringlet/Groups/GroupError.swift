/// What failed in a group: errors of its children and of its body, in the order in which they came. Never empty.
///
/// Also when there is only one, so that code which deals with one error is not surprised by a second.
public struct GroupError: Error, CustomStringConvertible {
    /// In the order in which they came.
    public let errors: [any Error]

    public var description: String {
        errors.count == 1
            ? "one failure in a group: \(errors[0])"
            : "\(errors.count) failures in a group: " + errors.map { "\($0)" }.joined(separator: "; ")
    }
}

/// A call that does not fit the state of a ``Group``.
public enum GroupUseError: Error, Hashable, CustomStringConvertible {
    /// The group has ended; the body that was to run was given up.
    case hasEnded
    /// The child of `Group.start(name:priority:_:)` returned without having said that it is ready.
    case endedBeforeReady

    public var description: String {
        switch self {
        case .hasEnded: "the group has ended, and takes no more children"
        case .endedBeforeReady: "the child ended without having said that it is ready"
        }
    }
}
