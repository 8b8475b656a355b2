internal import CGit2
internal import VoltCore

/// What libgit2 asks while it talks to a server. One object a remote, which it must outlive.
final class RemoteCallbacks {
    private let access: GitAccess
    /// Why a callback said no.
    private(set) var refusal: VoltError?
    /// Whether the server asked for a credential.
    private(set) var wasAsked = false
    /// How often the credential was given: it is asked for again when the server did not take it.
    private var given = 0

    init(_ access: GitAccess) { self.access = access }

    func reset() {
        refusal = nil
        given = 0
    }

    /// The table of functions. It points to this object without keeping it.
    func table() throws(GitFailure) -> git_remote_callbacks {
        var table = git_remote_callbacks()
        try check(git_remote_init_callbacks(&table, UInt32(GIT_REMOTE_CALLBACKS_VERSION)))
        table.payload = Unmanaged.passUnretained(self).toOpaque()
        table.credentials = { out, url, user, allowed, payload in
            guard let out, let payload else { return GIT_EUSER.rawValue }
            let callbacks = Unmanaged<RemoteCallbacks>.fromOpaque(payload).takeUnretainedValue()
            return callbacks.credential(out, url: url.map { String(cString: $0) } ?? "", allowed: allowed)
        }
        table.certificate_check = { certificate, _, host, payload in
            guard let certificate, let payload else { return GIT_EUSER.rawValue }
            // Only SSH needs a decision of ours: for TLS, the check of libgit2 holds.
            guard certificate.pointee.cert_type == GIT_CERT_HOSTKEY_LIBSSH2 else {
                return GIT_PASSTHROUGH.rawValue
            }
            let callbacks = Unmanaged<RemoteCallbacks>.fromOpaque(payload).takeUnretainedValue()
            return certificate.withMemoryRebound(to: git_cert_hostkey.self, capacity: 1) {
                callbacks.hostKey($0.pointee, host: host.map { String(cString: $0) } ?? "")
            }
        }
        table.transfer_progress = { progress, payload in
            guard let progress, let payload else { return 0 }
            let callbacks = Unmanaged<RemoteCallbacks>.fromOpaque(payload).takeUnretainedValue()
            callbacks.access.progress(
                Int(progress.pointee.received_objects), Int(progress.pointee.total_objects),
                progress.pointee.received_bytes)
            return 0
        }
        return table
    }

    private func credential(
        _ out: UnsafeMutablePointer<UnsafeMutablePointer<git_credential>?>, url: String, allowed: UInt32
    ) -> Int32 {
        wasAsked = true
        guard access.mayBeSent(url) else {
            return refuse(
                VoltError(
                    .refused, "'\(access.url)' redirects to another server, which asks for a credential",
                    hint: "use the URL it redirects to"))
        }
        if allowed & GIT_CREDENTIAL_USERNAME.rawValue != 0 {
            return git_credential_username_new(out, access.user)
        }
        given += 1
        guard given == 1 else { return refuse(rejected) }
        switch access.credential {
        case .token(let username, let token) where allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT.rawValue != 0:
            return git_credential_userpass_plaintext_new(out, username, token)
        case .sshKey(let path, _) where allowed & GIT_CREDENTIAL_SSH_KEY.rawValue != 0:
            return git_credential_ssh_key_new(out, access.user, nil, path, nil)
        default: return refuse(missing)
        }
    }

    private func hostKey(_ key: git_cert_hostkey, host: String) -> Int32 {
        guard key.type.rawValue & GIT_CERT_SSH_RAW.rawValue != 0, let start = key.hostkey else {
            return refuse(VoltError(.failed, "'\(host)' showed no host key"))
        }
        let bytes = UnsafeBufferPointer(start: start, count: key.hostkey_len).map { UInt8(bitPattern: $0) }
        do throws(VoltError) { try access.checkHostKey(GitHostKey(host: host, bytes: bytes)) } catch {
            return refuse(error)
        }
        return 0
    }

    private func refuse(_ error: VoltError) -> Int32 {
        refusal = error
        git_error_set_str(Int32(GIT_ERROR_CALLBACK.rawValue), "refused")
        return GIT_EUSER.rawValue
    }

    private var missing: VoltError {
        let hint =
            access.url.hasPrefix("http")
            ? "a repository that is private or not there answers like this: give --username and --token-file, or check the URL"
            : "give the private key with --ssh-key FILE"
        return VoltError(.refused, "authentication failed: '\(access.url)' wants a credential", hint: hint)
    }

    private var rejected: VoltError {
        if case .sshKey(let path, let isRSA) = access.credential {
            let start = "authentication failed: '\(access.url)' does not take the "
            if isRSA, !GitLibrary.signsRSAWithSHA2 {
                return VoltError(
                    .refused,
                    start
                        + "RSA key '\(path)': libssh2 before 1.11 signs with SHA-1, which servers since OpenSSH 8.8 refuse",
                    hint:
                        "use an ed25519 key ('ssh-keygen -t ed25519') and add its public half to the account")
            }
            return VoltError(
                .refused, start + "key '\(path)'",
                hint: "add its public half to the account '\(access.user)'")
        }
        return VoltError(
            .refused, "authentication failed: '\(access.url)' does not take the user name and token",
            hint: "the token may have ended, or may not read this repository")
    }
}
