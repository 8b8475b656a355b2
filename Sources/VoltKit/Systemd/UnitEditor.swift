internal import Glibc
public import VoltCore
internal import VoltSystem

/// Changes units by drop-ins, which systemd accepts before they are in place.
public struct UnitEditor: Sendable {
    /// The drop-in, the same that `systemctl edit` writes.
    static let fileName = "override.conf"

    private let systemd: Systemd
    private let scratch: String

    /// - Parameters:
    ///   - systemd: the manager of this host.
    ///   - scratch: a directory that is made when it is needed, for the copies that are looked at first.
    public init(systemd: Systemd, scratch: String) {
        self.systemd = systemd
        self.scratch = scratch
    }

    /// A drop-in as it is and as it is to be.
    public struct Edit: Sendable, Equatable {
        /// The unit.
        public var unit: UnitState
        /// The path of the drop-in.
        public var path: String
        /// What is there, or nil.
        public var old: String?
        /// What is to be there; empty when the drop-in is to go.
        public var new: String

        /// Whether it changes anything.
        public var changes: Bool { (old ?? "") != new }
    }

    /// The result of an edit.
    public struct Outcome: Encodable, Sendable, Equatable {
        /// A drop-in that was written or removed.
        public struct File: Encodable, Sendable, Equatable {
            /// The unit.
            public var unit: String
            /// The path of the drop-in.
            public var path: String
            /// Its text; empty when it was removed.
            public var text: String
        }
        /// The drop-ins that changed.
        public var files: [File]
        /// Whether a unit that runs has yet to be restarted.
        public var needsRestart: Bool
        /// Whether it was restarted.
        public var restarted: Bool
    }

    // MARK: Planning

    /// An edit of the drop-in of a unit.
    public func edit(_ name: String, _ change: (String) throws(VoltError) -> String) throws(VoltError) -> Edit
    {
        guard let unit = try systemd.states(of: [name]).first else {
            throw VoltError(.notFound, "there is no unit '\(name)'")
        }
        guard !unit.fragment.isEmpty, !unit.isTransient else {
            throw VoltError(.conflict, "unit '\(name)' has no file, so it has nothing to edit")
        }
        let path = "\(Systemd.unitDirectory)/\(name).d/\(Self.fileName)"
        let old =
            Files.exists(path) ? String(decoding: try Files.read(path, limit: 1 << 20), as: UTF8.self) : nil
        var new = try change(old ?? "")
        if !new.isEmpty, !new.hasSuffix("\n") { new += "\n" }
        return Edit(unit: unit, path: path, old: old, new: new)
    }

    /// Edits by settings.
    public func edit(_ name: String, settings: [DropIn.Setting]) throws(VoltError) -> Edit {
        try edit(name) { text in
            var dropIn = DropIn(text)
            for setting in settings { dropIn.set(setting) }
            return dropIn.text
        }
    }

    /// The settings that give a service another port, by the unit that they belong to.
    ///
    /// - Parameters:
    ///   - variable: the variable of the environment by which the service gets its port.
    ///   - listens: what the socket is to listen on; nil when systemd does not listen for the service.
    public static func portSettings(
        _ port: Int, service: String, variable: String, socket: String, listens: String?
    ) -> [String: [DropIn.Setting]] {
        var settings = [
            service: [DropIn.Setting(section: "Service", key: "Environment", value: "\(variable)=\(port)")]
        ]
        if let listens {
            settings[socket] = [DropIn.Setting(section: "Socket", key: "ListenStream", value: listens)]
        }
        return settings
    }

    // MARK: Verifying

    /// Has systemd read copies of the units with their new drop-ins.
    ///
    /// - Throws: `VoltError` with code `refused` and what systemd said.
    public func verify(_ edits: [Edit]) throws(VoltError) {
        let directory = "\(scratch)/verify-\(getpid())"
        try Files.removeTree(directory)
        defer { try? Files.removeTree(directory) }
        for edit in edits {
            let copy = "\(directory)/\(edit.unit.name)"
            try Files.makeDirectory("\(copy).d", mode: 0o700)
            try Files.replaceUnsynced(copy, with: try Files.read(edit.unit.fragment, limit: 1 << 20))
            // A drop-in of the same name that is found first hides the one in place.
            try Files.replaceUnsynced("\(copy).d/\(Self.fileName)", with: Array(edit.new.utf8))
        }
        for edit in edits {
            let reply = try Systemd.run(
                "systemd-analyze",
                ["verify", "--man=no", "--recursive-errors=no", "\(directory)/\(edit.unit.name)"])
            guard reply.outcome != .exited(0) else { continue }
            let all = (reply.errors + reply.output).filter { !$0.isEmpty }
            let own = all.filter { $0.contains(directory) || $0.contains(edit.unit.name) }
            let said = (own.isEmpty ? all : own).map {
                $0.replacing("\(directory)/\(edit.unit.name).d/", with: "").replacing(
                    "\(directory)/", with: "")
            }
            throw VoltError(
                .refused,
                "systemd does not accept the change of '\(edit.unit.name)': \(said.prefix(5).joined(separator: "; "))",
                hint: "nothing was changed; systemd.directives(7) lists the settings")
        }
    }

    // MARK: Applying

    /// Puts drop-ins in place, which `verify` accepted, and has systemd read them.
    ///
    /// - Parameter restart: whether units that run are restarted; when one does not come up, the drop-ins
    ///   that were there before are put back and it is started with them.
    public func apply(_ edits: [Edit], restart: Bool) throws(VoltError) -> Outcome {
        let changed = edits.filter(\.changes)
        let files = changed.map { Outcome.File(unit: $0.unit.name, path: $0.path, text: $0.new) }
        let running = changed.filter(\.unit.isActive).map(\.unit.name)
        guard !changed.isEmpty else { return Outcome(files: [], needsRestart: false, restarted: false) }
        do throws(VoltError) {
            for edit in changed { try write(edit.new, edit.path) }
            try systemd.reload()
            if restart { try self.restart(running) }
        } catch {
            for edit in changed { try? write(edit.old ?? "", edit.path) }
            try? systemd.reload()
            if restart { try? self.restart(running) }
            throw VoltError(error.code, "\(error.message); the change was taken back", hint: error.hint)
        }
        return Outcome(
            files: files, needsRestart: !restart && !running.isEmpty, restarted: restart && !running.isEmpty)
    }

    private func write(_ text: String, _ path: String) throws(VoltError) {
        if text.isEmpty {
            try Files.remove(path)
            // Fails where other drop-ins are.
            rmdir(Files.parent(of: path))
            return
        }
        try Files.makeDirectory(Files.parent(of: path))
        try Files.replace(path, with: text.utf8)
    }

    private func restart(_ units: [String]) throws(VoltError) {
        guard !units.isEmpty else { return }
        // Restarts that somebody asks for do not count against StartLimitBurst= of a unit.
        _ = try? systemd.control(["reset-failed", "--"] + units)
        // A socket cannot be started while its service runs.
        let sockets = units.filter { $0.hasSuffix(".socket") }
        guard !sockets.isEmpty else {
            try systemd.control(["restart", "--"] + units, limit: .seconds(900))
            return
        }
        let services = sockets.map { $0.dropLast(7) + ".service" }.map(String.init)
        let all = Array(Set(units + services)).sorted()
        try systemd.control(["stop", "--"] + all, limit: .seconds(900))
        try systemd.control(["start", "--"] + sockets, limit: .seconds(900))
        try systemd.control(["start", "--"] + all.filter { !sockets.contains($0) }, limit: .seconds(900))
    }
}
