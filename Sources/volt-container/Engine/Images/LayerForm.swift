internal import ContainerSandbox
internal import VoltCore
internal import VoltStore
internal import VoltSystem

/// How the layers that come are kept on this host.
struct LayerForm: Codable, Equatable {
    /// Why layers are directories; nil when they are trees of the content store, which share their files.
    var reason: String?
    /// The start of the host for which it was found out.
    var boot: String

    var isTrees: Bool { reason == nil }
}

extension ImageStore {
    /// Found out once for each start of the host, by mounting a tree as a container does.
    func layerForm() throws(VoltError) -> LayerForm {
        let boot = String(
            decoding: ((try? Files.read("/proc/sys/kernel/random/boot_id", limit: 64)) ?? []).prefix(36),
            as: UTF8.self)
        if let known = try? JSONFile.read(LayerForm.self, formPath), known.boot == boot { return known }
        var form = LayerForm(reason: nil, boot: boot)
        do throws(VoltError) { try tryMount() } catch { form.reason = error.message }
        try Files.makeDirectory(Files.parent(of: formPath), mode: 0o755)
        try Files.replaceUnsynced(formPath, with: try JSONFile.encode(form))
        return form
    }

    /// Lets the helper of the containers put a root file system together, in a mount namespace of its own.
    private func tryMount() throws(VoltError) {
        let directory = try makeTemporary()
        defer { try? Files.removeTree(directory) }
        for name in ["tree", "upper", "work", "stage"] { try Files.makeDirectory("\(directory)/\(name)") }
        try Files.replaceUnsynced("\(directory)/tree/file", with: "file\n".utf8)
        let contents = try contents()
        var options = IngestOptions()
        options.representation = .bare
        options.keepsTimes = false
        let image = try Self.inStore {
            try contents.prepareMount(of: try contents.addTree("\(directory)/tree", options: options).digest)
        }
        var settings = Settings()
        settings.add("stage", "\(directory)/stage")
        settings.add("upper", "\(directory)/upper")
        settings.add("work", "\(directory)/work")
        settings.add("lower", Settings.names + image)
        settings.add("objects", contents.objects)
        try Files.replaceUnsynced("\(directory)/settings", with: try settings.encoded())
        var lines: [String] = []
        let outcome = try Child.start(
            try Processes.helper("volt-container--run"), ["probe", "\(directory)/settings"], environment: [:]
        )
        .finish(limit: .seconds(30), stop: { false }) { _, line in lines.append(line) }
        guard case .exited(0) = outcome else {
            throw VoltError(.failed, lines.last ?? "the helper ended with \(outcome)")
        }
    }
}
