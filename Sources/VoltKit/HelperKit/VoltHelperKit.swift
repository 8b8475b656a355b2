// The umbrella for the static helpers of a kind of workload, `volt-<kind>--run` and `volt-<kind>--port`: nothing here
// needs Foundation or a C library but that of the system.

@_exported public import VoltCore
@_exported public import VoltPorts
@_exported public import VoltSandbox
@_exported public import VoltSupervise
@_exported public import VoltWorkload
