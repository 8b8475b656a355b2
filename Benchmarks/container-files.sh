#!/bin/bash
# container-files: does a container of an image with 12,000 files start as fast as one with 10?
# `volt container run --rm IMAGE true` with both, in turns. Needs root and a release build.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "container-files: error: containers need root" >&2 && exit 5; }
volt=$PWD/.build/release/volt-container
[ -x "$volt" ] || { printf "container-files: error: '%s' is not built\ncontainer-files: hint: run 'make release'\n" "$volt" >&2 && exit 69; }
scratch=$(mktemp -d)
export VOLT_ROOT=$scratch/volt
cleanup() { rm -rf --one-file-system "$scratch"; }
trap cleanup EXIT
image() {
    local root=$scratch/$1 count=$2 directory
    mkdir -p "$root"/{bin,usr,etc,proc,sys,dev,run,tmp}
    cp /bin/busybox "$root/bin/busybox"
    ln -s busybox "$root/bin/true"
    for ((index = 0; index < count; index++)); do
        directory=$root/usr/share/$((index / 100))
        [ -d "$directory" ] || mkdir -p "$directory"
        echo "$1 $index" >"$directory/file-$index"
    done
    "$volt" import --name "$1" "$root" >/dev/null
}
image few 10
image many 12000
cat >"$scratch/host" <<'X'
mount -t tmpfs -o mode=755 tmpfs /run
if [ ! -e /sys/fs/cgroup/cgroup.procs ]; then umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; fi
exec "$@"
X
runs=${VOLT_BENCH_RUNS:-60}
unshare -m --propagation private sh "$scratch/host" hyperfine -N --warmup 3 --runs "$runs" --export-csv "$scratch/result.csv" \
    -n few "$volt run --rm few true" -n many "$volt run --rm many true" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
awk -F, 'NR > 1 { median[$1] = $4 * 1000; least[$1] = $7 * 1000 }
    END {
        printf "%-18s %9s %9s\n", "", "median", "least"
        printf "%-18s %6.1f ms %6.1f ms\n", "10 files", median["few"], least["few"]
        printf "%-18s %6.1f ms %6.1f ms\n", "12,000 files", median["many"], least["many"]
        printf "%-18s %8.2fx %8.2fx\n", "ratio", median["many"] / median["few"], least["many"] / least["few"]
    }' "$scratch/result.csv"
