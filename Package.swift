// swift-tools-version: 6.2
import PackageDescription

// One target a module: on Linux the target is the unit of linking, so a tool loads only the
// C libraries of the targets it names. Tests/LayoutTests holds the directions between them.

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")

/// A module of VoltKit, under Sources/VoltKit/<folder>.
func kit(_ folder: String, _ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/VoltKit/\(folder)", swiftSettings: settings)
}

/// A C library of the system, under Sources/VoltKit/C/<name>.
func system(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/VoltKit/C/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

/// A program linked fully static, in debug builds too: it starts in under a millisecond and needs
/// no file of the machine it runs on.
func staticProgram(_ name: String, path: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: path, swiftSettings: settings,
        linkerSettings: [.unsafeFlags(["-static-executable"])])
}

func program(_ name: String, path: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["VoltTestKit"], path: "Tests/\(name)",
        exclude: [], swiftSettings: settings)
}

let package = Package(
    name: "volt",
    products: [
        .executable(name: "volt", targets: ["volt"]),
        .executable(name: "volt-container", targets: ["volt-container"]),
        .executable(name: "volt-gitops", targets: ["volt-gitops"]),
        .executable(name: "volt-service", targets: ["volt-service"]),
        .executable(name: "volt-cas", targets: ["volt-cas"]),
        .executable(name: "volt-registry", targets: ["volt-registry"]),
        .library(name: "VoltKit", targets: ["VoltKit"]),
        .library(name: "VoltTestKit", targets: ["VoltTestKit"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    ],
    targets: [
        // C libraries and system calls
        .target(name: "CVoltSystem", path: "Sources/VoltKit/C/CVoltSystem"),
        system("CGit2", pkgConfig: "libgit2", apt: "libgit2-dev"),
        system("CCrypto", pkgConfig: "libcrypto", apt: "libssl-dev"),
        system("CCrypt", pkgConfig: "libcrypt", apt: "libcrypt-dev"),
        system("CTLS", pkgConfig: "libssl", apt: "libssl-dev"),
        system("CYAML", pkgConfig: "yaml-0.1", apt: "libyaml-dev"),
        system("CArchive", pkgConfig: "libarchive", apt: "libarchive-dev"),
        system("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
        system("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
        system("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),

        // VoltKit
        kit("Core", "VoltCore"),
        kit("System", "VoltSystem", ["VoltCore", "CVoltSystem"]),
        kit("Plugin", "VoltPlugin", ["VoltCore", "CVoltSystem"]),
        kit("CLI", "VoltCLI", ["VoltCore", "VoltSystem", argumentParser]),
        kit("YAML", "VoltYAML", ["VoltCore", "CYAML"]),
        kit("Crypto", "VoltCrypto", ["VoltCore", "CCrypto"]),
        kit("Password", "VoltPassword", ["VoltCore", "VoltCrypto", "CCrypt"]),
        kit("Git", "VoltGit", ["VoltCore", "VoltSystem", "CGit2", "CVoltSystem"]),
        kit("Archive", "VoltArchive", ["VoltCore", "VoltSystem", "VoltCrypto", "CVoltSystem", "CArchive"]),
        kit("SQLite", "VoltSQLite", ["VoltCore", "CSQLite"]),
        kit("HTTP", "VoltHTTP", ["VoltCore", "VoltSystem", "CVoltSystem", "CCurl"]),
        kit("Server", "VoltServer", ["VoltCore", "CTLS", "CVoltSystem", nioCore, nioPosix, nioHTTP1]),
        kit("Pages", "VoltPages", ["VoltServer", "VoltCore", "VoltCrypto"]),
        kit("Store", "VoltStore", ["VoltCore", "VoltSystem", "VoltCrypto", "CVoltSystem", "CZstd"]),
        kit("OCI", "VoltOCI", ["VoltCore", "VoltSystem", "VoltCrypto"]),
        kit("Signing", "VoltSigning", ["VoltOCI", "VoltCore", "VoltCrypto"]),
        kit("Trust", "VoltTrust", ["VoltSigning", "VoltOCI", "VoltYAML", "VoltCore", "VoltSystem"]),
        kit(
            "Registry", "VoltRegistry",
            [
                "VoltOCI", "VoltSigning", "VoltHTTP", "VoltPlugin", "VoltArchive", "VoltCore", "VoltCrypto",
                "VoltSystem",
                "CVoltSystem",
            ]),
        kit("S3", "VoltS3", ["VoltHTTP", "VoltCore", "VoltCrypto", "VoltSystem"]),
        kit("Workload", "VoltWorkload", ["VoltCore", "VoltYAML"]),
        kit("Kit", "VoltKit", ["VoltCore", "VoltSystem", "VoltPlugin", "VoltCLI"]),
        kit("TestKit", "VoltTestKit", ["VoltCore", "VoltSystem", "CVoltSystem"]),

        // volt
        staticProgram("volt", path: "Sources/volt", ["VoltCore", "VoltPlugin", "CVoltSystem"]),

        // volt-container
        .target(
            name: "ContainerEngine",
            dependencies: [
                "ContainerSandbox", "ContainerSecrets", "ContainerTransfer", "VoltCore", "VoltSystem",
                "VoltCrypto", "VoltArchive",
                "VoltOCI", "VoltSigning", "VoltStore", "VoltTrust", "VoltWorkload", "CVoltSystem",
            ],
            path: "Sources/volt-container/Engine", swiftSettings: settings),
        .target(
            name: "ContainerTransfer", dependencies: ["VoltOCI"], path: "Sources/volt-container/Transfer",
            swiftSettings: settings),
        .target(
            name: "ContainerSecrets", dependencies: ["VoltCore", "VoltSystem", "VoltCrypto", "VoltYAML"],
            path: "Sources/volt-container/Secrets", swiftSettings: settings),
        program(
            "volt-container--decrypt", path: "Sources/volt-container/decrypt",
            ["ContainerSecrets", "ContainerSandbox", "VoltCore", "VoltSystem", "CVoltSystem"]),
        program(
            "volt-container", path: "Sources/volt-container/CLI",
            ["ContainerEngine", "VoltCLI", "VoltCore", "VoltSystem", "VoltWorkload", argumentParser]),
        .target(
            name: "ContainerSandbox", dependencies: ["VoltCore", "VoltSystem", "CVoltSystem"],
            path: "Sources/volt-container/Sandbox", swiftSettings: settings),
        program(
            "volt-container--registry", path: "Sources/volt-container/registry",
            ["ContainerTransfer", "VoltOCI", "VoltRegistry", "VoltSigning", "VoltCore", "VoltSystem"]),
        staticProgram(
            "volt-container--port", path: "Sources/volt-container/port",
            ["ContainerSandbox", "VoltCore", "VoltSystem", "CVoltSystem"]),
        staticProgram(
            "volt-container--init", path: "Sources/volt-container/init",
            ["ContainerSandbox", "VoltCore", "VoltSystem", "CVoltSystem"]),
        staticProgram(
            "volt-container--run", path: "Sources/volt-container/run",
            ["ContainerSandbox", "VoltCore", "VoltSystem", "CVoltSystem"]),

        // volt-gitops
        .target(
            name: "GitopsSource", dependencies: ["VoltCore", "VoltSystem", "VoltCrypto"],
            path: "Sources/volt-gitops/Source",
            swiftSettings: settings),
        .target(
            name: "GitopsMessage", dependencies: ["GitopsSource", "VoltCore", "VoltCrypto"],
            path: "Sources/volt-gitops/Message", swiftSettings: settings),
        .target(
            name: "GitopsEngine",
            dependencies: [
                "GitopsMessage", "VoltCore", "VoltSystem", "VoltCrypto", "VoltSQLite", "VoltServer",
                "VoltPages",
                "VoltPlugin",
                "VoltTrust", "VoltWorkload", "VoltYAML", "GitopsSource", "CVoltSystem",
            ],
            path: "Sources/volt-gitops/Engine", swiftSettings: settings),
        program(
            "volt-gitops", path: "Sources/volt-gitops/CLI",
            ["GitopsEngine", "GitopsMessage", "VoltCLI", "VoltCore", "VoltSystem", argumentParser]),
        program(
            "volt-gitops--worker", path: "Sources/volt-gitops/worker",
            ["GitopsSource", "VoltCrypto", "VoltGit", "VoltHTTP", "VoltCore", "VoltSystem", "CVoltSystem"]),

        program(
            "volt-gitops--notify", path: "Sources/volt-gitops/notify",
            ["GitopsMessage", "VoltHTTP", "VoltCore", "VoltCrypto", "VoltSystem", "CVoltSystem"]),

        // volt-service
        .target(
            name: "ServiceEngine", dependencies: ["VoltCore", "VoltSystem", "VoltPlugin"],
            path: "Sources/volt-service/Engine", swiftSettings: settings),
        program(
            "volt-service", path: "Sources/volt-service/CLI",
            ["ServiceEngine", "VoltCLI", "VoltCore", "VoltSystem", argumentParser]),

        // volt-cas
        .target(
            name: "CasExchange",
            dependencies: ["VoltOCI", "VoltArchive", "VoltStore", "VoltCore", "VoltSystem", "CVoltSystem"],
            path: "Sources/volt-cas/Exchange", swiftSettings: settings),
        program(
            "volt-cas", path: "Sources/volt-cas/CLI",
            ["CasExchange", "VoltStore", "VoltArchive", "VoltCLI", "VoltCore", "VoltSystem", argumentParser]),

        // volt-registry
        .target(
            name: "RegistryAccess",
            dependencies: [
                "VoltCore", "VoltSystem", "VoltCrypto", "VoltPassword", "VoltPlugin", "VoltOCI", "VoltYAML",
            ],
            path: "Sources/volt-registry/Access", swiftSettings: settings),
        .target(
            name: "RegistryEngine",
            dependencies: [
                "RegistryAccess", "VoltOCI", "VoltRegistry", "VoltS3", "VoltStore", "VoltServer", "VoltPages",
                "VoltCore",
                "VoltSystem", "VoltYAML", "CVoltSystem",
            ],
            path: "Sources/volt-registry/Engine", swiftSettings: settings),
        program(
            "volt-registry", path: "Sources/volt-registry/CLI",
            [
                "RegistryAccess", "RegistryEngine", "VoltOCI", "VoltRegistry", "VoltS3", "VoltServer",
                "VoltSigning",
                "VoltStore",
                "VoltCLI",
                "VoltCore", "VoltCrypto",
                "VoltSystem",
                argumentParser,
            ]),

        // What the demo, the benchmarks and the tests on other hosts need; not installed
        program(
            "volt-demo", path: "Sources/volt-demo",
            ["VoltCLI", "VoltCore", "VoltCrypto", "VoltSystem", "VoltTestKit", argumentParser]),

        // Tests
        tests("SystemTests", ["VoltCore", "VoltSystem"]),
        tests("VoltCoreTests", ["VoltCore"]),
        tests("VoltPluginTests", ["VoltCore", "VoltPlugin", "VoltSystem"]),
        .target(name: "CTestTerminal", path: "Tests/CTestTerminal"),
        tests("ContractTests", ["CTestTerminal", "VoltSystem"]),
        tests("LayoutTests", ["VoltSystem"]),
        tests("DocsTests", ["VoltSystem"]),
        .target(name: "CTestDisk", path: "Tests/CTestDisk"),
        tests(
            "VoltStoreTests", ["CTestDisk", "VoltStore", "VoltCore", "VoltCrypto", "VoltSystem", "volt-cas"]),
        tests(
            "RegistryServerTests",
            [
                "RegistryAccess", "RegistryEngine", "VoltCrypto", "VoltOCI", "VoltRegistry", "VoltS3",
                "VoltServer",
                "VoltStore",
                "VoltSystem", "volt-registry",
            ]),
        tests("VoltOCITests", ["VoltOCI", "VoltCore"]),
        tests("VoltTrustTests", ["VoltTrust", "VoltSigning", "VoltOCI", "VoltCore", "VoltCrypto"]),
        tests(
            "RegistryClientTests",
            [
                "RegistryEngine", "VoltOCI", "VoltRegistry", "VoltServer", "VoltSigning", "VoltCore",
                "VoltCrypto", "VoltSystem",
                "volt-cas", "volt-container",
                "volt-container--registry",
                "volt-registry",
            ]),
        tests("VoltCryptoTests", ["VoltCrypto", "VoltCore"]),
        tests("VoltS3Tests", ["VoltS3", "VoltCore", "VoltSystem"]),
        tests("VoltPasswordTests", ["VoltPassword", "VoltCore"]),
        tests(
            "RegistryAccessTests",
            [
                "RegistryAccess", "VoltCore", "VoltCrypto", "VoltOCI", "VoltPassword", "VoltPlugin",
                "VoltSystem",
            ]),
        tests("VoltSystemTests", ["VoltSystem"]),
        tests("VoltSQLiteTests", ["VoltSQLite", "VoltCore", "VoltSystem"]),
        tests("VoltServerTests", ["VoltServer", "VoltCore", "VoltSystem", nioCore]),
        tests("VoltHTTPTests", ["VoltHTTP", "VoltCore", "VoltSystem"]),
        tests("VoltYAMLTests", ["VoltYAML", "VoltCore"]),
        tests(
            "GitopsEngineTests",
            ["GitopsEngine", "GitopsMessage", "VoltCore", "VoltCrypto", "VoltSystem", "VoltSQLite"]),
        // What reads foreign bytes, for the short run of the tests and for `make fuzz`.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "ContainerSecrets", "GitopsEngine", "GitopsSource", "RegistryAccess", "VoltArchive",
                "VoltCore",
                "VoltCrypto", "VoltOCI", "RegistryEngine", "VoltRegistry", "VoltS3", "VoltSigning",
                "VoltStore", "VoltSystem",
                "VoltTrust", "VoltWorkload", "VoltYAML",
            ], path: "Tests/FuzzTargets", swiftSettings: settings),
        .testTarget(
            name: "FuzzTests", dependencies: ["FuzzTargets", "VoltCore", "VoltSystem", "VoltTestKit"],
            path: "Tests/FuzzTests", exclude: ["Corpora"], swiftSettings: settings),
        tests("VoltGitTests", ["VoltGit", "VoltCore", "VoltSystem"]),
        tests(
            "GitopsWorkerTests",
            ["GitopsSource", "VoltCore", "VoltSystem", "CVoltSystem", "volt-gitops--worker"]),
        .testTarget(
            name: "GitopsServerTests",
            dependencies: [
                "GitopsEngine", "VoltCore", "VoltCrypto", "VoltSQLite", "VoltSystem", "VoltTestKit",
                "volt-gitops",
                "volt-gitops--notify", "volt-gitops--worker",
            ],
            path: "Tests/GitopsServerTests", exclude: ["Fixtures"], swiftSettings: settings),
        tests(
            "GitopsNotifyTests",
            [
                "GitopsMessage", "GitopsSource", "VoltCore", "VoltCrypto", "VoltSystem",
            ]),
        tests("GitopsSourceTests", ["GitopsSource", "VoltCore"]),
        tests("VoltWorkloadTests", ["VoltWorkload", "VoltCore"]),
        tests(
            "ContainerImageTests",
            ["ContainerEngine", "VoltArchive", "VoltCore", "VoltCrypto", "VoltStore", "VoltSystem"]),
        .testTarget(
            name: "ContainerSecretsTests",
            dependencies: ["ContainerSecrets", "VoltCore", "VoltCrypto", "VoltSystem", "VoltTestKit"],
            path: "Tests/ContainerSecretsTests", exclude: ["Fixtures"], swiftSettings: settings),
        tests(
            "ContainerRuntimeTests",
            ["ContainerEngine", "ContainerSandbox", "VoltCore", "VoltStore", "VoltSystem"]),
        tests("ContainerApplyTests", ["ContainerEngine", "VoltCore", "VoltSystem", "VoltWorkload"]),
        tests("ServiceTests", ["ServiceEngine", "VoltCore", "VoltSystem", "volt-service"]),
        tests("VoltArchiveTests", ["VoltArchive", "VoltCore", "VoltSystem", "VoltCrypto"]),
    ]
)

// The program for libFuzzer: built by scripts/fuzz alone, with every module instrumented.
if Context.environment["VOLT_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "volt-fuzz", dependencies: ["FuzzTargets"], path: "Tests/volt-fuzz",
            swiftSettings: settings))
}
