import GitopsNotifications
import Glibc
import VoltCore
import VoltSystem

// One message, one answer, one process: `NotifyRequest.swift` says what goes in and out. What parses a
// stranger's TLS and HTTP runs here, as nobody, and can be killed; the server only waits for it.

var answer = NotifyAnswer()
do throws(VoltError) {
    try ParentWatch.endWithParent()
    signal(SIGPIPE, SIG_IGN)
    let bytes = try Files.read("/dev/stdin", limit: NotifyRequest.longest)
    answer = try Delivery(NotifyStream.decode(NotifyRequest.self, bytes)).run()
} catch {
    answer.error = error.message
    answer.hint = error.hint
    answer.code = error.code.rawValue
}
do {
    try StandardOutput.write(NotifyStream.encode(answer) + [10])
    exit(0)
} catch { exit(ExitCode.failed.rawValue) }
