internal import CGit2
internal import VoltCore

/// A call of libgit2 that failed, with the words the library left for it.
struct GitFailure: Error {
    /// The returned value, one of `GIT_E…`.
    let code: Int32
    /// What part of the library failed, one of `GIT_ERROR_…`.
    let part: UInt32
    /// One line, in lower case.
    let message: String

    /// The failure of the call that just returned `code` on this thread.
    init(code: Int32) {
        self.code = code
        guard let error = git_error_last() else {
            part = 0
            message = "error \(code) of libgit2"
            return
        }
        part = UInt32(bitPattern: error.pointee.klass)
        let text = String(cString: error.pointee.message)
        // Servers can put bytes of theirs into the message.
        let line = PrintableText.line(text, limit: 400, replacement: " ")
        message = line.prefix(1).lowercased() + line.dropFirst()
    }

    /// Whether objects of the repository are missing or damaged, so that fetching them again helps.
    var isDamage: Bool {
        code == GIT_EMISMATCH.rawValue || code == GIT_ENOTFOUND.rawValue
            || [
                GIT_ERROR_ODB, GIT_ERROR_ZLIB, GIT_ERROR_OBJECT, GIT_ERROR_TREE, GIT_ERROR_REPOSITORY,
                GIT_ERROR_CONFIG,
                GIT_ERROR_REFERENCE,
            ].contains { $0.rawValue == part }
    }
}

/// Throws what libgit2 says when the value of a call is an error. The last error is thread-local and the
/// next call may replace it, so that nothing may come between the call and this.
@discardableResult
func check(_ code: Int32) throws(GitFailure) -> Int32 {
    guard code < 0 else { return code }
    throw GitFailure(code: code)
}
