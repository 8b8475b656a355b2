import Glibc
import Testing
import VoltArchive
import VoltCore
import VoltSystem
import VoltTestKit

@testable import ContainerEngine

let runsAsRoot = geteuid() == 0

/// Plays a RUN step by writing into the layer what the words say: `write PATH TEXT`, or `fail CODE`.
struct ScriptedRunner: StepRunner {
    func run(_ spec: ContainerSpec, upper: String, output: @escaping @Sendable (String, String) -> Void)
        async throws -> Int32
    {
        let words = spec.command
        output(
            "stdout",
            "in \(spec.workingDirectory) as '\(spec.user)' with \(spec.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ","))"
        )
        if words[0] == "fail" { return Int32(words[1]) ?? 1 }
        try Files.replace("\(upper)/\(words[1])", with: words[2].utf8)
        return 0
    }
}

/// Collects what a build says.
final class Said: @unchecked Sendable {
    // The lock makes the class safe to share: every access takes it.
    private let lock = Lock()
    private var events: [BuildEvent] = []

    func add(_ event: BuildEvent) { lock.withLock { events.append(event) } }
    var all: [BuildEvent] { lock.withLock { events } }
    var cached: [Bool] {
        all.compactMap { if case .step(_, _, _, let isCached) = $0 { isCached } else { nil } }
    }
    var lines: [String] { all.compactMap { if case .output(_, let line) = $0 { line } else { nil } } }
}

final class Lock: @unchecked Sendable {
    // The mutex is only used through pthread calls, at one address for its whole life.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    init() { pthread_mutex_init(mutex, nil) }
    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }
    func withLock<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}

final class BuildFixture {
    let scratch: ScratchDirectory
    let store: ImageStore
    var context: String { "\(scratch.path)/context" }

    init() throws {
        scratch = try ScratchDirectory()
        let paths = try HostPaths(tool: "container", environment: ["VOLT_ROOT": "\(scratch.path)/root"])
        store = try ImageStore(paths: paths, clock: SystemClock())
        try Files.makeDirectory("\(scratch.path)/context")
    }

    func file(_ path: String, _ text: String) throws {
        try Files.makeDirectory(Files.parent(of: "\(context)/\(path)"))
        try Files.replace("\(context)/\(path)", with: text.utf8)
    }

    func build(_ voltfile: String, arguments: [String: String] = [:], said: Said = Said()) async throws
        -> Image
    {
        try file("Voltfile", voltfile)
        var request = ImageBuilder.Request(context: context)
        request.arguments = arguments
        request.names = ["t:latest"]
        return try await ImageBuilder(images: ImageSource(store: store), runner: ScriptedRunner()).build(
            request
        ) { said.add($0) }
    }

    /// What the image shows at a path.
    func read(_ image: Image, _ path: String) throws -> String? {
        try store.view(lowers: image.lowers).read(try .init(inRoot: path), limit: 1 << 20).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    func information(_ image: Image, _ path: String) throws -> stat? {
        try store.view(lowers: image.lowers).resolve(try .init(inRoot: path)).entry?.information
    }

    /// An image with a merged /usr, a sticky /tmp and some users.
    func importBase() throws {
        let base = "\(scratch.path)/base"
        for directory in ["usr/bin", "etc", "tmp", "www"] { try Files.makeDirectory("\(base)/\(directory)") }
        try Files.setMode("\(base)/tmp", 0o1777)
        symlink("usr/bin", "\(base)/bin")
        try Files.replace("\(base)/usr/bin/sh", with: "shell".utf8)
        try Files.replace("\(base)/etc/passwd", with: "root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n".utf8)
        try Files.replace("\(base)/etc/group", with: "www:x:55:\n".utf8)
        var overrides = ImageImporter.Overrides()
        overrides.command = ["/bin/sh"]
        overrides.environment = ["BASE=yes"]
        _ = try ImageImporter(store: store).importImage(from: base, name: "base", overrides: overrides)
    }
}

@Suite(.enabled(if: runsAsRoot, "layers have owners, which need root")) struct BuildTests {
    @Test("the configuration is what the instructions say")
    func configuration() async throws {
        let fixture = try BuildFixture()
        try fixture.importBase()
        let image = try await fixture.build(
            """
            ARG TAG=latest
            FROM base:${TAG} AS final
            ARG TAG
            ARG VERSION=1
            ENV A="a b" B=$A C=${VERSION}
            ENV OLD some text
            LABEL "the key"=value tag=$TAG
            WORKDIR /srv
            WORKDIR app
            USER web
            EXPOSE 80 443/tcp 53/udp 9000-9001
            ENTRYPOINT ["/bin/web"]
            CMD -v
            """, arguments: ["VERSION": "2"])
        let config = image.config
        #expect(config.environment == ["BASE=yes", "A=a b", "B=", "C=2", "OLD=some text"])
        #expect(config.labels == ["the key": "value", "tag": "latest"])
        #expect(config.workingDirectory == "/srv/app" && config.user == "web")
        #expect(config.exposedPorts == ["80/tcp", "443/tcp", "53/udp", "9000/tcp", "9001/tcp"])
        #expect(config.entrypoint == ["/bin/web"] && config.command == ["/bin/sh", "-c", "-v"])
        #expect(try fixture.information(image, "/srv/app").map { $0.st_mode & S_IFMT == S_IFDIR } == true)
        #expect(image.names == ["t:latest"])
    }

    @Test("an argument from before FROM is empty after it until it is asked for")
    func argumentScope() async throws {
        let fixture = try BuildFixture()
        let image = try await fixture.build(
            "ARG X=1\nFROM scratch\nENV A=[$X]\nARG X\nENV B=[$X]\nARG Y\nENV C=[${Y:-none}]\n")
        #expect(image.config.environment == ["A=[]", "B=[1]", "C=[none]"])
    }

    @Test("ENTRYPOINT drops the command of the base, not one of its own")
    func entrypoint() async throws {
        let fixture = try BuildFixture()
        try fixture.importBase()
        #expect(try await fixture.build("FROM base\nENTRYPOINT [\"/x\"]\n").config.command == [])
        #expect(
            try await fixture.build("FROM base\nCMD [\"y\"]\nENTRYPOINT [\"/x\"]\n").config.command == ["y"])
    }

    @Test("COPY puts files where Docker puts them")
    func copy() async throws {
        let fixture = try BuildFixture()
        try fixture.importBase()
        try fixture.file("site/index.html", "index")
        try fixture.file("site/deep/page.html", "page")
        try fixture.file("a.txt", "A")
        try fixture.file("b.txt", "B")
        let image = try await fixture.build(
            """
            FROM base
            COPY site /www
            COPY a.txt /renamed
            COPY a.txt /www
            COPY *.txt /texts/
            COPY --chown=web --chmod=750 b.txt /owned/
            COPY --chown=12:www b.txt /numbers
            COPY a.txt /bin/tool
            WORKDIR /srv
            COPY a.txt .
            COPY ["b.txt", "with space"]
            ADD a.txt /tmp/
            """)
        #expect(try fixture.read(image, "/www/index.html") == "index")
        #expect(try fixture.read(image, "/www/deep/page.html") == "page")
        #expect(try fixture.read(image, "/renamed") == "A")
        #expect(try fixture.read(image, "/www/a.txt") == "A")
        #expect(try fixture.read(image, "/texts/b.txt") == "B")
        let owned = try #require(try fixture.information(image, "/owned/b.txt"))
        #expect(owned.st_uid == 33 && owned.st_gid == 44 && owned.st_mode & 0o7777 == 0o750)
        let numbers = try #require(try fixture.information(image, "/numbers"))
        #expect(numbers.st_uid == 12 && numbers.st_gid == 55)
        // Through the image's link: /bin stays a link.
        #expect(try fixture.read(image, "/usr/bin/tool") == "A")
        #expect(try fixture.read(image, "/bin/sh") == "shell")
        #expect(try fixture.read(image, "/srv/a.txt") == "A")
        #expect(try fixture.read(image, "/srv/with space") == "B")
        #expect(try fixture.information(image, "/tmp").map { $0.st_mode & 0o7777 } == 0o1777)
    }

    @Test("ADD unpacks archives of the context and copies other files")
    func add() async throws {
        let fixture = try BuildFixture()
        try fixture.file("content/x", "packed")
        let made = try ToolRunner(scratch: fixture.scratch.path).run([
            "tar", "-C", fixture.context + "/content", "-czf", fixture.context + "/a.tgz", "x",
        ])
        #expect(made.status == 0)
        try fixture.file("plain.gz", "not an archive")
        let image = try await fixture.build("FROM scratch\nADD a.tgz plain.gz /opt/\nCOPY a.tgz /kept\n")
        #expect(try fixture.read(image, "/opt/x") == "packed")
        #expect(try fixture.read(image, "/opt/plain.gz") == "not an archive")
        #expect(try fixture.read(image, "/opt/a.tgz") == nil)
        #expect(try fixture.information(image, "/kept") != nil)
    }

    @Test("what ignore rules name is not copied, and .voltignore goes before .dockerignore")
    func ignored() async throws {
        let fixture = try BuildFixture()
        try fixture.file("src/a.c", "a")
        try fixture.file("src/a.o", "o")
        try fixture.file("secret/key", "k")
        try fixture.file("secret/public", "p")
        try fixture.file(".dockerignore", "src\n")
        try fixture.file(".voltignore", "**/*.o\nsecret\n!secret/public\n.voltignore\n")
        let image = try await fixture.build("FROM scratch\nCOPY . /\n")
        #expect(try fixture.read(image, "/src/a.c") == "a")
        #expect(try fixture.read(image, "/src/a.o") == nil)
        #expect(try fixture.read(image, "/secret/key") == nil)
        #expect(try fixture.read(image, "/secret/public") == "p")
        await #expect { try await fixture.build("FROM scratch\nCOPY src/a.o /\n") } throws: {
            ($0 as? VoltError)?.message
                == "Voltfile:2: 'src/a.o' is not in the context: an ignore rule leaves it out"
        }
    }

    @Test(
        "nothing outside of the context is read, through no link",
        arguments: ["../secret", "out/file", "up/secret", "out"])
    func outside(source: String) async throws {
        let fixture = try BuildFixture()
        try Files.makeDirectory("\(fixture.scratch.path)/outside")
        try Files.replace("\(fixture.scratch.path)/outside/file", with: "secret".utf8)
        try Files.replace("\(fixture.scratch.path)/secret", with: "secret".utf8)
        symlink("\(fixture.scratch.path)/outside", "\(fixture.context)/out")
        symlink("..", "\(fixture.context)/up")
        if source == "out" {
            // The link itself is copied as a link.
            let image = try await fixture.build("FROM scratch\nCOPY out /\n")
            let information = try fixture.store.view(lowers: image.lowers).find([Array("out".utf8)])?
                .information
            #expect(information.map { $0.st_mode & S_IFMT } == S_IFLNK)
        } else {
            await #expect(throws: VoltError.self) {
                try await fixture.build("FROM scratch\nCOPY \(source) /x\n")
            }
        }
    }

    @Test("a Voltfile that is a link out of the context is not read")
    func linkedVoltfile() async throws {
        let fixture = try BuildFixture()
        try Files.replace("\(fixture.scratch.path)/elsewhere", with: "FROM scratch\n".utf8)
        symlink("../elsewhere", "\(fixture.context)/Voltfile")
        await #expect {
            try await ImageBuilder(images: ImageSource(store: fixture.store), runner: ScriptedRunner()).build(
                .init(context: fixture.context)
            ) { _ in }
        } throws: {
            ($0 as? VoltError)?.code == .refused
        }
    }

    @Test("a step whose inputs did not change is taken from the store, and those after a change are not")
    func cache() async throws {
        let fixture = try BuildFixture()
        try fixture.importBase()
        try fixture.file("a", "1")
        try fixture.file("b", "1")
        let text = "FROM base\nCOPY a /a\nRUN [\"write\", \"r\", \"x\"]\nCOPY b /b\n"
        let first = Said()
        let one = try await fixture.build(text, said: first)
        #expect(first.cached == [false, false, false, false])
        let second = Said()
        let two = try await fixture.build(text, said: second)
        #expect(second.cached == [false, true, true, true] && one.digest == two.digest)
        // Another time of change is not another file.
        utimes("\(fixture.context)/a", nil)
        let touched = Said()
        _ = try await fixture.build(text, said: touched)
        #expect(touched.cached == [false, true, true, true])
        try fixture.file("b", "2")
        let third = Said()
        let three = try await fixture.build(text, said: third)
        #expect(third.cached == [false, true, true, false] && three.digest != one.digest)
        try fixture.file("a", "2")
        let fourth = Said()
        _ = try await fixture.build(text, said: fourth)
        #expect(fourth.cached == [false, false, false, false])
    }

    @Test("RUN gets arguments and variables, the directory and the user, and depends on them")
    func run() async throws {
        let fixture = try BuildFixture()
        try fixture.importBase()
        let text = "FROM base\nARG V=1\nENV E=2\nWORKDIR /www\nUSER web\nRUN [\"write\", \"r\", \"x\"]\n"
        let said = Said()
        let image = try await fixture.build(text, said: said)
        #expect(said.lines == ["in /www as 'web' with BASE=yes,E=2,V=1"])
        #expect(try fixture.read(image, "/r") == "x")
        #expect(image.config.environment == ["BASE=yes", "E=2"])
        let other = Said()
        _ = try await fixture.build(text, arguments: ["V": "3"], said: other)
        #expect(other.cached.last == false)
    }

    @Test("a RUN that fails gives its code and line, and leaves no layer")
    func failedRun() async throws {
        let fixture = try BuildFixture()
        await #expect { try await fixture.build("FROM scratch\n\nRUN [\"fail\", \"3\"]\n") } throws: {
            let failure = $0 as? BuildStepFailure
            return failure?.status == 3
                && failure?.error.message == "Voltfile:3: 'RUN [\"fail\", \"3\"]' ended with 3"
        }
        #expect(try Files.list("\(fixture.store.root)/tmp").isEmpty)
        #expect(try fixture.store.images().isEmpty)
    }

    @Test(
        "mistakes that show only while building have their line",
        arguments: [
            ("FROM nowhere\n", "Voltfile:1: image 'nowhere' is not in the local store"),
            ("FROM scratch\nCOPY nothing /x\n", "Voltfile:2: 'nothing' is not in the context"),
            ("FROM scratch\nCOPY *.none /x\n", "Voltfile:2: '*.none' is not in the context"),
            (
                "FROM base\nCOPY --chown=nobody Voltfile /x\n",
                "Voltfile:2: 'nobody' is not in '/etc/passwd' of the image"
            ),
            (
                "FROM base\nCOPY --chown=4294967295 Voltfile /x\n",
                "Voltfile:2: '4294967295' is not the number of a user or group"
            ),
            (
                "FROM base\nCOPY --chown=0:2147483648 Voltfile /x\n",
                "Voltfile:2: '2147483648' is not the number of a user or group"
            ),
            (
                "FROM base\nCOPY --chown=-1:0 Voltfile /x\n",
                "Voltfile:2: '-1' is not the number of a user or group"
            ),
            (
                "FROM base\nUSER 4294967295\n",
                "Voltfile parse error: Voltfile:2: '4294967295' is not the number of a user or group"
            ),
            (
                "FROM base\nENV ID=-1\nUSER app:$ID\n",
                "Voltfile parse error: Voltfile:3: '-1' is not the number of a user or group"
            ),
            ("FROM scratch\nEXPOSE http\n", "Voltfile parse error: Voltfile:2: 'http' is not a port"),
            ("FROM scratch\nEXPOSE 80/icmp\n", "Voltfile parse error: Voltfile:2: '80/icmp' is not a port"),
            (
                "FROM scratch\nENV A=${B:?no}\n",
                "Voltfile parse error: Voltfile:2: '${B:?no}' has a variable in a form that is not supported"
            ),
            ("FROM base\nWORKDIR /etc/passwd\n", "Voltfile:2: '/etc/passwd' is not a directory in the image"),
            (
                "FROM base\nCOPY tree /\n",
                "Voltfile:2: '/bin' is a link in the image and a directory in the source"
            ),
            (
                "FROM scratch\nCOPY Voltfile tree /x\n",
                "Voltfile:2: '/x' must end with '/' because there are several sources"
            ),
        ])
    func mistakes(text: String, expected: String) async throws {
        let fixture = try BuildFixture()
        try fixture.importBase()
        try fixture.file("tree/bin/tool", "x")
        await #expect { try await fixture.build(text) } throws: { ($0 as? VoltError)?.message == expected }
    }
}
