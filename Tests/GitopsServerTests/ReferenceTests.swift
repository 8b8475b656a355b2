import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import GitopsEngine

/// Digits are an attempt's number first, and the beginning of a commit has four characters or more.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ReferenceTests {
    private static let commit = "3abc" + String(repeating: "0", count: 36)

    @Test(
        "a text means a commit by its whole name or by four characters of a Git commit",
        arguments: [
            ("3abc", commit, true), ("3ABC0", commit, true), ("3ab", commit, false), ("3", commit, false),
            ("", commit, false), (commit, commit, true), (commit + "0", commit, false), ("r3", "3", true),
            ("3", "3", true), ("1234", "12345", false), ("r1234", "12345", false), ("12345", "12345", true),
        ])
    func means(text: String, commit: String, isMeant: Bool) {
        #expect(CommitReference(text).means(commit) == isMeant)
    }

    @Test("digits without a zero in front are a number, and nothing else is")
    func numbers() {
        for (text, number) in [
            ("3", 3), ("12", 12), ("03", nil), ("+3", nil), ("-3", nil), ("3a", nil), ("", nil),
        ]
            as [(String, Int64?)]
        {
            #expect(CommitReference(text).number == number, "\(text)")
        }
        #expect(CommitReference("99999999999999999999").number == nil)
    }

    @Test(
        "a rollback to an attempt that is not kept is exit 3, and never a commit that begins with its number")
    func rollback() throws {
        let host = try Host()
        try host.createSite()
        func deploy() throws {
            let made = try host.gitops("sync", "--name", "site")
            try #require(made.status == 0, "\(made.stderr)")
        }
        let one = try host.git("rev-parse", "HEAD")
        try deploy()
        // The second commit begins with the number of the first attempt.
        var two = try host.commit("two")
        for number in 0..<500 where !two.hasPrefix("1") {
            try host.git("commit", "-q", "--amend", "-m", "two \(number)")
            two = try host.git("rev-parse", "HEAD")
        }
        try #require(two.hasPrefix("1"))
        try deploy()
        let three = try host.commit("three")
        try deploy()
        try Files.removeTree("\(host.directory)/root/lib/gitops/snapshots/site/\(one)")
        for (to, status) in [
            ("1", 3), ("4", 3), ("abc", 64), ("", 64), ("+2", 64), ("zzzz", 3),
        ] as [(String, Int32)] {
            let refused = try host.gitops("rollback", "--name", "site", "--to", to)
            #expect(refused.status == status, "\(to): \(refused.status) \(refused.stderr)")
        }
        #expect(host.running == three)
        #expect(
            try host.gitops("rollback", "--name", "site", "--to", "1").stderr.contains(
                "of attempt 1 was not deployed, or is no longer kept"))
        #expect(try host.gitops("rollback", "--name", "site", "--to", "2").status == 0)
        #expect(host.running == two)
        #expect(try host.gitops("rollback", "--name", "site", "--to", String(three.prefix(8))).status == 0)
        #expect(host.running == three)
        // Attempts of another pipeline have numbers of the same count.
        let made = try host.tool.run([
            "volt-gitops", "create", "--name", "app", "--repo", host.repository, "--provider", "github",
            "--branch", "main", "--workload", "app", "--insecure-no-secret", "--allow-file",
        ])
        try #require(made.status == 0)
        try #require(try host.gitops("sync", "--name", "app").status == 0)
        let others = try host.gitops("rollback", "--name", "app", "--to", "1")
        #expect(others.status == 3 && others.stderr.contains("is of pipeline 'site'"), "\(others.stderr)")
    }
}
