import FoundationEssentials
import Testing
import VoltSystem
import VoltTestKit

/// A target of Package.swift.
struct Module: Sendable, CustomTestStringConvertible {
    let name: String
    /// From the root of the repository.
    let folder: String
    /// The modules and programs that Package.swift says it needs.
    let needs: Set<String>
    let isProgram: Bool
    /// Whether it is linked fully static.
    let isStatic: Bool
    let isTest: Bool

    var testDescription: String { name }

    /// An engine decides and acts, and leaves printing and the environment to its command line.
    var isEngine: Bool {
        !isTest && (folder.hasPrefix("Sources/volt-") && !isProgram && !Layout.spoken.contains(name))
            || Layout.engines.contains(name)
    }
}

/// The package as `swift package dump-package` shows it, and what no manifest can say.
enum Layout {
    /// What any module may import; FoundationEssentials and Dispatch only where nothing static links it.
    static let anywhere: Set<String> = ["Glibc", "Synchronization"]
    static let runtimeModules: Set<String> = ["FoundationEssentials", "Dispatch"]

    /// Modules of VoltKit that are engines.
    static let engines: Set<String> = ["VoltRegistry", "VoltS3", "VoltSigning", "VoltStore", "VoltTrust"]
    /// Modules of tools that are part of a program which speaks for itself.
    static let spoken: Set<String> = ["ContainerSandbox", "ContainerTransfer"]

    /// The longest file, in lines.
    static let longestFile = 450
    /// The longest function, in lines.
    static let longestFunction = 60

    /// System calls rather than a library: whoever makes one may import it.
    static let systemCalls = "CVoltSystem"

    /// The shared libraries that a program loads beside those of the runtime; one that is not here loads none.
    static let libraries: [String: Set<String>] = [
        "volt-container--decrypt": ["libcrypto", "libyaml-0"],
        "volt-container--registry": ["libarchive", "libcrypto", "libcurl"],
        "volt-container": ["libarchive", "libcrypto", "libyaml-0", "libzstd"],
        "volt-gitops": ["libcrypto", "libssl", "libsqlite3", "libyaml-0"],
        "volt-gitops--worker": ["libcrypto", "libcurl", "libgit2"],
        "volt-gitops--notify": ["libcrypto", "libcurl"],
        "volt-cas": ["libarchive", "libcrypto", "libzstd"],
        "volt-registry": [
            "libarchive", "libcrypt", "libcrypto", "libcurl", "libssl", "libyaml-0", "libzstd",
        ],
        "volt-demo": ["libcrypto"],
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

    /// The targets of Package.swift that have Swift files.
    static let modules: [Module] = {
        do { return try read() } catch { fatalError("swift package dump-package: \(error)") }
    }()

    static var programs: [Module] { modules.filter { $0.isProgram && !$0.isTest } }

    /// Whether a name is of a C library, such as CArchive.
    static func isLibrary(_ name: String) -> Bool {
        name.first == "C" && name.dropFirst().first?.isUppercase == true
    }

    /// The module that a file belongs to: the one with the longest folder.
    static func module(of path: String) -> Module? {
        modules.filter { path.hasPrefix($0.folder + "/") }.max { $0.folder.count < $1.folder.count }
    }

    /// What a module links, itself among it.
    static func closure(of name: String) -> Set<String> {
        var found: Set<String> = []
        var left = [name]
        while let next = left.popLast() {
            if found.insert(next).inserted { left += modules.first { $0.name == next }?.needs ?? [] }
        }
        return found
    }

    private struct Dump: Decodable {
        struct Target: Decodable {
            struct Setting: Decodable {
                struct Kind: Decodable {
                    struct Flags: Decodable { let _0: [String] }
                    let unsafeFlags: Flags?
                }
                let kind: Kind
            }
            struct Dependency: Decodable {
                let byName: [String?]?
                let product: [String?]?
            }
            let name: String
            let path: String
            let type: String
            let dependencies: [Dependency]
            let settings: [Setting]
        }
        let targets: [Target]
    }

    private static func read() throws -> [Module] {
        let scratch = try ScratchDirectory()
        var runner = ToolRunner(scratch: scratch.path)
        runner.environment["PATH"] = Environment.current["PATH"]
        let result = try runner.run([
            "swift", "package", "--package-path", Golden.root(), "--ignore-lock", "dump-package",
        ])
        guard result.status == 0 else { throw CocoaError(.fileReadUnknown) }
        let dump = try JSONDecoder().decode(Dump.self, from: Data(result.stdout.utf8))
        return dump.targets.filter { !isLibrary($0.name) }.map { target in
            Module(
                name: target.name, folder: target.path,
                needs: Set(target.dependencies.compactMap { ($0.byName ?? $0.product)?.first ?? nil }),
                isProgram: target.type == "executable",
                isStatic: target.settings.contains {
                    $0.kind.unsafeFlags?._0.contains("-static-executable") == true
                },
                isTest: target.path.hasPrefix("Tests/"))
        }
    }
}
