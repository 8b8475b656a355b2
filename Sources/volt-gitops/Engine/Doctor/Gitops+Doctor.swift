internal import Dispatch
internal import GitopsSource
internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltSystem
internal import VoltWorkloadTool

/// Looks at everything that `volt gitops` needs. Nothing is changed.
extension Gitops {
    /// How long a repository may take to answer.
    private static let repositoryLimit = Duration.seconds(20)

    /// Looks at this host.
    ///
    /// - Parameters:
    ///   - repositories: whether each repository is asked, which needs the network.
    ///   - port: where the server listens when it runs.
    public func doctor(repositories: Bool, port: Int) -> [DoctorCheck] {
        let host = HostDoctor(state: paths.state, now: clock.now())
        let (worker, libraries) = worker()
        var checks = host.libraries(libraries) + [worker, self.port(port), host.disk(), host.clock()]
        checks += host.keys(paths.configuration) + host.trust(paths.configuration)
        let journal: Journal
        do throws(VoltError) {
            journal = try self.journal()
            checks.append(try journal.check())
        } catch {
            checks.append(
                .fail(
                    "journal", error.message,
                    "stop the server, keep '\(paths.state)', and restore it from a backup"))
            return checks + [host.unit(), host.kernel()]
        }
        let pipelines = (try? journal.pipelines()) ?? []
        checks += permissions(pipelines)
        checks += kindChecks(pipelines, journal)
        checks += [host.unit(), host.kernel()]
        for pipeline in pipelines where pipeline.provider.hooks != nil {
            checks.append(hook(pipeline, journal))
        }
        return repositories ? checks + reach(pipelines) : checks
    }

    /// Whether the worker starts, and what it is linked to.
    private func worker() -> (check: DoctorCheck, libraries: SourceLibraries?) {
        do throws(VoltError) {
            let reader = try self.reader()
            let libraries = try reader.libraries()
            let ssh = libraries.ssh.map { " and libssh2 \($0)" } ?? ""
            return (
                .ok("worker", "'\(reader.worker)' starts, with libgit2 \(libraries.git)\(ssh)"), libraries
            )
        } catch {
            let hint = error.hint ?? "ldd \((try? reader().worker) ?? "") shows a library that is missing"
            return (.fail("worker", error.message, hint), nil)
        }
    }

    private func port(_ port: Int) -> DoctorCheck {
        if let server = server() { return .ok("port", "served at \(server.url) by process \(server.pid)") }
        guard PortHolder.isTaken(port: port) else {
            return .warn(
                "port", "port \(port) is free, and no server runs",
                "start it with 'volt gitops serve', or its unit")
        }
        let holder = PortHolder.find(port: port)
        if holder?.contains("(systemd)") == true {
            return .ok("port", "systemd listens on port \(port) and starts the server when a delivery comes")
        }
        return .fail(
            "port", "port \(port) is taken by \(holder ?? "another program")",
            "stop that, or give the server another with 'volt service edit volt-gitops --port N'")
    }

    /// What others may read or change, and what is gone.
    private func permissions(_ pipelines: [Pipeline]) -> [DoctorCheck] {
        var checks: [DoctorCheck] = []
        func look(_ what: String, _ path: String, mask: UInt32, mode: String) {
            var information = stat()
            guard stat(path, &information) == 0 else {
                return checks.append(
                    .fail(what, "'\(path)' is not there", "put it back, or create the pipeline again"))
            }
            if information.st_mode & mask != 0 {
                checks.append(.fail(what, "others may read or change '\(path)'", "chmod \(mode) '\(path)'"))
            } else if information.st_uid != geteuid(), information.st_uid != 0 {
                checks.append(
                    .fail(
                        what, "'\(path)' belongs to user \(information.st_uid)",
                        "chown it to the user of the server"))
            }
        }
        look("permissions", paths.state, mask: 0o077, mode: "700")
        look("permissions", "\(paths.state)/secrets", mask: 0o077, mode: "700")
        for pipeline in pipelines {
            let what = "permissions \(pipeline.name)"
            if pipeline.provider.hooks != nil, !pipeline.allowsUnsigned {
                look(what, paths.secret(pipeline.name), mask: 0o077, mode: "600")
            }
            for path in [pipeline.sshKey, pipeline.tokenFile] {
                if let path { look(what, path, mask: 0o077, mode: "600") }
            }
            for path in [pipeline.knownHosts, pipeline.caFile] {
                if let path { look(what, path, mask: 0o022, mode: "644") }
            }
            if pipeline.allowsUnsigned {
                checks.append(
                    .warn(
                        what, "anyone who reaches the port can trigger it: it has no secret",
                        "give it one with 'volt gitops import'"))
            }
        }
        return checks.isEmpty ? [.ok("permissions", "secrets and keys are closed to others")] : checks
    }

    /// Whether the hook of a pipeline was ever heard of.
    private func hook(_ pipeline: Pipeline, _ journal: Journal) -> DoctorCheck {
        let name = "hook \(pipeline.name)"
        if let stray = try? journal.stray(of: pipeline) {
            return .warn(
                name, "\(stray.text); the delivery came \(stray.at.relative(to: clock.now()))",
                StrayDelivery.hint)
        }
        if let last = try? journal.lastWebhook(of: pipeline.name.text) {
            return .ok(name, "the last webhook came \(last.relative(to: clock.now()))")
        }
        return .warn(
            name, "no webhook has ever come for it; commits are found by the poll",
            "point the hook of the repository to http://HOST:PORT/hooks/\(pipeline.provider.rawValue), and push"
        )
    }

    /// Asks each repository for the tip of its branch, a few at a time.
    private func reach(_ pipelines: [Pipeline]) -> [DoctorCheck] {
        let reader: SourceReader
        do throws(VoltError) { reader = try self.reader() } catch { return [] }
        let found = Mutex<[String: DoctorCheck]>([:])
        let room = DispatchSemaphore(value: 4)
        let done = DispatchGroup()
        for pipeline in pipelines {
            room.wait()
            DispatchQueue.global().async(group: done) {
                let check = Self.reach(pipeline, reader)
                found.withLock { $0[pipeline.name.text] = check }
                room.signal()
            }
        }
        done.wait()
        return found.withLock { found in pipelines.compactMap { found[$0.name.text] } }
    }

    private static func reach(_ pipeline: Pipeline, _ reader: SourceReader) -> DoctorCheck {
        let name = "repository \(pipeline.name)"
        let start = ContinuousClock.now
        do throws(VoltError) {
            let tip = try reader.tip(of: pipeline, limit: repositoryLimit)
            let took = DurationText.format(ContinuousClock.now - start)
            return .ok(name, "'\(pipeline.branch)' is at \(tip.commit.prefix(12)), answered in \(took)")
        } catch {
            return .fail(
                name, error.message, error.hint ?? "look at the network, the URL and the credentials")
        }
    }
}
