internal import ContainerSandbox
internal import VoltCore
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
    private static var boot: String {
        String(
            decoding: ((try? Files.read("/proc/sys/kernel/random/boot_id", limit: 64)) ?? []).prefix(36),
            as: UTF8.self)
    }

    /// What was found out since the host started, or nil.
    func knownLayerForm() -> LayerForm? {
        guard let known = try? JSONFile.read(LayerForm.self, formPath), known.boot == Self.boot else {
            return nil
        }
        return known
    }

    /// Finds out whether trees can be mounted, by mounting one as a container does.
    func layerForm(trying tree: Digest) throws(VoltError) -> LayerForm {
        if let known = knownLayerForm() { return known }
        var form = LayerForm(reason: nil, boot: Self.boot)
        do throws(VoltError) { try tryMount(tree) } catch { form.reason = error.message }
        try Files.makeDirectory(Files.parent(of: formPath), mode: 0o755)
        try Files.replaceUnsynced(formPath, with: try JSONFile.encode(form))
        return form
    }

    /// Lets the helper of the containers put a root file system together, in a mount namespace of its own.
    private func tryMount(_ tree: Digest) throws(VoltError) {
        let directory = try makeTemporary()
        defer { try? Files.removeTree(directory) }
        for name in ["upper", "work", "stage"] { try Files.makeDirectory("\(directory)/\(name)") }
        var settings = RootSettings(
            stage: "\(directory)/stage", upper: "\(directory)/upper", work: "\(directory)/work")
        settings.layers = try mounts(of: [tree.description])
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
