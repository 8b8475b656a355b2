internal import ArgumentParser
internal import FoundationEssentials
internal import VoltCLI
internal import VoltCore
internal import VoltOCI
internal import VoltRegistry
internal import VoltSystem

/// What an artifact is made of.
struct ArtifactOptions: ParsableArguments {
    @Option(help: ArgumentHelp("What the artifact is.", valueName: "type")) var artifactType: String?
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A text that goes with it, as KEY=VALUE.", valueName: "annotation"))
    var annotation: [String] = []
    @Option(
        help: ArgumentHelp(
            "A JSON file with such texts by the name of a file, '$manifest' or '$config'.", valueName: "file")
    )
    var annotationFile: String?

    func artifact(_ files: [String], config: String? = nil) throws -> Artifact {
        var artifact = Artifact()
        let environment = try ToolContext(tool: RegistryTool.tool.name).environment
        if let directory = environment["TMPDIR"], directory.hasPrefix("/") { artifact.temporary = directory }
        artifact.type = artifactType
        for text in annotation {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw ValidationError("'\(text)' is not KEY=VALUE")
            }
            artifact.annotations[String(parts[0])] = String(parts[1])
        }
        artifact.files = files.map { Artifact.File($0) }
        artifact.config = config.map { Artifact.File($0) }
        try annotate(&artifact)
        for file in artifact.files
        where file.title.hasPrefix("/") || file.title.contains("..") || file.title == "." {
            throw VoltError(
                .usage, "'\(file.path)' is no path below this directory, and would not come back as it is",
                hint: "run the command in the directory of the file")
        }
        return artifact
    }
}

extension ArtifactOptions {
    /// Adds what the file says; what the command line says counts more.
    private func annotate(_ artifact: inout Artifact) throws {
        guard let annotationFile else { return }
        let bytes = try Files.read(annotationFile, limit: 1 << 20)
        guard var texts = try? JSONDecoder().decode([String: [String: String]].self, from: Data(bytes)) else {
            throw VoltError(
                .usage, "'\(annotationFile)' is no object of objects of texts",
                hint: "write it as {\"$manifest\": {\"key\": \"text\"}, \"file.txt\": {\"key\": \"text\"}}")
        }
        artifact.annotations = (texts.removeValue(forKey: "$manifest") ?? [:]).merging(artifact.annotations) {
            $1
        }
        if let config = texts.removeValue(forKey: "$config") {
            guard artifact.config != nil else {
                throw VoltError(
                    .usage, "'\(annotationFile)' speaks of a configuration, and there is none",
                    hint: "give one with --config, or leave '$config' out")
            }
            artifact.config?.annotations = config
        }
        for index in artifact.files.indices {
            artifact.files[index].annotations = texts.removeValue(forKey: artifact.files[index].title) ?? [:]
        }
        if let other = texts.keys.sorted().first {
            throw VoltError(
                .usage, "'\(annotationFile)' speaks of '\(other)', which is not pushed",
                hint: "write names as they are given to the command")
        }
    }
}

struct PushArtifact: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push",
        abstract: "Push files as an artifact.",
        discussion: """
            Example:
              volt registry push --artifact-type application/vnd.example.report \\
                  localhost:5000/reports:1 report.json:application/json notes.txt
              volt registry push localhost:5000/site:1 public/

            A directory goes as an archive, which 'pull' unpacks again.
            """)

    @OptionGroup var client: ClientOptions
    @OptionGroup var artifact: ArtifactOptions
    @Option(help: ArgumentHelp("A file as the configuration, as PATH:TYPE.", valueName: "file")) var config:
        String?
    @Argument(help: "HOST/REPOSITORY:TAG or oci:DIRECTORY:TAG.", transform: Target.parse) var target: Target
    @Argument(help: "Files and directories, each as PATH or PATH:TYPE.") var files: [String] = []

    func validate() throws {
        guard
            !files.isEmpty || config != nil || !artifact.annotation.isEmpty || artifact.annotationFile != nil
        else {
            throw ValidationError("name a file: the tag would become an artifact with nothing in it")
        }
    }

    func run() throws {
        let artifact = try artifact.artifact(files, config: config)
        let manifest = try artifact.push(to: try client.open(target, makes: true), tag: target.newTag)
        try Output.put(manifest.digest)
    }
}

struct Attach: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach", abstract: "Push files as an artifact that is about another manifest.",
        discussion: """
            Example:
              volt registry attach --artifact-type application/spdx+json \\
                  localhost:5000/team/web:1.4 sbom.json
            """)

    @OptionGroup var client: ClientOptions
    @OptionGroup var artifact: ArtifactOptions
    @Argument(help: "HOST/REPOSITORY:TAG or oci:DIRECTORY:TAG.", transform: Target.parse) var target: Target
    @Argument(help: "Files and directories, each as PATH or PATH:TYPE.") var files: [String] = []

    func run() throws {
        guard self.artifact.artifactType != nil else {
            throw ValidationError("--artifact-type says what it is")
        }
        var artifact = try artifact.artifact(files)
        let place = try client.open(target)
        artifact.subject = try place.manifest(target.reference).descriptor
        artifact.subject?.artifactType = nil
        try Output.put(artifact.push(to: place, tag: nil).digest)
    }
}

struct PullArtifact: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Write the files of an artifact.",
        discussion: """
            Each file gets the name that it was pushed with, below the directory and never outside of it. Images \
            are copied with 'copy'.

            Example:
              volt registry pull --output reports localhost:5000/reports:1
            """)

    @OptionGroup var client: ClientOptions
    @Option(help: ArgumentHelp("Where to.", valueName: "directory")) var output = "."
    @Flag(help: "Replace files that are there.") var force = false
    @Argument(help: "HOST/REPOSITORY:TAG or oci:DIRECTORY:TAG.", transform: Target.parse) var target: Target

    func run() throws {
        let place = try client.open(target)
        let manifest = try place.manifest(target.reference)
        let result = try Artifact.pull(
            manifest, from: place, into: Files.absolute(output, from: Files.currentDirectory),
            overwrites: force)
        for file in result.files { try Output.put(file) }
        if result.skipped > 0 {
            Output.note(
                "\(result.skipped) parts of '\(target.text)' have no name and were left out: copy an image with 'volt registry copy'"
            )
        }
    }
}
