import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// Machines for console blocks, at work at the same time: namespaces of their own for processes, mounts and the network, in
/// which `registry.example` and Docker Hub are a registry of that machine, and /etc, /run, /srv, /mnt and /media are its
/// own. All of it ends with the last command.
struct ConsoleWorld: ~Copyable {
    /// What became of a command.
    struct Outcome {
        let status: Int32
        let output: String
        /// What the preparation said when it failed.
        let preparation: String?
    }

    private let scratch: ScratchDirectory
    /// One for each machine.
    private var scripts: [String] = []
    private var count = 0

    init(machines: Int) throws {
        let scratch = try ScratchDirectory()
        try Files.makeDirectory("\(scratch.path)/out")
        for machine in 0..<machines {
            let directory = "\(scratch.path)/\(machine)"
            for name in ["tmpfs", "remote"] { try Files.makeDirectory("\(directory)/\(name)") }
            scripts.append(
                "export W='\(directory)' OUT='\(scratch.path)/out' SOURCES='\(Golden.root())'\n\(Self.prelude)\n"
            )
        }
        self.scratch = scratch
    }

    /// What a reader's machine has before the first command; `$W/bb` is the image of docs/getting-started.md.
    private static let prelude = """
        set -e
        ip link set lo up
        mount -t tmpfs tmpfs "$W/tmpfs"
        mkdir "$W/tmpfs/etc" "$W/tmpfs/work"
        mount -t overlay overlay -o "lowerdir=/etc,upperdir=$W/tmpfs/etc,workdir=$W/tmpfs/work" /etc
        for directory in /run /srv /mnt /media; do mount -t tmpfs tmpfs $directory; done
        printf '127.0.0.1 localhost\\n127.0.0.3 registry.example registry-1.docker.io\\n' >/etc/hosts
        mkdir -p /etc/volt
        (
            umask 077
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=registry.example \\
                -addext subjectAltName=DNS:registry.example,DNS:registry-1.docker.io \\
                -keyout /etc/volt/hooks.key -out /etc/volt/hooks.pem 2>/dev/null
        )
        cat /etc/volt/hooks.pem >>/etc/ssl/certs/ca-certificates.crt
        mkdir -p "$W/bb/bin" "$W/bb/etc" "$W/bb/tmp"
        cp /bin/busybox "$W/bb/bin/"
        chroot "$W/bb" /bin/busybox --install -s /bin
        echo root:x:0:0:root:/:/bin/sh >"$W/bb/etc/passwd"
        (
            export VOLT_ROOT=$W/remote
            volt registry serve --listen 127.0.0.3 --port 443 --tls-cert /etc/volt/hooks.pem \\
                --tls-key /etc/volt/hooks.key >"$OUT/registry.log" 2>&1 &
            volt container import --name web "$W/bb" >/dev/null
            up=0
            for try in $(seq 100); do
                curl -sf https://registry.example/v2/ >/dev/null && up=1 && break
                sleep 0.05
            done
            [ $up = 1 ]
            volt container push web registry.example/team/web:1.4 >/dev/null
            for image in debian:12 alpine:3.20; do
                volt registry copy -q registry.example/team/web:1.4 registry-1.docker.io/library/$image >/dev/null
            done
        )
        # run N PREPARATION COMMAND: the command in this shell, as when it is pasted.
        run() {
            # Not before ||, where -e has no effect.
            (set -e; eval "$2") </dev/null >"$OUT/$1.before" 2>&1
            [ $? = 0 ] || echo "$1" >>"$OUT/unprepared"
            eval "$3" </dev/null >"$OUT/$1.log" 2>&1
            echo "$1 $?" >>"$OUT/results"
        }
        # follow TRIES COMMAND: SIGTERM when it says something, or when it had its time to.
        follow() {
            bash -c "exec $2" & local child=$!
            for try in $(seq "$1"); do [ ! -s /proc/self/fd/1 ] || break; sleep 0.05; done
            kill $child
            wait $child
        }
        # The containers of the machine before go, and their ports and control groups with them.
        clear() {
            volt container remove --workload web >/dev/null 2>&1
            local names=$(volt container ps --all | tail -n +2 | cut -d ' ' -f 1)
            [ -z "$names" ] || volt container rm --force $names >/dev/null 2>&1
        }
        set +e

        """

    /// Goes to an empty directory and root, as on a machine on which nothing was done yet.
    mutating func start(_ name: String, on machine: Int, prepared shell: String) {
        scripts[machine] += """
            clear
            export VOLT_ROOT=$W/\(name)/root HOME=$W/\(name)/home
            mkdir -p "$HOME" "$W/\(name)/work"
            cd "$W/\(name)/work"
            ln -s "$SOURCES/examples" .
            (set -e
            \(shell)
            ) >"$OUT/\(name).log" 2>&1
            [ $? = 0 ] || echo \(name) >>"$OUT/unprepared"

            """
    }

    /// Adds a command.
    ///
    /// - Parameters:
    ///   - preparation: shell that runs before it.
    ///   - follows: the status after SIGTERM of one that goes on until then.
    /// - Returns: its number.
    mutating func add(
        _ text: String, on machine: Int, files: [ConsoleCommand.File], preparation: String, follows: Int32?
    ) -> Int {
        count += 1
        var before = preparation
        for file in files { before = "printf %s \(Self.quoted(file.text)) >\(file.name)\n\(before)" }
        let command = follows.map { "follow \($0 == 0 ? 200 : 10) \(Self.quoted(text))" } ?? text
        scripts[machine] += "run \(count) \(Self.quoted(before)) \(Self.quoted(command))\n"
        return count
    }

    private static func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "'\\''"))'" }

    /// Runs everything; what became of each command, by its number.
    func run() throws -> [Int: Outcome] {
        var runner = ToolRunner(scratch: scratch.path)
        runner.environment["USER"] = "root"
        let machine =
            "unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private bash --norc"
        var all = ""
        for (number, script) in scripts.enumerated() {
            let file = "\(scratch.path)/\(number)/script"
            try Files.replace(file, with: "\(script)clear\nexit 0\n".utf8)
            all += "timeout -k 5 240 \(machine) '\(file)' & machines=\"$machines $!\"\n"
        }
        all += "status=0; for machine in $machines; do wait $machine || status=$?; done; exit $status"
        let made = try runner("bash", "--norc", "-c", all)
        try #require(made.status == 0, "a machine: \(made.stdout)\(made.stderr)")
        let unprepared = Set(lines("unprepared"))
        for name in unprepared where Int(name) == nil {
            Issue.record("'\(name)' cannot begin: \(text("\(name).log"))")
        }
        var outcomes: [Int: Outcome] = [:]
        for line in lines("results") {
            let words = line.split(separator: " ")
            guard words.count == 2, let number = Int(words[0]), let status = Int32(words[1]) else { continue }
            outcomes[number] = Outcome(
                status: status, output: text("\(number).log"),
                preparation: unprepared.contains("\(number)") ? text("\(number).before") : nil)
        }
        return outcomes
    }

    private func text(_ name: String) -> String {
        String(decoding: ((try? Files.read("\(scratch.path)/out/\(name)")) ?? []).suffix(2000), as: UTF8.self)
    }

    private func lines(_ name: String) -> [String] {
        let bytes = (try? Files.read("\(scratch.path)/out/\(name)")) ?? []
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
