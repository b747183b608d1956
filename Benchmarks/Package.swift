// swift-tools-version: 6.2

import PackageDescription

// A package of its own, so that nobody who uses Ringlet resolves or builds what only measures it.

/// The root's settings that change what is compiled. Strict memory safety is left to the library.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
    name: "ringlet-benchmarks",
    dependencies: [
        .package(name: "ringlet", path: ".."),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.6.0"),
    ],
    targets: [
        // What is compared with: a bare switch, a raw liburing loop; and the allocation counter.
        .target(name: "CReference", linkerSettings: [.linkedLibrary("uring")]),
        // What of the library is measured from C: the context switch and the C interface.
        .target(name: "CSubjects"),
        .target(name: "Measure", swiftSettings: house),
        .target(
            name: "TimerSubjects", dependencies: ["CReference", "Measure"], swiftSettings: house),
        .executableTarget(
            name: "ringlet-bench",
            dependencies: [
                "CReference", "CSubjects", "Measure", "TimerSubjects",
                .product(name: "Ringlet", package: "ringlet"),
                .product(name: "ringlet-c-static", package: "ringlet"),
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Sources/Bench",
            swiftSettings: house
        ),
    ]
)
