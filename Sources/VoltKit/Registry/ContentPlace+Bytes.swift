internal import CVoltSystem
internal import Glibc
public import VoltCore
public import VoltOCI
internal import VoltSystem

extension ContentPlace {
    /// Keeps bytes at hand as a blob, unless it is there.
    public func write(_ bytes: [UInt8]) throws(VoltError) -> OCIDigest {
        let digest = OCIDigest.of(bytes)
        if try hasBlob(digest) { return digest }
        let descriptor = volt_memfd("volt-blob")
        guard descriptor >= 0 else { throw SystemError.current.during("cannot keep a blob on its way") }
        defer { close(descriptor) }
        try Files.write(bytes, to: descriptor, named: "a blob on its way")
        try write(digest, from: descriptor, size: UInt64(bytes.count))
        return digest
    }

    /// The bytes of a small blob, verified.
    ///
    /// - Parameter limit: more are refused before anything is read.
    public func bytes(of blob: OCIDescriptor, limit: Int) throws(VoltError) -> [UInt8] {
        guard blob.size <= limit else {
            throw VoltError(
                .refused, "blob '\(blob.digest)' has \(blob.size) bytes, and at most \(limit) are read")
        }
        let collected = Collected()
        try read(blob) { part throws(VoltError) in
            guard collected.bytes.count + part.count <= limit else {
                throw VoltError(.refused, "blob '\(blob.digest)' has more than \(limit) bytes")
            }
            collected.bytes.append(contentsOf: part)
        }
        return collected.bytes
    }
}

private final class Collected {
    var bytes: [UInt8] = []
}
