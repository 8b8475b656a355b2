import CVoltSystem
import ContainerSandbox
import ContainerSecrets
import FoundationEssentials
import Glibc
import VoltCore
import VoltSystem
import VoltWorkload

// volt-container--decrypt: decrypts the secrets of a container. It reads settings from standard input:
// `identity`, the file with the keys, and for each secret a `secret` as JSON. It prints settings: for each
// variable an `env`, for each file a `file` with mode, owner, group and the bytes in hexadecimal digits.

do throws(VoltError) {
    // The plain texts must not end in a file after a crash.
    _ = volt_set_dumpable(0)
    let settings = try Settings(decoding: try Files.read("/dev/stdin", limit: Settings.limit))
    var secrets: [Secret] = []
    for text in settings.all("secret") {
        guard let secret = try? JSONDecoder().decode(Secret.self, from: Data(text.utf8)) else {
            throw VoltError(.failed, "a secret of the container is of another version")
        }
        secrets.append(secret)
    }
    let opened = try OpenedSecrets(secrets, keys: AgeKeys(path: try settings.text("identity")))
    var answer = Settings()
    answer.add("env", all: opened.variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
    for file in opened.files {
        let placement = file.placement
        answer.add(
            "file", "\(placement.mode) \(placement.uid) \(placement.gid) \(Hex.encode(file.bytes))")
    }
    try StandardOutput.write(answer.encoded())
} catch {
    var text = error.message
    if let hint = error.hint { text += " (\(hint))" }
    try? Files.write(Array("\(text)\n".utf8), to: 2, named: "standard error")
    exit(1)
}
