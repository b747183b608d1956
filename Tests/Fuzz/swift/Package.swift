// swift-tools-version: 6.2

import PackageDescription

// A package of its own, because its programs are linked with libFuzzer, which has their `main`:
//
//     swift build --package-path Tests/Fuzz/swift --sanitize fuzzer
//
// What is fuzzed is not copied: the model of programs is the suite's, and the command's options are the command's, by
// links to their files.

/// The root's settings that change what is compiled.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let ringlet: [Target.Dependency] = [
    .product(name: "Ringlet", package: "ringlet"),
    .product(name: "SystemPackage", package: "swift-system"),
]

let package = Package(
    name: "ringlet-fuzz",
    dependencies: [
        .package(name: "ringlet", path: "../../.."),
        .package(url: "https://github.com/apple/swift-system", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    ],
    targets: [
        .executableTarget(name: "programs", dependencies: ringlet, path: "programs", swiftSettings: house),
        .executableTarget(
            name: "parsers",
            dependencies: ringlet + [
                .product(name: "ArgumentParser", package: "swift-argument-parser")
            ],
            path: "parsers", swiftSettings: house),
    ]
)
