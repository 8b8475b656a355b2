public import VoltCore

/// Everything that is known of an attempt.
public struct AttemptReport: Codable, Sendable, Equatable {
    /// A step and how long it took.
    public struct Step: Codable, Sendable, Equatable {
        /// The state that began.
        public var state: AttemptState
        /// When.
        public var at: Timestamp
        /// How long it took, in milliseconds; nil while it is under way.
        public var milliseconds: Int64?
    }

    /// The attempt.
    public var attempt: Attempt
    /// Where its pipeline is now; nil from an earlier Volt.
    public var pipeline: PipelineState?
    /// What names of images in its definition resolved to; nil when that is not known.
    public var images: [String: String]?
    /// The files that differ from the commit that ran before, at most 200.
    public var files: [FileChange]
    /// The steps in their order.
    public var steps: [Step]
    /// The log of the deploy.
    public var log: [String]
}

extension Gitops {
    /// Everything that is known of an attempt.
    ///
    /// - Throws: `VoltError` with code `notFound`.
    public func report(on id: Int64) throws(VoltError) -> AttemptReport {
        let journal = try journal()
        guard let attempt = try journal.attempt(id) else {
            throw VoltError(
                .notFound, "there is no attempt \(id)",
                hint: "'volt gitops logs --name N --why' has the numbers")
        }
        let steps = try journal.steps(of: id)
        let ends = steps.dropFirst().map { Optional($0.at) } + [attempt.finishedAt]
        let images = try journal.images(of: id)
        return AttemptReport(
            attempt: attempt, pipeline: try journal.state(of: journal.pipeline(attempt.pipeline)),
            images: images.isEmpty ? nil : images, files: try journal.changes(of: id),
            steps: zip(steps, ends).map { step, end in
                AttemptReport.Step(
                    state: step.state, at: step.at, milliseconds: end?.since(step.at).milliseconds)
            }, log: try journal.log(of: id, last: Deployer.logLimit + 1))
    }
}
