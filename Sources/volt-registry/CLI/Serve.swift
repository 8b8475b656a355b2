internal import ArgumentParser
internal import RegistryAccess
internal import RegistryEngine
internal import VoltCLI
internal import VoltCore
internal import VoltServer
internal import VoltService
internal import VoltServiceCLI
internal import VoltStore
internal import VoltSystem

struct Serve: ServiceCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve a registry, until SIGTERM.",
        discussion: """
            Example:
              volt registry serve --port 5000
              skopeo copy --dest-tls-verify=false docker-archive:web.tar \\
                  docker://localhost:5000/team/web:1

            It listens on 127.0.0.1 unless --listen says otherwise, and keeps everything in one Stellarium store. \
            With a certificate it speaks HTTPS and nothing else on that port; SIGHUP reads the files again, and opens the \
            access log again. /healthz and /metrics are for monitors.
            """)

    @OptionGroup var serving: ServeOptions<RegistryServiceUnit>
    @OptionGroup var store: StoreOptions
    @Flag(help: "Show repositories, tags and manifests to browsers, at '/'.") var ui = false
    @Option(help: ArgumentHelp("Add a line for each answer to this file.", valueName: "file"))
    var accessLog: String?
    @Flag(help: "Let nothing be changed.") var readOnly = false
    @Option(
        help:
            "A PEM file with authorities whose certificates clients may show; their names are for the policy."
    )
    var clientCa: String?
    @Option(help: ArgumentHelp("Who may do what: see docs/registry-access.md.", valueName: "file"))
    var policy: String?
    @OptionGroup(title: "What is kept") var retention: RetentionOptions
    @Option(
        help: ArgumentHelp("Remove what is not kept so often; 0 is never.", valueName: "time"))
    var gcEvery = "1h"
    @Option(help: ArgumentHelp("Refuse larger blobs, such as 10G.", valueName: "size")) var maxBlob: String?

    @Option(
        help: ArgumentHelp("What the blobs of a repository may have, such as 100G.", valueName: "size"))
    var quota: String?

    @OptionGroup(title: "Other registries") var upstream: UpstreamOptions
    @OptionGroup(title: "S3") var bucket: BucketOptions

    func validate() throws {
        guard clientCa == nil || serving.tlsCert != nil else {
            throw ValidationError("--client-ca is given with --tls-cert")
        }
        guard bucket.s3 == nil || upstream.upstreams.isEmpty else {
            throw ValidationError(
                "what is kept of other registries lies on this host: --upstream is not given with --s3")
        }
    }

    func run() throws {
        let (storage, context) = try store.open(makes: true)
        let bucket = try bucket.open(storage, context.environment)
        var settings = RegistrySettings()
        settings.isReadOnly = readOnly
        settings.largestBlob = try maxBlob.map { (text) throws(VoltError) in try ByteSize(text).bytes }
        settings.quota = try quota.map { (text) throws(VoltError) in try ByteSize(text).bytes }
        settings.hasPages = ui
        settings.accessLog = try accessLog.map { (path) throws(VoltError) in
            try AccessLog(Files.absolute(path, from: Files.currentDirectory))
        }
        settings.retention = try retention.rules()
        let interval = try DurationText.parse(gcEvery)
        settings.collectionInterval = interval > .zero ? interval : nil
        try upstream.apply(to: &settings, context.environment)
        let here = Files.currentDirectory
        var listening = HTTPService.Options(
            address: serving.address, port: try serving.port(context.environment),
            tls: serving.tlsFiles.map { files in
                .init(
                    certificate: files.certificate, key: files.key,
                    clientAuthorities: clientCa.map { Files.absolute($0, from: here) })
            })
        listening.socket = ServiceManager.listeningSockets(environment: context.environment).first
        let clock = context.clock
        let access =
            try policy.map { (path) throws(VoltError) in
                try AccessControl.open(
                    policy: Files.absolute(path, from: here), now: clock.now())
            } ?? .everybody()
        let log: @Sendable (String) -> Void = { line in
            guard LogLevel(ofLine: line) >= Output.level else { return }
            Output.note("\(clock.now()) \(line)")
        }
        let server = RegistryServer(
            storage, bucket: bucket, options: listening, settings: settings, access: access, clock: clock,
            report: log)
        if policy == nil, !["127.0.0.1", "::1", "localhost"].contains(serving.address) {
            log("warning: whoever reaches this address may pull, push and delete everything: give a --policy")
        }
        try ServiceRunner(
            directory: context.paths.runtime, manager: ServiceManager(environment: context.environment),
            log: log
        ).run(server)
    }

    func files(_ context: ToolContext) -> ServiceFiles {
        ServiceFiles(
            read: [
                serving.tlsCert, serving.tlsKey, clientCa, policy, upstream.upstreamAuthFile,
                upstream.upstreamCaFile, bucket.s3CaFile,
            ],
            writtenDirectories: [store.store, accessLog.map(Files.parent)].compactMap { $0 })
    }
}

/// `--store`.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The directory of the registry's store; without, the one of this host.", valueName: "directory"))
    var store: String?

    /// - Parameter makes: whether a store is made when there is none.
    func open(makes: Bool) throws -> (storage: RegistryStorage, context: ToolContext) {
        let context = try ToolContext(tool: RegistryTool.tool.name)
        let path =
            store.map { Files.absolute($0, from: Files.currentDirectory) } ?? "\(context.paths.state)/store"
        return (try RegistryStorage(try makes ? ContentStore.create(path) : ContentStore.open(path)), context)
    }
}
