#!/bin/bash
# webhook.sh [SECONDS]: signed pushes accepted a second, over loopback with kept connections, by
# `volt gitops serve` (which writes its journal to the disk before it answers) and by Debian's `webhook`
# (which checks the same HMAC and runs `true`). Release programs.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-5}
. Benchmarks/lib.sh
repository=https://git.example.invalid/team/site.git
head -c 32 /dev/urandom | base64 >"$scratch/secret"

cat >"$scratch/hooks.json" <<X
[{ "id": "github", "execute-command": "/bin/true", "success-http-response-code": 202,
   "trigger-rule": { "match": { "type": "payload-hmac-sha256", "secret": "$(cat "$scratch/secret")",
     "parameter": { "source": "header", "name": "X-Hub-Signature-256" } } } }]
X
peer_port=$(volt-demo free-port)
webhook -hooks "$scratch/hooks.json" -ip 127.0.0.1 -port "$peer_port" >"$scratch/webhook.log" 2>&1 &
peer=$!
children+=("$peer")

volt gitops create --name site --repo "$repository" --provider github --branch main --workload web \
    --secret-file "$scratch/secret" --poll-interval 86400 >/dev/null
# It takes deliveries and deploys none: they wait, and none is pruned before the rows are counted.
volt gitops suspend --name site >/dev/null 2>&1
serve_hooks

memory() { awk '/VmHWM/ { printf "%.0f", $2 / 1024 }' "/proc/$1/status"; }
field() { sed -nE "s/.*$1=([0-9.]+).*/\1/p" <<<"$2"; }
accepted=0 first=0
printf '%-12s %-8s %10s %10s %10s\n' CONNECTIONS SERVER RATE/S 'P50 MS' 'P99 MS'
for connections in 1 2 16 64 256; do
    theirs=$(volt-demo load --port "$peer_port" --path /hooks/github --repo "$repository" \
        --secret-file "$scratch/secret" --connections "$connections" --seconds "$seconds" --first "$first")
    first=$((first + 10000000))
    ours=$(volt-demo load --port "${server_url##*:}" --path /hooks/github --repo "$repository" \
        --secret-file "$scratch/secret" --connections "$connections" --seconds "$seconds" --first "$first")
    first=$((first + 10000000))
    accepted=$((accepted + $(field accepted "$ours")))
    for line in "webhook:$theirs" "volt:$ours"; do
        printf '%-12s %-8s %10s %10s %10s  failed=%s\n' "$connections" "${line%%:*}" "$(field rate "$line")" \
            "$(field p50 "$line")" "$(field p99 "$line")" "$(field failed "$line")"
    done
    awk -v a="$(field rate "$ours")" -v b="$(field rate "$theirs")" -v c="$(field p99 "$ours")" -v d="$(field p99 "$theirs")" \
        'BEGIN { printf "%-12s ratio: rate %.1f times, p99 %.2f times\n", "", a / b, c / d }'
done
printf 'peak memory: webhook %s MB, volt %s MB with %s deliveries that wait\n' "$(memory "$peer")" "$(memory "$server")" "$accepted"
rows=$(volt gitops logs --name site --limit 100000000 -o json | grep -c '"trigger" : "webhook"' || true)
printf 'answers 202: %s, rows in the journal: %s\n' "$accepted" "$rows"
[ "$rows" = "$accepted" ]
