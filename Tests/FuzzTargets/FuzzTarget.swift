/// Something that reads foreign bytes, with what must hold of its answer whatever they are.
package struct FuzzTarget: Sendable {
    /// The name of its corpus: a folder in Tests/FuzzTests/Corpora.
    package let name: String
    /// Words of the format, which a mutation may insert.
    package let words: [String]
    /// Reads the bytes; a trap is a failure as well.
    package let run: @Sendable ([UInt8]) throws(FuzzFailure) -> Void

    /// All of them.
    package static let all: [FuzzTarget] =
        hooks + [
            signatures, repositoryURL, payloadURL, yaml, manifest, knownHosts, sops, gitModules, lfsPointer,
            storeTree,
            storeFiles, storeWire, tar, authorization, webToken, tokenQuery, accessPolicy,
            reference, challenge, document, config, byteRange, upstreamRule, syncFile, s3Listing,
            signingPayload,
            trustPolicy, numbers,
        ]
}

/// Something did not hold.
package struct FuzzFailure: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

func require(_ holds: Bool, _ what: @autoclosure () -> String) throws(FuzzFailure) {
    guard holds else { throw FuzzFailure(what()) }
}
