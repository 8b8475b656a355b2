#!/bin/bash
# container-files: does a container of an image with 12,000 files start as fast as one with 10?
# `volt container run --rm IMAGE true` with both, in turns. Needs root and a release build.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/lib.sh
require_root
image() { # NAME COUNT
    local root=$scratch/$1 directory
    busybox_root "$root"
    for ((index = 0; index < $2; index++)); do
        directory=$root/usr/share/$((index / 100))
        [ -d "$directory" ] || mkdir -p "$directory"
        echo "$1 $index" >"$directory/file-$index"
    done
    volt-container import --name "$1" "$root" >/dev/null
}
image few 10
image many 12000
container_host hyperfine -N --warmup 3 --runs "${VOLT_BENCH_RUNS:-60}" --export-csv "$scratch/result.csv" \
    -n few "volt-container run --rm few true" -n many "volt-container run --rm many true" \
    >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
awk -F, 'NR > 1 { median[$1] = $4 * 1000; least[$1] = $7 * 1000 }
    END {
        printf "%-18s %9s %9s\n", "", "median", "least"
        printf "%-18s %6.1f ms %6.1f ms\n", "10 files", median["few"], least["few"]
        printf "%-18s %6.1f ms %6.1f ms\n", "12,000 files", median["many"], least["many"]
        printf "%-18s %8.2fx %8.2fx\n", "ratio", median["many"] / median["few"], least["many"] / least["few"]
    }' "$scratch/result.csv"
