// swift-tools-version: 6.2

import PackageDescription

/// House settings: Swift 6 language mode, strict memory safety, no warning survives.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
    name: "ringlet",
    products: [
        .library(name: "Ringlet", targets: ["Ringlet"]),
        .library(name: "RingletTesting", targets: ["RingletTesting"]),
        .library(name: "ringlet-c", type: .dynamic, targets: ["RingletC"]),
        .library(name: "ringlet-c-static", type: .static, targets: ["RingletC"]),
        .executable(name: "ringlet", targets: ["RingletCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-system", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"),
    ],
    targets: [
        // C. Each target is one room; the import line of its module is the key (CONTRIBUTING).
        .target(name: "CUring", path: "CSupport/CUring", linkerSettings: [.linkedLibrary("uring")]),
        .target(name: "CContext", path: "CSupport/CContext"),
        .target(name: "CRinglet", dependencies: ["CContext"], path: "CSupport/CRinglet"),

        .target(
            name: "Ringlet",
            dependencies: [
                "CUring", "CContext",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: house
        ),
        // For tests, of users and of the package.
        .target(
            name: "RingletTesting",
            dependencies: [
                "Ringlet", "CUring", .product(name: "SystemPackage", package: "swift-system"),
            ], swiftSettings: house),
        .target(name: "RingletC", dependencies: ["Ringlet", "CRinglet"], swiftSettings: house),
        .executableTarget(
            name: "RingletCommand",
            dependencies: [
                "Ringlet",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: house
        ),

        .executableTarget(
            name: "ActorsExample", dependencies: ["Ringlet"], path: "Examples/Swift/Actors",
            swiftSettings: house),
        // What the article "From asyncio to Ringlet" shows.
        .executableTarget(
            name: "AsyncioExamples",
            dependencies: ["Ringlet", .product(name: "SystemPackage", package: "swift-system")],
            path: "Examples/Swift/FromAsyncio", swiftSettings: house),
        // What the article "From gevent to Ringlet" shows.
        .executableTarget(
            name: "GeventExamples",
            dependencies: ["Ringlet", .product(name: "SystemPackage", package: "swift-system")],
            path: "Examples/Swift/FromGevent", swiftSettings: house),
        // What the article "From greenlet to Ringlet" shows.
        .executableTarget(
            name: "GreenletExamples", dependencies: ["Ringlet"],
            path: "Examples/Swift/FromGreenlet", swiftSettings: house),
        // What the article "Introspection" shows.
        .executableTarget(
            name: "IntrospectionExample", dependencies: ["Ringlet"],
            path: "Examples/Swift/Introspection", swiftSettings: house),
        // The README's program, so that it compiles.
        .executableTarget(
            name: "HelloExample", dependencies: ["Ringlet"], path: "Examples/Swift/Hello",
            swiftSettings: house),

        // Ends in every way that a crash report must name; run by Tests/Crash/run.sh.
        .executableTarget(
            name: "CrashProgram", dependencies: ["Ringlet"], path: "Tests/Crash",
            exclude: ["run.sh", "gdb.sh", "tasks.c"], swiftSettings: house),
        .testTarget(
            name: "RingletTests",
            dependencies: [
                "Ringlet", "RingletC", "RingletTesting",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: house
        ),
        // The library's code in every order of its threads' steps.
        .testTarget(name: "InterleavingTests", dependencies: ["Ringlet"], swiftSettings: house),
        .testTarget(
            name: "RingletCommandTests",
            dependencies: [
                "Ringlet", "RingletCommand", .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: house
        ),
        .testTarget(name: "ArchitectureTests", swiftSettings: house),
    ]
)
