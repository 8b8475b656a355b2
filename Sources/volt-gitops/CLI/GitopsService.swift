import VoltServiceCLI
import VoltSystemd

/// The service of `volt gitops serve`.
enum GitopsService: ServiceDescribing {
    static let service = ServiceDescription(
        tool: "gitops", title: "Volt GitOps: webhooks, polls and deploys",
        socketTitle: "Volt GitOps: the port of the webhooks", defaultPort: 9090, profile: .deployer,
        page: "docs/gitops-operations.md")
}
