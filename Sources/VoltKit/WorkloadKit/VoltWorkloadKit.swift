// The umbrella for third parties: `import VoltWorkloadKit` gives what a tool that applies a kind of workload is built of.

@_exported public import VoltInstances
@_exported public import VoltKit
@_exported public import VoltManifest
@_exported public import VoltPorts
@_exported public import VoltRollout
@_exported public import VoltSupervise
@_exported public import VoltWorkload
@_exported public import VoltWorkloadCLI
@_exported public import VoltWorkloadTool
@_exported public import VoltYAML
