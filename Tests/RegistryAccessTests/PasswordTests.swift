import Dispatch
import Testing
import VoltCore
import VoltPassword
import VoltSystem
import VoltTestKit

@testable import RegistryAccess

@Suite struct PasswordTests {
    private let now = AccessFixture.now

    @Test("what htpasswd -B writes is read, and a password is hashed once for many requests")
    func once() throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard()
        let pull = request(basic("bob"), want(.pull, "team/web"))
        #expect(control.authorizeAtOnce(pull, now: now) == nil)
        for _ in 0..<20 { #expect(control.authorize(pull, now: now).word == "bob") }
        #expect(control.authorizeAtOnce(pull, now: now)?.word == "bob")
        #expect(control.passwords.count == 1)
        // After some minutes it is hashed again.
        let later = now.advanced(by: .seconds(301))
        #expect(control.authorizeAtOnce(pull, now: later) == nil)
        #expect(control.authorize(pull, now: later).word == "bob" && control.passwords.count == 2)
    }

    @Test("twenty requests at the same moment cost one hash or two, and all are answered")
    func together() throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard()
        let words = Words()
        DispatchQueue.concurrentPerform(iterations: 20) { _ in
            let decision = control.authorize(
                request(basic("bob"), want(.pull, "team/web")), now: AccessFixture.now)
            words.add(decision.word)
        }
        #expect(words.all == [String](repeating: "bob", count: 20) && control.passwords.count <= 2)
    }

    @Test("a user who does not exist costs the hash of one who does, and is told the same")
    func unknown() throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard()
        let wrong = control.authorize(request(basic("alice", "x"), want(.pull, "team/web")), now: now)
        #expect(control.passwords.count == 1)
        let nobody = control.authorize(request(basic("nobody", "x"), want(.pull, "team/web")), now: now)
        #expect(control.passwords.count == 2)
        #expect(wrong.word == "401" && wrong.message == nobody.message && wrong.challenge == nobody.challenge)
        let users = try #require(control.current?.users?.current(now: now).value)
        #expect(users.decoy.cost == users.hashes["alice"]?.cost)
    }

    @Test("wrong credentials are refused where none are needed")
    func wrongOnPublic() throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard()
        #expect(
            control.authorize(request(basic("alice", "x"), want(.pull, "public/a")), now: now).word == "401")
        #expect(control.authorize(request("Digest x", want(.pull, "public/a")), now: now).word == "401")
        #expect(control.authorize(request(nil, want(.pull, "public/a")), now: now).word == "anonymous")
        // What skopeo sends without a login.
        #expect(
            control.authorize(request("Basic Og==", want(.pull, "public/a")), now: now).word == "anonymous")
    }

    @Test("after five failures an address waits, longer each time, and others do not")
    func backoff() throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard()
        func attempt(_ address: String, _ moment: Timestamp, _ password: String = "x") -> AccessDecision {
            control.authorize(
                request(basic("eve", password), address: address, want(.pull, "team/web")), now: moment)
        }
        for _ in 0..<5 { #expect(attempt("2001:db8::1", now).word == "401") }
        #expect(attempt("2001:db8::2", now).word == "401")
        // The same network of IPv6, also with the right password; nothing is hashed.
        let count = control.passwords.count
        #expect(attempt("2001:db8::ffff", now, "pw-eve").word == "429" && control.passwords.count == count)
        #expect(attempt("2001:db8:0:1::1", now).word == "401")
        #expect(attempt("2001:db8::1", now.advanced(by: .seconds(1))).word == "401")
        guard case .limited(let wait) = attempt("2001:db8::1", now.advanced(by: .seconds(1))) else {
            Issue.record("not limited")
            return
        }
        #expect(wait == .seconds(2))
        #expect(attempt("2001:db8::1", now.advanced(by: .seconds(1000)), "pw-eve").word == "eve")
    }

    @Test("a changed password counts within a second, and a broken file leaves the old one")
    func changed() throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard()
        let old = request(basic("alice"), want(.pull, "team/web"))
        #expect(control.authorize(old, now: now).word == "alice")
        let result = try fixture.run(
            "htpasswd", "-iB", "-C", "4", "\(fixture.directory)/htpasswd", "alice", input: "other")
        #expect(result.status == 0)
        let later = now.advanced(by: .seconds(2))
        #expect(control.authorize(old, now: later).word == "401")
        let new = request(basic("alice", "other"), want(.pull, "team/web"))
        #expect(control.authorize(new, now: later).word == "alice")
        #expect(control.takeProblems().isEmpty)
        try fixture.write("htpasswd", "alice:$apr1$abc$def\n")
        let muchLater = now.advanced(by: .seconds(4))
        #expect(control.authorize(new, now: muchLater).word == "alice")
        let problems = control.takeProblems()
        #expect(problems.count == 1 && problems.first?.message.contains("htpasswd:1: user 'alice'") == true)
        #expect(problems.first?.message.contains("apr1") == false)
        #expect(problems.first?.hint?.contains("htpasswd -B") == true && control.takeProblems().isEmpty)
    }

    @Test(
        "a password file with a mistake names the line",
        arguments: [
            ("alice", 1), ("\n# x\nalice:x\n", 3), (":x", 1), ("a b:x", 1), ("anonymous:$2y$05$x", 1),
        ])
    func mistakes(text: String, line: Int) {
        let error = #expect(throws: VoltError.self) { try Htpasswd(Array(text.utf8), path: "h") }
        #expect(error?.code == .usage && error?.message.hasPrefix("h:\(line):") == true)
    }

    @Test(
        "an Authorization header is read strictly",
        arguments: [
            "Basic", "Basic ", "Basic !!!!", "Basic YQ==", "basic YTpi YTpi", "Bearer", "Bearer a b",
            "Bearer é",
            "Token x", " ", "Basic " + String(repeating: "A", count: 20_000), "Basic /zpi", "Basic AGE6Yg==",
        ])
    func malformed(header: String) {
        guard case .malformed(let reason) = Authorization(header) else {
            Issue.record("'\(header.prefix(40))' was taken")
            return
        }
        #expect(!reason.isEmpty)
    }

    @Test("schemes have no case, and a password may hold a colon")
    func headers() {
        #expect(Authorization("bAsIc YTpi") == .basic(.init(user: "a", password: [98])))
        #expect(Authorization("Basic YTpiOmM=") == .basic(.init(user: "a", password: Array("b:c".utf8))))
        #expect(Authorization("BEARER  a.b-c_~+/=") == .bearer("a.b-c_~+/="))
        #expect(Authorization(nil) == .none && Authorization("") == .none)
    }
}

/// Words of several threads; only one at a time reads or adds, on the queue, which is why they may share it.
private final class Words: @unchecked Sendable {
    private var words: [String] = []
    private let queue = DispatchQueue(label: "words")

    func add(_ word: String) { queue.sync { words.append(word) } }
    var all: [String] { queue.sync { words } }
}
