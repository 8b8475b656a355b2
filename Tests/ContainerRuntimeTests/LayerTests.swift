import ContainerSandbox
import Testing
import VoltStore
import VoltSystem
import VoltTestKit

/// Images whose layers are trees of the content store.
@Suite(.enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"))
struct LayerTests {
    let host: RuntimeHost

    init() throws { host = try RuntimeHost() }

    private var images: String { "\(host.scratch.path)/root/lib/container/images" }

    @discardableResult
    private func shell(_ script: String) throws -> String {
        let result = try host.run.run(["sh", "-ec", script])
        try #require(result.status == 0, "\(result.stderr)")
        return result.stdout
    }

    @Test(
        "two images that share a file have it once on the disk and once in memory, and neither goes while it is used"
    )
    func shared() throws {
        try shell(
            """
            cp -a busybox one; cp -a busybox two; head -c 8000000 /dev/urandom > one/big; cp one/big two/other
            touch -d 2001-01-01 two/other; chmod 600 two/other; echo 1 > one/1
            """)
        for name in ["one", "two"] {
            try #require(try host.volt("import", "--name", name, "\(host.scratch.path)/\(name)").status == 0)
            try #require(try host.volt("run", "-d", "--name", name, name, "sleep", "1000").status == 0)
        }
        let objects = try shell("find \(images)/store/objects -size +7000k").split(separator: "\n")
        #expect(objects.count == 1)
        #expect(try shell("find \(images)/layers -mindepth 1 -type d") == "")
        let resident = "fincore -bno RES '\(objects[0])' | tr -d ' \\n'"
        try shell("sync; dd if='\(objects[0])' iflag=nocache count=0 status=none")
        #expect(try shell(resident) == "0")
        try #require(
            try host.volt("exec", "one", "sh", "-c", "busybox head -c 4000000 /big > /dev/null").status == 0)
        #expect(Int(try shell(resident)) ?? 0 >= 4_000_000)
        let other = try host.volt(
            "exec", "two", "sh", "-c",
            "cat /other > /dev/null; busybox stat -c '%a %Y' /other; echo x >> /other")
        #expect(other.stdout == "600 978307200\n", "\(other)")
        #expect(Int(try shell(resident)) ?? 0 >= 8_000_000)
        #expect(try shell("stat -c %s '\(objects[0])'") == "8000000\n")
        let removal = try host.volt("rmi", "two")
        #expect(removal.status == 4 && removal.stderr.contains("used by container 'two'"), "\(removal)")
        #expect(try host.volt("rm", "-f", "one").status == 0)
        #expect(try host.volt("rmi", "one").status == 0)
        #expect(try host.volt("exec", "two", "sh", "-c", "busybox wc -c < /other").stdout == "8000002\n")
        #expect(try host.volt("rm", "-f", "two").status == 0)
        #expect(try host.volt("rmi", "two", "busybox").status == 0)
        #expect(
            try shell("find \(images)/store/objects -type f; ls \(images)/layers \(images)/store/tags")
                .contains("sha") == false)
        #expect(try shell("find \(images)/store/objects -type f") == "")
    }

    @Test(
        "an import that is killed at any moment leaves a sound store, and the next removal clears what is left"
    )
    func killedImport() throws {
        try shell("mkdir -p big/d; cp -a busybox/. big; for i in $(seq 400); do echo $i > big/d/$i; done")
        var killed = 0
        for round in 0..<12 {
            try shell("echo \(round) > big/round")
            let result = try host.run.run(
                [
                    "timeout", "-s", "KILL", "0.\(round % 3)\(round % 9 + 1)", "volt-container", "import",
                    "--name", "big", "big",
                ])
            if result.status != 0 { killed += 1 }
        }
        #expect(killed > 0)
        #expect(
            try host.run("volt-cas", "verify", "--read-data", "-q", "--store", "\(images)/store").status == 0)
        try #require(try host.volt("import", "--name", "big", "\(host.scratch.path)/big").status == 0)
        #expect(try host.volt("run", "--rm", "big", "cat", "/d/400").stdout == "400\n")
        #expect(try host.volt("rmi", "big").status == 0)
        #expect(try shell("ls -A \(images)/store/sessions \(images)/tmp | grep -v : || :") == "\n")
        #expect(try host.volt("rmi", "busybox").status == 0)
        #expect(try shell("find \(images)/store/objects \(images)/store/tags -type f") == "")
    }

    @Test("an image of the names that is gone is made again")
    func cache() throws {
        try #require(try host.volt("create", "--name", "c", "busybox", "cat", "/www/index.html").status == 0)
        try shell("rm \(images)/store/cache/*.erofs")
        #expect(try host.volt("start", "c").status == 0)
        _ = try host.wait(for: "c") { $0.state == "exited" }
        #expect(try host.volt("logs", "c").stdout.contains("hello"))
    }

    @Test("where trees cannot be mounted layers are directories, and images of both forms run")
    func directories() throws {
        let form = "\(host.scratch.path)/root/run/container/layers"
        try shell(
            """
            printf '{"boot":"%s","reason":"no EROFS here"}' "$(cat /proc/sys/kernel/random/boot_id)" > \(form)
            cp -a busybox plain; echo plain > plain/www/index.html
            """)
        let result = try host.volt("import", "--name", "plain", "\(host.scratch.path)/plain")
        #expect(result.stderr.contains("trees cannot be mounted: no EROFS here"), "\(result)")
        #expect(try shell("cat \(images)/layers/*/www/index.html") == "plain\n")
        #expect(try host.volt("run", "--rm", "plain", "cat", "/www/index.html").stdout == "plain\n")
        try shell(
            "rm \(form); mkdir context; printf 'FROM plain\\nRUN echo more > /www/more; rm /www/index.html\\n' > context/Voltfile"
        )
        try #require(try host.volt("build", "-t", "both", "\(host.scratch.path)/context").status == 0)
        #expect(try shell("ls -d \(images)/layers/*/ | wc -l") == "1\n")
        let both = try host.volt("run", "--rm", "both", "sh", "-c", "ls /www; cat /www/more")
        #expect(both.stdout == "more\nmore\n", "\(both)")
    }

    @Test(
        "a root file system is mounted from the images of the names themselves, and through loop devices",
        arguments: ["file", "loop"])
    func sources(source: String) throws {
        try shell(
            "mkdir low top upper work stage; echo old > low/old; echo file > low/file; echo gone > low/gone; mknod top/gone c 0 0; echo new > top/old"
        )
        let store = try ContentStore.create("\(host.scratch.path)/store")
        var options = IngestOptions()
        options.representation = .bare
        let root = host.scratch.path
        var settings = RootSettings(stage: "\(root)/stage", upper: "\(root)/upper", work: "\(root)/work")
        for name in ["top", "low"] {
            let tree = try store.addTree("\(host.scratch.path)/\(name)", options: options)
            settings.layers.layers.append(.names(try store.prepareMount(of: tree.digest)))
        }
        settings.layers.objects = store.objects
        settings.layers.source = NamesImage.Source(rawValue: source)
        try Files.replace("\(host.scratch.path)/settings", with: try settings.encoded())
        let result = try host.run.run(["volt-container--run", "probe", "\(host.scratch.path)/settings"])
        #expect(result.status == 0, "\(result)")
        #expect(try shell("ls upper") == "")
    }
}
