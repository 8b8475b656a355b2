internal import Synchronization
internal import VoltCore
internal import VoltPages

/// The numbers of `/metrics`, in the text format of Prometheus (version 0.0.4).
final class Metrics: Sendable {
    private struct Answer: Hashable {
        let provider: String
        let status: Int
    }

    private let answers = Mutex<[Answer: Int]>([:])

    /// Counts a delivery by what it was answered.
    func countDelivery(provider: String, status: Int) {
        answers.withLock { $0[Answer(provider: provider, status: status), default: 0] += 1 }
    }

    /// All numbers now.
    func text(_ journal: Journal) throws(VoltError) -> String {
        var page = MetricsPage()
        page.family("volt_gitops_info", "gauge", "The version of this program.")
        page.sample("volt_gitops_info", [("version", VoltVersion.text)], 1)
        addDeliveries(to: &page)
        Self.add(try journal.totals.all(), to: &page)
        Self.add(try journal.totals.queues(), to: &page)
        page.family(
            "volt_gitops_pipeline_state", "gauge", "Where a pipeline is: 1 for its state, 0 for others.")
        for pipeline in try journal.pipelines() {
            let state = try journal.state(of: pipeline)
            for word in PipelineState.Word.allCases {
                page.sample(
                    "volt_gitops_pipeline_state",
                    [("pipeline", pipeline.name.text), ("state", word.rawValue)], word == state.word ? 1 : 0)
            }
        }
        page.family("volt_gitops_outbox_messages", "gauge", "Messages that are still to be delivered.")
        page.sample("volt_gitops_outbox_messages", [], Int64(try journal.outbox.waitingMessages()))
        Self.add(try journal.totals.durations(), to: &page)
        return page.text
    }

    private func addDeliveries(to page: inout MetricsPage) {
        page.family(
            "volt_gitops_deliveries_total", "counter",
            "Webhook deliveries by answer since this server started.")
        let counts = answers.withLock { $0 }
        for (answer, count) in counts.sorted(by: {
            ($0.key.provider, $0.key.status) < ($1.key.provider, $1.key.status)
        }) {
            page.sample(
                "volt_gitops_deliveries_total",
                [("provider", answer.provider), ("status", String(answer.status))], Int64(count))
        }
    }

    private static func add(_ totals: [TotalsStore.Total], to page: inout MetricsPage) {
        page.family("volt_gitops_attempts_total", "counter", "Attempts that have ended, by how.")
        for total in totals {
            let isWayBack = total.name == PipelineState.Word.rolledBack.rawValue
            let state = isWayBack ? total.name : AttemptState(rawValue: total.name)?.shown
            guard let state else { continue }
            page.sample(
                "volt_gitops_attempts_total", [("pipeline", total.pipeline), ("state", state)], total.count)
        }
        page.family(
            "volt_gitops_last_success_timestamp_seconds", "gauge",
            "When a deploy last succeeded, as Unix time.")
        for total in totals where total.name == AttemptState.done.rawValue {
            page.sample(
                "volt_gitops_last_success_timestamp_seconds", [("pipeline", total.pipeline)],
                total.last.milliseconds / 1000)
        }
        page.family("volt_gitops_poll_errors_total", "counter", "Polls that failed.")
        for total in totals where total.name == "poll_error" {
            page.sample("volt_gitops_poll_errors_total", [("pipeline", total.pipeline)], total.count)
        }
    }

    private static func add(
        _ queues: [(pipeline: String, waiting: Int64, running: Int64)], to page: inout MetricsPage
    ) {
        page.family("volt_gitops_queue_depth", "gauge", "Attempts that wait for their turn.")
        for queue in queues {
            page.sample("volt_gitops_queue_depth", [("pipeline", queue.pipeline)], queue.waiting)
        }
        page.family("volt_gitops_running", "gauge", "Attempts that are under way.")
        for queue in queues {
            page.sample("volt_gitops_running", [("pipeline", queue.pipeline)], queue.running)
        }
    }

    private static func add(
        _ durations: [(limit: Int64, count: Int64, sum: Int64)], to page: inout MetricsPage
    ) {
        page.family(
            "volt_gitops_attempt_duration_seconds", "histogram", "From leaving the queue to the end.")
        for (limit, count, sum) in durations {
            let isAll = limit == Int64.max
            page.sample(
                "volt_gitops_attempt_duration_seconds_bucket",
                [("le", isAll ? "+Inf" : String(limit / 1000))], count)
            guard isAll else { continue }
            page.line("volt_gitops_attempt_duration_seconds_sum \(seconds(sum))")
            page.line("volt_gitops_attempt_duration_seconds_count \(count)")
        }
    }

    private static func seconds(_ milliseconds: Int64) -> String {
        let rest = String(milliseconds % 1000)
        return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - rest.utf8.count))\(rest)"
    }
}
