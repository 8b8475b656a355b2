public import VoltCore
public import VoltSystem
public import VoltWorkload

/// The layers of a root file system, as the helper mounts them.
public struct LayerMounts: Sendable, Equatable {
    /// A layer.
    public enum Layer: Sendable, Equatable {
        /// A directory.
        case directory(String)
        /// An EROFS image with the names of a tree, whose files are below `objects`.
        case names(String)
    }

    /// In front of an image of names in the settings; without it a layer is a directory.
    private static let names = "names:"

    /// The layers, the topmost first.
    public var layers: [Layer] = []
    /// The directory of the files that images of names are of; nil when there is no such image.
    public var objects: String?
    /// How the kernel reads the images; nil tries what there is.
    public var source: NamesImage.Source?

    /// No layers.
    public init() {}

    /// Reads the keys `lower`, `objects` and `names-from`.
    init(_ settings: Settings) {
        layers = settings.all("lower").map { lower in
            lower.hasPrefix(Self.names)
                ? .names(String(lower.dropFirst(Self.names.count))) : .directory(lower)
        }
        objects = settings.optional("objects")
        source = settings.optional("names-from").flatMap(NamesImage.Source.init)
    }

    func add(to settings: inout Settings) {
        for layer in layers {
            switch layer {
            case .directory(let path): settings.add("lower", path)
            case .names(let image): settings.add("lower", Self.names + image)
            }
        }
        if let objects { settings.add("objects", objects) }
        if let source { settings.add("names-from", source.rawValue) }
    }
}

/// The settings of a root file system: its layers, and over them the directory that is written to.
public struct RootSettings: Sendable, Equatable {
    /// A directory that the helper mounts a file system in memory on.
    public var stage: String
    /// The directory that is written to.
    public var upper: String
    /// The directory that overlayfs works in.
    public var work: String
    /// The layers.
    public var layers = LayerMounts()

    /// - Parameters: see the properties.
    public init(stage: String, upper: String, work: String) {
        self.stage = stage
        self.upper = upper
        self.work = work
    }

    /// Reads the keys `stage`, `upper`, `work` and those of the layers.
    public init(_ settings: Settings) throws(VoltError) {
        self.init(
            stage: try settings.text("stage"), upper: try settings.text("upper"),
            work: try settings.text("work"))
        layers = LayerMounts(settings)
    }

    /// Writes the same.
    public func add(to settings: inout Settings) {
        settings.add("stage", stage)
        settings.add("upper", upper)
        settings.add("work", work)
        layers.add(to: &settings)
    }

    /// The bytes of the settings.
    public func encoded() throws(VoltError) -> [UInt8] {
        var settings = Settings()
        add(to: &settings)
        return try settings.encoded()
    }
}

/// The settings of the helper that fills new volumes.
public struct FillSettings: Sendable, Equatable {
    /// A volume to be filled.
    public struct Volume: Sendable, Equatable {
        /// The path in the container whose content it begins with.
        public var target: String
        /// The directory of the volume.
        public var directory: String

        /// - Parameters: see the properties.
        public init(target: String, directory: String) {
            self.target = target
            self.directory = directory
        }
    }

    /// The root file system of the container.
    public var root: RootSettings
    /// The volumes.
    public var volumes: [Volume]

    /// - Parameters: see the properties.
    public init(root: RootSettings, volumes: [Volume]) {
        self.root = root
        self.volumes = volumes
    }

    /// Reads the keys of the root file system, `fill` and `fill-to`.
    public init(_ settings: Settings) throws(VoltError) {
        root = try RootSettings(settings)
        volumes = zip(settings.all("fill"), settings.all("fill-to")).map { Volume(target: $0, directory: $1) }
    }

    /// The bytes of the settings.
    public func encoded() throws(VoltError) -> [UInt8] {
        var settings = Settings()
        root.add(to: &settings)
        settings.add("fill", all: volumes.map(\.target))
        settings.add("fill-to", all: volumes.map(\.directory))
        return try settings.encoded()
    }
}
