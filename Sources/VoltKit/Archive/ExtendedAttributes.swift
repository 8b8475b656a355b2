internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem

/// Extended attributes of files.
public enum ExtendedAttributes {
    /// The names of the attributes of a file or directory.
    public static func names(of path: String) throws(VoltError) -> [String] {
        let descriptor = volt_open(path, O_RDONLY | O_NOFOLLOW, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        defer { close(descriptor) }
        return names(of: descriptor)
    }

    static func names(of descriptor: Int32) -> [String] {
        let size = volt_flistxattr(descriptor, nil, 0)
        guard size > 0 else { return [] }
        var buffer = [CChar](repeating: 0, count: size + 256)
        let count = volt_flistxattr(descriptor, &buffer, buffer.count)
        guard count > 0 else { return [] }
        return buffer[..<count].split(separator: 0).map {
            String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// The attributes that are worth keeping in a copy.
    static func kept(of descriptor: Int32) -> [String: [UInt8]] {
        var values: [String: [UInt8]] = [:]
        for name in names(of: descriptor) where FileAttributes.isKept(name) {
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = volt_fgetxattr(descriptor, name, &buffer, buffer.count)
            if count >= 0 { values[name] = Array(buffer[..<count]) }
        }
        return values
    }
}
