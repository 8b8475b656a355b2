import ContainerSandbox
import ContainerSecrets
import FoundationEssentials
import Glibc
import VoltCore
import VoltSandbox
import VoltSystem
import VoltWorkload

// volt-container--decrypt: decrypts the secrets of a container. It reads a `DecryptRequest` from standard
// input and prints a `DecryptAnswer`.

do throws(VoltError) {
    // The plain texts must not end in a file after a crash.
    try HelperRights.forbidDump()
    let request = try DecryptRequest(decoding: try Files.read("/dev/stdin", limit: DecryptAnswer.limit))
    var secrets: [Secret] = []
    for text in request.secrets {
        guard let secret = try? JSONDecoder().decode(Secret.self, from: Data(text.utf8)) else {
            throw VoltError(.failed, "a secret of the container is of another version")
        }
        secrets.append(secret)
    }
    let opened = try OpenedSecrets(secrets, keys: AgeKeys(path: request.identity))
    var answer = DecryptAnswer()
    answer.variables = opened.variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    answer.files = opened.files.map {
        let placement = $0.placement
        return .init(mode: placement.mode, owner: placement.uid, group: placement.gid, bytes: $0.bytes)
    }
    try StandardOutput.write(answer.encoded())
} catch {
    var text = error.message
    if let hint = error.hint { text += " (\(hint))" }
    try? Files.write(Array("\(text)\n".utf8), to: 2, named: "standard error")
    exit(1)
}
