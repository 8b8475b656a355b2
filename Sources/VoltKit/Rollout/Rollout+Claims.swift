public import VoltCore
public import VoltWorkload

/// The name of a workload belongs to another kind.
public struct ClaimConflict: WorkloadFailure {
    /// The error, with code `conflict`.
    public let error: VoltError

    init(_ message: String, hint: String) { error = VoltError(.conflict, message, hint: hint) }
}

extension Rollout {
    /// Refuses a workload whose name another kind has, unless that hands it over.
    func checkClaim(_ request: WorkloadRequest, _ record: WorkloadRecord?) throws {
        let workload = request.workload
        guard let owner = try claims.kind(of: workload) else {
            // Kinds without claims, and workloads that earlier versions deployed.
            guard record == nil,
                let other = others.kind(having: workload, except: request.replacedKinds + [kind])
            else { return }
            throw Self.conflict(workload, other)
        }
        guard owner != kind, !request.replacedKinds.contains(owner) else { return }
        do throws(VoltError) {
            if try others.status(of: workload, kind: owner).state == .absent { return }
        } catch {
            // A claim whose kind knows of no such workload was left by a command that died.
            if error.code == .notFound { return }
            if error.code == .missing {
                throw ClaimConflict(
                    "workload '\(workload)' belongs to kind '\(owner)', which is not installed",
                    hint: "install 'volt-\(owner)', or take it over with '--replace-kind \(owner)'")
            }
            throw ClaimConflict(
                "workload '\(workload)' belongs to kind '\(owner)': \(error.message)",
                hint: "try again, or take it over with '--replace-kind \(owner)'")
        }
        throw Self.conflict(workload, owner)
    }

    private static func conflict(_ workload: Name, _ owner: String) -> ClaimConflict {
        ClaimConflict(
            "workload '\(workload)' belongs to kind '\(owner)'",
            hint: "choose another name, remove it with 'volt \(owner) remove --workload \(workload)', "
                + "or take it over with '--replace-kind \(owner)'")
    }

    /// The kind of a workload of any kind, or nil when nobody has it.
    private func kind(of workload: Name) throws(VoltError) -> String? {
        if let owner = try claims.kind(of: workload) { return owner }
        return try records.read(workload) != nil ? kind : others.kind(having: workload, except: [kind])
    }

    /// The workloads that a workload of any kind waits for.
    private func dependencies(of workload: Name) throws(VoltError) -> [Name] {
        guard let owner = try kind(of: workload) else { return [] }
        if owner == kind { return try records.read(workload)?.after ?? [] }
        // One that cannot be asked is found out by waiting for it.
        return ((try? others.status(of: workload, kind: owner))?.after ?? []).compactMap { try? Name($0) }
    }

    /// Refuses a workload that would wait for itself.
    func checkCycle(of workload: Name, after: [Name]) throws(VoltError) {
        var seen: Set<Name> = []
        var next = after.map { [workload, $0] }
        while let path = next.popLast() {
            guard let last = path.last, last != workload else {
                throw VoltError(
                    .failed,
                    "'after' leads back to '\(workload)': \(path.map(\.text).joined(separator: " -> "))",
                    hint: "remove one of these from 'after'")
            }
            guard seen.insert(last).inserted else { continue }
            next += try dependencies(of: last).map { path + [$0] }
        }
    }

    /// Waits until workloads of any kind are healthy.
    ///
    /// - Throws: `VoltError` with code `tryAgain` when the time is over.
    func wait(
        for dependencies: [Name], of workload: Name, until deadline: ContinuousClock.Instant,
        events: @Sendable (ApplyEvent) -> Void
    ) async throws {
        for dependency in dependencies {
            var told = ""
            var pause = Duration.milliseconds(100)
            while let obstacle = try await obstacle(dependency) {
                try Task.checkCancellation()
                guard ContinuousClock.now < deadline else {
                    throw VoltError(
                        .tryAgain, "'\(workload)' waited in vain for '\(dependency)', which \(obstacle)",
                        hint: "try again when it is healthy, or give it more with --timeout")
                }
                if obstacle != told {
                    events(.log(stream: "stderr", line: "waiting for '\(dependency)', which \(obstacle)"))
                    told = obstacle
                }
                try await Task.sleep(for: min(pause, max(.zero, deadline - .now)))
                pause = min(pause * 3 / 2, .seconds(1))
            }
        }
    }

    /// The status of a workload of any kind, `absent` for one that nobody has; nil when it cannot be told.
    func knownStatus(of workload: Name) async throws -> WorkloadStatus? {
        guard let owner = try kind(of: workload) else { return WorkloadStatus(workload: workload.text) }
        return owner == kind
            ? try await status(of: workload) : try? others.status(of: workload, kind: owner)
    }

    /// Why a workload of any kind is not healthy, or nil when it is.
    private func obstacle(_ workload: Name) async throws -> String? {
        guard let owner = try kind(of: workload) else { return "is not deployed" }
        let status: WorkloadStatus
        if owner == kind {
            status = try await self.status(of: workload)
        } else {
            do throws(VoltError) { status = try others.status(of: workload, kind: owner) } catch {
                return "cannot be looked at: \(error.message)"
            }
        }
        if status.isHealthy { return nil }
        return status.state == .running ? "is \(status.health)" : "is \(status.state)"
    }
}
