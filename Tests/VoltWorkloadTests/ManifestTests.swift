import Testing
import VoltCore
import VoltManifest
import VoltWorkload

private func manifest(_ spec: String) throws -> ContainerManifest {
    let text =
        "apiVersion: volt/v1\nkind: container\nspec:\n"
        + spec.split(separator: "\n").map { "  \($0)\n" }.joined()
    return try ContainerManifest(bytes: Array(text.utf8))
}

@Suite struct ManifestTests {
    @Test("a whole manifest is read")
    func whole() throws {
        let text = """
            apiVersion: volt/v1
            kind: container
            name: web
            spec:
              image: registry.example/team/web:1.4
              command: ["/usr/bin/web", "--port", 8080]
              env: { LOG_LEVEL: info, DEBUG: false }
              ports: ["8080:80", "127.0.0.1:9000:9000/tcp", "[::1]:70:70"]
              volumes: ["data:/var/lib/web", "./conf:/etc/web:ro", "data:/again:ro", "x:/x:suid,ro,dev"]
              resources: { memory: 256M, cpus: 0.5, pids: 200 }
              restart: always
              health: { http: { port: 80, path: /healthz }, interval: 5s, timeout: 2s, retries: 4, startPeriod: 10s }
              security: { readOnly: true, user: 1000, capabilities: { drop: [all], add: [NET_BIND_SERVICE] } }
            """
        let read = try ContainerManifest(bytes: Array(text.utf8))
        var expected = ContainerManifest(source: .image("registry.example/team/web:1.4"))
        expected.name = try Name("web")
        expected.command = ["/usr/bin/web", "--port", "8080"]
        expected.environment = ["LOG_LEVEL": "info", "DEBUG": "false"]
        expected.ports = [
            .init(address: "0.0.0.0", hostPort: 8080, containerPort: 80),
            .init(address: "127.0.0.1", hostPort: 9000, containerPort: 9000),
            .init(address: "::1", hostPort: 70, containerPort: 70),
        ]
        expected.volumes = [
            .init(source: "data", isVolume: true, target: "/var/lib/web", readOnly: false),
            .init(source: "conf", isVolume: false, target: "/etc/web", readOnly: true),
            .init(source: "data", isVolume: true, target: "/again", readOnly: true),
            .init(source: "x", isVolume: true, target: "/x", readOnly: true),
        ]
        expected.volumes[3].allowsSetuid = true
        expected.volumes[3].allowsDevices = true
        expected.limits = ResourceLimits(memory: 256 << 20, cpus: 0.5, pids: 200)
        expected.restart = .always
        var health = HealthCheck(probe: .http(port: 80, path: "/healthz"))
        health.retries = 4
        expected.health = health
        expected.readOnly = true
        expected.user = "1000"
        expected.dropCapabilities = ["all"]
        expected.addCapabilities = ["net_bind_service"]
        #expect(read == expected)
    }

    @Test(
        "health is http, tcp or a command",
        arguments: [
            ("tcp: 80", HealthCheck.Probe.tcp(port: 80)), ("tcp: { port: 80 }", .tcp(port: 80)),
            ("http: { port: 80 }", .http(port: 80, path: "/")),
            ("exec: [/bin/check, -q]", .exec(["/bin/check", "-q"])),
        ])
    func probes(text: String, probe: HealthCheck.Probe) throws {
        #expect(try manifest("image: x\nhealth: { \(text) }").health?.probe == probe)
    }

    @Test("secrets name encrypted files and where their content goes")
    func secrets() throws {
        let read = try manifest(
            """
            image: x
            secrets:
              - { file: ./s/app.env, env: true }
              - { file: s/all.yaml, env: { A: b.c } }
              - { file: s/tls.key.age, mode: "0440", uid: 33, gid: 0 }
              - { file: s/all.yaml, key: d, target: /etc/d }
              - { file: s/all.yaml, key: e.f }
            """)
        typealias File = SecretReference.Placement
        #expect(
            read.secrets.map(\.file) == [
                "s/app.env", "s/all.yaml", "s/tls.key.age", "s/all.yaml", "s/all.yaml",
            ])
        #expect(
            read.secrets.map(\.use) == [
                .variables, .chosen(["A": "b.c"]),
                .file(File(target: "/run/secrets/tls.key", mode: 0o440, uid: 33)),
                .file(File(key: "d", target: "/etc/d")), .file(File(key: "e.f", target: "/run/secrets/e.f")),
            ])
    }

    @Test(
        "a mistake is named with its line and column",
        arguments: [
            ("image: x\nprots: []", "5:3: unknown key 'prots'"),
            ("ports: []", "4:3: one of image, build and rootfs is missing"),
            ("image: x\nbuild: .", "4:3: image and build exclude each other"),
            ("build: ../other", "4:10: '../other' leads out of the source"),
            ("build: /abs", "4:10: '/abs' leads out of the source"),
            ("image: x\ncommand: httpd -f", "5:12: expected a list of words, found a single value"),
            ("image: x\ncommand: []", "5:12: the command is empty"),
            ("image: x\nenv: { A: ~ }", "5:13: expected text, found nothing"),
            ("image: x\nenv: [A=1]", "5:8: expected a mapping, found a list"),
            ("image: x\nports: [80]", "5:11: '80' is not a published port"),
            ("image: x\nsecrets: [{ env: true }]", "5:13: 'file' is missing"),
            ("image: x\nsecrets: [{ file: ../a }]", "5:21: '../a' leads out of the source"),
            ("image: x\nsecrets: [{ file: a, env: no }]", "5:29: expected true or a mapping"),
            ("image: x\nsecrets: [{ file: a, env: {} }]", "5:29: 'env' names no variable"),
            (
                "image: x\nsecrets: [{ file: a, env: true, key: b }]",
                "5:40: 'env' and 'key' exclude each other"
            ),
            (
                "image: x\nsecrets: [{ file: a, target: ../b }]",
                "5:32: '/run/secrets/../b' is not a path in the container"
            ),
            ("image: x\nsecrets: [{ file: a, mode: 99 }]", "5:30: '99' are no permissions"),
            (
                "image: x\nsecrets: [{ file: a, gid: 2147483648 }]",
                "5:29: 2147483648 is not the number of a user or group"
            ),
            ("image: x\nsecrets: [{ file: a, uid: -1 }]", "5:29: -1 is not the number of a user or group"),
            ("image: x\nsecrets: [{ file: a }, { file: b/a }]", "5:26: '/run/secrets/a' is mounted twice"),
            ("image: x\nports: ['0:80']", "5:11: '0:80' is not a published port"),
            ("image: x\nports: ['80:65536']", "5:11: '80:65536' is not a published port"),
            ("image: x\nports: ['+80:80']", "5:11: '+80:80' is not a published port"),
            (
                "image: x\nports: ['53:53/udp']",
                "5:11: '53:53/udp': publishing a udp port is not supported yet"
            ),
            ("image: x\nports: ['80:80', '127.0.0.1:80:81']", "5:20: port 80 of the host is published twice"),
            ("image: x\nports: ['host:80:80']", "5:11: 'host:80:80' is not a published port"),
            (
                "image: x\nvolumes: ['/etc:/etc']",
                "5:13: '/etc' is a path of the host, which a manifest cannot mount"
            ),
            (
                "image: x\nvolumes: ['./a:/b:rw']",
                "5:13: './a' is a part of the source and cannot be mounted writable"
            ),
            ("image: x\nvolumes: ['a:/b:exec']", "5:13: 'exec' is not a mode of a volume"),
            ("image: x\nvolumes: ['a:/b:ro,rw']", "5:13: 'ro,rw' is not a mode of a volume"),
            (
                "image: x\nvolumes: ['./a:/b:suid']",
                "5:13: './a' is a part of the source: 'suid', 'dev' and 'nocopy' are for volumes by name"
            ),
            ("image: x\nvolumes: ['./../a:/b']", "5:13: './../a' leads out of the source"),
            ("image: x\nvolumes: ['data:b']", "5:13: 'b' is not an absolute path below '/'"),
            ("image: x\nvolumes: ['data:/b/../c']", "5:13: '/b/../c' is not an absolute path below '/'"),
            ("image: x\nvolumes: ['data:/']", "5:13: '/' is not an absolute path below '/'"),
            ("image: x\nvolumes: ['Data:/b']", "5:13: 'Data' is not the name of a volume"),
            ("image: x\nvolumes: ['a:/b', 'c:/b']", "5:21: '/b' is mounted twice"),
            ("image: x\nresources: { memory: 5 }", "5:24: memory is less than 1M"),
            ("image: x\nresources: { cpus: 0 }", "5:22: cpus is not between 0.01 and 4096"),
            ("image: x\nrestart: sometimes", "5:12: 'sometimes' is not a restart policy"),
            ("image: x\nhealth: { interval: 5s }", "5:11: one of http, tcp and exec is missing"),
            ("image: x\nhealth: { tcp: 1, exec: [a] }", "5:11: tcp and exec exclude each other"),
            ("image: x\nhealth: { tcp: 80, timeout: soon }", "5:31: 'soon' is not a duration"),
            ("image: x\nhealth: { http: { port: 80, path: x } }", "5:37: 'x' is not the path of a URL"),
            ("image: x\nsecurity: { landlock: web }", "5:25: 'landlock' is not enforced yet"),
            (
                "image: x\nsecurity: { user: 4294967295 }",
                "5:21: '4294967295' is not the number of a user or group"
            ),
            (
                "image: x\nsecurity: { user: 'app:2147483648' }",
                "5:21: '2147483648' is not the number of a user or group"
            ),
            ("image: x\nsecurity: { user: '-u' }", "5:21: '-u' is not a user"),
            (
                "image: x\nsecurity: { capabilities: { add: [net_admn] } }",
                "5:37: 'net_admn' is not a capability"
            ),
        ])
    func mistakes(spec: String, expected: String) {
        #expect {
            try manifest(spec)
        } throws: { error in
            let message = (error as? VoltError)?.message ?? ""

            return message == "volt-manifest.yaml:\(expected)"
        }
    }

    @Test("another kind's spec is not looked at, its header is")
    func otherKinds() throws {
        let text = "apiVersion: volt/v1\nkind: nomad\nname: job\nspec: { anything: [goes] }\nafter: [x]\n"
        let header = try Manifest(bytes: Array(text.utf8))
        #expect(header.kind.text == "nomad" && header.name?.text == "job")
        #expect(throws: VoltError.self) { try ContainerManifest(bytes: Array(text.utf8)) }
    }

    @Test(
        "a header that cannot be trusted is refused",
        arguments: [
            ("kind: container\n", "1:1: 'apiVersion' is missing"),
            (
                "apiVersion: volt/v2\nkind: container\n",
                "1:13: apiVersion 'volt/v2' is not one this tool reads (volt/v1)"
            ),
            ("apiVersion: volt/v1\n", "1:1: 'kind' is missing"),
            ("apiVersion: volt/v1\nkind: ../evil\n", "2:7: '../evil' is not a name for a kind"),
            ("apiVersion: volt/v1\nkind: vm\nname: A\n", "3:7: 'A' is not a name for a workload"),
            ("apiVersion: volt/v1\nkind: vm\nnmae: a\n", "3:1: unknown key 'nmae'"),
            ("- a\n", "1:1: expected a mapping, found a list"),
        ])
    func headers(text: String, expected: String) {
        #expect {
            try Manifest(bytes: Array(text.utf8))
        } throws: { ($0 as? VoltError)?.message == "volt-manifest.yaml:\(expected)" }
    }

    @Test("'after' names the workloads that are waited for")
    func after() throws {
        let head = "apiVersion: volt/v1\nkind: container\nname: web\nspec: { image: x }\n"
        let read = try ContainerManifest(bytes: Array((head + "after: [database, cache]\n").utf8))
        #expect(read.after.map(\.text) == ["database", "cache"])
        #expect(
            try Manifest(bytes: Array((head + "after: [database]\n").utf8)).after.map(\.text) == ["database"])
        for (text, message) in [
            ("after: [A]", "5:9: 'A' is not a name for a workload"),
            ("after: [a, a]", "5:12: 'a' is named twice"),
            ("after: [web]", "5:9: 'web' would wait for itself"),
            ("after: web", "5:8: expected a list, found a single value"),
        ] {
            #expect {
                try ContainerManifest(bytes: Array("\(head)\(text)\n".utf8))
            } throws: { ($0 as? VoltError)?.message == "volt-manifest.yaml:\(message)" }
        }
    }
}
