import ContainerSandbox
import Testing
import VoltSystem
import VoltTestKit

/// Images with as many layers as other tools make.
@Suite(.serialized, .enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"))
struct ManyLayersTests {
    let host: RuntimeHost

    init() throws { host = try RuntimeHost() }

    private var directory: String { host.scratch.path }

    @discardableResult
    private func shell(_ script: String) throws -> String {
        let result = try host.run.run(["sh", "-ec", script])
        try #require(result.status == 0, "\(result.stderr)")
        return result.stdout
    }

    /// Builds `many`: the layer of busybox and 126 with a file each.
    private func build() throws {
        try Files.makeDirectory("\(directory)/many")
        let copies = (1...126).map { "COPY Voltfile /f/\($0)\n" }.joined()
        try Files.replace("\(directory)/many/Voltfile", with: "FROM busybox\n\(copies)".utf8)
        let result = try host.volt("build", "-t", "many", "\(directory)/many")
        try #require(result.status == 0, "\(result)")
    }

    private var root: RootSettings {
        RootSettings(stage: "\(directory)/stage", upper: "\(directory)/upper", work: "\(directory)/work")
    }

    @Test(
        "an image of 127 layers runs with all of them, as trees and through loop devices, and is built upon")
    func trees() throws {
        try build()
        let files = try host.volt(
            "run", "--rm", "many", "sh", "-c", "ls /f | busybox wc -l; cat /www/index.html")
        #expect(files.stdout == "126\nhello\n", "\(files)")

        try #require(try host.volt("create", "--name", "c", "many", "true").status == 0)
        try shell("mkdir stage upper work")
        let made = try RunSettings(
            decoding: try Files.read("\(directory)/root/lib/container/containers/c/run"))
        var settings = root
        settings.layers = made.root.layers
        #expect(settings.layers.layers.count == 127)
        settings.layers.source = .loop
        try Files.replace("\(directory)/settings", with: try settings.encoded())
        let loop = try host.run.run(["volt-container--run", "probe", "\(directory)/settings"])
        #expect(loop.status == 0, "\(loop)")

        try shell(
            "mkdir more; printf 'FROM many\\nCOPY Voltfile /f/\\nRUN ls /f > /n; rm /f/1\\n' > more/Voltfile"
        )
        let more = try host.volt("build", "-t", "more", "\(directory)/more")
        try #require(more.status == 0, "\(more)")
        let run = try host.volt(
            "run", "--rm", "more", "sh", "-c",
            "busybox wc -l < /n; ls /f | busybox wc -l; cat /f/126 /f/Voltfile | grep -c .")
        #expect(run.stdout == "127\n126\n130\n", "\(run)")
    }

    @Test("an image of 127 layers that are directories runs with all of them")
    func directories() throws {
        try shell(
            """
            printf '{"boot":"%s","reason":"no EROFS here"}' "$(cat /proc/sys/kernel/random/boot_id)" \\
                > root/run/container/layers
            """)
        try build()
        #expect(try shell("ls -d root/lib/container/images/layers/*/ | wc -l") == "126\n")
        let files = try host.volt(
            "run", "--rm", "many", "sh", "-c", "ls /f | busybox wc -l; cat /www/index.html")
        #expect(files.stdout == "126\nhello\n", "\(files)")
    }

    @Test("more layers than Linux puts on each other are refused with its limit, and that many are mounted")
    func limit() throws {
        try shell("mkdir stage upper work $(seq -f l%g 501)")
        for count in [500, 501] {
            var settings = root
            settings.layers.layers = (1...count).map { .directory("\(directory)/l\($0)") }
            try Files.replace("\(directory)/settings", with: try settings.encoded())
            let result = try host.run.run(["volt-container--run", "probe", "\(directory)/settings"])
            if count == 500 {
                #expect(result.status == 0, "\(result)")
            } else {
                #expect(result.status == 1)
                #expect(
                    result.stderr.contains(
                        "the image has 501 layers, and Linux puts at most 500 on each other"),
                    "\(result)")
            }
        }
    }
}
