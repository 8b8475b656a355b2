public import VoltCore
public import VoltWorkload

/// The change that an apply makes to a workload. `apply` and `apply --dry-run` both ask here.
public struct RolloutDecision: Sendable, Equatable {
    /// The definition that is asked for, as far as a decision needs it.
    public struct Wanted: Sendable, Equatable {
        /// The digest over everything that matters to the payload.
        public var fingerprint: Digest
        /// The differences from the instance that is there, in a few words each.
        public var differences: [String]

        /// - Parameters: see the properties.
        public init(fingerprint: Digest, differences: [String] = []) {
            self.fingerprint = fingerprint
            self.differences = differences
        }
    }

    /// `create`, `replace` or `unchanged`.
    public var change: ServicePlan.Change
    /// Why, each in a few words.
    public var reasons: [String]

    /// Decides. A function of values: nothing is looked at.
    ///
    /// - Parameters:
    ///   - record: nil when the workload was never deployed.
    ///   - state: the state of the instance that the record names, or nil when it is gone.
    ///   - wanted: nil when it is not known before something is built.
    public static func decide<Spec>(record: WorkloadRecord?, state: InstanceState<Spec>?, wanted: Wanted?)
        -> RolloutDecision
    {
        guard let record else {
            return RolloutDecision(change: .create, reasons: ["there is no such workload yet"])
        }
        func replace(_ reasons: [String]) -> RolloutDecision {
            RolloutDecision(change: .replace, reasons: reasons)
        }
        guard let state, state.state != .exited, state.state != .absent else {
            return replace(["'\(record.instance)' does not run"])
        }
        guard let wanted else {
            return replace(["the image is to be built: the Voltfile or what it copies differs"])
        }
        guard wanted.fingerprint == record.fingerprint else {
            return replace(
                wanted.differences.isEmpty ? ["files that it runs or mounts differ"] : wanted.differences)
        }
        // Another instance of this name, or one that was changed by hand.
        guard record.started == nil || record.started == state.config else {
            return replace(["'\(record.instance)' was changed by other means"] + wanted.differences)
        }
        guard state.state == .running, state.health.isWell else {
            return replace(["'\(record.instance)' is \(state.state), \(state.health)"])
        }
        return RolloutDecision(
            change: .unchanged, reasons: ["'\(record.instance)' is what the definition says"])
    }
}
