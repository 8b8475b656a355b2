public import VoltCore
internal import VoltSystem

/// The words of `volt-<kind> apply`.
public struct ApplyRequest: Sendable, Equatable {
    /// The name of the workload.
    public var workload: Name
    /// The file with its manifest.
    public var manifest: String
    /// The directory that the manifest is about.
    public var source: String
    /// The revision of the source.
    public var revision: String
    /// Digests of images that are to run again, by the names as they are written.
    public var images: [String: String]
    /// The kinds that may have the workload now and hand it over; a tool is asked without them when it does not
    /// know of that.
    public var replacedKinds: [String]

    /// - Parameters: see the properties.
    public init(
        workload: Name, manifest: String, source: String, revision: String, images: [String: String] = [:],
        replacedKinds: [String] = []
    ) {
        self.workload = workload
        self.manifest = manifest
        self.source = source
        self.revision = revision
        self.images = images
        self.replacedKinds = replacedKinds
    }

    /// - Parameter limit: how long the apply may take; nil for one that changes nothing.
    func words(limit: Duration?) -> [String] {
        var words =
            ["apply"] + (limit == nil ? ["--dry-run"] : [])
            + [
                "--workload", workload.text, "--manifest", manifest, "--source", source, "--revision",
                revision,
            ]
        if let limit { words += ["--timeout", "\(max(1, limit.milliseconds / 1000))s"] }
        words += ["-o", "json"]
        return words + replacedKinds.flatMap { ["--replace-kind", $0] }
            + images.sorted { $0.key < $1.key }.flatMap { ["--image", "\($0.key)=\($0.value)"] }
    }
}
