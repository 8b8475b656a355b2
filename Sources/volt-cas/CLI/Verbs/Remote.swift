internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltStore
internal import VoltSystem

struct Push: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "Send what tags name to another store.",
        discussion: """
            REMOTE is the directory of a store, user@host:/directory or ssh://user@host:port/directory (volt-cas \
            has to be there), or unix:/path of 'volt cas serve'. Only what the other store does not have \
            travels; the tags are set there when all of it is durable. When it breaks off, run it again.

            Examples:
              volt cas push backup@nas:/srv/cas images/debian:12
              volt cas push /mnt/disk/cas --all
            """)

    @Argument(help: "The other store.") var remote: String
    @Argument(help: "Tags.") var tags: [String] = []
    @Flag(help: "All tags.") var all = false
    @OptionGroup var place: StoreOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard all != !tags.isEmpty else { throw ValidationError("name tags, or give --all") }
    }

    func run() throws {
        let (store, context) = try place.open()
        let address = try RemoteAddress(remote, environment: context.environment)
        let line = progress.line("push")
        let result = try store.push(tags, to: address) { line.show($0) }
        line.end()
        try Transfers.show(result, "sent", output)
    }
}

struct PullTags: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Get what tags of another store name.",
        discussion: """
            REMOTE is written as for push. Only what is not here travels, and all of it is compared with its \
            digest. When it breaks off, run it again: what came stays for a while.

            Examples:
              volt cas pull backup@nas:/srv/cas images/debian:12
              volt cas pull unix:/run/cas.sock site --as site-from-there
            """)

    @Argument(help: "The other store.") var remote: String
    @Argument(help: "Tags.") var tags: [String] = []
    @Flag(help: "All tags.") var all = false
    @Option(name: .customLong("as"), help: ArgumentHelp("Another name for the one tag.", valueName: "tag"))
    var asName: String?
    @OptionGroup var place: StoreOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard all != !tags.isEmpty else { throw ValidationError("name tags, or give --all") }
        guard asName == nil || tags.count == 1 else { throw ValidationError("--as goes with one tag") }
    }

    func run() throws {
        let (store, context) = try place.openForWriting()
        let address = try RemoteAddress(remote, environment: context.environment)
        let line = progress.line("pull")
        let result = try store.pull(tags, from: address, as: asName) { line.show($0) }
        line.end()
        try Transfers.show(result, "came", output)
    }
}

private enum Transfers {
    static func show(_ result: TransferResult, _ what: String, _ output: OutputOptions) throws {
        if output.format == .json { return try Output.put(Output.json(result)) }
        for tag in result.tags { try Output.put(tag) }
        try Output.put("\(result.blobs) blobs, \(ByteSize(bytes: result.bytes)) \(what)")
    }
}

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the store to push and pull of others.",
        discussion: """
            With --stdio one other is served over stdin and stdout, as ssh runs it; for a key that may do \
            nothing else write into authorized_keys: restrict,command="volt-cas serve --stdio --read-only". \
            With --socket any number are served, until the command is ended. With --append-only others add blobs \
            and tags, and no tag is replaced or removed: a backup that is there stays, whoever has the key.

            Examples:
              volt cas serve --socket /run/cas.sock --read-only
              volt cas serve --stdio --append-only --store /srv/cas
            """)

    @Flag(help: "Serve one over stdin and stdout.") var stdio = false
    @Option(help: ArgumentHelp("Listen on a Unix socket.", valueName: "path")) var socket: String?
    @Flag(help: "Put nothing into the store.") var readOnly = false
    @Flag(help: "Add to the store, and replace no tag.") var appendOnly = false
    @OptionGroup var place: StoreOptions

    func validate() throws {
        guard stdio != (socket != nil) else { throw ValidationError("give either --stdio or --socket PATH") }
        if readOnly, appendOnly { throw ValidationError("give either --read-only or --append-only") }
    }

    func run() throws {
        let (store, _) = try readOnly ? place.open() : place.openForWriting()
        let access: ServeAccess = readOnly ? .reading : appendOnly ? .appending : .writing
        guard let socket else { return try store.serve(input: 0, output: 1, access: access) }
        try store.serve(socket: Files.absolute(socket, from: Files.currentDirectory), access: access)
    }
}
