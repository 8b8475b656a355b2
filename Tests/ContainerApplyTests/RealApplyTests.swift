import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// The programs that a container on this host needs.
let runsContainers = runsAsRoot && Files.exists("/usr/bin/systemd-nspawn") && Host.busybox != nil

enum Host {
    static let busybox = ["/bin/busybox", "/usr/bin/busybox"].first { Files.exists($0) }
}

/// A host of its own below a scratch directory, with busybox as its one image.
final class RealHost {
    let scratch: ScratchDirectory
    let run: ToolRunner
    let port = LoopbackPort.free()

    init() throws {
        scratch = try ScratchDirectory()
        run = ToolRunner(scratch: scratch.path)
        let root = "\(scratch.path)/busybox"
        for directory in ["bin", "etc", "tmp", "www"] { try Files.makeDirectory("\(root)/\(directory)") }
        try Files.setMode("\(root)/tmp", 0o1777)
        let busybox = try #require(Host.busybox)
        try #require(try run("cp", busybox, "\(root)/bin/busybox").status == 0)
        for name: String in ["sh", "httpd", "id", "cat", "echo", "sleep", "true", "false", "mkdir", "test"] {
            symlink("busybox", "\(root)/bin/\(name)")
        }
        try #require(try run("volt-container", "import", "--name", "busybox", root).status == 0)
    }

    deinit { _ = try? run("volt-container", "remove", "--workload", "web", "--volumes") }

    /// Writes a source: a Voltfile with a site, and a manifest that publishes it.
    func source(_ revision: String, page: String, health: String = "/", steps: String = "") throws -> String {
        let directory = "\(scratch.path)/source-\(revision)"
        try Files.makeDirectory("\(directory)/site")
        try Files.replace("\(directory)/site/index.html", with: page.utf8)
        try Files.replace(
            "\(directory)/Voltfile",
            with: """
                FROM busybox
                COPY site /www
                \(steps)
                EXPOSE 80
                CMD ["/bin/httpd", "-f", "-p", "80", "-h", "/www"]
                """.utf8)
        try Files.replace(
            "\(directory)/volt-manifest.yaml",
            with: """
                apiVersion: volt/v1
                kind: container
                spec:
                  build: .
                  ports: ["127.0.0.1:\(port):80"]
                  health: { http: { port: 80, path: \(health) }, interval: 1s, retries: 2, startPeriod: 1s }
                """.utf8)
        return directory
    }

    func words(_ directory: String, _ revision: String) -> [String] {
        [
            "volt-container", "apply", "--workload", "web", "--manifest", "\(directory)/volt-manifest.yaml",
            "--source", directory, "--revision", revision, "--timeout", "30s", "-o", "json",
        ]
    }

    @discardableResult
    func apply(_ revision: String, page: String, health: String = "/", steps: String = "") throws
        -> ToolRunner.Result
    {
        try run.run(words(try source(revision, page: page, health: health, steps: steps), revision))
    }

    /// Applies, and shows what was said if it did not work.
    func deploy(_ revision: String, page: String) throws {
        let result = try apply(revision, page: page)
        try #require(result.status == 0, "\(result.stdout)\(result.stderr)")
    }

    /// Starts an apply whose events go to a file.
    func start(_ words: [String], output: String) throws -> Int32 {
        let descriptor = open(output, O_WRONLY | O_CREAT, 0o600)
        defer { close(descriptor) }
        return try Processes.spawnDetached(
            "\(ToolRunner.products)/\(words[0])", Array(words.dropFirst()), environment: run.environment,
            descriptors: [1: descriptor])
    }

    /// The page as a visitor gets it.
    func page(_ path: String = "/") throws -> String {
        try HTTPClient(port: port, timeoutSeconds: 5).request("GET", path, headers: [("Connection", "close")])
            .text
    }
}

/// Asks for a page again and again on a thread of its own, and keeps what went wrong.
final class Visitor: @unchecked Sendable {
    // The fields are only written by the visiting thread, and read after it was joined.
    private(set) var answers = 0
    private(set) var failures: [String] = []
    private let port: UInt16
    private let stop = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
    private var thread = pthread_t()

    init(port: UInt16) {
        self.port = port
        stop.pointee = 0
        pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Visitor>.fromOpaque(argument).takeUnretainedValue().visit()
                return nil
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func visit() {
        while stop.pointee == 0 {
            do {
                let client = try HTTPClient(port: port, timeoutSeconds: 5)
                let answer = try client.request("GET", "/", headers: [("Connection", "close")])
                if answer.status == 200 { answers += 1 } else { failures.append("status \(answer.status)") }
            } catch { failures.append("\(error)") }
        }
    }

    func finish() {
        stop.pointee = 1
        pthread_join(thread, nil)
        stop.deallocate()
    }
}

@Suite(
    .serialized,
    .enabled(if: runsContainers, "real containers need root, systemd-nspawn and a static busybox"))
struct RealApplyTests {
    @Test("a new revision is served without one failed request, and the same again is unchanged")
    func replace() throws {
        let host = try RealHost()
        let first = try host.apply("r1", page: "one")
        try #require(first.status == 0, "\(first.stdout)\(first.stderr)")
        #expect(try host.page() == "one")
        let visitor = Visitor(port: host.port)
        let second = try host.apply("r2", page: "two")
        let third = try host.apply("r3", page: "three")
        visitor.finish()
        #expect(second.status == 0 && third.status == 0, "\(second.stdout)\(third.stdout)")
        #expect(visitor.failures == [] && visitor.answers > 10)
        #expect(try host.page() == "three")
        #expect(try host.apply("r4", page: "three").stdout.contains("\"status\":\"unchanged\""))
        let status = try host.run("volt-container", "status", "--workload", "web", "-o", "json").stdout
        #expect(
            status.contains("\"actualRevision\" : \"r3\"") && status.contains("\"desiredRevision\" : \"r4\""))
    }

    @Test("a revision that never gets healthy fails with 1, and the old one keeps serving")
    func unhealthy() throws {
        let host = try RealHost()
        try host.deploy("r1", page: "one")
        let failed = try host.apply("r2", page: "two", health: "/nothing")
        #expect(failed.status == 1)
        #expect(
            failed.stdout.contains("\"step\":\"check\"") && failed.stdout.contains("\"status\":\"failed\""))
        #expect(try host.page() == "one")
    }

    @Test("a mount in the place of process 1 does not run in its place, by whatever way it gets there")
    func coveredShim() throws {
        let host = try RealHost()
        // The image has a link to /run, which the kernel follows and a check of the manifest cannot see.
        for (index, volumes) in [
            ["./evil:/run/volt-init"], ["./evil:/x/volt-init"], ["./evil:/run/volt-init-0"],
        ].enumerated() {
            let directory = try host.source(
                "r\(index)", page: "page \(index)", steps: "RUN /bin/busybox ln -s /run /x")
            let evil = "#!/bin/sh\nexec /bin/busybox httpd -f -p 80 -h /tmp\n"
            try Files.replace("\(directory)/evil", with: evil.utf8, mode: 0o755)
            let file = "\(directory)/volt-manifest.yaml"
            let text = String(decoding: try Files.read(file), as: UTF8.self)
            try Files.replace(
                file, with: text.replacing("  build: .\n", with: "  build: .\n  volumes: \(volumes)\n").utf8)
            let applied = try host.run.run(host.words(directory, "r\(index)"))
            #expect(applied.status == 0, "\(volumes): \(applied.stdout)")
            #expect(try host.page() == "page \(index)")
        }
    }

    @Test("RUN works in a container of its own, and its failure names the line")
    func runSteps() throws {
        let host = try RealHost()
        let steps = """
            RUN mkdir /www/sub && echo -n "$(id -u)" > /www/sub/user
            USER 1000
            RUN id -u > /tmp/who
            USER 0
            RUN cat /tmp/who > /www/sub/second
            """
        let built = try host.apply("r1", page: "one", steps: steps)
        try #require(built.status == 0, "\(built.stdout)")
        #expect(try host.page("/sub/user") == "0")
        #expect(try host.page("/sub/second") == "1000\n")
        let cached = try host.run(
            "volt-container", "build", "-t", "x", try host.source("r2", page: "one", steps: steps))
        #expect(
            cached.stderr.contains("step 7/9: RUN cat /tmp/who > /www/sub/second CACHED"), "\(cached.stderr)")
        let failed = try host.run(
            "volt-container", "build", try host.source("r3", page: "x", steps: "RUN exit 3"))
        #expect(failed.status == 3)
        #expect(failed.stderr.contains("Voltfile:3: 'RUN exit 3' ended with 3"), "\(failed.stderr)")
    }

    @Test(
        "kill -9 in any step leaves the page served, and the next apply finishes the work",
        arguments: [
            "prepare", "start", "check", "switch", "stop-old",
        ])
    func killed(step: String) throws {
        let host = try RealHost()
        try host.deploy("r1", page: "one")
        let words = host.words(try host.source("r2", page: "two"), "r2")
        let output = "\(host.scratch.path)/events"
        let visitor = Visitor(port: host.port)
        let pid = try host.start(words, output: output)
        let wanted = "\"state\":\"started\",\"step\":\"\(step)\""
        var status: Int32 = 0
        while !String(decoding: try Files.read(output), as: UTF8.self).contains(wanted) {
            if waitpid(pid, &status, WNOHANG) == pid { break }
            usleep(200)
        }
        kill(pid, SIGKILL)
        waitpid(pid, &status, 0)
        #expect(["one", "two"].contains(try host.page()))
        let again = try host.run.run(words)
        #expect(again.status == 0, "\(again.stdout)\(again.stderr)")
        visitor.finish()
        #expect(visitor.failures == [])
        #expect(try host.page() == "two")
        #expect(try Files.list("\(host.scratch.path)/root/lib/container/containers").count == 1)
    }

    @Test("SIGTERM leaves the old one running and ends with 75")
    func terminated() throws {
        let host = try RealHost()
        try host.deploy("r1", page: "one")
        let words = host.words(try host.source("r2", page: "two", steps: "RUN sleep 60"), "r2")
        let output = "\(host.scratch.path)/events"
        let pid = try host.start(words, output: output)
        while !String(decoding: try Files.read(output), as: UTF8.self).contains("RUN sleep 60") {
            usleep(1000)
        }
        kill(pid, SIGTERM)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        #expect(status >> 8 == 75)
        #expect(try host.page() == "one")
    }

    @Test("remove closes the port, and a second one finds nothing")
    func remove() throws {
        let host = try RealHost()
        try host.deploy("r1", page: "one")
        #expect(try host.run("volt-container", "remove", "--workload", "web").status == 0)
        #expect(throws: (any Error).self) { try host.page() }
        #expect(try host.run("volt-container", "remove", "--workload", "web").status == 3)
        let status = try host.run("volt-container", "status", "--workload", "web", "-o", "json")
        #expect(status.stdout.contains("\"state\" : \"absent\""))
    }
}
