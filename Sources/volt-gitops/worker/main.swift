import GitopsSource
import Glibc
import VoltCore
import VoltCrypto
import VoltGit
import VoltSandbox
import VoltSystem

// One request, one answer, one process: `SourceRequest.swift` says what goes in and out. Everything that
// blocks for ever on a silent server ends here, and the parent ends this.

let events = EventWriter()
do {
    signal(SIGPIPE, SIG_IGN)
    // Packs and one file are mapped or unpacked whole, and `TreeLimits` holds the sizes of both below the memory; the
    // largest file is a pack; the deepest tree takes one descriptor a directory.
    try HelperRights(
        memory: 8 << 30, fileSize: 4 << 30, descriptors: 512, fileMask: 0o022, mayGainPrivileges: true
    ).keepOnly("the worker")
    try ParentWatch.endWithParent()
    if CommandLine.arguments.dropFirst() == ["--libraries"] {
        let libraries = SourceLibraries(
            git: GitLibrary.version, ssh: GitLibrary.sshVersion, openSSL: CryptoLibrary.version,
            signsRSAWithSHA2: GitLibrary.signsRSAWithSHA2)
        try StandardOutput.write(SourceStream.encode(libraries))
        exit(0)
    }
    let request = try SourceStream.request(try EventWriter.readRequest())
    switch request.repository.system {
    case .git where request.action == .hostKey: try HostKeyJob(request, events: events).run()
    case .git: try GitJob(request, events: events).run()
    case .svn: try SubversionJob(request, events: events).run()
    }
    exit(0)
} catch {
    let failure = error as? VoltError ?? VoltError(.failed, "\(error)")
    events.write(.failed(code: failure.code.rawValue, message: failure.message, hint: failure.hint))
    exit(failure.code.rawValue)
}
