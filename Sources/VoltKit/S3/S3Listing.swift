internal import VoltCore

/// An object of a bucket, as a list has it.
public struct S3Object: Sendable, Equatable {
    /// Its name, without what all names of this client begin with.
    public var key: String
    /// Its bytes.
    public var size: UInt64
    /// When it was written, in seconds since 1970.
    public var modified: Int64

    /// - Parameters: see the properties.
    public init(key: String, size: UInt64, modified: Int64) {
        self.key = key
        self.size = size
        self.modified = modified
    }
}

/// A page of a list of objects (Amazon S3 API, "ListObjectsV2").
public struct S3Listing: Sendable, Equatable {
    /// The objects, in the order of their names as bytes.
    public var objects: [S3Object] = []
    /// What is given to have the next page; nil at the end.
    public var next: String?

    /// The list that an answer has; nil when it is something else. Any bytes are safe.
    public init?(_ bytes: [UInt8]) {
        guard let root = S3XML.parse(bytes), root.name == "ListBucketResult" else { return nil }
        for child in root.children where child.name == "Contents" {
            guard let key = child["Key"]?.text, let size = child["Size"].flatMap({ UInt64($0.text) }),
                size <= UInt64(Int64.max),
                let modified = child["LastModified"].flatMap({ Self.seconds($0.text) })
            else { return nil }
            objects.append(S3Object(key: key, size: size, modified: modified))
        }
        if root["IsTruncated"]?.text == "true" {
            guard let token = root["NextContinuationToken"]?.text, !token.isEmpty else { return nil }
            next = token
        }
    }

    /// Seconds since 1970 of `2026-11-24T03:26:01.000Z`.
    static func seconds(_ text: String) -> Int64? {
        let parts = text.split { "-T:.Z".contains($0) }
        guard text.hasSuffix("Z"), (6...7).contains(parts.count) else { return nil }
        let numbers = parts.prefix(6).compactMap { Int64($0) }
        guard numbers.count == 6, (1970...9999).contains(numbers[0]), (1...12).contains(numbers[1]),
            (1...31).contains(numbers[2]), (0...23).contains(numbers[3]), (0...59).contains(numbers[4]),
            (0...60).contains(numbers[5])
        else { return nil }
        let days = CivilTime.day(year: numbers[0], month: Int(numbers[1]), day: Int(numbers[2]))
        return ((days * 24 + numbers[3]) * 60 + numbers[4]) * 60 + numbers[5]
    }
}

/// What went wrong, in the words of S3.
struct S3Problem {
    let code: String
    let message: String

    init?(_ bytes: [UInt8]) {
        guard let root = S3XML.parse(bytes), root.name == "Error", let code = root["Code"]?.text else {
            return nil
        }
        self.code = code
        message = root["Message"]?.text ?? ""
    }
}
