internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem

/// One question and one answer over the Unix socket of a port process.
public enum ControlSocket {
    /// The largest message in bytes.
    public static let limit = 1 << 16

    /// Sends a request and waits for the answer: `ok` and more, or `error CODE REASON`.
    ///
    /// - Parameters:
    ///   - path: the socket.
    ///   - request: the question.
    ///   - seconds: how long the answer may take.
    /// - Throws: `VoltError`; code `notFound` when nobody listens.
    public static func ask(_ path: String, _ request: PortRequest, seconds: Int32 = 10) throws(VoltError)
        -> String
    {
        let message = try request.encoded()
        let descriptor = volt_unix_connect(path, seconds)
        guard descriptor >= 0 else {
            let error = SystemError.current
            let gone = error.number == ECONNREFUSED || error.number == ENOENT
            throw gone
                ? VoltError(.notFound, "nobody listens at '\(path)'") : error.during("cannot reach '\(path)'")
        }
        defer { close(descriptor) }
        guard send(descriptor, message, message.count, Int32(MSG_NOSIGNAL)) == message.count else {
            throw SystemError.current.during("cannot write to '\(path)'")
        }
        var answer = [UInt8](repeating: 0, count: limit)
        let count = recv(descriptor, &answer, answer.count, 0)
        guard count > 0 else { throw VoltError(.failed, "the port process at '\(path)' gave no answer") }
        return String(decoding: answer[..<count], as: UTF8.self)
    }
}
