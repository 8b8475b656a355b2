internal import Glibc
internal import VoltCore

extension PluginSearch {
    /// The names behind `volt-` of all files in the directories of the search, sorted. Only listings look here,
    /// never the way to a command.
    public func names() -> [String] {
        var names: Set<String> = []
        for directory in directories {
            let path = directory.bytes.isEmpty ? [UInt8(ascii: "/")] : directory.bytes
            guard let stream = opendir(path.map { CChar(bitPattern: $0) } + [0]) else { continue }
            defer { closedir(stream) }
            while let entry = readdir(stream) {
                let file = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if let name = ToolName.ofFile(file) { names.insert(name) }
            }
        }
        return names.sorted()
    }

    /// The kinds of workload whose tools are installed and registered, sorted. No tool is run to find out.
    public func kinds() -> [String] {
        names().filter { name in
            do throws(VoltError) {
                _ = try tool(ofKind: name)
                return true
            } catch { return false }
        }
    }
}
