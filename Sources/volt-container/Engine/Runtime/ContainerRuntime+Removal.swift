internal import Glibc
public import VoltCore
internal import VoltPorts
internal import VoltSupervise
internal import VoltSystem
internal import VoltWorkload

/// How containers go away. A directory is renamed first, in one step: a command that is killed leaves either
/// the whole container or something that every later command may remove.
extension ContainerRuntime {
    /// Refuses what a newer version has written, and notes this version where nothing is noted.
    static func checkFormat(of state: String) throws(VoltError) {
        // The version of what is kept below `containers` and `workloads`.
        let mark = FormatMark(
            1, to: "use the containers of '\(state)'",
            hint: "upgrade volt-container, or point VOLT_ROOT at another directory")
        let file = "\(state)/format"
        guard Files.exists(file) else {
            try Files.makePrivateDirectory(state)
            return try Files.replace(file, with: mark.fileContent)
        }
        try mark.check(file: try Files.read(file, limit: 64))
        // Earlier versions let everybody in.
        try Files.makePrivateDirectory(state)
    }

    /// Removes a container.
    ///
    /// - Parameters:
    ///   - force: whether one that runs is ended first.
    ///   - atOnce: whether that is by a kill, and not by its stop signal and the time to stop.
    /// - Throws: `VoltError` with code `conflict` when it runs, `notFound` when there is none.
    public func remove(_ name: Name, force: Bool, atOnce: Bool = false) throws(VoltError) {
        try refuseWorkload(name)
        let lock = try FileLock.wait(for: lockFile(name))
        do throws(VoltError) {
            let state = try repaired(name)
            if state.state == .running || state.state == .restarting {
                guard force else {
                    throw VoltError(
                        .conflict, "container '\(name)' runs", hint: "stop it first, or use 'rm --force'")
                }
                try stopLocked(name, atOnce: atOnce)
            }
            // Those of a workload may lead to another container of it.
            for key in [state.spec.workload?.text, ports.key(of: name.text)].compactMap(\.self)
            where ports.leads(key, to: name.text) {
                try ports.close(key)
            }
            try discard(directory(name))
        } catch {
            if !Files.exists(directory(name)) { lock.removeFile(lockFile(name)) }
            throw error
        }
        lock.removeFile(lockFile(name))
    }

    /// Takes a directory out of the containers at once, then removes it.
    func discard(_ directory: String) throws(VoltError) {
        guard Files.exists(directory) else { return }
        let removed =
            "\(Files.parent(of: directory))/\(RunRecord.removedPrefix)\(UInt64.random(in: 0...UInt64.max))"
        try Files.move(directory, to: removed)
        try Files.removeTree(removed)
    }

    func lockFile(_ name: Name) -> String { "\(paths.runtime)/locks/\(name)" }

    /// Removes what commands that were killed have left: parts of containers, build steps, and locks of names
    /// that no container has. What cannot be removed now is removed by a later command.
    func sweep() {
        let directory = "\(paths.state)/containers"
        for entry in (try? Files.list(directory)) ?? [] {
            let path = "\(directory)/\(entry)"
            if entry.hasPrefix(RunRecord.removedPrefix) {
                try? Files.removeTree(path)
            } else if entry.hasPrefix(".step-") {
                let owner = Int32(entry.dropFirst(6).prefix { $0.isNumber }) ?? 0
                if !Processes.isAlive(owner) { try? discard(path) }
            } else if let name = try? Name(entry), isAbandoned(name),
                let lock = try? FileLock.tryLock(lockFile(name))
            {
                if isAbandoned(name) { try? discard(path) }
                if !Files.exists(path) { lock.removeFile(lockFile(name)) }
            }
        }
        for entry in (try? Files.list("\(paths.runtime)/locks")) ?? [] {
            guard let name = try? Name(entry), !Files.exists("\(directory)/\(entry)"),
                let lock = try? FileLock.tryLock(lockFile(name))
            else { continue }
            if !Files.exists("\(directory)/\(entry)") { lock.removeFile(lockFile(name)) }
        }
    }

    /// Whether a directory is no container yet, with nobody who makes it one, or a container that should have
    /// removed itself.
    private func isAbandoned(_ name: Name) -> Bool {
        guard Files.exists("\(directory(name))/spec.json") else { return true }
        guard let spec = try? spec(name), spec.removeWhenDone else { return false }
        if let record = RunRecord(in: directory(name)) {
            return record.phase == .exited && !record.isSupervised
        }
        // Its command was killed before it was started; ten minutes are more than any start takes.
        var information = stat()
        return stat("\(directory(name))/spec.json", &information) == 0
            && (clock.now().milliseconds / 1000).subtractingClamped(Int64(information.st_mtim.tv_sec)) > 600
    }
}
