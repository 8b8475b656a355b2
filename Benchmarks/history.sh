#!/bin/bash
# history.sh: the journal after 100,000 attempts: its size, and how long `list`, `status` and `logs` take.
# The attempts are made by signed deliveries. Release programs.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/lib.sh
repository=https://git.example.invalid/team/site.git
head -c 32 /dev/urandom | base64 >"$scratch/secret"
for name in site other; do
    volt-gitops create --name "$name" --repo "$repository" --provider github --branch main --workload "$name" \
        --secret-file "$scratch/secret" --poll-interval 86400 2>/dev/null
done
serve_hooks
accepted=0 first=0
# Each delivery reaches both pipelines.
while [ "$accepted" -lt 50000 ]; do
    said=$(volt-demo load --port "${server_url##*:}" --path /hooks/github --repo "$repository" \
        --secret-file "$scratch/secret" --connections 64 --seconds 2 --first "$first")
    first=$((first + 10000000))
    accepted=$((accepted + $(sed -E 's/.*accepted=([0-9]+).*/\1/' <<<"$said")))
done
kill "$server" && wait "$server" || true
children=()
size=$(du -ck "$VOLT_ROOT"/lib/gitops/journal.db* | tail -n 1 | cut -f 1)
printf '%s attempts made, journal %s KiB\n' "$((accepted * 2))" "$size"
hyperfine -N --warmup 2 --runs 20 --export-csv "$scratch/result.csv" \
    -n list "volt-gitops list" -n status "volt-gitops status" \
    -n logs "volt-gitops logs --name site --limit 50" >/dev/null 2>&1
awk -F, 'NR > 1 { printf "%-8s median %5.1f ms, most %5.1f ms\n", $1, $4 * 1000, $8 * 1000 }' "$scratch/result.csv"
