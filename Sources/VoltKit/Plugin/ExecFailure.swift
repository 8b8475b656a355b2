internal import Glibc
public import VoltCore

/// Says why a file that was found cannot be run.
enum ExecFailure {
    /// - Parameter number: the errno of execve(2).
    static func explain(_ path: [UInt8], _ number: Int32) -> VoltError {
        let name = String(decoding: path, as: UTF8.self)
        let (reason, hint) = reason(path, number)
        return VoltError(.cannotRun, "cannot run '\(name)': \(reason)", hint: hint)
    }

    private static func reason(_ path: [UInt8], _ number: Int32) -> (String, hint: String?) {
        let head: [UInt8]
        do { head = try SmallFile.head(path, limit: 4096) ?? [] } catch { head = [] }
        switch number {
        case E2BIG: return ("the arguments and the environment are longer than the kernel takes", nil)
        case ETXTBSY: return ("the file is being written", "run the command again when that is done")
        case ENOENT, EACCES, ELOOP, ENOEXEC:
            if head.starts(with: "#!".utf8) { return script(head, number) }
            if head.starts(with: ELFHeader.magic) { return program(head, number) }
            if number == ENOEXEC {
                return head.isEmpty
                    ? ("the file is empty", nil)
                    : (
                        "it is neither a program nor a script",
                        "a script begins with a line such as #!/bin/sh"
                    )
            }
            return (systemReason(number), nil)
        default: return (systemReason(number), nil)
        }
    }

    private static func script(_ head: [UInt8], _ number: Int32) -> (String, hint: String?) {
        let line = head.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }
        let trimmed = line.drop { $0 == 0x20 || $0 == 0x09 }
        let bytes = Array(trimmed.prefix { $0 != 0x20 && $0 != 0x09 })
        guard !bytes.isEmpty else { return ("its line '#!' names no interpreter", nil) }
        let interpreter = String(decoding: bytes.filter { $0 != 0x0d }, as: UTF8.self)
        if bytes.last == 0x0d {
            return (
                "its interpreter '\(interpreter)\\r' does not exist",
                "the file has the line ends of Windows; save it with those of Unix"
            )
        }
        switch number {
        case ENOENT:
            return ("its interpreter '\(interpreter)' does not exist", "change the first line of the file")
        case EACCES: return ("no permission to run its interpreter '\(interpreter)'", nil)
        case ELOOP: return ("its interpreter '\(interpreter)' is a script of a script of a script", nil)
        default: return ("its interpreter '\(interpreter)' is not a program", nil)
        }
    }

    private static func program(_ head: [UInt8], _ number: Int32) -> (String, hint: String?) {
        let header = ELFHeader(head)
        if number == ENOEXEC {
            if let machine = header?.machine, machine != ELFHeader.thisMachine {
                return (
                    "it is built for \(ELFHeader.name(of: machine)), this machine is "
                        + ELFHeader.name(of: ELFHeader.thisMachine), "install the package for this machine"
                )
            }
            return ("it is a damaged or foreign program", nil)
        }
        if number == ENOENT, let interpreter = header?.interpreter {
            return ("its dynamic linker '\(interpreter)' does not exist", "it is built for another system")
        }
        return (systemReason(number), nil)
    }
}

/// The two facts of an ELF header (elf(5)) that explain a program that does not start.
struct ELFHeader {
    static let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]
    /// `e_machine`
    let machine: UInt16
    /// The path in PT_INTERP, for 64-bit little-endian programs whose path lies in the bytes given.
    let interpreter: String?

    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 64, bytes.starts(with: Self.magic) else { return nil }
        let bigEndian = bytes[5] == 2
        machine =
            bigEndian
            ? UInt16(bytes[18]) << 8 | UInt16(bytes[19]) : UInt16(bytes[19]) << 8 | UInt16(bytes[18])
        func integer(_ offset: Int, _ size: Int) -> Int? {
            guard offset >= 0, offset <= bytes.count - size else { return nil }
            let value = bytes[offset..<offset + size].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return Int(exactly: value)
        }
        var found: String?
        if bytes[4] == 2, !bigEndian, let table = integer(32, 8), table < bytes.count,
            let size = integer(54, 2),
            let count = integer(56, 2)
        {
            for index in 0..<count {
                let entry = table + index * size
                guard let type = integer(entry, 4) else { break }
                guard type == 3, let offset = integer(entry + 8, 8), offset < bytes.count else { continue }
                found = String(decoding: bytes[offset...].prefix { $0 != 0 }, as: UTF8.self)
                break
            }
        }
        interpreter = found
    }

    static var thisMachine: UInt16 {
        #if arch(x86_64)
            62
        #elseif arch(arm64)
            183
        #else
            0
        #endif
    }

    static func name(of machine: UInt16) -> String {
        switch machine {
        case 3: "i386"
        case 8: "mips"
        case 20, 21: "powerpc"
        case 22: "s390x"
        case 40: "arm"
        case 62: "x86_64"
        case 183: "aarch64"
        case 243: "riscv"
        case 258: "loongarch"
        default: "machine \(machine)"
        }
    }
}

extension Candidate {
    /// The error for a file that the search passed over, when nothing else of its name was found.
    public var error: VoltError {
        let hint = problem == .notExecutable ? "run 'chmod +x' on it" : nil
        return VoltError(
            .cannotRun, "cannot run '\(path)': \(problem?.rawValue ?? "it was passed over")", hint: hint)
    }
}
