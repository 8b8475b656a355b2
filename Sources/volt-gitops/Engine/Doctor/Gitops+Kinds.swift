internal import VoltCore
internal import VoltWorkload
internal import VoltWorkloadTool

extension Gitops {
    /// The tools of the kinds that are deployed here or registered on this host, and their workloads.
    func kindChecks(_ pipelines: [Pipeline], _ journal: Journal) -> [DoctorCheck] {
        let change = kindChange(journal)
        var users: [String: [Pipeline]] = [:]
        for kind in kinds.all().map(\.kind) { users[kind] = [] }
        for pipeline in pipelines {
            guard let kind = try? change.deployedKind(of: pipeline) else { continue }
            users[kind, default: []].append(pipeline)
        }
        if users.isEmpty { users["container"] = [] }
        return users.sorted { $0.key < $1.key }.map { kind, users in
            do throws(VoltError) {
                let tool = try kinds.find(kind, hint: "install it with 'make install-\(kind)'")
                return workloads(of: tool, users)
            } catch {
                let names = users.map(\.name.text).joined(separator: ", ")
                let who = names.isEmpty ? "" : ", which \(names) needs"
                return .fail("kind \(kind)", "\(error.message)\(who)", error.hint ?? "see 'docs/contract.md'")
            }
        }
    }

    /// The workloads that a tool has, and which of them are not well.
    private func workloads(of tool: WorkloadTool, _ users: [Pipeline]) -> DoctorCheck {
        let name = "kind \(tool.kind)"
        let found = "'\(tool.path)' applies it"
        let all: [WorkloadStatus]?
        do throws(VoltError) { all = try tool.list() } catch {
            return .warn(
                name, "\(found), and cannot say which workloads it has: \(error.message)",
                error.hint ?? "run 'volt-\(tool.kind) list -o json' to see more")
        }
        guard let all else { return .ok(name, "\(found); it cannot list its workloads") }
        let gone = users.filter { user in !all.contains { $0.workload == user.workload.text } }
        var wrong = gone.map { "workload '\($0.workload)' of pipeline '\($0.name)' is not among them" }
        wrong += all.filter { $0.stopped == nil && !$0.isWell }.map { status in
            let health = status.health.isWell ? "" : ", \(status.health)"
            return "'\(status.workload)' is \(status.state)\(health)"
        }
        let count = "\(all.count) workload\(all.count == 1 ? "" : "s")"
        guard !wrong.isEmpty else { return .ok(name, "\(found); \(count)") }
        return .warn(
            name, "\(found); \(count): \(wrong.joined(separator: "; "))",
            "'volt \(tool.kind) status --workload NAME' says more")
    }
}

extension WorkloadStatus {
    /// Whether it runs and nothing is wrong with it.
    fileprivate var isWell: Bool { state == .running && health.isWell }
}
