internal import ArgumentParser
internal import RegistryEngine
internal import VoltCLI
internal import VoltCore
internal import VoltS3
internal import VoltSystem

/// A bucket in place of the store of this host.
struct BucketOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Keep everything in this bucket, which several servers may share; --store is for uploads and for blobs that were asked for.",
            valueName: "s3://bucket[/prefix]"))
    var s3: String?
    @Option(help: ArgumentHelp("The server; without, that of Amazon's region.", valueName: "url"))
    var s3Endpoint: String?
    @Option(
        help: ArgumentHelp("The region of the bucket; without, AWS_REGION or us-east-1.", valueName: "region")
    )
    var s3Region: String?
    @Option(help: ArgumentHelp("Trust the authorities of this PEM file.", valueName: "file")) var s3CaFile:
        String?
    @Option(help: ArgumentHelp("What the blobs that lie on this host as well may have.", valueName: "size"))
    var s3Cache = "10G"

    func validate() throws {
        guard s3 != nil || (s3Endpoint == nil && s3Region == nil && s3CaFile == nil) else {
            throw ValidationError("the options of S3 are given with --s3")
        }
    }

    /// Nil when everything is kept on this host.
    func open(_ local: RegistryStorage, _ environment: [String: String]) throws -> BucketStorage? {
        guard let s3 else { return nil }
        let bucket = try S3Bucket(
            s3, endpoint: s3Endpoint ?? environment["AWS_ENDPOINT_URL"],
            region: s3Region ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? "us-east-1",
            account: try S3Bucket.Account(environment: environment),
            caFile: s3CaFile.map { Files.absolute($0, from: Files.currentDirectory) })
        let storage = BucketStorage(bucket, local: local, cacheLimit: try ByteSize(s3Cache).bytes)
        try storage.check()
        return storage
    }
}
