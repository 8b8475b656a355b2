import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import VoltRegistry

@Suite struct DockerConfigurationTests {
    @Test("a login goes through the credential helper that the file names, and not into the file")
    func helper() throws {
        let scratch = try ScratchDirectory()
        let script = """
            #!/bin/sh
            case $1 in
            store) cat > "$HOME/kept" ;;
            get) [ -f "$HOME/kept" ] && echo '{"ServerURL":"x","Username":"<token>","Secret":"t"}' ;;
            erase) rm "$HOME/kept" ;;
            esac
            """
        try Files.replace("\(scratch.path)/docker-credential-test", with: script.utf8, mode: 0o755)
        let file = "\(scratch.path)/config.json"
        try Files.replace(file, with: "{\"credHelpers\":{\"h.example\":\"test\"}}".utf8)
        let before = try Files.read(file)
        let config = try DockerConfiguration(
            environment: ["HOME": scratch.path, "PATH": "\(scratch.path):/usr/bin:/bin"], file: file)
        #expect(try config.account(for: "h.example") == .anonymous)
        _ = try config.login("h.example", user: "anna", password: "secret-word")
        let kept = String(decoding: try Files.read("\(scratch.path)/kept"), as: UTF8.self)
        #expect(kept.contains("secret-word"))
        #expect(try config.account(for: "h.example") == .identityToken("t"))
        #expect(try Files.read(file) == before)
        _ = try config.logout("h.example")
        #expect(try config.account(for: "h.example") == .anonymous)
    }

    @Test(
        "a helper that is not installed, or whose name is a path, is an error",
        arguments: ["absent", "../sh", "a b"])
    func noHelper(name: String) throws {
        let scratch = try ScratchDirectory()
        try Files.replace("\(scratch.path)/config.json", with: "{\"credsStore\":\"\(name)\"}".utf8)
        let config = try DockerConfiguration(
            environment: ["PATH": "/usr/bin:/bin"], file: "\(scratch.path)/config.json")
        #expect(throws: VoltError.self) { try config.account(for: "h.example") }
    }
}
