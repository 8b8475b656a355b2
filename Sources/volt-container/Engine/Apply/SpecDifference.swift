internal import ContainerSecrets
internal import VoltCore
internal import VoltWorkload

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
