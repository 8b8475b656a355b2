public import VoltCore
internal import VoltSystem

/// Edits of the services of a host, with the rules of Volt's own units.
public struct ServiceEdits: Sendable {
    /// What a command line changes.
    public struct Change: Sendable, Equatable {
        /// The port of `volt gitops serve`.
        public var port: Int?
        /// Each `KEY=VALUE` or `SECTION.KEY=VALUE`.
        public var set: [String]
        /// Each `KEY` or `SECTION.KEY`.
        public var unset: [String]

        /// - Parameters: see the properties.
        public init(port: Int?, set: [String], unset: [String]) {
            self.port = port
            self.set = set
            self.unset = unset
        }
    }

    private let host: ServiceHost
    private let scratch: String

    /// - Parameters:
    ///   - host: whose services are edited.
    ///   - scratch: a directory that is made when it is needed.
    public init(host: ServiceHost, scratch: String) {
        self.host = host
        self.scratch = scratch
    }

    /// Changes settings of a service.
    public func change(_ change: Change, of service: Service, restart: Bool) throws(VoltError)
        -> UnitEditor.Outcome
    {
        let (editor, unit) = try editor(for: service)
        let section = UnitEditor.section(of: unit)
        var settings: [String: [DropIn.Setting]] = [:]
        if let port = change.port {
            guard unit == "volt-gitops.service" || unit == "volt-gitops.socket" else {
                throw VoltError(
                    .usage, "'\(service.name)' has no port that --port sets",
                    hint: "'volt-gitops' has; use --set for the settings of other units")
            }
            try refuseFixedPort()
            settings = UnitEditor.portSettings(port, hasSocket: try hasSocket())
        }
        for text in change.set {
            settings[unit, default: []].append(try DropIn.Setting(parsing: text, section: section))
        }
        for text in change.unset {
            settings[unit, default: []].append(try DropIn.Setting(name: text, value: nil, section: section))
        }
        var edits: [UnitEditor.Edit] = []
        for (unit, settings) in settings.sorted(by: { $0.key < $1.key }) {
            edits.append(try editor.edit(unit, settings: settings))
        }
        return try put(edits, editor, restart: restart)
    }

    /// Replaces the drop-in of a service by a text; an empty one removes it.
    public func replace(with text: String, of service: Service, restart: Bool) throws(VoltError)
        -> UnitEditor.Outcome
    {
        let (editor, unit) = try editor(for: service)
        return try put([try editor.edit(unit) { _ in DropIn(text).text }], editor, restart: restart)
    }

    private func put(_ edits: [UnitEditor.Edit], _ editor: UnitEditor, restart: Bool) throws(VoltError)
        -> UnitEditor.Outcome
    {
        let changed = edits.filter(\.changes)
        if !changed.isEmpty { try editor.verify(changed) }
        return try editor.apply(changed, restart: restart)
    }

    private func editor(for service: Service) throws(VoltError) -> (UnitEditor, String) {
        if service.container != nil {
            throw VoltError(
                .usage, "\(service.kind.rawValue) '\(service.name)' is what its manifest says",
                hint: "change volt-manifest.yaml and push it, or use 'volt container'")
        }
        let (systemd, unit) = try host.unit(of: service)
        return (UnitEditor(systemd: systemd, scratch: scratch), unit)
    }

    private func hasSocket() throws(VoltError) -> Bool {
        try !(host.systemd?.states(of: ["volt-gitops.socket"]) ?? []).isEmpty
    }

    /// A `--port` in `ExecStart=` is stronger than the variable that `--port` here sets.
    private func refuseFixedPort() throws(VoltError) {
        guard let unit = try host.systemd?.states(of: ["volt-gitops.service"]).first else { return }
        guard !unit.command.contains(" --port") else {
            throw VoltError(
                .conflict, "ExecStart= of 'volt-gitops.service' names a port itself",
                hint: "change it there with --set, or take the '--port' out of it")
        }
    }

    // MARK: The text for an editor

    private static let marker = "### What stands below this line is not read."

    /// The drop-in of a service, and below a line the unit as it is, commented out.
    public func template(of service: Service) throws(VoltError) -> String {
        let (editor, unit) = try editor(for: service)
        let edit = try editor.edit(unit) { text throws(VoltError) in text }
        var text =
            edit.old
            ?? "# A drop-in for \(unit): settings here go before those of the unit.\n\n[\(UnitEditor.section(of: unit))]\n"
        text += "\n\(Self.marker)\n"
        for file in [edit.unit.fragment] + edit.unit.dropIns where file != edit.path {
            text += "\n### \(file)\n"
            let bytes = try Files.read(file, limit: 1 << 20)
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
                text += "# \(line)\n"
            }
        }
        return text
    }

    /// What of an edited template is the drop-in.
    public static func written(_ text: String) -> String {
        text.firstRange(of: marker).map { String(text[..<$0.lowerBound]) } ?? text
    }
}
