import GitopsSource
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// Commits signed by git itself with keys that ssh-keygen(1) and gpg(1) made.
@Suite struct SignedCommitTests {
    private func check(
        _ bench: Bench, access: RepositoryAccess? = nil, commit: String? = nil, _ files: String...
    ) throws -> (signer: String?, refusal: String?) {
        var request = bench.snapshotRequest(
            access ?? bench.fileAccess(), "s\(UInt32.random(in: 0...UInt32.max))")
        request.commit = commit
        var conditions = SourceConditions()
        conditions.signers = files.map { "\(bench.path)/\($0)" }
        request.conditions = conditions
        let answer = try bench.ask(request)
        let signer = answer.events.lazy.compactMap { if case .signed(let by) = $0 { by } else { nil } }.first
        switch answer.events.last {
        case .snapshot: return (signer, nil)
        case .declined(_, let reason, _):
            #expect(!Files.exists(request.snapshot ?? "/"))
            return (signer, reason)
        default: return (signer, answer.failure)
        }
    }

    private func commit(_ bench: Bench, _ options: String) throws {
        try bench.shell(
            "cd work && git \(options) commit -q --allow-empty -m signed && git push -qf origin HEAD:main")
    }

    @Test(
        "a commit signed with an SSH key of the file is taken; unsigned, unknown, changed and expired are not"
    )
    func ssh() throws {
        let bench = try Bench()
        try bench.shell(
            """
            for k in ann eve; do ssh-keygen -q -t ed25519 -N '' -C '' -f $k; done
            ssh-keygen -q -t ecdsa -N '' -C '' -f bob
            echo "ann@example.org namespaces=\\"git\\" $(cut -d' ' -f1,2 ann.pub)" > allowed
            echo "*@example.com $(cut -d' ' -f1,2 bob.pub)" >> allowed
            echo "ann@example.org valid-before=\\"20200101\\" $(cut -d' ' -f1,2 ann.pub)" > expired
            echo "ann@example.org namespaces=\\"file\\" $(cut -d' ' -f1,2 ann.pub)" > other
            """)
        func sign(_ key: String) throws {
            try commit(
                bench, "-c gpg.format=ssh -c user.signingkey=\(bench.path)/\(key) -c commit.gpgsign=true")
        }
        try bench.push("plain")
        #expect(try check(bench, "allowed").refusal?.hasSuffix("is not signed") == true)
        try sign("ann")
        #expect(try check(bench, "allowed").signer == "ann@example.org")
        for file in ["expired", "other"] {
            let made = try check(bench, file)
            #expect(made.signer == nil && made.refusal?.contains("SSH") == true, "\(file): \(made)")
        }
        try bench.shell(
            "cd work && git cat-file commit HEAD | sed 's/^signed$/forged/' > ../forged && git update-ref refs/heads/main $(git hash-object -t commit -w ../forged) && git push -qf origin main"
        )
        #expect(try check(bench, "allowed").refusal?.contains("not valid") == true)
        try sign("bob")
        #expect(try check(bench, "allowed").signer == "*@example.com")
        try sign("eve")
        #expect(try check(bench, "allowed").refusal?.contains("is not allowed") == true)
        #expect(try Files.list("\(bench.mirror)/home").filter { $0.hasPrefix("check-") } == [])
    }

    @Test("of tags, a signed annotated tag is taken; one that is unsigned, of a stranger, or renamed is not")
    func tags() throws {
        let bench = try Bench()
        try bench.shell(
            """
            for k in ann eve; do ssh-keygen -q -t ed25519 -N '' -C '' -f $k; done
            echo "ann@example.org $(cut -d' ' -f1,2 ann.pub)" > allowed
            """)
        try bench.push("plain")
        func tag(_ name: String, _ key: String?) throws {
            let words =
                key.map { "-c gpg.format=ssh -c user.signingkey=\(bench.path)/\($0) tag -s" } ?? "tag -a"
            try bench.shell(
                "cd work && git commit -q --allow-empty -m x && git \(words) -m \(name) \(name) && git push -q origin \(name)"
            )
        }
        func check(_ pattern: String?, commit: String? = nil) throws -> (signer: String?, refusal: String?) {
            var access = bench.fileAccess()
            access.tag = pattern
            return try self.check(bench, access: access, commit: commit, "allowed")
        }
        try tag("v1.0", nil)
        #expect(
            try check("v*").refusal?.hasSuffix("is not signed, and tag 'v1.0' is not signed") == true)
        try tag("v1.1", "ann")
        #expect(try check("v*").signer == "ann@example.org")
        // Where the attempt knows its commit already, as one that goes on after a crash does.
        let commit = try bench.shell("git -C work rev-parse HEAD")
        #expect(try check("v*", commit: commit).signer == "ann@example.org")
        #expect(try check("w*", commit: commit).refusal != nil, "a tag of another pipeline")
        // A tag says nothing of a branch.
        try bench.shell("cd work && git push -qf origin HEAD:main")
        #expect(try check(nil).refusal?.hasSuffix("is not signed") == true)
        try tag("v1.2", "eve")
        #expect(
            try check("v*").refusal?.contains("tag 'v1.2' is signed with an SSH key that is not allowed")
                == true)
        // The signed tag of an old version under the name of a new one.
        try bench.shell("cd work && git push -q origin v1.1:refs/tags/v1.3")
        #expect(try check("v*").refusal?.contains("tag 'v1.3' is not signed") == true)
        // A tag whose commit came before the tag did.
        try bench.shell(
            "cd work && git -c gpg.format=ssh -c user.signingkey=\(bench.path)/ann tag -s -m late v1.4 v1.0 && git push -q origin v1.4"
        )
        #expect(try check("v*").signer == "ann@example.org")
        try bench.shell(
            "cd work && git cat-file tag v1.4 | sed 's/^late$/forged/' > ../forged && git push -q origin $(git hash-object -t tag -w ../forged):refs/tags/v1.5"
        )
        #expect(try check("v1.5").refusal?.contains("tag 'v1.5'") == true)
        try bench.shell(
            "cd work && git cat-file tag v1.4 | sed 's/^tag v1.4$/tag v1.6/' > ../forged && git push -q origin $(git hash-object -t tag -w ../forged):refs/tags/v1.6"
        )
        #expect(try check("v*").refusal?.contains("not valid") == true)
    }

    @Test("a commit signed with a PGP key of the keyring is taken, armoured or not, and no other one")
    func pgp() throws {
        let bench = try Bench()
        try bench.shell(
            """
            mkdir -m 700 gnupg; export GNUPGHOME=$PWD/gnupg
            for k in ann eve; do
                gpg -q --batch --pinentry-mode loopback --passphrase '' --quick-gen-key "$k <$k@example.org>" ed25519 sign never
            done
            gpg -q --export ann@example.org > keyring; gpg -q --armor --export ann@example.org > keyring.asc
            ssh-keygen -q -t ed25519 -N '' -C '' -f key
            echo "ann@example.org $(cut -d' ' -f1,2 key.pub)" > allowed
            """)
        defer { _ = try? bench.shell("GNUPGHOME=$PWD/gnupg gpgconf --kill all") }
        func sign(_ key: String) throws {
            try bench.shell(
                "export GNUPGHOME=$PWD/gnupg; cd work && git -c user.signingkey=\(key)@example.org commit -q -S --allow-empty -m signed && git push -qf origin HEAD:main"
            )
        }
        try sign("ann")
        for file in ["keyring", "keyring.asc"] {
            let made = try check(bench, file)
            #expect(
                made.refusal == nil && made.signer?.contains("ann@example.org") == true, "\(file): \(made)")
        }
        #expect(try check(bench, "allowed", "keyring").refusal == nil)
        #expect(try check(bench, "allowed").refusal?.contains("names SSH keys only") == true)
        try bench.shell(
            "cd work && git cat-file commit HEAD | sed 's/^signed$/forged/' > ../forged && git update-ref refs/heads/main $(git hash-object -t commit -w ../forged) && git push -qf origin main"
        )
        #expect(try check(bench, "keyring").refusal?.contains("not valid") == true)
        try sign("eve")
        #expect(try check(bench, "keyring").refusal?.contains("is not allowed") == true)
        try commit(bench, "-c gpg.format=ssh -c user.signingkey=\(bench.path)/key -c commit.gpgsign=true")
        #expect(try check(bench, "keyring").refusal?.contains("names PGP keys only") == true)
    }
}
