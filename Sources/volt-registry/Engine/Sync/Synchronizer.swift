internal import Glibc
internal import VoltCore
internal import VoltOCI
public import VoltRegistry
internal import VoltSystem

/// Makes repositories at one place what they are at another one.
public struct Synchronizer {
    /// What became of a tag, or of a repository whose tags could not be listed.
    public struct Item: Sendable, Codable {
        /// As it is found there.
        public var from: String
        /// As it is found here.
        public var to: String
        /// `copied`, `unchanged`, `would copy`, `failed`, or `nothing` when an entry stands for no tag.
        public var result: String
        /// Of the manifest.
        public var digest: String?
        /// Bytes of the blobs that were moved.
        public var bytes: UInt64 = 0
        /// Why it failed.
        public var error: String?
    }

    private let dryRun: Bool
    private let copy: (ContentCopy.Options) -> ContentCopy
    private let client: (String) throws -> RegistryClient
    private let report: (Item) -> Void

    /// - Parameters:
    ///   - dryRun: whether nothing is copied.
    ///   - copy: how blobs are moved.
    ///   - client: gives the client of a registry.
    ///   - report: told of each tag.
    public init(
        dryRun: Bool, copy: @escaping (ContentCopy.Options) -> ContentCopy,
        client: @escaping (String) throws -> RegistryClient, report: @escaping (Item) -> Void
    ) {
        self.dryRun = dryRun
        self.copy = copy
        self.client = client
        self.report = report
    }

    /// Does what an entry says. What fails does not keep the others from their turn.
    public func run(_ entry: SyncFile.Entry) {
        let rest = entry.isTree ? "**" : nil
        let (from, to) = (Self.text(entry.from, rest), Self.text(entry.to, rest))
        do {
            let names = entry.isTree ? try repositories(entry.from) : [nil]
            let count = names.reduce(0) { $0 + tags(entry, $1) }
            if count > 0 { return }
            let error =
                names.isEmpty
                ? "no repository is there, or none that this login may see"
                : "no tag is there that the entry stands for"
            report(Item(from: from, to: to, result: "nothing", error: error))
        } catch {
            report(Item(from: from, to: to, result: "failed", error: Self.reason(error)))
        }
    }

    /// The names of the repositories below a place, without what they begin with there.
    private func repositories(_ place: SyncFile.Place) throws -> [String?] {
        switch place {
        case .registry(let host, let prefix):
            let names = try client(host).repositories()
            if prefix.isEmpty { return names }
            return names.filter { $0.hasPrefix("\(prefix)/") }.map { String($0.dropFirst(prefix.count + 1)) }
        case .layouts(let directory):
            var found: [String] = []
            try Self.layouts(directory, "", &found)
            return found.sorted()
        }
    }

    private static func layouts(_ directory: String, _ name: String, _ found: inout [String]) throws {
        if !name.isEmpty {
            guard OCIRepositoryName(parsing: name) != nil else { return }
            if OCILayout.isLayout(directory) { found.append(name) }
        }
        for entry in try Files.list(directory) where entry != "blobs" && !entry.hasPrefix(".") {
            let path = "\(directory)/\(entry)"
            guard Files.isDirectory(path) else { continue }
            try layouts(path, name.isEmpty ? entry : "\(name)/\(entry)", &found)
        }
    }

    private func open(_ place: SyncFile.Place, _ name: String?, makes: Bool) throws -> any ContentPlace {
        switch place {
        case .registry(let host, let prefix):
            let full = [prefix, name ?? ""].filter { !$0.isEmpty }.joined(separator: "/")
            return RepositoryPlace(try client(host), try OCIRepositoryName(full))
        case .layouts(let directory):
            return try LayoutPlace(name.map { "\(directory)/\($0)" } ?? directory, makes: makes)
        }
    }

    /// Copies the tags of a repository, and says of how many something was reported.
    private func tags(_ entry: SyncFile.Entry, _ name: String?) -> Int {
        var item = Item(from: Self.text(entry.from, name), to: Self.text(entry.to, name), result: "failed")
        do {
            let from = try open(entry.from, name, makes: false)
            let there = try from.tags()
            let tags = entry.select(
                there.filter { tag in
                    // Those that belong to an image come along with it.
                    OCICompanionTag(tag).map { !$0.isList && !entry.referrers } ?? true
                })
            if tags.isEmpty { return 0 }
            let to: (any ContentPlace)?
            if dryRun {
                // A layout that is not there has nothing.
                to = try? open(entry.to, name, makes: false)
            } else {
                to = try open(entry.to, name, makes: true)
            }
            var options = ContentCopy.Options()
            options.platform = entry.platform
            options.referrers = entry.referrers
            options.tags = Set(there)
            var taken: Set<String> = []
            for tag in tags { report(self.tag(tag, options, item, from, to, &taken)) }
            // What belongs to an image without a name is among all tags as well.
            guard entry.referrers, entry.tags.isEmpty, entry.newest == nil else { return tags.count }
            for tag in there where OCICompanionTag(tag) != nil && !taken.contains(tag) {
                report(self.tag(tag, options, item, from, to, &taken))
            }
            return tags.count
        } catch {
            item.error = Self.reason(error)
            report(item)
            return 1
        }
    }

    private func tag(
        _ text: String, _ options: ContentCopy.Options, _ item: Item, _ from: any ContentPlace,
        _ to: (any ContentPlace)?, _ taken: inout Set<String>
    ) -> Item {
        var item = item
        item.from += ":\(text)"
        item.to += ":\(text)"
        do {
            let tag = try OCITagName(text)
            let there = try to?.resolve(text)
            // A tag is given last: what it names is whole. What is about it may be new all the same.
            if options.platform == nil, !options.referrers || dryRun, let there,
                try from.resolve(text) == there
            {
                item.digest = there.description
                item.result = "unchanged"
                return item
            }
            guard !dryRun, let to else {
                item.digest = try from.resolve(text)?.description
                item.result = "would copy"
                return item
            }
            let result = try copy(options).run(text, from: from, to: to, tag: tag)
            taken.formUnion(result.companionTags)
            item.digest = result.digest.description
            item.bytes = result.bytes
            item.result = result.blobs == 0 && there == result.digest ? "unchanged" : "copied"
        } catch {
            item.result = "failed"
            item.error = Self.reason(error)
        }
        return item
    }

    private static func text(_ place: SyncFile.Place, _ name: String?) -> String {
        switch place {
        case .registry(let host, let prefix):
            [host, prefix, name ?? ""].filter { !$0.isEmpty }.joined(separator: "/")
        case .layouts(let directory): "oci:\(directory)" + (name.map { "/\($0)" } ?? "")
        }
    }

    private static func reason(_ error: any Error) -> String { (error as? VoltError)?.message ?? "\(error)" }
}
