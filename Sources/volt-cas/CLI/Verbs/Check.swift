internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltStore
internal import VoltSystem

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make a store.",
        discussion: """
            Example:
              volt cas init --store /srv/cas
            """)

    @OptionGroup var place: StoreOptions

    func run() throws {
        let context = try ToolContext(tool: VoltCAS.tool.name)
        let store = try ContentStore.create(place.path(context))
        try Output.put(store.path)
    }
}

struct VerifyStore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check that all is there, and with --read-data that every byte is right.",
        discussion: """
            Each damaged file and each blob that is missing is named. With --quarantine what is damaged is put \
            aside and counts as missing, so that it can be put into the store again, unless the store has another \
            copy. The exit code is 1 when something is wrong, and 74 when this host could not read all of it.

            Examples:
              volt cas verify
              volt cas verify --read-data --rate 50M
            """)

    @Flag(help: "Read every byte and compare it with its digest.") var readData = false
    @Option(help: "Bytes a second that are read at most, such as 50M.") var rate: String?
    @Flag(help: "Put what is damaged aside.") var quarantine = false
    @OptionGroup var place: StoreOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if rate != nil, !readData, !quarantine { throw ValidationError("--rate goes with --read-data") }
    }

    func run() throws {
        let (store, context) = try place.open()
        var options = VerifyOptions()
        options.readsData = readData || quarantine
        options.quarantines = quarantine
        options.rate = try rate.map { (text) throws(VoltError) in try ByteSize(text).bytes }
        let line = progress.line("verify")
        options.progress = { line.show($0, of: $1) }
        context.noteReadOnly(store)
        let result = try store.verify(options)
        line.end()
        if output.format == .json {
            try Output.put(Output.json(result))
        } else {
            for damage in result.damaged {
                try Output.put(
                    "damaged  \(damage.digest.map { "\($0)  " } ?? "")\(damage.reason)  \(damage.path)")
            }
            for file in result.unread { try Output.put("unread  \(file.reason)  \(file.path)") }
            for digest in result.missing { try Output.put("missing  \(digest)") }
            try Output.put(
                "\(result.blobs) blobs, \(ByteSize(bytes: result.bytes)) read; "
                    + (result.isSound
                        ? "all is as it should be"
                        : "\(result.damagedCount) damaged, \(result.missingCount) missing"
                            + (result.unreadCount > 0 ? ", \(result.unreadCount) could not be read" : "")
                            + (result.mended > 0 ? ", \(result.mended) mended" : "")))
        }
        guard result.damagedCount + result.missingCount > 0 || result.isSound else {
            throw ExitStatus(VoltCore.ExitCode.inputOutput.rawValue)
        }
        guard result.isSound else {
            if output.format != .json {
                Output.note("\(context.displayName): hint: see 'volt cas repair --help'")
            }
            throw ExitStatus(1)
        }
    }
}

struct Repair: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair", abstract: "Mend a store.",
        discussion: """
            With --index the index is made anew from the packs. With --from every byte is read, what is damaged \
            is put aside, and what is missing comes from another store that has it.

            Examples:
              volt cas repair --index
              volt cas repair --from backup@nas:/srv/cas
            """)

    @Flag(help: "Make the index anew.") var index = false
    @Option(help: ArgumentHelp("Another store, as for pull.", valueName: "remote")) var from: String?
    @OptionGroup var place: StoreOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard index != (from != nil) else {
            throw ValidationError("say what to repair: either --index or --from REMOTE")
        }
    }

    func run() throws {
        let (store, context) = try place.open()
        if let from {
            return try repair(store, from: try RemoteAddress(from, environment: context.environment))
        }
        let result = try store.repairIndex()
        if output.format == .json {
            try Output.put(Output.json(result))
        } else {
            for damage in result.damaged { try Output.put("damaged  \(damage)") }
            try Output.put("\(result.records) records in \(result.packs) packs")
        }
        if !result.damaged.isEmpty { throw ExitStatus(1) }
    }

    private func repair(_ store: ContentStore, from address: RemoteAddress) throws {
        let line = progress.line("repair")
        let result = try store.repair(from: address) { line.show($0, of: $1) }
        line.end()
        if output.format == .json {
            try Output.put(Output.json(result))
        } else {
            for digest in result.missing { try Output.put("missing  \(digest)") }
            try Output.put("\(result.damaged) damaged, \(result.mended) came from '\(address)'")
        }
        if !result.missing.isEmpty { throw ExitStatus(1) }
    }
}

struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Show how much is in the store.",
        discussion: """
            LOGICAL is what the tags name; UNIQUE what of it is different; STORED what it takes on disk. A tree \
            that cannot be read is named, and the exit code is 2.

            Example:
              volt cas stats
            """)

    @OptionGroup var place: StoreOptions
    @OptionGroup var output: OutputOptions

    struct Row: Encodable {
        let logical: UInt64
        let unique: UInt64
        let stored: UInt64
        let details: StoreStatistics
    }

    func run() throws {
        let (store, context) = try place.open()
        let statistics = try store.statistics()
        let row = Row(
            logical: statistics.logical, unique: statistics.unique, stored: statistics.stored,
            details: statistics)
        try Output.render(row, as: output.format) {
            var table = Table(["CLASS", "COUNT", "BYTES", "STORED"])
            func add(_ name: String, _ count: Int, _ bytes: UInt64, _ stored: UInt64) {
                table.add([
                    name, "\(count)", ByteSize(bytes: bytes).description, ByteSize(bytes: stored).description,
                ])
            }
            add("bare", statistics.bare.count, statistics.bare.bytes, statistics.bare.stored)
            add("packed", statistics.packed.count, statistics.packed.bytes, statistics.packed.stored)
            add("recipes", statistics.recipes.count, statistics.recipes.bytes, statistics.recipes.stored)
            add("packs", statistics.packs, statistics.packBytes, statistics.packBytes)
            add("index", statistics.indexSegments, statistics.indexBytes, statistics.indexBytes)
            add("all", statistics.tags, statistics.logical, statistics.stored)
            return table
        }
        try context.report(statistics.unreadable)
    }
}
