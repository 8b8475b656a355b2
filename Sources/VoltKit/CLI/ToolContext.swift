public import VoltCore
public import VoltSystem

/// What a command needs of the world around it, made once when the tool starts.
public struct ToolContext: Sendable {
    /// The name behind `volt-`, such as `gitops`.
    public let tool: String
    /// How the user called the tool: `volt gitops` or `volt-gitops`.
    public let displayName: String
    /// The environment at the start, with the global options applied.
    public let environment: [String: String]
    /// Where the tool keeps its files.
    public let paths: HostPaths
    /// The clock.
    public let clock: any WallClock

    /// - Parameters:
    ///   - tool: the name behind `volt-`.
    ///   - environment: the environment of the process.
    public init(tool: String, environment: [String: String] = Environment.current) throws(VoltError) {
        self.tool = tool
        self.environment = environment
        displayName = Self.displayName(of: tool, environment: environment)
        paths = try HostPaths(tool: tool, environment: environment)
        clock = SystemClock()
    }

    static func displayName(of tool: String, environment: [String: String]) -> String {
        environment["VOLT_EXE"] == nil ? "volt-\(tool)" : "volt \(tool)"
    }
}
