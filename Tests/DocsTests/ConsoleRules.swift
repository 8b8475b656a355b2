/// What is special about a command of a console block. A command without a rule runs as it is, and ends with 0.
struct ConsoleRule {
    enum Way {
        /// It is not run.
        case skipped
        /// It goes on until SIGTERM and then ends with this status.
        case follows(Int32)
        /// It ends with this status.
        case ends(Int32)
        /// It needs something that the reader has; shell that makes it.
        case prepared(String)
        /// A text in it stands for one that nobody can print; shell that gives that.
        case stands(String, for: String)
    }

    /// The page or verb; empty for every one.
    let place: String
    /// How the command begins.
    let start: String
    let way: Way
    let reason: String

    func fits(_ command: ConsoleCommand) -> Bool {
        (place.isEmpty || command.place == place) && command.text.hasPrefix(start)
    }

    private init(_ place: String, _ start: String, _ way: Way, _ reason: String) {
        self.place = place
        self.start = start
        self.way = way
        self.reason = reason
    }

    static let all: [ConsoleRule] = pages + gitops + container + service + cas + registry

    // MARK: Pages

    private static let pages = [
        ConsoleRule("", "make ", .skipped, "builds a release of everything, or runs all tests"),
        ConsoleRule("", "apt-get install", .skipped, "needs a mirror of Debian"),
        ConsoleRule("", "systemctl ", .skipped, "systemd is not PID 1 here; scripts/on-systemd runs it"),
        ConsoleRule("README.md", "volt gitops serve", .follows(0), "a server"),
        ConsoleRule(
            "docs/getting-started.md", "volt container push busybox",
            .prepared("volt container rm --force hello || true"),
            "a registry takes it"),
    ]

    // MARK: Tools

    /// A pipeline `site` of a local repository, which its examples are about.
    private static let site = """
        volt gitops delete --name site || true
        volt gitops create --name site --repo "$PWD/site" --allow-file --provider github --branch main \\
            --workload web --secret-file hook.secret
        """
    private static func commit(_ text: String) -> String {
        "echo \(text) >site/www/index.html; git -C site -c user.name=a -c user.email=a@b commit -qam \(text)"
    }
    private static let head = "$(git -C site rev-parse --short=7 HEAD)"

    private static let gitops = [
        ConsoleRule(
            "volt gitops create", "volt gitops create --name site",
            .prepared("openssl rand -hex 32 >hook.secret; openssl rand -hex 32 >new.secret"),
            "the secret of a hook"),
        ConsoleRule(
            "volt gitops sync", "volt gitops sync",
            .prepared(
                """
                cp -r "$SOURCES/examples/site" site; git init -q -b main site; git -C site add -A
                git -C site -c user.name=a -c user.email=a@b commit -qm one
                volt gitops delete --name api
                \(site)
                """), "no git.example is there"),
        ConsoleRule(
            "volt gitops plan", "volt gitops plan", .prepared(commit("two")), "a commit that is not deployed"),
        ConsoleRule(
            "volt gitops rollback", "volt gitops rollback --name site",
            .prepared("volt gitops sync --name site --force || [ $? = 4 ]"), "something to go back from"),
        ConsoleRule(
            "volt gitops rollback", "volt gitops rollback --name site --to", .stands("abc1234", for: head),
            "the id of a commit"),
        ConsoleRule(
            "volt gitops approve", "volt gitops approve",
            .prepared(
                """
                volt gitops window remove --name site 1
                \(commit("three")); volt gitops sync --name site || [ $? = 75 ]
                """), "a commit that waits"),
        ConsoleRule(
            "volt gitops approve", "volt gitops approve", .stands("abc1234", for: head), "the id of a commit"),
        ConsoleRule(
            "volt gitops reject", "volt gitops reject",
            .prepared(
                "volt gitops sync --name site; \(commit("four")); volt gitops sync --name site || [ $? = 75 ]"
            ),
            "a commit that waits"),
        ConsoleRule(
            "volt gitops reject", "volt gitops reject", .stands("abc1234", for: head), "the id of a commit"),
        ConsoleRule("volt gitops serve", "volt gitops serve", .follows(0), "a server"),
        ConsoleRule(
            "volt gitops notify", "volt gitops notify test",
            .prepared(
                """
                printf '%s\\n' 'read line; printf "HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"; sleep 0.2' >answer
                busybox nc -ll -p 8099 -e sh "$PWD/answer" >/dev/null 2>&1 &
                \(site) --notify http://127.0.0.1:8099/
                """), "somebody to tell"),
    ]

    private static let web = """
        volt container rm --force web || true
        volt container run -d --name web -p 8080:80 -v ./www:/www:ro busybox httpd -f -h /www
        """

    private static let container = [
        ConsoleRule(
            "volt container run", "volt container run -d", .prepared("mkdir www"), "a directory with pages"),
        ConsoleRule(
            "volt container create", "volt container create", .prepared("volt container rm --force web"),
            "the name is free"),
        ConsoleRule(
            "volt container start", "volt container start", .prepared("volt container stop web"),
            "it does not run"),
        ConsoleRule(
            "volt container rm", "volt container rm web", .prepared("volt container stop web"),
            "it does not run"),
        ConsoleRule("volt container rm", "volt container rm --force web", .prepared(web), "it is there"),
        ConsoleRule("volt container ps", "volt container ps", .prepared(web), "it is there"),
        ConsoleRule("", "volt container logs -f", .follows(143), "it shows what comes"),
        ConsoleRule(
            "volt container import", "volt container import --name busybox",
            .prepared("tar -czf rootfs.tar.gz -C \"$W/bb\" ."), "an archive"),
        ConsoleRule("", "skopeo ", .skipped, "another program, and Docker Hub"),
        ConsoleRule(
            "volt container import", "volt container import --name alpine",
            .prepared("volt registry copy -q docker.io/library/alpine:3.20 oci:alpine:3.20"),
            "what skopeo copies"),
        ConsoleRule("", "mmdebstrap ", .skipped, "needs a mirror of Debian"),
        ConsoleRule(
            "volt container push", "volt container push web",
            .prepared("volt container import --name web \"$W/bb\""), "an image"),
        ConsoleRule(
            "volt container push", "volt container push --compression",
            .prepared(registryHere), "a registry of this host"),
        ConsoleRule(
            "volt container push", "volt container push registry.example",
            .prepared("volt container pull registry.example/team/web:1.4"), "an image of that name"),
        ConsoleRule(
            "volt container build", "volt container build -t web .",
            .prepared(
                """
                cp -r "$SOURCES/examples/site/." .
                (echo 'ARG VERSION'; cat Voltfile) >Voltfile.debug
                sed -i '1d; /^FROM/a ARG VERSION' Voltfile.debug
                """), "a directory with Voltfiles"),
        ConsoleRule(
            "volt container rmi", "volt container rmi", .prepared("volt container rm --force web"),
            "nobody uses it"),
        ConsoleRule(
            "volt container apply", "volt container apply",
            .prepared("volt container import --name busybox \"$W/bb\""), "an image to build from"),
    ]

    private static let service = [
        ConsoleRule(
            "volt service list", "volt service list", .prepared("mkdir -p www; \(web)"),
            "a container in the background"),
        ConsoleRule("volt service status", "volt service status gitops", .skipped, unit),
        ConsoleRule("", "volt service start gitops", .skipped, unit),
        ConsoleRule("", "volt service restart gitops", .skipped, unit),
        ConsoleRule("", "volt service enable --now gitops", .skipped, unit),
        ConsoleRule("", "volt service disable --now gitops", .skipped, unit),
        ConsoleRule("", "volt service edit gitops", .skipped, unit),
        ConsoleRule("", "volt service logs -f gitops", .skipped, unit),
    ]
    private static let unit = "systemd is not PID 1 here; scripts/service-on-systemd runs it"

    private static let cas = [
        ConsoleRule(
            "volt cas put", "volt cas put disk.raw",
            .prepared("seq 1000000 >disk.raw; truncate -s 8M disk.raw"), "a file"),
        ConsoleRule("", "pg_dump ", .skipped, "needs a PostgreSQL server"),
        ConsoleRule(
            "volt cas get", "volt cas get disks/web",
            .prepared("rm disk.raw"), "the name is free"),
        ConsoleRule(
            "volt cas get", "volt cas get images/site",
            .prepared(
                """
                mkdir -p rootfs/etc/nginx; echo a >rootfs/etc/nginx/nginx.conf; echo b >rootfs/etc/os-release
                volt cas add-tree rootfs --bare --tag images/site
                """), "a tree"),
        ConsoleRule("volt cas has", "volt cas has", .prepared(": >empty; volt cas put empty"), "what it has"),
        ConsoleRule(
            "volt cas rm", "volt cas rm", .prepared("printf test >file; volt cas put file"), "what goes"),
        ConsoleRule(
            "volt cas add-tree", "volt cas add-tree /srv/site",
            .prepared("mkdir -p /srv/site; echo a >/srv/site/index.html"), "a directory"),
        ConsoleRule(
            "volt cas add-tree", "volt cas add-tree / ", .skipped, "reads the whole disk of the host"),
        ConsoleRule(
            "volt cas checkout", "volt cas checkout site /srv/site", .prepared("rm -rf /srv/site"),
            "the name is free"),
        ConsoleRule(
            "volt cas checkout", "volt cas checkout site /srv/site --merge",
            .prepared("mkdir -p /srv/site"), "a directory that is there"),
        ConsoleRule(
            "volt cas checkout", "volt cas checkout images/site", .prepared("rm -rf rootfs"),
            "the name is free"),
        ConsoleRule(
            "volt cas checkout", "volt cas checkout backups/host:etc/nginx",
            .prepared("volt cas tag images/site backups/host"), "a backup of a host"),
        ConsoleRule(
            "volt cas mount", "volt cas mount images/site /mnt --upper",
            .prepared("volt cas umount /mnt"), "nothing is mounted there"),
        ConsoleRule(
            "volt cas diff", "volt cas diff",
            .prepared("volt cas tag site backups/host-monday; volt cas tag images/site backups/host-tuesday"),
            "two trees"),
        ConsoleRule(
            "volt cas lease end", "volt cas lease end",
            .stands("4f1c0a9be2d37755", for: "$(volt cas lease ls | tail -n 1 | cut -d ' ' -f 1)"),
            "the id of a lease"),
        ConsoleRule("", "volt cas push backup@nas", .skipped, "no host 'nas' is there"),
        ConsoleRule("", "volt cas pull backup@nas", .skipped, "no host 'nas' is there"),
        ConsoleRule("", "volt cas repair --from backup@nas", .skipped, "no host 'nas' is there"),
        ConsoleRule(
            "volt cas push", "volt cas push /mnt/disk",
            .prepared(
                "volt cas umount /mnt || true; mkdir -p /mnt/disk; volt cas init --store /mnt/disk/cas"),
            "a disk"),
        ConsoleRule(
            "volt cas pull", "volt cas pull unix:",
            .prepared(
                """
                volt cas serve --socket /run/cas.sock --read-only >/dev/null 2>&1 & echo $! >server
                for try in $(seq 100); do [ ! -S /run/cas.sock ] || break; sleep 0.05; done
                """), "a server"),
        ConsoleRule(
            "volt cas serve", "volt cas serve --socket", .prepared("kill $(cat server); rm -f /run/cas.sock"),
            "the socket is free"),
        ConsoleRule("volt cas serve", "volt cas serve --socket", .follows(143), "a server"),
        ConsoleRule(
            "volt cas serve", "volt cas serve --stdio", .ends(1), "nobody speaks on its standard input"),
        ConsoleRule("volt cas diff", "volt cas diff", .ends(1), "the trees differ"),
        ConsoleRule(
            "volt cas serve", "volt cas serve --stdio", .prepared("volt cas init --store /srv/cas"), "a store"
        ),
        ConsoleRule(
            "volt cas init", "volt cas init", .prepared("rm -rf /srv/cas"), "the name is free"),
        ConsoleRule(
            "volt cas repack", "volt cas repack --bare",
            .prepared("volt cas tag images/site images/debian:12"), "an image"),
    ]

    private static let registryHere = """
        if ! [ -e "$W/here/pid" ]; then
            mkdir -p "$W/here"
            VOLT_ROOT=$W/here volt registry serve --port 5000 >/dev/null 2>&1 &
            echo $! >"$W/here/pid"
        fi
        for try in $(seq 100); do curl -sf http://localhost:5000/v2/ >/dev/null && break; sleep 0.05; done
        """

    private static let registry = [
        ConsoleRule(
            "volt registry serve", "volt registry serve",
            .prepared(
                """
                kill $(cat "$W/here/pid")
                rm "$W/here/pid"
                while curl -sf http://localhost:5000/v2/ >/dev/null; do sleep 0.05; done
                """), "the port is free"),
        ConsoleRule("volt registry serve", "volt registry serve", .follows(0), "a server"),
        ConsoleRule(
            "volt registry gc", "volt registry gc",
            .prepared(
                "\(registryHere)\nvolt registry copy -q registry.example/team/web:1.4 localhost:5000/team/web:1.4"
            ),
            "a registry of this host"),
        ConsoleRule(
            "volt registry login", "volt registry login", .prepared("echo secret >password"), "a password"),
        ConsoleRule(
            "volt registry push", "volt registry push --artifact-type",
            .prepared("echo {} >report.json; echo a >notes.txt; mkdir public; echo a >public/index.html"),
            "files"),
        ConsoleRule(
            "volt registry attach", "volt registry attach", .prepared("echo {} >sbom.json"), "a file"),
        ConsoleRule(
            "volt registry key create", "volt registry key create", .prepared("rm -f team.key team.pub"),
            "the name is free"),
        ConsoleRule(
            "volt registry untag", "volt registry untag",
            .prepared("volt registry tag localhost:5000/team/web:1.4 old"), "a tag"),
        ConsoleRule(
            "volt registry manifest push", "volt registry manifest push",
            .prepared("volt registry manifest fetch localhost:5000/team/web:1.4 >manifest.json"), "a manifest"
        ),
        ConsoleRule(
            "volt registry blob fetch", "volt registry blob fetch",
            .prepared(
                """
                volt registry copy -q registry.example/team/web:1.4 localhost:5000/team/web:1.4
                echo layer >layer; volt registry blob push localhost:5000/team/web layer >digest
                """), "a blob"),
        ConsoleRule(
            "volt registry blob fetch", "volt registry blob fetch", .stands("sha256:…", for: "$(cat digest)"),
            "a digest"),
        ConsoleRule(
            "volt registry blob delete", "volt registry blob delete",
            .stands("sha256:…", for: "$(cat digest)"),
            "a digest"),
    ]
}
