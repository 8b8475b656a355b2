import Testing

/// A module and what its files may import; see docs/architecture.md for the directions between them.
struct Module: Sendable, CustomTestStringConvertible {
    let folder: String
    let imports: Set<String>
    /// An engine decides and acts, and leaves printing and the environment to its command line.
    var isEngine = false

    init(_ folder: String, _ imports: [String], isEngine: Bool = false) {
        self.folder = folder
        self.imports = Set(imports)
        self.isEngine = isEngine
    }

    var testDescription: String { folder }
}

/// A program and the shared libraries it may load beside those of `Layout.runtime`.
struct Program: Sendable, CustomTestStringConvertible {
    let name: String
    let libraries: Set<String>
    /// A fully static program loads nothing at all.
    let isStatic: Bool

    init(_ name: String, _ libraries: [String] = [], isStatic: Bool = false) {
        self.name = name
        self.libraries = Set(libraries)
        self.isStatic = isStatic
    }

    var testDescription: String { name }
}

enum Layout {
    /// What any module may import. FoundationEssentials is not among them: volt and the static helpers
    /// do without.
    static let anywhere: Set<String> = ["Glibc", "Synchronization"]

    // A module that is not here fails the test: add it with what it needs, and nothing more.
    static let modules = [
        // VoltKit
        Module("VoltKit/Core", []),
        Module("VoltKit/System", ["VoltCore", "CVoltSystem"]),
        Module("VoltKit/Plugin", ["VoltCore", "CVoltSystem"]),
        Module(
            "VoltKit/CLI", ["VoltCore", "VoltSystem", "ArgumentParser", "Dispatch", "FoundationEssentials"]),
        Module("VoltKit/YAML", ["VoltCore", "CYAML"]),
        Module("VoltKit/Crypto", ["VoltCore", "CCrypto"]),
        Module("VoltKit/Password", ["VoltCore", "VoltCrypto", "CCrypt"]),
        Module("VoltKit/Git", ["VoltCore", "VoltSystem", "CGit2", "CVoltSystem"]),
        Module("VoltKit/Archive", ["VoltCore", "VoltSystem", "VoltCrypto", "CVoltSystem", "CArchive"]),
        Module("VoltKit/OCI", ["VoltCore", "VoltSystem", "VoltCrypto", "FoundationEssentials"]),
        Module(
            "VoltKit/Signing", ["VoltOCI", "VoltCore", "VoltCrypto", "FoundationEssentials"], isEngine: true),
        Module(
            "VoltKit/Trust", ["VoltSigning", "VoltOCI", "VoltYAML", "VoltCore", "VoltSystem"], isEngine: true),
        Module(
            "VoltKit/Registry",
            [
                "VoltOCI", "VoltSigning", "VoltHTTP", "VoltPlugin", "VoltArchive", "VoltCore", "VoltCrypto",
                "VoltSystem",
                "CVoltSystem",
                "Dispatch", "FoundationEssentials",
            ], isEngine: true),
        Module("VoltKit/S3", ["VoltHTTP", "VoltCore", "VoltCrypto", "VoltSystem"], isEngine: true),
        Module("VoltKit/SQLite", ["VoltCore", "CSQLite"]),
        Module("VoltKit/HTTP", ["VoltCore", "VoltSystem", "CVoltSystem", "CCurl"]),
        Module("VoltKit/Pages", ["VoltServer", "VoltCore", "VoltCrypto"]),
        Module("VoltKit/Server", ["VoltCore", "CTLS", "CVoltSystem", "NIOCore", "NIOPosix", "NIOHTTP1"]),
        Module(
            "VoltKit/Store",
            [
                "VoltCore", "VoltSystem", "VoltCrypto", "CVoltSystem", "CZstd", "Dispatch",
                "FoundationEssentials",
            ],
            isEngine: true),
        Module("VoltKit/Workload", ["VoltCore", "VoltYAML", "FoundationEssentials"]),
        Module("VoltKit/Kit", ["VoltCore", "VoltSystem", "VoltPlugin", "VoltCLI"]),
        Module(
            "VoltKit/TestKit", ["VoltCore", "VoltSystem", "CVoltSystem", "Dispatch", "FoundationEssentials"]),

        // volt
        Module("volt", ["VoltCore", "VoltPlugin", "CVoltSystem"]),

        // volt-container
        Module(
            "volt-container/Engine",
            [
                "ContainerSandbox", "ContainerSecrets", "ContainerTransfer", "VoltCore", "VoltSystem",
                "VoltCrypto", "VoltArchive",
                "VoltOCI", "VoltSigning", "VoltStore", "VoltTrust",
                "VoltWorkload", "CVoltSystem", "FoundationEssentials", "Dispatch",
            ], isEngine: true),
        Module(
            "volt-container/Secrets", ["VoltCore", "VoltSystem", "VoltCrypto", "VoltYAML"], isEngine: true),
        Module(
            "volt-container/decrypt",
            [
                "ContainerSecrets", "ContainerSandbox", "VoltCore", "VoltSystem", "CVoltSystem",
                "FoundationEssentials",
            ]),
        Module(
            "volt-container/CLI",
            [
                "ContainerEngine", "VoltCLI", "VoltCore", "VoltSystem", "VoltWorkload", "ArgumentParser",
                "FoundationEssentials",
            ]),
        Module("volt-container/Sandbox", ["VoltCore", "VoltSystem", "CVoltSystem"]),
        Module("volt-container/init", ["ContainerSandbox", "VoltCore", "VoltSystem", "CVoltSystem"]),
        Module(
            "volt-container/registry",
            [
                "ContainerTransfer", "VoltOCI", "VoltRegistry", "VoltSigning", "VoltCore", "VoltSystem",
                "FoundationEssentials",
            ]),
        Module("volt-container/Transfer", ["VoltOCI"]),
        Module("volt-container/port", ["ContainerSandbox", "VoltCore", "VoltSystem", "CVoltSystem"]),
        Module("volt-container/run", ["ContainerSandbox", "VoltCore", "VoltSystem", "CVoltSystem"]),

        // volt-gitops
        Module(
            "volt-gitops/Source",
            ["VoltCore", "VoltSystem", "VoltCrypto", "CVoltSystem", "FoundationEssentials"],
            isEngine: true),
        Module(
            "volt-gitops/Message",
            ["GitopsSource", "VoltCore", "VoltCrypto", "FoundationEssentials"], isEngine: true),
        Module(
            "volt-gitops/Engine",
            [
                "GitopsMessage",
                "VoltCore", "VoltSystem", "VoltCrypto", "VoltSQLite", "VoltServer", "VoltPages", "VoltPlugin",
                "VoltTrust", "VoltWorkload", "VoltYAML",
                "GitopsSource", "CVoltSystem", "FoundationEssentials", "Dispatch",
            ], isEngine: true),
        Module(
            "volt-gitops/CLI",
            [
                "GitopsEngine", "GitopsMessage", "GitopsSource", "VoltCLI", "VoltCore", "VoltSystem",
                "ArgumentParser",
                "FoundationEssentials",
            ]),
        Module(
            "volt-gitops/worker",
            [
                "GitopsSource", "VoltCrypto", "VoltGit", "VoltHTTP", "VoltCore", "VoltSystem", "CVoltSystem",
                "FoundationEssentials",
            ]),
        Module(
            "volt-gitops/notify",
            ["GitopsMessage", "VoltHTTP", "VoltCore", "VoltCrypto", "VoltSystem", "CVoltSystem"]),

        // volt-service
        Module(
            "volt-service/Engine", ["VoltCore", "VoltSystem", "VoltPlugin", "FoundationEssentials"],
            isEngine: true),
        Module("volt-service/CLI", ["ServiceEngine", "VoltCLI", "VoltCore", "VoltSystem", "ArgumentParser"]),

        // volt-cas
        Module(
            "volt-cas/CLI",
            [
                "CasExchange", "VoltStore", "VoltArchive", "VoltCLI", "VoltCore", "VoltSystem",
                "ArgumentParser",
            ]),
        Module(
            "volt-cas/Exchange",
            ["VoltOCI", "VoltArchive", "VoltStore", "VoltCore", "VoltSystem", "CVoltSystem"], isEngine: true),

        // volt-registry
        Module(
            "volt-registry/Access",
            [
                "VoltCore", "VoltSystem", "VoltCrypto", "VoltPassword", "VoltPlugin", "VoltOCI", "VoltYAML",
                "Dispatch",
            ], isEngine: true),
        Module(
            "volt-registry/Engine",
            [
                "RegistryAccess", "VoltOCI", "VoltRegistry", "VoltS3", "VoltStore", "VoltServer", "VoltPages",
                "VoltCore", "VoltSystem", "VoltYAML", "CVoltSystem", "Dispatch",
                "FoundationEssentials",
            ], isEngine: true),
        Module(
            "volt-registry/CLI",
            [
                "RegistryAccess", "RegistryEngine", "VoltOCI", "VoltRegistry", "VoltS3", "VoltServer",
                "VoltSigning",
                "VoltStore",
                "VoltCLI",
                "VoltCore", "VoltCrypto",
                "VoltSystem",
                "ArgumentParser", "FoundationEssentials",
            ]),

        // What the demo and the tests on other hosts need
        Module(
            "volt-demo",
            [
                "VoltCLI", "VoltCore", "VoltCrypto", "VoltSystem", "VoltTestKit", "ArgumentParser",
                "Dispatch",
                "FoundationEssentials",
            ]),
    ]

    /// The longest file, in lines.
    static let longestFile = 450

    /// System calls rather than a library: whoever makes one may import it.
    static let systemCalls = "CVoltSystem"

    static let programs = [
        Program("volt", isStatic: true),
        Program("volt-container--init", isStatic: true),
        Program("volt-container--port", isStatic: true),
        Program("volt-container--run", isStatic: true),
        Program("volt-container--decrypt", ["libcrypto", "libyaml-0"]),
        Program("volt-container--registry", ["libarchive", "libcrypto", "libcurl"]),
        Program("volt-container", ["libarchive", "libcrypto", "libyaml-0", "libzstd"]),
        Program("volt-gitops", ["libcrypto", "libssl", "libsqlite3", "libyaml-0"]),
        Program("volt-gitops--worker", ["libcrypto", "libcurl", "libgit2"]),
        Program("volt-gitops--notify", ["libcrypto", "libcurl"]),
        Program("volt-service"),
        Program("volt-cas", ["libarchive", "libcrypto", "libzstd"]),
        Program(
            "volt-registry",
            ["libarchive", "libcrypt", "libcrypto", "libcurl", "libssl", "libyaml-0", "libzstd"]),
        Program("volt-demo", ["libcrypto"]),
    ]

    /// glibc and the C++ runtime, and in a debug build the parts of Swift that are no Foundation. ICU, which
    /// costs 34 MB, comes with `libFoundation` and is not among them.
    static func isRuntime(_ library: String) -> Bool {
        let names: Set<String> = [
            "libc", "libm", "libstdc++", "libgcc_s", "libBlocksRuntime", "libdispatch",
            "libFoundationEssentials",
            "lib_FoundationCShims", "lib_FoundationCollections",
        ]
        return names.contains(library) || library.hasPrefix("libswift") || library.hasPrefix("ld-linux")
    }
}
