import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore

/// How often a failed commit is tried again.
struct RetryOptions: ParsableArguments {
    @Option(help: "How many attempts a commit gets before it is held.") var attempts = RetryPolicy().attempts
    @Option(help: "How long the second attempt waits; each later one waits twice as long.")
    var retryAfter = "30s"

    func fill(_ pipeline: inout Pipeline) throws(VoltError) {
        guard (1...20).contains(attempts) else {
            throw VoltError(.usage, "\(attempts) attempts are out of range", hint: "use 1 to 20")
        }
        let wait = try DurationText.parse(retryAfter)
        guard (1...3600).contains(wait.milliseconds / 1000) else {
            throw VoltError(.usage, "a wait of '\(retryAfter)' is out of range", hint: "use 1s to 1h")
        }
        var policy = RetryPolicy()
        policy.attempts = attempts
        policy.after = wait.milliseconds / 1000
        if policy != RetryPolicy() { pipeline.retry = policy }
    }
}
