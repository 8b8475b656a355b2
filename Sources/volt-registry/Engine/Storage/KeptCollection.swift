internal import Glibc
internal import VoltCore
internal import VoltOCI
internal import VoltStore
internal import VoltSystem

/// Lets go what was kept of other registries, and was not asked for the longest.
struct KeptCollection {
    private struct Manifest {
        let name: OCIRepositoryName
        let digest: Digest
        /// Seconds since it was asked for, or what it belongs to.
        var age: Int64
        let blobs: Set<Digest>
    }

    private let storage: RegistryStorage
    private var manifests: [Manifest] = []
    /// How many manifests need a blob, and what it has.
    private var blobs: [Digest: (users: Int, size: UInt64)] = [:]

    /// Reads the manifests of repositories.
    init(_ storage: RegistryStorage, _ names: [OCIRepositoryName], now: Timestamp) throws {
        self.storage = storage
        for name in names { try read(name, now.milliseconds / 1000) }
        manifests.sort { $0.age > $1.age }
    }

    private mutating func read(_ name: OCIRepositoryName, _ now: Int64) throws {
        let directory = "\(storage.directory(name))/_manifests"
        let first = manifests.count
        // What each manifest belongs to.
        var subjects: [Digest: Digest] = [:]
        for companion in try RepositoryTags(storage, name).companions {
            guard let digest = storage.resolve(companion.digest, directory) else { continue }
            subjects[digest] = companion.subject
        }
        for entry in try Files.list(directory) {
            var information = stat()
            guard let digest = try? Digest(entry), stat("\(directory)/\(entry)", &information) == 0 else {
                continue
            }
            // One that cannot be read is fetched anew once it is gone.
            let document = (try? storage.bytes(of: digest)).flatMap { try? OCIDocument($0) }
            let subject = document?.subject.flatMap { OCIDigest(parsing: $0.digest) }
            if let subject = subject.flatMap({ storage.resolve($0, directory) }) {
                subjects[digest] = subject
            }
            let needed = (document?.blobs ?? []).compactMap { descriptor in
                OCIDigest(parsing: descriptor.digest).flatMap { storage.blob($0, in: name) }
            }
            for blob in Set(needed) {
                let known = blobs[blob] ?? (0, (try? storage.store.size(of: blob)) ?? 0)
                blobs[blob] = (known.users + 1, known.size)
            }
            manifests.append(
                Manifest(
                    name: name, digest: digest,
                    age: now.subtractingClamped(Int64(information.st_mtim.tv_sec)),
                    blobs: Set(needed)))
        }
        let ages = Dictionary(
            manifests[first...].map { ($0.digest, $0.age) }, uniquingKeysWith: { min($0, $1) })
        for index in manifests.indices[first...] {
            var digest = manifests[index].digest
            // What is about something that is about something; a circle of tags has an end here.
            for _ in 0..<8 {
                guard let subject = subjects[digest], let age = ages[subject] else { break }
                manifests[index].age = min(manifests[index].age, age)
                digest = subject
            }
        }
    }

    /// Removes manifests until the rules are kept; the blobs go as those of any repository.
    func run(_ rules: RetentionRules, dryRun: Bool, _ result: inout CollectionResult) throws {
        var blobs = blobs
        var size = blobs.values.reduce(UInt64(0)) { $0.addingClamped($1.size) }
        for manifest in manifests {
            let isOld = rules.upstreamKeep.map { manifest.age >= $0.components.seconds } ?? false
            guard isOld || size > rules.upstreamSize ?? .max else { break }
            result.manifests.append("\(manifest.name)@\(manifest.digest)")
            for blob in manifest.blobs {
                guard let known = blobs[blob] else { continue }
                blobs[blob] = (known.users - 1, known.size)
                if known.users == 1 { size -= known.size }
            }
            if dryRun { continue }
            let lock = try storage.lockAlone(manifest.name)
            _ = try storage.removeManifest(OCIDigest(manifest.digest), in: manifest.name)
            lock.keep()
        }
    }
}
