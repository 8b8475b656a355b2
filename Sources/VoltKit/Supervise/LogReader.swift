internal import Glibc
public import VoltCore
internal import VoltSystem

/// A line that a payload printed.
public struct LogLine: Sendable, Equatable {
    /// When.
    public var at: Timestamp
    /// `stdout` or `stderr`.
    public var stream: String
    /// The line as it was printed, in any encoding, without its newline.
    public var bytes: [UInt8]

    /// The line for people; what is not UTF-8 is shown as U+FFFD.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Parses a record of the log file; nil when it is not one.
    init?(_ record: ArraySlice<UInt8>) {
        let parts = record.split(separator: 32, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let at = Timestamp(rfc3339: String(decoding: parts[0], as: UTF8.self)) else {
            return nil
        }
        self.at = at
        stream = String(decoding: parts[1], as: UTF8.self)
        bytes = Array(parts[2])
    }
}

/// Reads what a payload prints, through the changes of the file it is kept in: the supervisor renames a file that is
/// full, and removes the one before that.
public struct LogReader: ~Copyable {
    private let directory: String
    private var file: Int32 = -1
    private var rest: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)
    private var hasLost = false

    /// - Parameter directory: that of the instance.
    public init(directory: String) { self.directory = directory }

    deinit { if file >= 0 { close(file) } }

    /// Whether lines are missing before those that were read last: the payload printed faster than this was read. Said
    /// once for each gap.
    public mutating func takeLoss() -> Bool {
        defer { hasLost = false }
        return hasLost
    }

    /// The next whole lines; nil when there are none now.
    public mutating func next() throws(VoltError) -> [LogLine]? {
        if file < 0 {
            file = open("log.1")
            if file < 0 { file = open("log") }
            if file < 0 { return nil }
        }
        // What came between the end of the file and its renaming is read before it is left.
        var isLeft = false
        while true {
            let count = read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError.current.during("cannot read '\(directory)/log'") }
            if count > 0 {
                rest += buffer[..<count]
                let lines = takeLines()
                if !lines.isEmpty { return lines }
            } else if isLeft {
                guard advance() else { return nil }
                isLeft = false
            } else {
                guard isRenamed else { return nil }
                isLeft = true
            }
        }
    }

    private mutating func takeLines() -> [LogLine] {
        guard let end = rest.lastIndex(of: 10) else { return [] }
        let lines = rest[..<end].split(separator: 10).compactMap { LogLine($0) }
        rest.removeFirst(end + 1)
        return lines
    }

    private var isRenamed: Bool {
        var own = stat()
        var named = stat()
        return fstat(file, &own) == 0 && stat("\(directory)/log", &named) == 0
            && (own.st_ino != named.st_ino || own.st_dev != named.st_dev)
    }

    /// Goes on with the file that came after this one; false when that is not there yet.
    private mutating func advance() -> Bool {
        // In this order: when the older one is this one still, the newer one came right after it.
        let newer = open("log")
        guard newer >= 0 else { return false }
        let older = open("log.1")
        var own = stat()
        var other = stat()
        var next = newer
        if older >= 0, fstat(file, &own) == 0, fstat(older, &other) == 0,
            own.st_ino == other.st_ino && own.st_dev == other.st_dev
        {
            close(older)
        } else if older >= 0 {
            close(newer)
            next = older
            if let number = Self.number(file), let after = Self.number(older), after != number + 1 {
                hasLost = true
            }
        }
        close(file)
        file = next
        rest = []
        return true
    }

    private func open(_ name: String) -> Int32 {
        Glibc.open("\(directory)/\(name)", O_RDONLY | O_CLOEXEC)
    }

    /// The number in a file's first line; files are counted from the instance's first one.
    private static func number(_ file: Int32) -> Int? {
        var start = [UInt8](repeating: 0, count: 32)
        let count = pread(file, &start, start.count, 0)
        guard count > 2, start[0] == UInt8(ascii: "#") else { return nil }
        return Int(String(decoding: start[2..<count].prefix { $0 != 10 }, as: UTF8.self))
    }
}
