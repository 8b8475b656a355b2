internal import VoltCore
internal import VoltPlugin
internal import VoltSystem

/// The tools of this host, and what they say of themselves that they keep running.
public struct KnownTools: Sendable {
    /// A tool with units or instances.
    struct Tool: Sendable {
        /// The name behind `volt-`.
        let name: String
        /// The absolute path of its program.
        let path: String
        /// The units of systemd that it may write.
        let units: [String]
        /// The variable by which its service gets its port.
        let portVariable: String?
        /// The verb that lists what it runs.
        let instances: String?
        /// Where it keeps its files; nil for one that is not built on VoltKit, which may keep them anywhere.
        let paths: HostPaths?

        /// The name of its service, without `.service`.
        var service: String? { units.first { $0.hasSuffix(".service") }.map { String($0.dropLast(8)) } }
        /// The name of its socket.
        var socket: String? { units.first { $0.hasSuffix(".socket") } }
        /// Whether it was never used here: asking it must not make it begin.
        var isUnused: Bool { paths.map { !Files.isDirectory($0.state) } ?? false }
    }

    /// By name.
    let all: [Tool]

    /// None.
    public init() { all = [] }

    /// Asks all tools that the search finds for their metadata.
    ///
    /// - Parameter name: of the tool that asks, which is left out.
    init(_ plugins: PluginSearch, environment: [String: String], without name: String) {
        let found = plugins.names().filter { $0 != name }.compactMap { name in
            plugins.first(name).map { (name: name, candidate: $0) }
        }
        let probe = MetadataProbe(
            voltVersion: VoltVersion.text, environment: environment.map { Array("\($0)=\($1)".utf8) })
        let answers = probe.ask(found.map { ($0.name, $0.candidate.bytes) })
        all = zip(found, answers).compactMap { tool, answer in
            // 'volt plugins' says what is wrong with the metadata of a tool.
            guard case .success(let metadata) = answer else { return nil }
            var paths: HostPaths?
            if metadata.kit != nil { paths = try? HostPaths(tool: tool.name, environment: environment) }
            return Tool(
                name: tool.name, path: tool.candidate.path, units: metadata.units,
                portVariable: metadata.portVariable, instances: metadata.instances, paths: paths)
        }
    }

    /// The tool of that name.
    func tool(_ name: String?) -> Tool? { all.first { $0.name == name } }

    /// The tool that a unit belongs to: the first that names it.
    func owner(of unit: String) -> Tool? { all.first { $0.units.contains(unit) } }
}
