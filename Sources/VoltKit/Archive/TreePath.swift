internal import Glibc
public import VoltCore

/// A path below some root, as bytes: names on Linux need not be UTF-8. It has no `..`, no `.`, no empty
/// part, and never begins with a slash.
public struct TreePath: Sendable, Hashable {
    /// The names from the root down; none is the root itself.
    public let names: [[UInt8]]

    /// The root.
    public static let root = TreePath(names: [])

    init(names: [[UInt8]]) { self.names = names }

    /// The last name of another path.
    public init(lastOf path: TreePath) { names = Array(path.names.suffix(1)) }

    /// Parses the path of an archive's entry.
    ///
    /// - Parameter bytes: the path; `./` in front and slashes at the end are fine.
    /// - Throws: `VoltError` with code `refused` when it is absolute, leads upwards or is too long.
    public init(_ bytes: some Collection<UInt8>) throws(VoltError) {
        let shown = Self.shown(bytes)
        guard bytes.first != UInt8(ascii: "/") else {
            throw VoltError(.refused, "'\(shown)' is an absolute path, which an archive must not have")
        }
        guard bytes.count <= 4095 else {
            throw VoltError(.refused, "a path is longer than 4095 bytes: '\(shown.prefix(60))…'")
        }
        var names: [[UInt8]] = []
        for part in bytes.split(separator: UInt8(ascii: "/"))
        where part.elementsEqual([UInt8(ascii: ".")]) == false {
            guard !part.elementsEqual([UInt8(ascii: "."), UInt8(ascii: ".")]) else {
                throw VoltError(.refused, "'\(shown)' leads out of the tree")
            }
            guard part.count <= 255, !part.contains(0) else {
                throw VoltError(.refused, "'\(shown.prefix(60))' has a name that is not one")
            }
            names.append(Array(part))
        }
        self.names = names
    }

    /// A path written by a person, relative to the root with or without a slash in front.
    public init(inRoot text: String) throws(VoltError) {
        try self.init(Array(text.utf8.drop { $0 == UInt8(ascii: "/") }))
    }

    /// The path of something in this directory.
    public func appending(_ name: [UInt8]) -> TreePath { TreePath(names: names + [name]) }

    /// The path of something below this directory.
    public func appending(_ path: TreePath) -> TreePath { TreePath(names: names + path.names) }

    /// The directory it is in; the root is in itself.
    public var parent: TreePath { TreePath(names: Array(names.dropLast())) }

    /// The path with slashes, `.` for the root.
    public var bytes: [UInt8] {
        names.isEmpty ? [UInt8(ascii: ".")] : Array(names.joined(separator: [UInt8(ascii: "/")]))
    }

    /// For people; it is not the path where that is not UTF-8.
    public var text: String { String(shown: bytes) }

    private static func shown(_ bytes: some Collection<UInt8>) -> String {
        String(shown: bytes.prefix(200))
    }
}

/// Calls the body with the bytes as a C string.
func withCString<Result>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    (bytes + [0]).withUnsafeBufferPointer { buffer in
        buffer.withMemoryRebound(to: CChar.self) { chars in
            guard let base = chars.baseAddress else { fatalError("an array with an element has an address") }
            return body(base)
        }
    }
}
