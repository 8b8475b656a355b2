internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem

/// Extended attributes of files; their names are bytes.
public enum ExtendedAttributes {
    /// The names of the attributes of a file or directory, for people.
    public static func names(of path: String) throws(VoltError) -> [String] {
        try names(of: Array(path.utf8))
    }

    /// The same for a path of any bytes.
    public static func names(of path: [UInt8]) throws(VoltError) -> [String] {
        let descriptor = withCString(path) { volt_open($0, O_RDONLY | O_NOFOLLOW, 0) }
        guard descriptor >= 0 else {
            throw SystemError.current.during("cannot open '\(String(shown: path))'")
        }
        defer { close(descriptor) }
        return try names(of: descriptor, String(shown: path)).map { String(shown: $0) }
    }

    private static func names(of descriptor: Int32, _ path: String) throws(VoltError) -> [[UInt8]] {
        let size = volt_flistxattr(descriptor, nil, 0)
        if size == 0 || (size < 0 && errno == ENOTSUP) { return [] }
        var buffer = [CChar](repeating: 0, count: max(0, size) + 256)
        let count = size < 0 ? size : volt_flistxattr(descriptor, &buffer, buffer.count)
        guard count >= 0 else {
            throw SystemError.current.during("cannot read the extended attributes of '\(path)'")
        }
        return buffer[..<count].split(separator: 0).map { $0.map { UInt8(bitPattern: $0) } }
    }

    /// The attributes that are worth keeping in a copy.
    static func kept(of descriptor: Int32, _ path: String) throws(VoltError) -> [[UInt8]: [UInt8]] {
        var values: [[UInt8]: [UInt8]] = [:]
        for name in try names(of: descriptor, path)
        where FileAttributes.isKept(name) && !FileAttributes.isAccessList(name) {
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = withCString(name) { volt_fgetxattr(descriptor, $0, &buffer, buffer.count) }
            if count < 0, errno == ENODATA { continue }
            guard count >= 0 else {
                throw SystemError.current.during("cannot read the extended attributes of '\(path)'")
            }
            values[name] = Array(buffer[..<count])
        }
        return values
    }
}
