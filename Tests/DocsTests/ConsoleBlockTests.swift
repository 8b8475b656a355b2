import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// What a reader pastes works.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ConsoleBlockTests {
    private static let canRun =
        getuid() == 0
        && ["/usr/bin/systemd-nspawn", "/bin/busybox", "/usr/bin/git", "/usr/bin/curl", "/usr/bin/openssl"]
            .allSatisfy(
                Files.exists)

    /// The pages and the help of each tool, each for a machine on which nothing was done yet.
    private func sources() throws -> [(name: String, prepared: String, commands: [ConsoleCommand])] {
        var sources: [(String, String, [ConsoleCommand])] = []
        for page in ["README.md", "docs/getting-started.md"] {
            sources.append((page.replacing("/", with: "-"), "", try ConsoleCommand.page(page)))
        }
        let image = "volt container import --name busybox \"$W/bb\""
        for tool in HelpDump.tools { sources.append((tool, image, try ConsoleCommand.help(of: tool))) }
        let builtIn = try ["help", "version", "plugins", "which"].flatMap(ConsoleCommand.help(builtIn:))
        sources.append(("volt", "", builtIn))
        return sources
    }

    @Test("every line of an example in a help fits 79 columns, and is pasted as it is shown")
    func width() throws {
        for source in try sources() {
            for command in source.commands where command.place.hasPrefix("volt ") {
                for line in command.text.split(separator: "\n") where line.count > 77 {
                    Issue.record("\(command.place): '\(line)' is wrapped: break it with a backslash")
                }
            }
        }
    }

    @Test(
        "every console block of README.md, of docs/getting-started.md and of each help runs as it is pasted",
        .enabled(if: canRun, "needs root, systemd-nspawn, busybox-static, git, curl and openssl"))
    func pasted() throws {
        var world = try ConsoleWorld(machines: 2)
        var numbers: [(number: Int, command: ConsoleCommand, status: Int32)] = []
        var used: Set<Int> = []
        for source in try sources() {
            #expect(!source.commands.isEmpty, "\(source.name)")
            // Both machines have about as much to do.
            let machine = ["container", "service", "registry"].contains(source.name) ? 1 : 0
            world.start(source.name, on: machine, prepared: source.prepared)
            for command in source.commands {
                var (text, preparation, wanted) = (command.text, [String](), Int32(0))
                var (follows, isSkipped) = (nil as Int32?, false)
                for (index, rule) in ConsoleRule.all.enumerated() where rule.fits(command) {
                    used.insert(index)
                    switch rule.way {
                    case .skipped: isSkipped = true
                    case .follows(let status): (follows, wanted) = (status, status)
                    case .ends(let status): wanted = status
                    case .prepared(let shell): preparation.append(shell)
                    case .stands(let placeholder, let shell): text = text.replacing(placeholder, with: shell)
                    }
                }
                if isSkipped { continue }
                let number = world.add(
                    text, on: machine, files: command.files, preparation: preparation.joined(separator: "\n"),
                    follows: follows)
                numbers.append((number, command, wanted))
            }
        }
        for (index, rule) in ConsoleRule.all.enumerated() where !used.contains(index) {
            Issue.record("a rule for '\(rule.start)' of '\(rule.place)' fits no command")
        }
        let outcomes = try world.run()
        for (number, command, status) in numbers {
            guard let outcome = outcomes[number] else {
                Issue.record("\(command.place): '\(command.text)' was not run")
                continue
            }
            if let said = outcome.preparation {
                Issue.record("\(command.place): '\(command.text)' cannot be prepared: \(said)")
            }
            if outcome.status != status {
                Issue.record(
                    "\(command.place): '\(command.text)' ended with \(outcome.status): \(outcome.output)")
            }
        }
    }
}
