public import VoltCore
internal import VoltPlugin
internal import VoltSystem

/// The kinds of workload of this host, and the tools that apply them.
public struct WorkloadKinds: Sendable {
    private let plugins: PluginSearch
    private let environment: [String: String]

    /// - Parameters:
    ///   - environment: for the search, and handed on to the tools.
    ///   - selfPath: the absolute path of this program, beside which tools are looked for.
    public init(environment: [String: String], selfPath: String) {
        plugins = PluginSearch(environment: environment, selfPath: selfPath)
        self.environment = environment
    }

    /// The tool of a kind.
    ///
    /// - Parameter hint: what to do when the tool is not installed.
    /// - Throws: `VoltError` with code `missing` when there is no such tool, `refused` when it is not registered.
    public func find(_ kind: String, hint: String? = nil) throws(VoltError) -> WorkloadTool {
        let path = try plugins.tool(ofKind: kind, hint: hint)
        return WorkloadTool(kind: kind, command: ToolCommand(path: path, environment: environment))
    }

    private func keepsState(_ kind: String) -> Bool {
        (try? HostPaths(tool: kind, environment: environment)).map { Files.isDirectory($0.state) } ?? false
    }

    /// The tools of all kinds that are installed and registered, sorted by kind. One of Volt's own that keeps nothing
    /// on this host is left out: it has no workload, and asking must not make it begin.
    public func all() -> [WorkloadTool] {
        plugins.kinds().compactMap { kind in
            guard !PluginSearch.ownKinds.contains(kind) || keepsState(kind) else { return nil }
            do throws(VoltError) { return try find(kind) } catch { return nil }
        }
    }
}
