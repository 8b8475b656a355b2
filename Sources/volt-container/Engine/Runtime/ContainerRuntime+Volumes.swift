internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSupervise
internal import VoltSystem
internal import VoltWorkload

/// Volumes: directories that outlive containers.
extension ContainerRuntime {
    private var volumes: String { "\(paths.state)/volumes" }

    func volume(_ name: String) -> String { "\(volumes)/\(name)" }

    /// How the names begin of volumes that are not whole yet.
    private static let newPrefix = ".new-"

    /// Makes the volumes of a container that are not there yet, each with what the image has at its place. A volume is
    /// whole under its name or not there, so that what a killed command has begun is done again.
    ///
    /// The files that the helpers read are written already, and the container does not run.
    func fillVolumes(of spec: ContainerSpec) throws(VoltError) {
        guard spec.mounts.contains(where: isMissing) else { return }
        // Two starts at once would have the second take the volume from under the first.
        let lock = try FileLock.wait(for: "\(paths.runtime)/volumes.lock")
        sweepVolumes()
        var settings = FillSettings(root: try runSettings(of: spec.name).root, volumes: [])
        var missing: [String: String] = [:]
        for mount in spec.mounts where isMissing(mount) && missing[mount.source] == nil {
            let path = "\(volumes)/\(Self.newPrefix)\(mount.source)"
            missing[mount.source] = path
            try Files.makeDirectory(path)
            if mount.staysEmpty == true { continue }
            settings.volumes.append(.init(target: mount.target, directory: path))
        }
        if !settings.volumes.isEmpty { try fill(settings, for: spec) }
        for (name, path) in missing {
            try Files.syncTree(path)
            try Files.move(path, to: volume(name))
        }
        // Before the payload writes to them.
        try Files.syncDirectory(volumes)
        lock.keep()
    }

    private func isMissing(_ mount: VolumeMount) -> Bool {
        mount.isVolume && !Files.exists(volume(mount.source))
    }

    private func fill(_ settings: FillSettings, for spec: ContainerSpec) throws(VoltError) {
        let file = "\(directory(spec.name))/fill"
        try Files.replaceUnsynced(file, with: try settings.encoded())
        defer { unlink(file) }
        var said = ""
        let outcome = try Child.start(helper, ["fill", file], environment: environment)
            .finish(limit: .seconds(3600), stop: { Task.isCancelled }) { _, line in said = line }
        guard outcome == .exited(0) else {
            throw VoltError(
                .runtimeFailed,
                "cannot fill the new volumes of container '\(spec.name)': \(said.isEmpty ? "\(outcome)" : said)",
                hint: "mount them with ':nocopy' to begin with empty ones")
        }
    }

    /// Removes what commands that were killed have left. The lock of the volumes is held.
    private func sweepVolumes() {
        for entry in (try? Files.list(volumes)) ?? []
        where entry.hasPrefix(Self.newPrefix) || entry.hasPrefix(RunRecord.removedPrefix) {
            try? Files.removeTree("\(volumes)/\(entry)")
        }
    }
}
