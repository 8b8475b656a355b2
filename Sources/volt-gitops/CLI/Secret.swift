import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore

struct Secret: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secret",
        abstract: "Change the secret of a pipeline's hook, and see which secrets are valid.",
        discussion: """
            While a secret is rotated two are valid, so that no delivery is lost between this host and the \
            provider's form.

            Example:
              volt gitops secret rotate --name site --secret-file new.secret --grace 1h
            """,
        subcommands: [SecretRotate.self, SecretShow.self, SecretRetire.self])

    /// One line a secret.
    static func table(_ report: SecretReport, now: Timestamp) -> Table {
        var table = Table(["SECRET", "VALID", "LAST DELIVERY"])
        for line in report.secrets {
            table.add([
                line.secret,
                line.validUntil.map { "until \($0) (\(DurationText.format($0.since(now))))" } ?? "yes",
                line.lastDelivery.map { $0.relative(to: now) } ?? "never",
            ])
        }
        return table
    }
}
