// swift-tools-version: 6.2
import PackageDescription

// A kind of workload as a package of its own. Elsewhere, the dependency is the URL of Volt's repository and a version.
let volt: Package.Dependency = .package(name: "volt", path: "../..")
// The helpers are fully static: they start in under a millisecond, and hold no library in memory while they wait.
let isStatic: [LinkerSetting] = [.unsafeFlags(["-static-executable"])]

let package = Package(
    name: "volt-echo-kind",
    dependencies: [volt],
    targets: [
        .executableTarget(
            name: "volt-echo", dependencies: [.product(name: "VoltWorkloadKit", package: "volt")]),
        .executableTarget(
            name: "volt-echo--run", dependencies: [.product(name: "VoltHelperKit", package: "volt")],
            linkerSettings: isStatic),
        .executableTarget(
            name: "volt-echo--port", dependencies: [.product(name: "VoltHelperKit", package: "volt")],
            linkerSettings: isStatic),
    ]
)
