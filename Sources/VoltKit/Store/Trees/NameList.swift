internal import Glibc
internal import VoltCore
internal import VoltSystem

/// The names in a directory in the order of their bytes, in little memory.
struct NameList {
    private var bytes: [UInt8] = []
    private var offsets: [UInt32] = []

    /// Reads an open directory.
    ///
    /// - Parameter descriptor: stays open.
    init(_ descriptor: Int32) throws(SystemError) {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0, let directory = fdopendir(copy) else {
            if copy >= 0 { close(copy) }
            throw SystemError.current
        }
        defer { closedir(directory) }
        rewinddir(directory)
        while true {
            errno = 0
            guard let entry = readdir(directory) else { break }
            withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: UInt8.self, capacity: 256) { name in
                    let count = strlen(UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))
                    if name[0] == 46, count == 1 || (count == 2 && name[1] == 46) { return }
                    offsets.append(UInt32(bytes.count))
                    bytes.append(contentsOf: UnsafeBufferPointer(start: name, count: count + 1))
                }
            }
        }
        guard errno == 0 else {
            throw SystemError.current
        }
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress?.assumingMemoryBound(to: CChar.self) else { return }
            offsets.sort { strcmp(base + Int($0), base + Int($1)) < 0 }
        }
    }

    var count: Int { offsets.count }

    /// A name with the zero at its end.
    subscript(index: Int) -> [UInt8] {
        let start = Int(offsets[index])
        guard let end = bytes[start...].firstIndex(of: 0) else { return [0] }
        return Array(bytes[start...end])
    }
}
