internal import FoundationEssentials
public import VoltCore

/// The worker's protocol in bytes: a request on stdin, a line for each event on stdout.
public enum SourceStream {
    /// The largest request, in bytes.
    public static let longestRequest = 64 << 10

    /// The bytes of a request.
    public static func encode(_ request: SourceRequest) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(request))
    }

    /// The request in some bytes.
    ///
    /// - Throws: `VoltError` with code `usage`.
    public static func request(_ bytes: [UInt8]) throws(VoltError) -> SourceRequest {
        do { return try JSONDecoder().decode(SourceRequest.self, from: Data(bytes)) } catch {
            throw VoltError(.usage, "the request is not one of this version: \(error)")
        }
    }

    /// The bytes of an event, with the line feed.
    public static func encode(_ event: SourceEvent) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(event)) + [10]
    }

    /// The line about the worker's libraries.
    public static func encode(_ libraries: SourceLibraries) throws -> [UInt8] {
        Array(try JSONEncoder().encode(libraries)) + [10]
    }

    /// The libraries in a line, or nil when it is not such a line.
    public static func libraries(_ line: String) -> SourceLibraries? {
        try? JSONDecoder().decode(SourceLibraries.self, from: Data(line.utf8))
    }

    /// The event in a line, without its line feed.
    ///
    /// - Throws: `VoltError` when the line is none.
    public static func event(_ line: some Collection<UInt8>) throws(VoltError) -> SourceEvent {
        do { return try JSONDecoder().decode(SourceEvent.self, from: Data(line)) } catch {
            throw VoltError(.failed, "the worker wrote a line that is no event")
        }
    }
}
