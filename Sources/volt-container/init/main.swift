internal import CVoltSystem
internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSupervise
internal import VoltSystem

// volt-container--init: process 1 of a container. It reads its settings from descriptor 3 and reports to
// the file at descriptor 4 (systemd-nspawn hands both through as LISTEN_FDS), confines itself, starts the
// payload, passes signals on, reaps, checks the health, and ends with the payload's exit code.

let settingsDescriptor: Int32 = 3
let statusDescriptor: Int32 = 4

func readAll(_ descriptor: Int32) throws(VoltError) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 { throw SystemError.current.during("cannot read the settings") }
        if count == 0 { return bytes }
        guard bytes.count + count <= InitSettings.limit else {
            throw VoltError(.failed, "the settings are larger than 2M")
        }
        bytes += buffer[..<count]
    }
}

func complain(_ message: String) {
    let line = Array("volt-container--init: \(message)\n".utf8)
    _ = write(2, line, line.count)
}

do throws(VoltError) {
    let settings = try InitSettings(decoding: try readAll(settingsDescriptor))
    close(settingsDescriptor)
    _ = volt_set_cloexec(statusDescriptor, 1)
    // nspawn's death, by whatever signal, ends the container; and nothing in the container may look into
    // this process, which keeps capabilities that the payload has not.
    guard volt_die_with_parent() == 0, volt_set_dumpable(0) == 0, volt_block_all_signals() == 0 else {
        throw SystemError.current.during("cannot prepare process 1")
    }
    try ControlGroupTree.makeReadOnly(except: settings.writable)
    try settings.imageRun?.take()
    var shim = try Shim(settings)
    exit(shim.run())
} catch {
    complain(error.message)
    PayloadStatus(phase: .failed, code: 125, message: error.message).write(to: statusDescriptor)
    exit(125)
}
