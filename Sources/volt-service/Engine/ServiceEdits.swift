public import VoltCore
internal import VoltSystem
public import VoltSystemd

/// Edits of the services of a host.
public struct ServiceEdits: Sendable {
    /// The changes of a command line.
    public struct Change: Sendable, Equatable {
        /// The port of the server of a tool.
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
    private let tools: KnownTools
    private let scratch: String

    /// - Parameters:
    ///   - host: whose services are edited.
    ///   - tools: the tools that the overview found.
    ///   - scratch: a directory that is made when it is needed.
    public init(host: ServiceHost, tools: KnownTools, scratch: String) {
        self.host = host
        self.tools = tools
        self.scratch = scratch
    }

    /// Changes settings of a service.
    public func change(_ change: Change, of service: Service, restart: Bool) throws(VoltError)
        -> UnitEditor.Outcome
    {
        let (editor, unit) = try editor(for: service)
        let section = UnitName.section(of: unit)
        var settings: [String: [DropIn.Setting]] = [:]
        if let port = change.port {
            settings = try portSettings(port, of: unit, service.name)
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
        if service.container != nil || service.kind == .workload {
            throw VoltError(
                .usage, "\(service.kind.rawValue) '\(service.name)' is what its manifest says",
                hint: "change volt-manifest.yaml and push it, or use 'volt \(service.tool ?? "")'")
        }
        let (systemd, unit) = try host.unit(of: service)
        return (UnitEditor(systemd: systemd, scratch: scratch), unit)
    }

    /// The settings that give the server of a tool another port.
    private func portSettings(_ port: Int, of unit: String, _ name: String) throws(VoltError)
        -> [String: [DropIn.Setting]]
    {
        guard let tool = tools.owner(of: unit), let variable = tool.portVariable, let service = tool.service,
            unit == "\(service).service" || unit == tool.socket
        else {
            throw VoltError(
                .usage, "'\(name)' has no port that --port sets",
                hint: "use --set for the settings of its unit")
        }
        let socket = tool.socket ?? "\(service).socket"
        let states = try host.systemd?.states(of: ["\(service).service", socket]) ?? []
        // A '--port' in ExecStart= is stronger than the variable.
        guard !states.contains(where: { $0.name != socket && $0.command.contains(" --port") }) else {
            throw VoltError(
                .conflict, "ExecStart= of '\(service).service' names a port itself",
                hint: "change it there with --set, or take the '--port' out of it")
        }
        let listens = states.first { $0.name == socket }.map { Self.address($0.listens, port) }
        return UnitEditor.portSettings(
            port, service: "\(service).service", variable: variable, socket: socket, listens: listens)
    }

    /// The address of a socket with another port: `127.0.0.1:5000 (Stream)` listens on `127.0.0.1:PORT`.
    static func address(_ listens: String, _ port: Int) -> String {
        let current = listens.prefix { $0 != " " && $0 != "," }
        guard let colon = current.lastIndex(of: ":") else { return "\(port)" }
        let host = current[..<colon]
        return host == "[::]" || host == "0.0.0.0" || host.isEmpty ? "\(port)" : "\(host):\(port)"
    }

    // MARK: The text for an editor

    private static let marker = "### What stands below this line is not read."

    /// The drop-in of a service, and below a line the unit as it is, commented out.
    public func template(of service: Service) throws(VoltError) -> String {
        let (editor, unit) = try editor(for: service)
        let edit = try editor.edit(unit) { text throws(VoltError) in text }
        var text =
            edit.old
            ?? "# A drop-in for \(unit): settings here go before those of the unit.\n\n[\(UnitName.section(of: unit))]\n"
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
