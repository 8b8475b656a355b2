import Glibc
import Testing
import VoltOCI
import VoltSystem
import VoltTestKit

@Suite(
    .timeLimit(.minutes(5)),
    .enabled(
        if: geteuid() == 0
            && ["docker-registry", "skopeo", "umoci", "htpasswd", "podman", "getfattr"].allSatisfy {
                Files.exists("/usr/bin/\($0)")
            },
        "needs root and the packages docker-registry, skopeo, umoci, podman, attr and apache2-utils"))
struct ContainerPushTests {
    private struct Pushed {
        let digest: String
        let text: String

        func says(_ key: String, _ value: String) -> Bool { text.contains("\"\(key)\" : \(value)") }
    }

    private func push(_ bench: Bench, _ words: String...) throws -> Pushed {
        let result = try bench.run.run(["volt-container", "push", "-o", "json"] + words)
        try #require(result.status == 0, "\(result.stderr)")
        let digest = try #require(
            result.stdout.split(separator: "\"digest\" : \"").last?.split(separator: "\"").first)
        return Pushed(digest: String(digest), text: result.stdout)
    }

    /// All that a tree has: names, kinds, modes, owners, targets, times, links, bytes and attributes.
    private func listing(_ bench: Bench, _ directory: String) throws -> String {
        try bench.ok(
            "sh", "-c",
            """
            cd \(directory) && find . ! -name . \\( -type d -printf '%p %y %m %U:%G %T@\\n' -o -printf '%p %y %m %U:%G %n %l %T@\\n' \\) | sort
            find . -type f -print0 | sort -z | xargs -0 sha256sum
            getfattr -R -h -d -m '^(user|security.capability)' -e hex . | sort
            """)
    }

    /// A tree with what a layer can have, and what is easy to get wrong.
    private func tree(_ bench: Bench) throws {
        try bench.ok(
            "sh", "-c",
            """
            mkdir -p tree/etc 'tree/a b' tree/empty tree/bin && cd tree
            echo hello > etc/motd && ln etc/motd 'a b/second' && ln -s ../etc/motd 'a b/link' && ln -s /nowhere dangling
            head -c 300000 /dev/urandom > bin/tool && chown 7:8 bin/tool && chmod 6755 bin/tool
            chown 1000:1000 'a b' && chmod 1770 'a b' && : > nothing && chmod 000 nothing && mkfifo pipe
            setfattr -n user.note -v text bin/tool && setfattr -n user.dir -v text empty
            setcap cap_net_bind_service=ep bin/tool 2>/dev/null || true
            name=$(printf 'n%.0s' $(seq 120)); mkdir -p $name/$name && echo deep > $name/$name/$name
            printf x > "$(printf 'umlaut-\\303\\274')" && printf x > "$(printf 'not-utf8-\\377')"
            touch -d '2001-02-03 04:05:06.123456789' etc/motd
            """)
    }

    @Test(
        "the files of an image are the same behind a push, whatever it is compressed with",
        arguments: Kind.allCases, ["gzip", "zstd", "none"])
    func trees(kind: Kind, form: String) throws {
        let bench = try Bench(kind)
        try tree(bench)
        // podman knows no time before 1970.
        if form != "zstd" { try bench.ok("touch", "-d", "1969-12-31", "tree/nothing") }
        try bench.ok("volt-container", "import", "tree", "--name", "web")
        let pushed = try push(bench, "--compression", form, "web", "\(bench.host)/web:1")
        #expect(
            try bench.skopeo(
                "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://\(bench.host)/web:1")
                == "\(pushed.digest)\n")
        // skopeo compares each layer with its digest, and the layout is unpacked by umoci where it can.
        _ = try bench.skopeo(
            "copy", "--insecure-policy", "--src-tls-verify=false", "docker://\(bench.host)/web:1", "oci:out:a"
        )
        let wanted = try listing(bench, "tree")
        if form == "zstd" {
            try bench.ok(
                "podman", "--root", "\(bench.scratch.path)/podman", "--runroot",
                "\(bench.scratch.path)/podman-run", "--storage-driver", "vfs", "pull", "--tls-verify=false",
                "\(bench.host)/web:1")
            let mounted = try bench.ok(
                "podman", "--root", "\(bench.scratch.path)/podman", "--runroot",
                "\(bench.scratch.path)/podman-run", "--storage-driver", "vfs", "image", "mount",
                "\(bench.host)/web:1"
            ).dropLast()
            #expect(try listing(bench, String(mounted)) == wanted)
        } else {
            try bench.ok("umoci", "unpack", "--image", "out:a", "bundle")
            #expect(try listing(bench, "bundle/rootfs") == wanted)
        }
        let type = try bench.ok("volt-registry", "manifest", "fetch", "\(bench.host)/web:1")
        #expect(
            type.contains("application/vnd.oci.image.layer.v1.tar\(form == "none" ? "\"" : "+\(form)\"")"))
    }

    @Test(
        "an image that is pushed again is the same and moves nothing, whoever made it",
        arguments: Kind.allCases)
    func again(kind: Kind) throws {
        let bench = try Bench(kind)
        try tree(bench)
        try bench.ok("volt-container", "import", "tree", "--name", "web")
        let first = try push(bench, "web", "\(bench.host)/web:1")
        #expect(first.says("sentBlobs", "2") && first.says("keptBlobs", "0"), "\(first.text)")
        let second = try push(bench, "web", "\(bench.host)/web:1")
        #expect(second.digest == first.digest && second.says("unchanged", "true"), "\(second.text)")
        #expect(second.says("sentBlobs", "0"))
        // Another tag of the repository has the blobs; another repository mounts the layer.
        let tag = try push(bench, "web", "\(bench.host)/web:2")
        #expect(tag.digest == first.digest && tag.says("sentBlobs", "0") && tag.says("unchanged", "false"))
        let other = try push(bench, "web", "\(bench.host)/team/other")
        #expect(other.digest == first.digest && other.says("keptBlobs", "1"), "\(other.text)")
        // What is lost there is made again, into the same bytes.
        let another = try Bench(kind)
        let made = try bench.run.run([
            "volt-container", "push", "-o", "json", "web", "\(another.host)/web:1",
        ])
        #expect(
            made.stdout.contains(first.digest) && made.stdout.contains("\"sentBlobs\" : 2"), "\(made.stderr)")
    }

    @Test("an image that was pulled keeps its digest, at the registry it came from and at others")
    func kept() throws {
        let bench = try Bench(.volt)
        let other = try Bench(.docker)
        try bench.image()
        try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/base:1")
        let digest = try bench.ok("volt-registry", "resolve", "\(bench.host)/base:1").dropLast()
        try bench.ok("volt-container", "pull", "\(bench.host)/base:1")
        let same = try push(bench, "\(bench.host)/base:1")
        #expect(same.digest == digest && same.says("unchanged", "true"), "\(same.text)")
        let mounted = try push(bench, "\(bench.host)/base:1", "\(bench.host)/mounted:1")
        #expect(mounted.digest == digest && mounted.says("keptBlobs", "1"), "\(mounted.text)")
        let moved = try push(bench, "\(bench.host)/base:1", "\(other.host)/base:1")
        #expect(moved.digest == digest && moved.says("sentBlobs", "2"), "\(moved.text)")
        #expect(try bench.ok("volt-registry", "resolve", "\(other.host)/base:1").dropLast() == digest)
        // What is built on it has its layer as it came.
        try Files.makeDirectory("\(bench.scratch.path)/context")
        try Files.replace(
            "\(bench.scratch.path)/context/Voltfile",
            with: "FROM \(bench.host)/base:1\nWORKDIR /work\nENV A=b\nUSER 7\nLABEL k=v\nCMD [\"/x\"]\n".utf8)
        try bench.ok("volt-container", "build", "--tag", "built", "context")
        let built = try push(bench, "built", "\(bench.host)/built:1")
        #expect(built.digest != digest && built.says("keptBlobs", "1"), "\(built.text)")
        let base = try OCIDocument(
            Array(try bench.ok("volt-registry", "manifest", "fetch", "\(bench.host)/base:1").utf8))
        let made = try OCIDocument(
            Array(try bench.ok("volt-registry", "manifest", "fetch", "\(bench.host)/built:1").utf8))
        #expect(made.layers.count == 2 && made.layers[0].digest == base.layers[0].digest)
        let config = try bench.skopeo(
            "inspect", "--config", "--raw", "--tls-verify=false", "docker://\(bench.host)/built:1")
        for part in [
            "\"WorkingDir\":\"/work\"", "\"Env\":[\"A=b\"]", "\"User\":\"7\"", "\"Labels\":{\"k\":\"v\"}",
            "\"Cmd\":[\"/x\"]",
        ] { #expect(config.contains(part), "\(config)") }
    }

    @Test("layers that are nowhere any more are refused, and made anew when that is asked for")
    func gone() throws {
        let bench = try Bench(.volt)
        let other = try Bench(.docker)
        do {
            let gone = try Bench(.docker)
            try gone.image()
            try gone.ok(
                "umoci", "config", "--image", "img:a", "--author", "somebody", "--config.cmd", "/bin/hello")
            try gone.ok("volt-registry", "copy", "oci:img:a", "\(gone.host)/base:1")
            try bench.ok("volt-container", "pull", "\(gone.host)/base:1")
            try bench.ok("volt-registry", "copy", "\(gone.host)/base:1", "\(bench.host)/copy:1")
            let name = "\(gone.host)/base:1"
            gone.stop()
            let refused = try bench.run.run(["volt-container", "push", name, "\(other.host)/base:1"])
            #expect(refused.status == 3 && refused.stderr.contains("--compression gzip"), "\(refused.stderr)")
            #expect(try bench.run.run(["volt-registry", "resolve", "\(other.host)/base:1"]).status == 3)
            // Where it is, nothing else is needed.
            let there = try push(bench, name, "\(bench.host)/copy:2")
            #expect(there.says("sentBlobs", "0"), "\(there.text)")
            let anew = try push(bench, "--compression", "gzip", name, "\(other.host)/base:1")
            #expect(anew.digest != there.digest)
        }
        let config = try bench.skopeo(
            "inspect", "--config", "--raw", "--tls-verify=false", "docker://\(other.host)/base:1")
        #expect(config.contains("\"author\":\"somebody\"") && config.contains("\"history\":["), "\(config)")
        _ = try bench.skopeo(
            "copy", "--insecure-policy", "--src-tls-verify=false", "docker://\(other.host)/base:1",
            "oci:out:a")
        try bench.ok("umoci", "unpack", "--image", "out:a", "bundle")
        #expect(try Files.read("\(bench.scratch.path)/bundle/rootfs/etc/motd") == Array("hello\n".utf8))
    }

    @Test("layers that are directories, where trees cannot be mounted, become the same archives as trees")
    func directories() throws {
        let bench = try Bench(.volt)
        try tree(bench)
        try bench.ok("volt-container", "import", "tree", "--name", "web")
        let first = try push(bench, "web", "\(bench.host)/web:1")
        #expect(first.text.contains("lacks") == false, "\(first.text)")
        let wanted = first.digest
        try bench.ok("rm", "-r", "root")
        let form = "root/run/container/layers"
        try bench.ok(
            "sh", "-c",
            """
            mkdir -p $(dirname \(form))
            printf '{"boot":"%s","reason":"no EROFS here"}' "$(cat /proc/sys/kernel/random/boot_id)" > \(form)
            """)
        try bench.ok("volt-container", "import", "tree", "--name", "web")
        let images = "\(bench.scratch.path)/root/lib/container/images"
        #expect(try Files.list("\(images)/layers").contains { !$0.hasSuffix(".json") })
        let pushed = try push(bench, "--compression", "none", "web", "\(bench.host)/plain:1")
        #expect(pushed.says("sentBlobs", "2"))
        // The time at which it was imported is in the configuration, so only the layers are the same.
        let other = try push(bench, "web", "\(bench.host)/web:2")
        func layer(_ name: String) throws -> String? {
            try OCIDocument(
                Array(try bench.ok("volt-registry", "manifest", "fetch", "\(bench.host)/\(name)").utf8)
            )
            .layers.first?.digest
        }
        #expect(try layer("web:1") == layer("web:2") && other.digest != wanted)
        // A device node does not come in with a directory, and so does not go out; that is said.
        try bench.ok("sh", "-c", "mknod tree/device c 1 3; echo more > tree/etc/more")
        try bench.ok("volt-container", "import", "tree", "--name", "lacking")
        let lacking = try push(bench, "lacking", "\(bench.host)/lacking")
        #expect(lacking.text.contains("lacks 1 files"), "\(lacking.text)")
        // Nothing of the trees stays.
        #expect(
            try bench.ok("volt-cas", "tags", "--store", "\(images)/store", "-o", "json").contains("push/")
                == false)
        #expect(try bench.ok("sh", "-c", "find \(images)/store/objects -type f | wc -l") == "0\n")
    }

    @Test(
        "what a step of a build took away is away behind a push",
        .enabled(
            if: Files.exists("/usr/bin/systemd-nspawn") && Files.exists("/bin/busybox"),
            "needs systemd-nspawn and a static busybox"))
    func whiteouts() throws {
        let bench = try Bench(.docker)
        try bench.ok(
            "sh", "-c",
            """
            mkdir -p tree/bin tree/keep tree/gone tree/anew && cd tree && cp /bin/busybox bin/busybox
            ln -s busybox bin/sh; for d in keep gone anew; do echo x > $d/one; echo x > $d/two; done
            """)
        try bench.ok("volt-container", "import", "tree", "--name", "base")
        try Files.makeDirectory("\(bench.scratch.path)/context")
        try Files.replace(
            "\(bench.scratch.path)/context/Voltfile",
            with: """
                FROM base
                RUN bb=/bin/busybox; $bb rm /keep/one; $bb rm -r /gone; $bb rm -r /anew; $bb mkdir /anew; echo y > /anew/three

                """.utf8)
        try bench.ok("volt-container", "build", "--tag", "web", "context")
        let first = try push(bench, "web", "\(bench.host)/web:1")
        _ = try bench.skopeo(
            "copy", "--insecure-policy", "--src-tls-verify=false", "docker://\(bench.host)/web:1", "oci:out:a"
        )
        try bench.ok("umoci", "unpack", "--image", "out:a", "bundle")
        let names = try bench.ok("sh", "-c", "cd bundle/rootfs && find keep gone anew 2>/dev/null | sort")
        #expect(names == "anew\nanew/three\nkeep\nkeep/two\n")
        // And here again: the marks of overlayfs come back as they were.
        let bundle = try listing(bench, "bundle/rootfs")
        try bench.ok("volt-container", "rmi", "web")
        try bench.ok("volt-container", "pull", "\(bench.host)/web:1")
        let back = try push(bench, "\(bench.host)/web:1", "\(bench.host)/web:2")
        #expect(back.digest == first.digest)
        let anew = try push(bench, "--compression", "none", "\(bench.host)/web:1", "\(bench.host)/web:3")
        #expect(anew.digest != first.digest)
        _ = try bench.skopeo(
            "copy", "--insecure-policy", "--src-tls-verify=false", "docker://\(bench.host)/web:3", "oci:out:b"
        )
        try bench.ok("umoci", "unpack", "--image", "out:b", "second")
        #expect(try listing(bench, "second/rootfs") == bundle)
    }

    @Test("what cannot be pushed is refused with what to do")
    func refusals() throws {
        let bench = try Bench(.docker, hasLogins: true)
        try tree(bench)
        try bench.ok("volt-container", "import", "tree", "--name", "web")
        let unnamed = try bench.run.run(["volt-container", "push", "web"])
        #expect(
            unnamed.status == 64 && unnamed.stderr.contains("volt container push web HOST/REPOSITORY:TAG"),
            "\(unnamed.stderr)")
        let digest = "sha256:\(String(repeating: "0", count: 64))"
        #expect(
            try bench.run.run(["volt-container", "push", "web", "\(bench.host)/web@\(digest)"]).status == 64)
        #expect(try bench.run.run(["volt-container", "push", "none", "\(bench.host)/web"]).status == 3)
        let stranger = try bench.run.run(["volt-container", "push", "web", "\(bench.host)/web"])
        #expect(
            stranger.status == 5 && stranger.stderr.contains("volt registry login \(bench.host)"),
            "\(stranger.stderr)")
        try bench.ok(
            "volt-registry", "login", "--username", "alice", "--password-stdin", bench.host,
            input: "secret word")
        _ = try push(bench, "web", "\(bench.host)/web")
        try bench.ok("volt-registry", "resolve", "\(bench.host)/web:latest")
        // A name that means "take something away" in a layer.
        try Files.makeDirectory("\(bench.scratch.path)/odd")
        try Files.replace("\(bench.scratch.path)/odd/.wh.x", with: "".utf8)
        try bench.ok("volt-container", "import", "odd", "--name", "odd")
        let odd = try bench.run.run(["volt-container", "push", "odd", "\(bench.host)/odd"])
        #expect(odd.status == 1 && odd.stderr.contains(".wh.x"), "\(odd.stderr)")
        let left = try Files.list("\(bench.scratch.path)/root/lib/container/images/tmp")
        #expect(left.isEmpty)
    }
}
