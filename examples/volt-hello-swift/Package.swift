// swift-tools-version: 6.2
import PackageDescription

// An extension of Volt as a package of its own. Elsewhere, the first dependency is the URL of Volt's
// repository and a version.
let package = Package(
    name: "volt-hello-swift",
    dependencies: [
        .package(name: "volt", path: "../.."),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    ],
    targets: [
        .executableTarget(
            name: "volt-hello-swift",
            dependencies: [
                .product(name: "VoltKit", package: "volt"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ])
    ]
)
