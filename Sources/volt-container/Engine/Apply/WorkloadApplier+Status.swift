public import VoltCore
internal import VoltSystem
public import VoltWorkload

extension WorkloadApplier {
    /// What a workload is now.
    public func status(of workload: Name) async throws -> WorkloadStatus {
        guard let record = try records.read(workload) else {
            return WorkloadStatus(workload: workload.text)
        }
        guard let state = try await runtime.state(of: record.container) else {
            var status = WorkloadStatus(workload: workload.text, desiredRevision: record.revision)
            status.desiredConfig = record.fingerprint.description
            status.images = record.images?.mapValues(\.description)
            return status
        }
        var status = WorkloadStatus(
            workload: workload.text, desiredRevision: record.revision,
            actualRevision: state.activity == .exited ? nil : state.spec.revision,
            state: state.activity, health: state.health, since: state.since, restarts: state.restarts)
        status.images = record.images?.mapValues(\.description)
        status.desiredConfig = record.fingerprint.description
        // Records of older versions have only the digest; its name is in the container, unless it was built.
        if status.images == nil, let image = record.image,
            state.spec.image != WorkloadPlan.builtName(workload)
        {
            status.images = [state.spec.image: image.description]
        }
        let digest = try WorkloadPlan.digest(of: state.spec)
        status.actualConfig = (record.started ?? digest) == digest ? status.desiredConfig : digest.description
        if state.activity == .exited {
            status.stopped = state.isStoppedByHand ? .byHand : state.spec.restart == .no ? .finished : nil
        }
        return status
    }

    /// Removes a workload: its ports, its containers, its images, and its volumes when asked for.
    ///
    /// - Returns: the names of the containers removed, and of the volumes.
    /// - Throws: `VoltError`; code `notFound` when there is no such workload.
    public func remove(_ workload: Name, withVolumes: Bool, timeout: Duration) async throws -> (
        containers: [String], volumes: [String]
    ) {
        let lock = try await records.lock(workload, until: .now + timeout)
        let record = try records.read(workload)
        let containers = try await runtime.generations(of: workload).map(\.spec.name)
        let volumes = withVolumes ? try await runtime.volumes(of: workload) : []
        guard record != nil || !containers.isEmpty || !volumes.isEmpty else {
            throw VoltError(.notFound, "there is no workload '\(workload)'")
        }
        try await runtime.withdraw(workload)
        for container in containers { try await runtime.remove(container) }
        for volume in volumes { try await runtime.removeVolume(volume) }
        try store.unpin(workload, except: [], newest: 0)
        // Last, so that a removal that was cut off is found and finished by the next one.
        try records.remove(workload)
        try store.collect(inUse: Set(try await runtime.imagesInUse().keys))
        lock.keep()
        return (containers.map(\.text), volumes)
    }
}
