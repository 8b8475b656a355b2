internal import Glibc
internal import VoltCore
internal import VoltPages
internal import VoltServer
internal import VoltSystem

/// The numbers of `/metrics`.
enum RegistryMetrics {
    /// The text of the page now.
    static func text(_ counts: HTTPObserver.Counts, storage: RegistryStorage, _ upstreams: [Upstream])
        -> String
    {
        var page = MetricsPage()
        page.family("volt_registry_info", "gauge", "The version of this program.")
        page.sample("volt_registry_info", [("version", VoltVersion.text)], 1)
        page.family("volt_registry_requests_total", "counter", "Requests by method and answer.")
        for (kind, count) in counts.answers.sorted(by: {
            ($0.key.method, $0.key.status) < ($1.key.method, $1.key.status)
        }) {
            page.sample(
                "volt_registry_requests_total", [("method", kind.method), ("status", String(kind.status))],
                count)
        }
        page.family("volt_registry_requests_under_way", "gauge", "Requests that are being answered.")
        page.sample("volt_registry_requests_under_way", [], counts.underWay)
        page.family("volt_registry_sent_bytes_total", "counter", "Bytes of the bodies of answers.")
        page.sample("volt_registry_sent_bytes_total", [], Int64(clamping: counts.sent))
        page.family(
            "volt_registry_received_bytes_total", "counter", "Bytes of blobs and manifests that came.")
        page.sample("volt_registry_received_bytes_total", [], Int64(clamping: counts.received))
        if !upstreams.isEmpty {
            page.family(
                "volt_registry_upstream_requests_total", "counter",
                "Requests of repositories of other registries, by what became of them.")
        }
        for upstream in upstreams {
            for (outcome, count) in upstream.counts {
                page.sample(
                    "volt_registry_upstream_requests_total",
                    [("upstream", upstream.rule.description), ("outcome", outcome.rawValue)], count)
            }
        }
        var information = statvfs()
        if statvfs(storage.root, &information) == 0
            || statvfs(Files.parent(of: storage.root), &information) == 0
        {
            let unit = UInt64(information.f_frsize)
            page.family("volt_registry_disk_free_bytes", "gauge", "What the disk of the store has left.")
            page.sample(
                "volt_registry_disk_free_bytes", [],
                Int64(clamping: UInt64(information.f_bavail).multipliedClamped(by: unit)))
            page.family("volt_registry_disk_bytes", "gauge", "The disk of the store.")
            page.sample(
                "volt_registry_disk_bytes", [],
                Int64(clamping: UInt64(information.f_blocks).multipliedClamped(by: unit)))
        }
        return page.text
    }
}
