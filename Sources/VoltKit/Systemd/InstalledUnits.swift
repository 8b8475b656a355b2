internal import VoltCore
internal import VoltSystem

/// The unit files of a service as they are in a directory, with their drop-ins.
public struct InstalledUnits: Sendable {
    private let description: ServiceDescription
    private let directory: String

    /// - Parameter directory: such as `/etc/systemd/system`.
    public init(_ description: ServiceDescription, in directory: String) {
        self.description = description
        self.directory = directory
    }

    /// Whether systemd listens for the service.
    public var hasSocket: Bool { Files.exists("\(directory)/\(description.socketName)") }

    /// The port that the units have now, with what 'volt service edit --port' changed; nil for the one that nobody
    /// chose.
    public var port: Int? {
        let keys = [
            (description.socketName, "ListenStream="),
            (description.serviceName, "Environment=\(description.portVariable)="),
        ]
        for (unit, key) in keys where Files.exists("\(directory)/\(unit)") {
            let dropIns = ((try? Files.list("\(directory)/\(unit).d")) ?? []).filter { $0.hasSuffix(".conf") }
            let files = [unit] + dropIns.sorted().map { "\(unit).d/\($0)" }
            let ports = files.flatMap(lines).filter { $0.hasPrefix(key) }.compactMap { line in
                Int(line.dropFirst(key.count).split(separator: ":").last ?? "")
            }
            if let port = ports.last(where: { (1...65535).contains($0) }) { return port }
        }
        return nil
    }

    /// The words behind `serve` in the unit file; none when it was written by other means.
    public var arguments: [String] {
        guard let line = lines(description.serviceName).last(where: { $0.hasPrefix("ExecStart=") }),
            let words = UnitWords.split(line.dropFirst(10)), words.count > 2, words[1] == "serve"
        else { return [] }
        return Array(words[2...])
    }

    private func lines(_ file: String) -> [Substring] {
        let bytes = (try? Files.read("\(directory)/\(file)", limit: 1 << 20)) ?? []
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
}
