// The umbrella for third parties: `import VoltKit` gives what a `volt-<name>` tool is built of.

@_exported public import VoltCLI
@_exported public import VoltCore
@_exported public import VoltPlugin
@_exported public import VoltSystem
