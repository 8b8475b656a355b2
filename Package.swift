// swift-tools-version: 6.2
import PackageDescription

// One target a module: on Linux the target is the unit of linking, so a tool loads only the C libraries of the
// targets it names. Tests/LayoutTests compare what is declared here with what the files import, both ways.

/// Each module with the other modules it imports: kind, folder, name, needs.
let modules = """
    module  Sources/VoltKit/Archive            VoltArchive               VoltCore VoltCrypto VoltSystem CArchive CVoltSystem
    module  Sources/VoltKit/CLI                VoltCLI                   VoltCore VoltSystem ArgumentParser
    module  Sources/VoltKit/Core               VoltCore
    module  Sources/VoltKit/Crypto             VoltCrypto                VoltCore CCrypto
    module  Sources/VoltKit/Git                VoltGit                   VoltCore VoltSystem CGit2 CVoltSystem
    module  Sources/VoltKit/HTTP               VoltHTTP                  VoltCore VoltSystem CCurl CVoltSystem
    module  Sources/VoltKit/HelperKit          VoltHelperKit             VoltCore VoltPorts VoltSandbox VoltSupervise VoltSystem VoltWorkload CVoltSystem
    module  Sources/VoltKit/Instances          VoltInstances             VoltCore VoltCrypto VoltPorts VoltRollout VoltSupervise VoltSystem VoltSystemd VoltWorkload
    module  Sources/VoltKit/Kit                VoltKit                   VoltCLI VoltCore VoltPlugin VoltSystem
    module  Sources/VoltKit/Manifest           VoltManifest              VoltCore VoltWorkload VoltYAML
    module  Sources/VoltKit/OCI                VoltOCI                   VoltCore VoltCrypto VoltSystem
    module  Sources/VoltKit/Pages              VoltPages                 VoltCore VoltCrypto VoltServer
    module  Sources/VoltKit/Password           VoltPassword              VoltCore VoltCrypto CCrypt
    module  Sources/VoltKit/Plugin             VoltPlugin                VoltCore CVoltSystem
    module  Sources/VoltKit/Ports              VoltPorts                 VoltCore VoltSystem VoltWorkload CVoltSystem
    module  Sources/VoltKit/Registry           VoltRegistry              VoltArchive VoltCore VoltCrypto VoltHTTP VoltOCI VoltPlugin VoltSigning VoltSystem CVoltSystem
    module  Sources/VoltKit/Rollout            VoltRollout               VoltCore VoltSystem VoltWorkload VoltWorkloadTool
    module  Sources/VoltKit/S3                 VoltS3                    VoltCore VoltCrypto VoltHTTP VoltSystem
    module  Sources/VoltKit/SQLite             VoltSQLite                VoltCore CSQLite
    module  Sources/VoltKit/Sandbox            VoltSandbox               VoltCore VoltSystem CVoltSystem
    module  Sources/VoltKit/Server             VoltServer                VoltCore VoltService VoltSystem CTLS CVoltSystem NIOCore NIOHTTP1 NIOPosix
    module  Sources/VoltKit/Service            VoltService               VoltCore VoltSystem
    module  Sources/VoltKit/ServiceCLI         VoltServiceCLI            VoltCLI VoltCore VoltSystem VoltSystemd ArgumentParser
    module  Sources/VoltKit/ServiceKit         VoltServiceKit            VoltKit VoltServer VoltService VoltServiceCLI VoltSystemd
    module  Sources/VoltKit/Signing            VoltSigning               VoltCore VoltCrypto VoltOCI
    module  Sources/VoltKit/Store              VoltStore                 VoltCore VoltCrypto VoltSystem CVoltSystem CZstd
    module  Sources/VoltKit/Supervise          VoltSupervise             VoltCore VoltSystem VoltWorkload CVoltSystem
    module  Sources/VoltKit/System             VoltSystem                VoltCore CVoltSystem
    module  Sources/VoltKit/Systemd            VoltSystemd               VoltCore VoltSystem
    module  Sources/VoltKit/TestKit            VoltTestKit               VoltCore VoltSystem CVoltSystem
    module  Sources/VoltKit/Trust              VoltTrust                 VoltCore VoltOCI VoltSigning VoltSystem VoltYAML
    module  Sources/VoltKit/Workload           VoltWorkload              VoltCore
    module  Sources/VoltKit/WorkloadCLI        VoltWorkloadCLI           VoltCLI VoltCore VoltSystem VoltWorkload ArgumentParser
    module  Sources/VoltKit/WorkloadKit        VoltWorkloadKit           VoltInstances VoltKit VoltManifest VoltPorts VoltRollout VoltSupervise VoltWorkload VoltWorkloadCLI VoltWorkloadTool VoltYAML
    module  Sources/VoltKit/WorkloadTool       VoltWorkloadTool          VoltCore VoltPlugin VoltSystem VoltWorkload
    module  Sources/VoltKit/YAML               VoltYAML                  VoltCore CYAML

    static  Sources/volt                       volt                      VoltCore VoltPlugin CVoltSystem
    program Sources/volt-cas/CLI               volt-cas                  CasExchange VoltArchive VoltCLI VoltCore VoltStore VoltSystem ArgumentParser
    module  Sources/volt-cas/Exchange          CasExchange               VoltArchive VoltCore VoltOCI VoltStore VoltSystem CVoltSystem
    program Sources/volt-container/CLI         volt-container            ContainerEngine VoltCLI VoltCore VoltRollout VoltServiceCLI VoltSupervise VoltSystem VoltSystemd VoltWorkload VoltWorkloadCLI VoltWorkloadTool ArgumentParser
    module  Sources/volt-container/Engine      ContainerEngine           ContainerSandbox ContainerSecrets ContainerTransfer VoltArchive VoltCore VoltCrypto VoltManifest VoltOCI VoltPorts VoltRollout VoltSandbox VoltSigning VoltStore VoltSupervise VoltSystem VoltSystemd VoltTrust VoltWorkload CVoltSystem
    module  Sources/volt-container/Sandbox     ContainerSandbox          VoltCore VoltSandbox VoltSupervise VoltSystem VoltWorkload CVoltSystem
    module  Sources/volt-container/Secrets     ContainerSecrets          VoltCore VoltCrypto VoltSystem VoltWorkload VoltYAML
    module  Sources/volt-container/Transfer    ContainerTransfer         VoltOCI
    program Sources/volt-container/decrypt     volt-container--decrypt   ContainerSandbox ContainerSecrets VoltCore VoltSandbox VoltSystem VoltWorkload
    static  Sources/volt-container/init        volt-container--init      ContainerSandbox VoltCore VoltSandbox VoltSupervise VoltSystem VoltWorkload CVoltSystem
    static  Sources/volt-container/port        volt-container--port      VoltPorts
    program Sources/volt-container/registry    volt-container--registry  ContainerTransfer VoltCore VoltOCI VoltRegistry VoltSigning VoltSystem
    static  Sources/volt-container/run         volt-container--run       ContainerSandbox VoltCore VoltPorts VoltSandbox VoltSupervise VoltSystem VoltWorkload CVoltSystem
    program Sources/volt-demo                  volt-demo                 VoltCLI VoltCore VoltCrypto VoltSystem VoltTestKit ArgumentParser
    program Sources/volt-gitops/CLI            volt-gitops               GitopsEngine GitopsNotifications GitopsSource VoltCLI VoltCore VoltService VoltServiceCLI VoltSystem VoltSystemd ArgumentParser
    module  Sources/volt-gitops/Engine         GitopsEngine              GitopsNotifications GitopsSource VoltCore VoltCrypto VoltManifest VoltPages VoltSQLite VoltServer VoltService VoltSystem VoltSystemd VoltTrust VoltWorkload VoltWorkloadTool VoltYAML CVoltSystem
    module  Sources/volt-gitops/Notifications  GitopsNotifications       GitopsSource VoltCore VoltCrypto
    module  Sources/volt-gitops/Source         GitopsSource              VoltCore VoltCrypto VoltSystem
    program Sources/volt-gitops/notify         volt-gitops--notify       GitopsNotifications VoltCore VoltCrypto VoltHTTP VoltSandbox VoltSystem
    program Sources/volt-gitops/worker         volt-gitops--worker       GitopsSource VoltCore VoltCrypto VoltGit VoltHTTP VoltSandbox VoltSystem CVoltSystem
    module  Sources/volt-registry/Access       RegistryAccess            VoltCore VoltCrypto VoltOCI VoltPassword VoltPlugin VoltSystem VoltYAML
    program Sources/volt-registry/CLI          volt-registry             RegistryAccess RegistryEngine VoltCLI VoltCore VoltCrypto VoltOCI VoltRegistry VoltS3 VoltServer VoltService VoltServiceCLI VoltSigning VoltStore VoltSystem VoltSystemd ArgumentParser
    module  Sources/volt-registry/Engine       RegistryEngine            RegistryAccess VoltCore VoltOCI VoltPages VoltRegistry VoltS3 VoltServer VoltService VoltStore VoltSystem VoltYAML CVoltSystem
    program Sources/volt-service/CLI           volt-service              ServiceEngine VoltCLI VoltCore VoltSystem VoltSystemd ArgumentParser
    module  Sources/volt-service/Engine        ServiceEngine             VoltCore VoltPlugin VoltService VoltSystem VoltSystemd VoltWorkload VoltWorkloadTool
    module  Tests/FuzzTargets                  FuzzTargets               ContainerSecrets GitopsEngine GitopsSource RegistryAccess RegistryEngine VoltArchive VoltCore VoltCrypto VoltManifest VoltOCI VoltRegistry VoltS3 VoltSigning VoltStore VoltSystem VoltTrust VoltWorkload VoltYAML
    static  Tests/TestSupervisor               volt-test--run            VoltCore VoltSupervise
    """

/// Each test target in Tests/<name>, and the modules and programs it needs.
let tests = """
    ContainerApplyTests    ContainerEngine VoltCore VoltRollout VoltSystem VoltTestKit VoltWorkload VoltWorkloadTool
    ContainerImageTests    ContainerEngine VoltArchive VoltCore VoltCrypto VoltStore VoltSystem VoltTestKit
    ContainerRuntimeTests  ContainerEngine ContainerSandbox VoltCore VoltRollout VoltSandbox VoltStore VoltSupervise VoltSystem VoltTestKit VoltWorkload
    ContainerSecretsTests  ContainerSecrets VoltCore VoltCrypto VoltSystem VoltTestKit VoltWorkload
    ContractTests          VoltSystem VoltTestKit CTestTerminal
    DocsTests              VoltSystem VoltTestKit
    FuzzTests              FuzzTargets VoltCore VoltSystem VoltTestKit
    GitopsEngineTests      GitopsEngine GitopsNotifications VoltCore VoltCrypto VoltSystem VoltTestKit VoltWorkload
    GitopsNotifyTests      GitopsNotifications GitopsSource VoltCore VoltCrypto
    GitopsServerTests      GitopsEngine volt-gitops volt-gitops--notify volt-gitops--worker VoltCore VoltCrypto VoltSQLite VoltSupervise VoltSystem VoltTestKit
    GitopsSourceTests      GitopsSource VoltCore
    GitopsWorkerTests      GitopsSource volt-gitops--worker VoltCore VoltSystem VoltTestKit CVoltSystem
    LayoutTests            VoltSystem VoltTestKit
    RegistryAccessTests    RegistryAccess VoltCore VoltCrypto VoltOCI VoltPassword VoltPlugin VoltSystem VoltTestKit
    RegistryClientTests    RegistryEngine volt-cas volt-container volt-container--registry volt-registry VoltCore VoltCrypto VoltOCI VoltRegistry VoltServer VoltSystem VoltTestKit
    RegistryServerTests    RegistryAccess RegistryEngine volt-registry VoltCore VoltCrypto VoltOCI VoltS3 VoltServer VoltStore VoltSystem VoltTestKit
    ServiceTests           volt-service VoltCore VoltSystem VoltSystemd VoltTestKit
    SystemTests            VoltCore VoltSystem VoltTestKit
    VoltArchiveTests       VoltArchive VoltCore VoltCrypto VoltSystem VoltTestKit
    VoltCoreTests          VoltCore
    VoltCryptoTests        VoltCore VoltCrypto
    VoltGitTests           VoltCore VoltGit VoltSystem VoltTestKit
    VoltHTTPTests          VoltCore VoltHTTP VoltSystem VoltTestKit
    VoltOCITests           VoltCore VoltOCI
    VoltPasswordTests      VoltCore VoltPassword
    VoltPluginTests        VoltCore VoltPlugin VoltSystem VoltTestKit
    VoltPortsTests         VoltCore VoltPorts VoltSystem VoltTestKit VoltWorkload
    VoltRolloutTests       VoltCore VoltRollout VoltSystem VoltTestKit VoltWorkload
    VoltS3Tests            VoltCore VoltS3 VoltSystem VoltTestKit
    VoltSQLiteTests        VoltCore VoltSQLite VoltSystem VoltTestKit
    VoltServerTests        VoltCore VoltServer VoltSystem VoltTestKit NIOCore
    VoltServiceTests       VoltCore VoltService VoltSystem VoltTestKit
    VoltStoreTests         volt-cas VoltCore VoltCrypto VoltStore VoltSystem VoltTestKit CTestDisk
    VoltSuperviseTests     VoltCore VoltSupervise VoltSystem VoltTestKit VoltWorkload
    VoltSystemTests        VoltCore VoltSystem VoltTestKit
    VoltSystemdTests       VoltCore VoltSystem VoltSystemd VoltTestKit
    VoltTrustTests         VoltCore VoltCrypto VoltOCI VoltSigning VoltTrust
    VoltWorkloadTests      VoltCore VoltManifest VoltWorkload
    VoltWorkloadToolTests  VoltCore VoltSystem VoltTestKit VoltWorkload VoltWorkloadTool
    VoltYAMLTests          VoltCore VoltYAML
    """

/// Each C library of the system: name, pkg-config, Debian's package. Its module map is in Sources/VoltKit/C/<name>.
let libraries = """
    CArchive  libarchive  libarchive-dev
    CCrypt    libcrypt    libcrypt-dev
    CCrypto   libcrypto   libssl-dev
    CCurl     libcurl     libcurl4-openssl-dev
    CGit2     libgit2     libgit2-dev
    CSQLite   sqlite3     libsqlite3-dev
    CTLS      libssl      libssl-dev
    CYAML     yaml-0.1    libyaml-dev
    CZstd     libzstd     libzstd-dev
    """

/// The modules of other packages.
let packages = [
    "ArgumentParser": "swift-argument-parser", "NIOCore": "swift-nio", "NIOHTTP1": "swift-nio",
    "NIOPosix": "swift-nio",
]

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func rows(_ table: String) -> [[String]] {
    table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
}

func needs(_ names: some Sequence<String>) -> [Target.Dependency] {
    names.map { name in packages[name].map { .product(name: name, package: $0) } ?? .byName(name: name) }
}

func module(_ row: [String]) -> Target {
    let (kind, path, name, needs) = (row[0], row[1], row[2], needs(row.dropFirst(3)))
    switch kind {
    case "module": return .target(name: name, dependencies: needs, path: path, swiftSettings: settings)
    case "program":
        return .executableTarget(name: name, dependencies: needs, path: path, swiftSettings: settings)
    case "static":
        // Fully static, in debug builds too: it starts in under a millisecond and needs no file of its machine.
        return .executableTarget(
            name: name, dependencies: needs, path: path, swiftSettings: settings,
            linkerSettings: [.unsafeFlags(["-static-executable"])])
    default: fatalError("'\(kind)' is not a kind of module")
    }
}

func test(_ row: [String]) -> Target {
    let data = [
        "FuzzTests": "Corpora", "ContainerRuntimeTests": "Fixtures", "ContainerSecretsTests": "Fixtures",
        "GitopsServerTests": "Fixtures",
    ]
    return .testTarget(
        name: row[0], dependencies: needs(row.dropFirst()), path: "Tests/\(row[0])",
        exclude: data[row[0]].map { [$0] } ?? [], swiftSettings: settings)
}

func library(_ row: [String]) -> Target {
    .systemLibrary(
        name: row[0], path: "Sources/VoltKit/C/\(row[0])", pkgConfig: row[1], providers: [.apt([row[2]])])
}

let package = Package(
    name: "volt",
    products: ["volt", "volt-cas", "volt-container", "volt-gitops", "volt-registry", "volt-service"].map {
        .executable(name: $0, targets: [$0])
    }
        + ["VoltHelperKit", "VoltKit", "VoltServiceKit", "VoltTestKit", "VoltWorkloadKit"].map {
            .library(name: $0, targets: [$0])
        },
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    ],
    targets: [
        .target(name: "CVoltSystem", path: "Sources/VoltKit/C/CVoltSystem"),
        .target(name: "CTestDisk", path: "Tests/CTestDisk"),
        .target(name: "CTestTerminal", path: "Tests/CTestTerminal"),
    ] + rows(libraries).map(library) + rows(modules).map(module) + rows(tests).map(test)
)

// The program for libFuzzer: built by scripts/fuzz alone, with every module instrumented.
if Context.environment["VOLT_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "volt-fuzz", dependencies: ["FuzzTargets"], path: "Tests/volt-fuzz",
            swiftSettings: settings))
}
