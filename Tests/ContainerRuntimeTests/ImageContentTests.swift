import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// What an image has in places where something else is mounted: /run, and where volumes go.
@Suite(.enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"))
struct ImageContentTests {
    let host: RuntimeHost

    init() throws { host = try RuntimeHost() }

    /// An image with a directory that has everything a copy must keep.
    private func image(_ path: String) throws {
        let script = """
            cd busybox && mkdir -p .\(path)/deep && cd .\(path)
            echo text >file; ln file hard; ln -s file soft; ln -s /nowhere/else dangling; mkfifo pipe
            setfattr -n user.note -v kept file 2>/dev/null
            chown -hR 70:71 .; chmod 4711 file; chmod 2770 .; touch -d 2020-01-02T03:04:05Z file deep .
            """
        let made = try host.run.run(["sh", "-c", script])
        try #require(made.status == 0, "\(made.stderr)")
        try #require(
            try host.volt("import", "--name", "full", "\(host.scratch.path)/busybox").status == 0)
    }

    private func show(_ path: String) -> String {
        "cd \(path); busybox stat -c '%n %a %u %g %h %Y' . deep file hard; busybox readlink soft; busybox readlink dangling;"
            + " test -p pipe && cat soft"
    }

    private let shown = """
        . 2770 70 71 3 1577934245
        deep 755 70 71 2 1577934245
        file 4711 70 71 2 1577934245
        hard 4711 70 71 2 1577934245
        file
        /nowhere/else
        text

        """

    @Test("what the image has below /run is there as it is, also by /var/run and in a read-only root")
    func run() throws {
        try image("/run/postgresql")
        try #require(
            try host.run.run(["sh", "-c", "cd busybox; mkdir -p var; ln -s /run var/run"]).status == 0)
        let root = "\(host.scratch.path)/busybox"
        try #require(try host.volt("import", "--name", "full", root).status == 0)
        let result = try host.volt("run", "--rm", "full", "sh", "-c", show("/var/run/postgresql"))
        #expect(result.stdout == shown, "\(result.stderr)")
        // A volume below /run covers what the image has there, and what is written does not change the image.
        let mixed = try host.volt(
            "run", "--rm", "--read-only", "-v", "data:/run/postgresql/deep", "full", "sh", "-c",
            "touch /run/new /run/postgresql/deep/kept; ls /run/postgresql; busybox stat -c %u /run/postgresql/deep"
        )
        #expect(mixed.stdout == "dangling\ndeep\nfile\nhard\npipe\nsoft\n70\n", "\(mixed.stderr)")
        #expect(
            try Files.list("\(host.scratch.path)/root/lib/container/volumes/data") == ["kept"])
        let again = try host.volt("run", "--rm", "full", "ls", "/run")
        #expect(!again.stdout.contains("new"))
        #expect(again.stdout.contains("postgresql"))
    }

    @Test("what a step of a build does below /run, /tmp and /var/tmp is in the image, and nothing else")
    func build() throws {
        try image("/run/postgresql")
        let directory = "\(host.scratch.path)/context"
        try Files.makeDirectory(directory)
        try Files.replace(
            "\(directory)/Voltfile",
            with: """
                FROM full
                RUN busybox mkdir -p /var/tmp /tmp && touch /tmp/kept /var/tmp/kept
                RUN busybox mkdir /run/mysqld && busybox chown 5:6 /run/mysqld && busybox chmod 1777 /run/mysqld && touch /run/mysqld/kept && rm /run/postgresql/hard
                CMD ["sh", "-c", "busybox stat -c '%n %a %u %g' /run/mysqld; ls /run/mysqld /tmp /var/tmp /run/postgresql"]
                """.utf8)
        let build = try host.volt("build", "-t", "built", directory)
        try #require(build.status == 0, "\(build.stderr)")
        let result = try host.volt("run", "--rm", "built")
        #expect(
            result.stdout
                == "/run/mysqld 1777 5 6\n/run/mysqld:\nkept\n\n/run/postgresql:\ndangling\ndeep\nfile\npipe\nsoft\n"
                + "\n/tmp:\nkept\n\n/var/tmp:\nkept\n", "\(result.stderr)")
        // Of what the runtime itself mounts nothing is in the layer.
        let inside = try host.volt(
            "run", "--rm", "built", "sh", "-c", "ls /run | busybox grep -v -e host -e volt-")
        #expect(inside.stdout == "mysqld\npostgresql\n")
    }

    @Test("an image runs that has what is mounted below /run, or more there than is kept in memory")
    func tooMuchRun() throws {
        let made = try host.run.run(
            [
                "sh", "-c",
                "cd busybox; mkdir -p run/host/evil run/a; echo x >run/a/x; truncate -s 300M run/big",
            ])
        try #require(made.status == 0)
        try #require(try host.volt("import", "--name", "full", "\(host.scratch.path)/busybox").status == 0)
        let result = try host.volt(
            "run", "--rm", "full", "sh", "-c", "ls /run/host; cat /run/a/x; ls /run/big")
        #expect(!result.stdout.contains("evil"), "\(result)")
        #expect(
            result.stderr.contains("the image has more than 256M below '/run'; the rest is left out"),
            "\(result)")
    }

    @Test("a link in the place of /run leads nowhere out of the image")
    func linkedRun() throws {
        let outside = "\(host.scratch.path)/outside"
        try Files.makeDirectory("\(outside)/secret")
        let script = "rm -rf busybox/run; ln -s ../../../../../../../..\(outside) busybox/run"
        try #require(try host.run.run(["sh", "-c", script]).status == 0)
        try #require(
            try host.volt("import", "--name", "linked", "\(host.scratch.path)/busybox").status == 0)
        let result = try host.volt("run", "--rm", "linked", "sh", "-c", "ls /run; touch /run/new")
        #expect(!result.stdout.contains("secret"))
        #expect(try Files.list(outside) == ["secret"], "\(result)")
        // Others that systemd-nspawn writes to by name.
        let more = "rm -rf busybox/dev busybox/run; ln -s ../../../../../../../..\(outside) busybox/dev"
        try #require(try host.run.run(["sh", "-c", more]).status == 0)
        try #require(try host.volt("import", "--name", "dev", "\(host.scratch.path)/busybox").status == 0)
        #expect(try host.volt("run", "--rm", "dev", "test", "-c", "/dev/null").status == 0)
        #expect(try Files.list(outside) == ["secret"])
    }

    @Test(
        "a new volume begins with what the image has at its place, once; a read-only one too",
        arguments: ["", ":ro"])
    func newVolume(mode: String) throws {
        try image("/srv/data")
        let mount = "data:/srv/data\(mode)"
        let first = try host.volt("run", "--rm", "-v", mount, "full", "sh", "-c", show("/srv/data"))
        #expect(first.stdout == shown, "\(first.stderr)")
        // What is removed afterwards stays so, and what is there already is nobody's to change.
        let emptied = try host.volt(
            "run", "--rm", "-v", "data:/srv/data", "full", "sh", "-c", "cd /srv/data; busybox rm -r *")
        #expect(emptied.status == 0, "\(emptied.stderr)")
        #expect(try host.volt("run", "--rm", "-v", mount, "full", "ls", "/srv/data").stdout == "")
        let volumes = "\(host.scratch.path)/root/lib/container/volumes"
        #expect(try Files.list(volumes) == ["data"])
    }

    @Test("a mount has its place below the root", arguments: ["/", "//", "/srv/..", "/./srv"])
    func target(_ target: String) throws {
        let result = try host.volt("run", "--rm", "-v", "data:\(target)", "busybox", "true")
        #expect(result.status == 64, "\(result)")
        #expect(!Files.exists("\(host.scratch.path)/root/lib/container/volumes/data"))
    }

    @Test("with nocopy a new volume is empty, and so is one that is mounted where the image has nothing")
    func emptyVolume() throws {
        try image("/srv/data")
        let list = "ls /srv/data /new; busybox stat -c %u /srv/data"
        let result = try host.volt(
            "run", "--rm", "-v", "a:/srv/data:nocopy", "-v", "b:/new", "full", "sh", "-c", list)
        #expect(result.stdout == "/new:\n\n/srv/data:\n0\n", "\(result.stderr)")
        #expect(try host.volt("create", "-v", "/etc:/a:nocopy", "full", "true").status == 64)
    }

    @Test("a volume whose filling was cut off is filled anew; an earlier version's empty one stays so")
    func cutOff() throws {
        try image("/srv/data")
        let volumes = "\(host.scratch.path)/root/lib/container/volumes"
        // As a kill leaves it.
        try Files.makeDirectory("\(volumes)/.new-data")
        try Files.replace("\(volumes)/.new-data/half", with: [])
        try Files.makeDirectory("\(volumes)/earlier")
        let result = try host.volt(
            "run", "--rm", "-v", "data:/srv/data", "-v", "earlier:/mnt", "full", "sh", "-c",
            "ls /srv/data /mnt")
        #expect(
            result.stdout == "/mnt:\n\n/srv/data:\ndangling\ndeep\nfile\nhard\npipe\nsoft\n",
            "\(result.stderr)")
        #expect(try Files.list(volumes) == ["data", "earlier"])
    }
}
