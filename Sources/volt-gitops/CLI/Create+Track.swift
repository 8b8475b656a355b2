import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

/// The options of `create` that say what of a repository is deployed.
struct TrackArguments: ParsableArguments {
    @Option(help: "The branch to follow.") var branch: String?
    @Option(help: "The tags to follow, as a glob ('v1.*') or a range of versions ('^1.4'): the highest wins.")
    var tag: String?
    @Option(help: "The one commit to deploy, all 40 hex digits.") var commit: String?
    @Option(
        help: "The files that matter ('web/**'), '!' before a pattern excludes; may be repeated.")
    var paths: [String] = []
    @Flag(help: "Hold a commit that does not descend from the deployed one.") var fastForwardOnly = false
    @Flag(help: "Fetch submodules; only those on the host of the repository get its credentials.")
    var submodules = false
    @Flag(help: "Fetch the files of Git LFS in the place of their pointers.") var lfs = false
    @Option(
        help: "A file with those who may sign commits, for SSH or PGP; may be repeated.")
    var requireSigned: [String] = []

    /// What `Pipeline.branch` is: the branch, or what is shown in its place.
    func shown() throws(VoltError) -> String {
        switch (branch, tag, commit) {
        case (let branch?, nil, nil): return branch
        case (nil, let tag?, nil): return TrackOptions.shown(tag: tag)
        case (nil, nil, let commit?): return TrackOptions.shown(commit: commit)
        default:
            throw VoltError(
                .usage, "exactly one of --branch, --tag and --commit is needed",
                hint: "write '--branch main' or '--tag v1.*'")
        }
    }

    func fill(_ pipeline: inout Pipeline) throws(VoltError) {
        var track = TrackOptions()
        track.tag = tag
        track.commit = commit
        if !paths.isEmpty { track.paths = paths }
        if fastForwardOnly { track.fastForwardOnly = true }
        if submodules { track.submodules = true }
        if lfs { track.lfs = true }
        if !requireSigned.isEmpty {
            track.signers = try requireSigned.map { file throws(VoltError) in
                try ExistingFile.required(file, of: "--require-signed")
            }
        }
        if track != TrackOptions() { pipeline.track = track }
    }
}
