// The umbrella for third parties: `import VoltServiceKit` gives what a tool that is also a server is built of.

@_exported public import VoltKit
@_exported public import VoltServer
@_exported public import VoltService
@_exported public import VoltServiceCLI
@_exported public import VoltSystemd
