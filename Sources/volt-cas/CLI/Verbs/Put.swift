internal import ArgumentParser
internal import VoltCLI
internal import VoltCore
internal import VoltStore
internal import VoltSystem

struct Put: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Put a file into the store.",
        discussion: """
            Holes in a file are not read. Without --bare the file is cut where its content says so, and the pieces \
            that are new are compressed.

            Examples:
              volt cas put disk.raw --tag disks/web
              pg_dump site | volt cas put - --tag dumps/site
            """)

    @Argument(help: "A file, or '-' for standard input.") var file: String
    @Flag(help: "Keep it as a whole file, ready to be linked.") var bare = false
    @Option(help: "A name for it, which keeps it from gc.") var tag: String?
    @OptionGroup var place: StoreOptions
    @OptionGroup var progress: ProgressOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (store, _) = try place.openForWriting()
        let line = progress.line("put")
        let result = try store.put(
            file: file, representation: bare ? .bare : .packed, tag: tag, progress: { line.show($0) })
        line.end()
        if output.format == .json { return try Output.put(Output.json(result)) }
        try Output.put(result.digest)
    }
}

struct Get: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Write a blob to a file.",
        discussion: """
            The file is there whole, or not at all. FILE in a tree is written as TREE:PATH.

            Examples:
              volt cas get disks/web disk.raw
              volt cas get images/site:etc/nginx/nginx.conf nginx.conf
            """)

    @Argument(help: "A digest, a tag, or TREE:PATH.") var blob: String
    @Argument(help: "The file to write; one that is there is replaced.") var file: String
    @OptionGroup var place: StoreOptions

    func run() throws {
        let (store, _) = try place.open()
        try store.get(try store.blob(blob), to: file)
    }
}

struct Cat: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat", abstract: "Write a blob, or a part of it, to standard output.",
        discussion: """
            Examples:
              volt cas cat images/site:etc/os-release
              volt cas cat disks/web --offset 1M --length 512 | od -c
            """)

    @Argument(help: "A digest, a tag, or TREE:PATH.") var blob: String
    @Option(help: "Where to begin, such as 4096 or 1M.") var offset = "0"
    @Option(help: "How much, such as 512 or 1M; without, all that follows.") var length: String?
    @OptionGroup var place: StoreOptions

    func run() throws {
        let (store, _) = try place.open()
        let digest = try store.blob(blob)
        let write = { (part: UnsafeRawBufferPointer) in try StandardOutput.write(part) }
        let start = try ByteSize(offset).bytes
        let count = try length.map { (text) throws(VoltError) in try ByteSize(text).bytes }
        guard start > 0 || count != nil else { return try store.read(digest, write) }
        let size = try store.size(of: digest)
        guard start <= size else {
            throw VoltError(
                .usage, "--offset \(start) is behind the end of the blob, which has \(size) bytes")
        }
        try store.read(
            digest, range: start..<(start + min(count ?? size, size - start)), write)
    }
}

struct Has: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "has", abstract: "Tell whether blobs are in the store, by the exit code 0 or 3.",
        discussion: """
            Those that are not there are printed.

            Example:
              volt cas has \\
                  sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
            """)

    @Argument(help: "Digests.") var digests: [String]
    @OptionGroup var place: StoreOptions

    func run() throws {
        let (store, _) = try place.open()
        var isComplete = true
        for text in digests where try !store.has(try Digest(text)) {
            try Output.put(text)
            isComplete = false
        }
        if !isComplete { throw ExitStatus(VoltCore.ExitCode.notFound.rawValue) }
    }
}

extension ContentStore {
    /// The blob that a person means: a digest, a tag, or a file in a tree as `TREE:PATH`.
    func blob(_ text: String) throws -> Digest {
        if let found = try? resolve(text) { return found.digest }
        // A tag may have colons too: the longest name that there is counts.
        var end = text.endIndex
        while let colon = text[..<end].lastIndex(of: ":") {
            if let tree = try? resolve(String(text[..<colon])), tree.kind != .blob {
                return try file(String(text[text.index(after: colon)...]), in: tree.digest)
            }
            end = colon
        }
        return try resolve(text).digest
    }

    /// The tree that a person means, or the part of one, as `TREE:PATH`.
    func part(_ text: String) throws -> TreePart {
        var end = text.endIndex
        // A tag may have colons too: the longest name that there is counts.
        while (try? resolve(String(text[..<end]))) == nil {
            guard let colon = text[..<end].lastIndex(of: ":") else { return TreePart(try tree(text)) }
            end = colon
        }
        let names = String(text[end...].dropFirst()).shownBytes.split(separator: UInt8(ascii: "/")).filter {
            $0 != [46]
        }
        return TreePart(
            try tree(String(text[..<end])), path: Array(names.joined(separator: [UInt8(ascii: "/")])))
    }

    /// The tree that a person means.
    func tree(_ text: String) throws -> Digest {
        let found = try resolve(text)
        guard found.kind != .blob else {
            throw VoltError(.usage, "tag '\(text)' is not of a tree", hint: "read it with 'volt cas get'")
        }
        return found.digest
    }
}
