internal import ContainerSecrets
internal import VoltCore
public import VoltWorkload

extension WorkloadApplier {
    /// What an apply would do: nothing is built, started or written.
    ///
    /// - Throws: `VoltError` for a definition that an apply would refuse.
    public func plan(_ request: Request) async throws -> ServicePlan {
        let run = ApplyRun(
            applier: self, request: request, deadline: .now + request.timeout, events: { _ in })
        let wanted = try run.foresee()
        func plan(_ change: ServicePlan.Change, _ reasons: [String]) -> ServicePlan {
            ServicePlan(service: request.workload.text, change: change, reasons: reasons)
        }
        guard let record = try records.read(request.workload) else {
            return plan(.create, ["there is no such workload yet"])
        }
        guard let state = try await runtime.state(of: record.container), state.activity != .exited else {
            return plan(.replace, ["'\(record.container)' does not run"])
        }
        guard let wanted else {
            return plan(.replace, ["the image is to be built: the Voltfile or what it copies differs"])
        }
        guard wanted.fingerprint != record.fingerprint else {
            let isWell = state.activity == .running && state.health.isWell
            return isWell
                ? plan(.unchanged, ["'\(record.container)' is what the definition says"])
                : plan(
                    .replace,
                    ["'\(record.container)' is \(state.activity.rawValue), \(state.health.rawValue)"])
        }
        let reasons = SpecDifference.between(state.spec, wanted.spec)
        return plan(.replace, reasons.isEmpty ? ["files that it runs or mounts differ"] : reasons)
    }
}

/// What differs between two containers, for people. Variables are named without their values.
enum SpecDifference {
    static func between(_ old: ContainerSpec, _ new: ContainerSpec) -> [String] {
        var reasons: [String] = []
        func compare<Value: Equatable>(_ name: String, _ key: KeyPath<ContainerSpec, Value>) {
            if old[keyPath: key] != new[keyPath: key] { reasons.append(name) }
        }
        func value(_ name: String, _ before: String, _ after: String) {
            if before != after { reasons.append("\(name): \(before) -> \(after)") }
        }
        if old.imageDigest != new.imageDigest {
            value("image", "\(old.image) \(short(old.imageDigest))", "\(new.image) \(short(new.imageDigest))")
        } else {
            value("image", old.image, new.image)
        }
        compare("command", \.command)
        let names = Set(old.environment.keys).union(new.environment.keys).filter {
            old.environment[$0] != new.environment[$0]
        }
        if !names.isEmpty { reasons.append("environment: \(names.sorted().joined(separator: ", "))") }
        value("ports", ports(old), ports(new))
        // Where the source is differs from revision to revision; what is mounted from it counts.
        value("volumes", mounts(old), mounts(new))
        let secrets = Set((old.secrets ?? []).map(\.file) + (new.secrets ?? []).map(\.file)).filter { file in
            (old.secrets ?? []).filter { $0.file == file }.map(withoutPath)
                != (new.secrets ?? []).filter { $0.file == file }.map(withoutPath)
        }
        if !secrets.isEmpty { reasons.append("secrets: \(secrets.sorted().joined(separator: ", "))") }
        value("user", old.user.isEmpty ? "root" : old.user, new.user.isEmpty ? "root" : new.user)
        value("restart", old.restart.rawValue, new.restart.rawValue)
        compare("working directory", \.workingDirectory)
        compare("resources", \.limits)
        compare("health check", \.health)
        compare("read-only root", \.readOnly)
        compare("capabilities taken away", \.dropCapabilities)
        compare("capabilities given", \.addCapabilities)
        return reasons
    }

    private static func withoutPath(_ secret: Secret) -> Secret {
        var secret = secret
        secret.path = ""
        return secret
    }

    private static func short(_ digest: Digest?) -> String {
        digest.map { "(\($0.short))" } ?? "(a directory)"
    }

    private static func ports(_ spec: ContainerSpec) -> String {
        list(spec.ports.map { "\($0.address):\($0.hostPort):\($0.containerPort)" })
    }

    private static func mounts(_ spec: ContainerSpec) -> String {
        list(
            spec.mounts.map { mount in
                let words =
                    (mount.readOnly ? ["ro"] : []) + (mount.allowsSetuid ? ["suid"] : [])
                    + (mount.allowsDevices ? ["dev"] : [])
                let mode = words.isEmpty ? "" : ":\(words.joined(separator: ","))"
                return "\(mount.isVolume ? mount.source : "source"):\(mount.target)\(mode)"
            })
    }

    private static func list(_ items: [String]) -> String {
        items.isEmpty ? "none" : items.joined(separator: " ")
    }
}
