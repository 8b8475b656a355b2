#!/bin/bash
# container-start: `volt container run --rm busybox true`, with its filter of system calls, beside plain
# systemd-nspawn, the same without its filter, and podman. Needs root and a release build.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/lib.sh
require_root
root=$scratch/rootfs
busybox_root "$root"
volt-container import --name busybox "$root" >/dev/null

# nspawn needs a group of its own, in which it has no siblings.
group=volt-bench-$$
# Both directories are the benchmark's own, and empty when its processes have ended.
trap 'find /sys/fs/cgroup/unified/$group /sys/fs/cgroup/$group -depth -type d -exec rmdir {} + 2>/dev/null || true; finish' EXIT
private() {
    container_host sh -c 'mkdir -p "/sys/fs/cgroup/$0" && echo $$ >"/sys/fs/cgroup/$0/cgroup.procs" && exec "$@"' "$group" "$@"
}
spawn="systemd-nspawn -q --keep-unit --register=no --resolv-conf=off --timezone=off --link-journal=no --console=pipe -D $root"

runs=${VOLT_BENCH_RUNS:-40}
commands=(
    -n volt "volt-container run --rm busybox true"
    -n nspawn "$spawn /bin/true"
    -n 'nspawn unfiltered' "env SYSTEMD_SECCOMP=0 $spawn /bin/true"
)
if command -v podman >/dev/null; then
    tar -C "$root" -c . | podman --root "$scratch/podman" --runroot "$scratch/podrun" import - busybox >/dev/null 2>&1
    commands+=(-n podman "podman --root $scratch/podman --runroot $scratch/podrun run --rm --network=none --cgroups=disabled --ulimit=nofile=1024:4096 --ulimit=nproc=1000:1000 busybox /bin/true")
fi
# All in one namespace that looks like a host with systemd, so that they are measured alike.
private hyperfine -N --warmup 3 --runs "$runs" --export-csv "$scratch/result.csv" "${commands[@]}" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }

awk -F, 'NR > 1 { order[++n] = $1; median[$1] = $4 * 1000; least[$1] = $7 * 1000 }
    END {
        printf "%-18s %9s %9s %9s\n", "", "median", "least", "of volt"
        for (i = 1; i <= n; i++) {
            name = order[i]
            printf "%-18s %6.1f ms %6.1f ms %8.2fx\n", name, median[name], least[name], median[name] / median["volt"]
        }
    }' "$scratch/result.csv"
