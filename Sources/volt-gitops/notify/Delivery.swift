import GitopsNotifications
import Glibc
import VoltCore
import VoltCrypto
import VoltHTTP
import VoltSandbox
import VoltSystem

/// Carries out one request.
struct Delivery {
    private let request: NotifyRequest

    init(_ request: NotifyRequest) { self.request = request }

    func run() throws(VoltError) -> NotifyAnswer {
        if let text = request.check {
            var answer = NotifyAnswer()
            answer.text = try WebURL(text).origin
            return answer
        }
        if let web = request.web { return try send(web) }
        if let mail = request.mail { return try send(mail) }
        throw VoltError(.usage, "the request asks for nothing")
    }

    private func send(_ web: NotifyRequest.Web) throws(VoltError) -> NotifyAnswer {
        var settings = try WebClient.Settings(caFile: web.caFile)
        settings.proxy = web.proxy
        settings.allowsHTTP = web.allowsHTTP
        let url = try WebURL(web.url)
        var secrets = web.secretHeaders.map { (name: $0.name, value: $0.value) }
        if url.user != nil || url.password != nil, secrets.isEmpty {
            secrets = [("Authorization", "Basic \(basic(url.user ?? "", url.password ?? ""))")]
        }
        // The files are read: what follows needs the network alone.
        try HelperRights(memory: 1 << 30, fileSize: 1 << 20, descriptors: 64, becomesNobody: true).keepOnly(
            "the messenger")
        let client = WebClient(settings)
        let limits = WebLimits(
            body: 1 << 20, total: .milliseconds(request.limit), connect: .seconds(10), redirects: 3)
        let answer = try client.send(
            WebRequest(
                web.method, url, headers: web.headers.map { ($0.name, $0.value) }, secretHeaders: secrets,
                body: Array(web.body.utf8)), limits: limits)
        var result = NotifyAnswer()
        result.status = answer.status
        // The wait may also be a date (RFC 9110, section 10.2.3): then the usual back-off holds.
        result.retryAfter = answer["retry-after"].flatMap { Int64($0) }
        if !answer.isSuccess { result.text = String(decoding: answer.body.prefix(2048), as: UTF8.self) }
        return result
    }

    private func basic(_ user: String, _ password: String) -> String {
        Base64.encode(Array("\(user):\(password)".utf8))
    }

    /// sendmail(8) of whichever mail server is there, with the recipient in the header and no shell.
    private func send(_ mail: NotifyRequest.Mail) throws(VoltError) -> NotifyAnswer {
        let places = mail.path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/lib"]
        let found = places.lazy.filter { $0.hasPrefix("/") }.map { "\($0)/sendmail" }
            .first { access($0, X_OK) == 0 && !Files.isDirectory($0) }
        guard let found else {
            throw VoltError(
                .missing, "there is no 'sendmail' on this host",
                hint: "install a mail server or a relay, such as msmtp-mta or postfix")
        }
        var said = ""
        let outcome = try Child.start(found, ["-t", "-i"], environment: ["PATH": mail.path])
            .finish(input: Array(mail.text.utf8), limit: .milliseconds(request.limit)) { _, line in
                if !line.isEmpty { said = line }
            }
        guard outcome == .exited(0) else {
            let reason = said.isEmpty ? "\(outcome)" : String(said.prefix(300))
            // EX_TEMPFAIL and what a limit ended may go well later; so may a full queue.
            throw VoltError(.tryAgain, "'\(found)' did not take the mail: \(reason)")
        }
        return NotifyAnswer()
    }
}
