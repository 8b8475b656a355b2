internal import ArgumentParser
internal import RegistryAccess
internal import RegistryEngine
internal import VoltCLI
internal import VoltCore
internal import VoltServer
internal import VoltStore
internal import VoltSystem

struct Serve: ParsableCommand {
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

    @Option(help: "The port; 0 for a free one.") var port = 5000
    @Option(help: "The address of this host to listen on; '*' for every one.") var listen = "127.0.0.1"
    @OptionGroup var store: StoreOptions
    @Option(help: "A PEM file with the certificate and those between it and the root: HTTPS.")
    var tlsCert: String?
    @Option(help: "A PEM file with the key of the certificate, closed to other users.") var tlsKey: String?
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
        guard (tlsCert == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-cert and --tls-key are given together")
        }
        guard clientCa == nil || tlsCert != nil else {
            throw ValidationError("--client-ca is given with --tls-cert")
        }
        guard bucket.s3 == nil || upstream.upstreams.isEmpty else {
            throw ValidationError(
                "what is kept of other registries lies on this host: --upstream is not given with --s3")
        }
        guard (0...65535).contains(port) else { throw ValidationError("'\(port)' is not a port") }
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
        var tls: TLSIdentity?
        if let tlsCert, let tlsKey {
            let here = Files.currentDirectory
            tls = try TLSIdentity(
                certificateFile: Files.absolute(tlsCert, from: here),
                keyFile: Files.absolute(tlsKey, from: here),
                clientAuthoritiesFile: clientCa.map { Files.absolute($0, from: here) })
        }
        let clock = context.clock
        let access =
            try policy.map { (path) throws(VoltError) in
                try AccessControl.open(
                    policy: Files.absolute(path, from: Files.currentDirectory), now: clock.now())
            } ?? .everybody()
        let log: @Sendable (String) -> Void = { line in
            guard LogLevel(ofLine: line) >= Output.level else { return }
            Output.note("\(clock.now()) \(line)")
        }
        let signals = try ServerSignal.install()
        let server = try RegistryServer(
            storage, bucket: bucket, address: listen == "*" ? nil : listen, port: port, settings: settings,
            tls: tls,
            access: access, clock: clock, report: log)
        if policy == nil, !["127.0.0.1", "::1", "localhost"].contains(listen) {
            log("warning: whoever reaches this address may pull, push and delete everything: give a --policy")
        }
        server.run(until: signals, manager: ServiceManager(environment: context.environment))
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
