internal import CVoltSystem
internal import Glibc
internal import VoltCore

/// Where `volt` writes: data on stdout, everything for people on stderr.
enum Console {
    /// Writes data and gives the exit code.
    static func print(_ text: String) -> Int32 { print(Array(text.utf8)) }

    /// Writes data and gives the exit code.
    static func print(_ bytes: [UInt8]) -> Int32 {
        let number = volt_write_stdout(bytes, bytes.count)
        guard number != 0 else { return ExitCode.ok.rawValue }
        return fail(
            VoltError(.failed, "cannot write to stdout: \(String(cString: strerror(number)).lowercased())"))
    }

    /// Writes a line for people.
    static func note(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // Nobody is left to tell that it failed.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Reports an error and gives its exit code.
    static func fail(_ error: VoltError) -> Int32 {
        note("volt: error: \(shown(error.message))")
        if let hint = error.hint { note("volt: hint: \(shown(hint))") }
        return error.code.rawValue
    }

    /// The text without what could drive the terminal.
    static func shown(_ text: String) -> String { PrintableText.line(text) }

    static func shown(_ bytes: [UInt8]) -> String { shown(String(decoding: bytes, as: UTF8.self)) }

    /// Columns with two spaces between them, the last one as long as it is.
    static func columns(_ rows: [[String]], indent: String = "") -> String {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = indent
            for (column, cell) in row.enumerated() {
                line += cell
                if column + 1 < row.count {
                    line += String(repeating: " ", count: widths[column] - cell.count + 2)
                }
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
