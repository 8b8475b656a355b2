import FoundationEssentials
import GitopsEngine
import Glibc
import Testing
import VoltCore
import VoltCrypto
import VoltSQLite
import VoltSystem
import VoltTestKit

/// What earlier programs wrote: four pipelines with two deploys each. Nothing of it is deployed again, restarted or
/// shown as drift by an upgrade.
@Suite(.serialized, .timeLimit(.minutes(5))) struct UpgradeTests {
    /// A recorded state.
    struct Fixture: Sendable, CustomTestStringConvertible {
        /// The folder in `Fixtures`.
        let folder: String
        /// The version of its journal.
        let version: Int

        var testDescription: String { folder }
        var path: String { "\(Golden.root())/Tests/GitopsServerTests/Fixtures/\(folder)" }

        func text(_ name: String) throws -> String {
            String(decoding: try Files.read("\(path)/\(name)"), as: UTF8.self)
        }

        /// The names of the snapshots of a pipeline, in the order of its deploys, for a repository below a directory.
        func snapshots(of name: String, _ commits: [String], place: String) throws -> [String] {
            // The first version named them by their commits.
            guard Files.exists("\(path)/snapshots") else { return commits }
            if name == "old" { return try commits.map { try subversion($0, place: place).snapshot } }
            return try text("snapshots").split(separator: "\n").map(String.init)
                .filter { $0.hasPrefix("\(name)/") }.map { String($0.dropFirst(name.count + 1)) }
        }

        /// What is kept of a revision: its origin, which the place of the repository is a part of, and the name of
        /// its snapshot.
        func subversion(_ revision: String, place: String) throws -> (origin: String, snapshot: String) {
            let lines = try text("repository.dump").split(separator: "\n")
            let uuid = try #require(lines.first { $0.hasPrefix("UUID: ") }).dropFirst(6)
            // Revision 0 has one as well.
            let dates = lines.filter { $0.hasPrefix("20") && $0.hasSuffix("Z") }
            let date = dates[try #require(Int(revision))]
            func digest(_ text: String) -> String { SHA256Hasher.digest(of: text.utf8).hex }
            let origin = String(digest("\(uuid) file://\(place)/svn ^/trunk \(date)").prefix(32))
            return (origin, "\(revision)-\(digest("svn\n\(origin)\n\n").prefix(16))")
        }
    }

    /// Before snapshots had names of their own, and before workloads could change their kind.
    private static let fixtures = [
        Fixture(folder: "upgrade", version: 10), Fixture(folder: "upgrade-14", version: 14),
    ]
    /// The directory in which it was recorded.
    private static let recorded = "/tmp/volt-fixture"
    /// The pipelines with the commits that they deployed.
    private static let git = [
        "728373e517962e0112ab87a369dffc46df56fe63", "efbf6e86c042d8a361262b3bb1c801eb43c2e207",
    ]
    private static let deployed = ["site": git, "options": git, "gated": git, "old": ["1", "2"]]

    /// Says that what it was given last runs, and writes down what it is given.
    private static let probe = """
        #!/bin/sh
        verb=$1
        while [ $# -gt 0 ]; do
            [ "$1" != --revision ] || revision=$2
            [ "$1" != --workload ] || workload=$2
            [ "$1" != --source ] || source=$2
            shift
        done
        case $verb in
        status) revision=$(cat "$PROBE/running-$workload")
            echo '{"workload":"'$workload'","desiredRevision":"'$revision'","actualRevision":"'$revision'",
            "state":"running","health":"none","restarts":0,"desiredConfig":"sha256:1","actualConfig":"sha256:1"}' ;;
        apply) echo "$workload $(basename "$source")" >>"$PROBE/applied"
            echo "$revision" >"$PROBE/running-$workload"
            echo '{"event":"result","status":"unchanged","generation":"1","message":"unchanged"}' ;;
        esac

        """

    private func write(_ sql: String, _ state: String, version: Int) throws {
        try Files.makeDirectory(state, mode: 0o700)
        let scripts = Array(repeating: "", count: version - 1) + [sql]
        _ = try Database(path: "\(state)/journal.db", migrations: scripts)
    }

    /// The recorded state, in a directory of the test's own.
    private func host(_ fixture: Fixture) throws -> Host {
        let host = try Host()
        let place = "\(host.directory)/was"
        var sql = try fixture.text("journal.sql")
        // Digests over settings have the place of the repository in them. The recorded ones are those of today's
        // program, and are replaced by those of the new place.
        try write(sql, "\(host.directory)/recorded", version: fixture.version)
        let pipelines = try Journal(state: "\(host.directory)/recorded").pipelines()
        #expect(pipelines.count == Self.deployed.count)
        sql = sql.replacing(Self.recorded, with: place)
            .replacing(
                Self.recorded.replacing("/", with: "\\/"), with: place.replacing("/", with: "\\/"))
        for pipeline in pipelines {
            try #require(
                sql.contains(pipeline.configuration), "the digest of '\(pipeline.name)' is another one")
            var moved = pipeline
            moved.repo = pipeline.repo.replacing(Self.recorded, with: place)
            sql = sql.replacing(pipeline.configuration, with: moved.configuration)
        }
        if fixture.version > 10 {
            for revision in ["1", "2"] {
                let was = try fixture.subversion(revision, place: Self.recorded)
                try #require(sql.contains(was.origin) && sql.contains(was.snapshot))
                let now = try fixture.subversion(revision, place: place)
                sql = sql.replacing(was.origin, with: now.origin).replacing(was.snapshot, with: now.snapshot)
            }
        }
        let state = "\(host.directory)/root/lib/gitops"
        try write(sql, state, version: fixture.version)
        try Files.makeDirectory("\(place)/repository")
        for script in [
            "git init -q -b main repository && git -C repository fast-import --quiet <\(fixture.path)/repository.export",
            "svnadmin create svn && svnadmin load -q svn <\(fixture.path)/repository.dump",
        ] {
            let made = try host.tool("sh", "-ec", "cd \(place) && \(script)")
            try #require(made.status == 0, "\(made.stderr)")
        }
        for (name, commits) in Self.deployed {
            for (commit, directory) in zip(
                commits, try fixture.snapshots(of: name, commits, place: place))
            {
                let snapshot = "\(state)/snapshots/\(name)/\(directory)"
                try Files.makeDirectory(snapshot, mode: 0o700)
                let script =
                    name == "old"
                    ? "svn export -q --force -r \(commit) file://\(place)/svn/trunk \(snapshot)"
                    : "git -C \(place)/repository archive \(commit) | tar -x -C \(snapshot)"
                let made = try host.tool("sh", "-ec", script)
                try #require(made.status == 0, "\(made.stderr)")
            }
            try Files.replace("\(host.directory)/running-\(name)", with: Array(commits[1].utf8))
        }
        try Files.replace("\(host.directory)/bin/volt-probe", with: Self.probe.utf8, mode: 0o755)
        return host
    }

    @Test(
        "what was deployed before an upgrade is neither deployed again, nor restarted, nor shown as drift",
        .enabled(if: Files.exists("/usr/bin/svnadmin"), "needs the package subversion"), arguments: fixtures)
    func quiet(fixture: Fixture) throws {
        let host = try host(fixture)
        let journal = try Journal(state: "\(host.directory)/root/lib/gitops")
        func history() throws -> [Int64] {
            try Self.deployed.keys.sorted().flatMap { try journal.history(of: $0, limit: 100).map(\.id) }
        }
        let before = try history()
        let server = try Serve(host)
        for _ in 1...2 {
            let now = SystemClock().now()
            try host.wait("for a poll and a look at each") {
                try Self.deployed.keys.allSatisfy {
                    try journal.poll(of: $0).at ?? now > now
                        && journal.drift.last(of: $0)?.checkedAt ?? now > now
                }
            }
        }
        #expect(try history() == before)
        #expect(try host.gitops("status").stdout.contains("drifted") == false)
        #expect(host.applied.isEmpty, "\(host.applied)")
        #expect(server.end(SIGTERM) == 0)
        // By hand: the same directory, so that the tool finds nothing changed. The approval counts still.
        for (name, commits) in Self.deployed.sorted(by: { $0.key < $1.key }) {
            let snapshots = try fixture.snapshots(of: name, commits, place: "\(host.directory)/was")
            let made = try host.gitops("sync", "--name", name)
            #expect(made.status == 0 && host.applied.last == "\(name) \(snapshots[1])", "\(made.stderr)")
            let back = try host.gitops("rollback", "--name", name)
            #expect(back.status == 0 && host.applied.last == "\(name) \(snapshots[0])", "\(back.stderr)")
        }
        // The version that wrote the newest fixture reads the journal still.
        _ = try Database(
            path: "\(host.directory)/root/lib/gitops/journal.db", migrations: Array(repeating: "", count: 14))
    }
}
