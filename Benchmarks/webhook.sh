#!/bin/bash
# webhook.sh [SECONDS [ROUNDS]]: signed pushes accepted a second, over loopback with kept connections, by
# `volt gitops serve` (which writes its journal to the disk before it answers) and by Debian's `webhook`
# (which checks the same HMAC and runs `true`), in turns; the median of the rounds counts. One thread of wrk
# sends bodies that were signed beforehand. Release programs.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-5} rounds=${2:-3}
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

Benchmarks/webhook-bodies.py "$scratch/secret" "$repository" >"$scratch/bodies"

memory() { awk '/VmHWM/ { printf "%.0f", $2 / 1024 }' "/proc/$1/status"; }
field() { sed -nE "s/.*$1=([0-9.]+).*/\1/p"; }
median() { sort -g | awk '{ values[NR] = $1 } END { print values[int((NR + 1) / 2)] }'; }
accepted=0 failed=0 open=0 first=0
load() { # SIDE PORT: one run of wrk, whose figures go to a file of the side
    wrk -t1 -c"$connections" -d"$seconds" -s Benchmarks/webhook.lua "http://127.0.0.1:$2" -- \
        "$scratch/bodies" "$first" | grep '^accepted=' | tee -a "$scratch/$connections.$1" >"$scratch/last"
    first=$((first + 10000000))
}
printf '%-12s %-8s %10s %10s %10s\n' CONNECTIONS SERVER RATE/S 'P50 MS' 'P99 MS'
for connections in 1 2 16 64 256; do
    for _ in $(seq "$rounds"); do
        load webhook "$peer_port"
        load volt "${server_url##*:}"
        accepted=$((accepted + $(field accepted <"$scratch/last")))
        failed=$((failed + $(field failed <"$scratch/last")))
        open=$((open + connections))
    done
    for side in webhook volt; do
        for name in rate p50 p99; do
            declare "${side}_$name=$(field "$name" <"$scratch/$connections.$side" | median)"
        done
    done
    printf '%-12s %-8s %10s %10s %10s\n' "$connections" webhook "$webhook_rate" "$webhook_p50" "$webhook_p99" \
        '' volt "$volt_rate" "$volt_p50" "$volt_p99"
    awk -v a="$volt_rate" -v b="$webhook_rate" -v c="$volt_p99" -v d="$webhook_p99" \
        'BEGIN { printf "%-12s ratio: rate %.2f times, p99 %.2f times\n", "", a / b, c / d }'
done
printf 'peak memory: webhook %s MB, volt %s MB with %s deliveries that wait\n' "$(memory "$peer")" "$(memory "$server")" "$accepted"
rows=$(volt gitops logs --name site --limit 100000000 -o json | grep -c '"trigger" : "webhook"' || true)
# At its end wrk drops the connections, whose last deliveries may be accepted and not counted.
printf 'answers 202: %s, failed: %s, rows in the journal: %s\n' "$accepted" "$failed" "$rows"
[ "$failed" = 0 ] && [ "$rows" -ge "$accepted" ] && [ "$rows" -le $((accepted + open)) ]
