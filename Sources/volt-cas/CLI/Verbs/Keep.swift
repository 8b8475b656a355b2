internal import ArgumentParser
public import VoltCLI
public import VoltCore
public import VoltStore
internal import VoltSystem

struct SetTag: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag", abstract: "Give a blob or a tree a name, which keeps it from gc.",
        discussion: """
            Examples:
              volt cas tag images/site images/site:before
              volt cas tag site site-before
            """)

    @Argument(help: "A digest or another tag.") var what: String
    @Argument(help: "The name, such as images/debian:12.") var name: String
    @Flag(help: "The digest is that of a tree; of a tag this is known.") var tree = false
    @OptionGroup var place: StoreOptions

    func run() throws {
        let (store, _) = try place.open()
        let found = try store.resolve(what)
        let kind = found.kind ?? (tree ? .tree : .blob)
        if kind == .tree { try store.requireTree(found.digest) }
        try store.setTag(name, to: found.digest, kind: kind)
    }
}

struct Untag: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "untag", abstract: "Take names away; gc then removes what has none.",
        discussion: """
            Example:
              volt cas untag site-before
            """)

    @Argument(help: "Tags.") var names: [String]
    @OptionGroup var place: StoreOptions

    func run() throws {
        let (store, context) = try place.open()
        try context.each(names) { name in
            try store.removeTag(name)
            return name
        }
    }
}

struct Tags: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tags", abstract: "List the tags.",
        discussion: """
            Example:
              volt cas tags -o json
            """)

    @OptionGroup var place: StoreOptions
    @OptionGroup var list: ListOptions

    struct Row: ListDisplayable {
        let name: String
        let kind: TagKind
        let digest: Digest
        let created: Timestamp
        /// Whether a tree lacks names of the directory that it was made of.
        let incomplete: Bool?

        static let header = ["TAG", "KIND", "DIGEST", "CREATED"]

        func rows(at now: Timestamp) -> [[String]] {
            let shown = incomplete == true ? "tree, incomplete" : kind.rawValue
            return [[name, shown, digest.short, created.relative(to: now)]]
        }

        var quietValue: String { name }
    }

    func run() throws {
        let (store, context) = try place.open()
        let tags = try store.tags()
        // A tree that cannot be read is named by 'verify'.
        let rows = tags.map { tag in
            let leftOut = tag.kind == .tree ? (try? store.leftOut(of: tag.digest)) ?? nil : nil
            return Row(
                name: tag.name, kind: tag.kind, digest: tag.digest, created: tag.created,
                incomplete: leftOut == nil ? nil : true)
        }
        try list.render(rows, at: context.clock.now())
    }
}

struct LeaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lease", abstract: "Keep something for a time, without a name.",
        subcommands: [Take.self, End.self, List.self])

    struct Take: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "take", abstract: "Take a lease and print its id.",
            discussion: """
                Example:
                  volt cas lease take site --for 2h --holder backup
                """)

        @Argument(help: "A digest or a tag.") var what: String
        @Option(name: .customLong("for"), help: "How long, such as 2h.") var time = "1h"
        @Option(help: "Who has it, for people.") var holder = "volt cas"
        @Flag(help: "The digest is that of a tree.") var tree = false
        @OptionGroup var place: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let (store, _) = try place.open()
            let found = try store.resolve(what)
            let kind = found.kind ?? (tree ? .tree : .blob)
            if kind == .tree { try store.requireTree(found.digest) }
            let lease = try store.takeLease(
                on: found.digest, kind: kind, holder: holder, for: try DurationText.parse(time))
            try Output.put(output.format == .json ? try Output.json(lease) : lease.id)
        }
    }

    struct End: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "end", abstract: "Give leases back.",
            discussion: """
                Example:
                  volt cas lease end 4f1c0a9be2d37755
                """)

        @Argument(help: "The ids of leases.") var ids: [String]
        @OptionGroup var place: StoreOptions

        func run() throws {
            let (store, context) = try place.open()
            try context.each(ids) { id in
                try store.endLease(id)
                return id
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List the leases.",
            discussion: """
                Example:
                  volt cas lease ls
                """)

        @OptionGroup var place: StoreOptions
        @OptionGroup var list: ListOptions

        func run() throws {
            let (store, context) = try place.open()
            try list.render(try store.leases(), at: context.clock.now())
        }
    }
}

extension Lease: ListDisplayable {
    /// The columns of `volt cas lease ls`.
    public static var header: [String] { ["ID", "KIND", "DIGEST", "HOLDER", "EXPIRES"] }

    /// Its row.
    public func rows(at now: Timestamp) -> [[String]] {
        [[id, kind.rawValue, digest.short, holder, "\(expires)"]]
    }

    /// Its id.
    public var quietValue: String { id }
}

struct GC: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Remove what no tag and no lease needs.",
        discussion: """
            Writers go on beside it. What was put into the store, or found there by a writer, within the grace \
            period or since the oldest writer that lives began, stays. A tree that cannot be read is named, all \
            that it may need stays, and the exit code is 2.

            Examples:
              volt cas gc --dry-run
              volt cas gc --grace 10m
            """)

    @Flag(help: "Only say what would go.") var dryRun = false
    @Option(help: "How old something has to be to go, such as 1h.") var grace = "1h"
    @Option(help: "Write a pack anew when a smaller part of it is needed, from 0 to 1.") var fullness = 0.6
    @OptionGroup var place: StoreOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (0...1).contains(fullness) else { throw ValidationError("--fullness is from 0 to 1") }
    }

    func run() throws {
        let (store, context) = try place.open()
        if dryRun { context.noteReadOnly(store) }
        let result = try store.collectGarbage(
            grace: try DurationText.parse(grace), dryRun: dryRun, fullness: fullness)
        if output.format == .json {
            try Output.put(Output.json(result))
        } else {
            try Output.put(
                "\(dryRun ? "would remove" : "removed") \(result.removed) blobs, \(ByteSize(bytes: result.freed)); "
                    + "kept \(result.kept)")
        }
        try context.report(result.unreadable)
    }
}

extension ToolContext {
    /// Says that nothing is locked, and nothing can be changed.
    func noteReadOnly(_ store: ContentStore) {
        guard store.isReadOnly else { return }
        Output.note("\(displayName): note: store '\(store.path)' is read-only")
    }

    /// Names what a tree lacks, the first few.
    func noteIncomplete(_ names: [String]) {
        let shown = names.prefix(5).map { name in
            "'\(name.prefix(200))\(name.count > 200 ? "…" : "")'"
        }.joined(separator: ", ")
        Output.note(
            "\(displayName): note: the tree is incomplete: it lacks \(names.isEmpty ? "names that are too long to be shown" : shown)\(names.count > 5 ? " and others" : "")"
        )
    }

    /// Names the trees that could not be read; the rest is done.
    func report(_ unreadable: [UnreadableTree]) throws {
        for tree in unreadable {
            Output.note(
                "\(displayName): error: \(tree.root) cannot be read: \(tree.reason)\n\(displayName): hint: let it go with 'volt cas untag'"
            )
        }
        if !unreadable.isEmpty { throw ExitStatus(VoltCore.ExitCode.partial.rawValue) }
    }
}
