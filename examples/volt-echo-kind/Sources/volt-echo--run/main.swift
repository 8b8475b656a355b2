import Glibc
import VoltHelperKit

// volt-echo--run: the supervisor of one instance, and with the argument `serve` the process that it supervises.

if CommandLine.arguments == [CommandLine.arguments[0], "serve"] { serve() }
SupervisorProgram.run(CommandLine.arguments) { settings throws(VoltError) in try PublishedProcess(settings) }

/// Answers every request on port 8080 with the variable TEXT.
func serve() -> Never {
    guard let text = getenv("TEXT"), text.pointee != 0 else { end("there is no text to answer with") }
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    // One that is started again can have the port though connections of the one before are still closing.
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, [Int32(1)], socklen_t(MemoryLayout<Int32>.size))
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = in_port_t(8080).bigEndian
    let isBound = withUnsafePointer(to: &name) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
    guard isBound, listen(listener, 128) == 0 else { end("cannot listen on port 8080") }
    while true {
        let client = UInt(bitPattern: Int(accept(listener, nil, nil)))
        var thread = pthread_t()
        // The number of a descriptor as the argument: a C function captures nothing.
        pthread_create(&thread, nil, { answer($0) }, UnsafeMutableRawPointer(bitPattern: client))
        pthread_detach(thread)
    }
}

func answer(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    let client = Int32(truncatingIfNeeded: Int(bitPattern: argument))
    var request = [UInt8](repeating: 0, count: 4096)
    if recv(client, &request, request.count, 0) > 0, let text = getenv("TEXT") {
        let answer =
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: \(strlen(text))\r\n\r\n\(String(cString: text))"
        _ = send(client, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
    }
    close(client)
    return nil
}

func end(_ message: String) -> Never {
    print("volt-echo: error: \(message)")
    exit(1)
}
