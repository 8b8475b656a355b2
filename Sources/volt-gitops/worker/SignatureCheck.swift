import FoundationEssentials
import GitopsSource
import Glibc
import VoltCore
import VoltSystem

/// Verifies the signature of a commit with the tools that made it: ssh-keygen(1) and gpgv(1).
struct SignatureCheck {
    enum Verdict: Equatable {
        case signed(by: String)
        /// The words complete "commit abc1234".
        case refused(String)
    }

    /// A commit is a few lines; this is the largest message that is handed to a tool, in bytes.
    private static let longest = 1 << 20
    /// The largest file of signers, in bytes.
    private static let longestSigners = 8 << 20

    private let home: String
    private var allowedSigners: [String] = []
    private var keyrings: [(path: String, armoured: [UInt8]?)] = []

    /// - Parameters:
    ///   - signers: files in the format ALLOWED SIGNERS of ssh-keygen(1), or with PGP public keys, armoured
    ///     or not.
    ///   - home: gets files that live as long as a check.
    init(signers: [String], home: String) throws(VoltError) {
        self.home = home
        try Files.makeDirectory(home, mode: 0o700)
        // What a killed worker left; the caller holds the mirror's lock.
        for name in try Files.list(home) where name.hasPrefix("check-") {
            try Files.remove("\(home)/\(name)")
        }
        for file in signers {
            let bytes = try Files.read(file, limit: Self.longestSigners)
            if bytes.starts(with: "-----BEGIN PGP PUBLIC KEY BLOCK-----".utf8) {
                keyrings.append((file, bytes))
            } else if let first = bytes.first,
                first & 0x80 != 0 || bytes.dropFirst(8).starts(with: "KBX".utf8)
            {
                // A packet of RFC 9580, section 4.2, or GnuPG's keybox.
                keyrings.append((file, nil))
            } else {
                allowedSigners.append(file)
            }
        }
    }

    /// Whether a signer that is allowed signed the bytes.
    func verdict(_ signed: (signature: [UInt8], data: [UInt8])?) throws -> Verdict {
        guard let (signature, data) = signed else { return .refused("is not signed") }
        guard signature.count <= Self.longest, data.count <= Self.longest else {
            return .refused("is too large for its signature to be checked")
        }
        if signature.starts(with: "-----BEGIN SSH SIGNATURE-----".utf8) { return try ssh(signature, data) }
        if signature.starts(with: "-----BEGIN PGP ".utf8) { return try pgp(signature, data) }
        return .refused("has a signature that is neither of SSH nor of PGP")
    }

    private func ssh(_ signature: [UInt8], _ data: [UInt8]) throws -> Verdict {
        guard !allowedSigners.isEmpty else {
            return .refused("is signed with an SSH key, and --require-signed names PGP keys only")
        }
        let tool = try program("ssh-keygen", package: "openssh-client")
        return try withFile(signature) { file in
            var wasKnown = false
            for signers in allowedSigners {
                let found = try tool.run(
                    ["-Y", "find-principals", "-f", signers, "-s", file], input: [])
                guard found.status == 0 else { continue }
                for principal in found.stdout.split(separator: "\n") {
                    wasKnown = true
                    let made = try tool.run(
                        ["-Y", "verify", "-n", "git", "-f", signers, "-I", String(principal), "-s", file],
                        input: data)
                    if made.status == 0 { return .signed(by: Self.line(String(principal))) }
                }
            }
            return .refused(
                wasKnown
                    ? "has an SSH signature that is not valid"
                    : "is signed with an SSH key that is not allowed")
        }
    }

    private func pgp(_ signature: [UInt8], _ data: [UInt8]) throws -> Verdict {
        guard !keyrings.isEmpty else {
            return .refused("is signed with a PGP key, and --require-signed names SSH keys only")
        }
        let tool = try program("gpgv", package: "gpgv")
        return try withFile(signature) { file in
            var refusal = "is signed with a PGP key that is not allowed"
            for keyring in keyrings {
                let binary = try keyring.armoured.map { try Self.dearmoured($0, file: keyring.path) }
                let check = { (path: String) in
                    try tool.run(
                        [
                            "--homedir", home, "--keyring", path, "--weak-digest", "SHA1", "--status-fd", "1",
                            file, "-",
                        ], input: data)
                }
                let result = try binary.map { try withFile($0, check) } ?? check(keyring.path)
                let words = result.stdout.split(separator: "\n").compactMap { line -> [Substring]? in
                    guard line.hasPrefix("[GNUPG:] ") else { return nil }
                    return line.dropFirst(9).split(separator: " ", maxSplits: 2)
                }
                let said = Set(words.compactMap(\.first))
                let isBad = !said.isDisjoint(with: ["BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"])
                if result.status == 0, !isBad, said.contains("VALIDSIG"),
                    let good = words.first(where: { $0.first == "GOODSIG" })
                {
                    return .signed(by: Self.line(good.dropFirst().joined(separator: " ")))
                }
                if said.contains("EXPKEYSIG") || said.contains("REVKEYSIG") {
                    refusal = "is signed with a PGP key that is expired or revoked"
                } else if said.contains("BADSIG") || said.contains("EXPSIG") {
                    refusal = "has a PGP signature that is not valid"
                }
            }
            return .refused(refusal)
        }
    }

    private func program(_ name: String, package: String) throws(VoltError) -> ChildProgram {
        let path = Environment.current["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        guard let executable = ChildProgram.find(name, path: path) else {
            throw VoltError(
                .missing, "'\(name)' is not installed, so the signature cannot be checked",
                hint: "install the package \(package)")
        }
        return ChildProgram(
            executable: executable, environment: ["PATH": path, "HOME": home, "LC_ALL": "C.UTF-8"])
    }

    /// Writes bytes to a file that is there while the body runs.
    private func withFile<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
        let file = "\(home)/check-\(UInt32.random(in: 0...UInt32.max))"
        try Files.replace(file, with: bytes, mode: 0o600)
        defer { try? Files.remove(file) }
        return try body(file)
    }

    /// The packets in an armoured block (RFC 9580, section 6.2); gpgv reads only these.
    private static func dearmoured(_ bytes: [UInt8], file: String) throws(VoltError) -> [UInt8] {
        var packets: [UInt8] = []
        var text = ""
        var isBody = false
        for line in bytes.split(separator: 10, omittingEmptySubsequences: false) {
            let line = line.last == 13 ? line.dropLast() : line
            if line.starts(with: "-----BEGIN".utf8) {
                text = ""
                isBody = false
            } else if line.starts(with: "-----END".utf8) {
                guard let block = Data(base64Encoded: text), !block.isEmpty else {
                    throw VoltError(.usage, "'\(file)' has a block of PGP keys that is not base 64")
                }
                packets += block
                isBody = false
            } else if line.isEmpty {
                isBody = true
            } else if isBody, line.first != UInt8(ascii: "=") {
                text += String(decoding: line, as: UTF8.self)
            }
        }
        guard !packets.isEmpty else { throw VoltError(.usage, "'\(file)' has no PGP key") }
        return packets
    }

    private static func line(_ text: String) -> String {
        PrintableText.line(text, limit: 200, replacement: " ")
    }
}
