#!/bin/bash
# container-start: `volt container run --rm busybox true`, with its filter of system calls, beside plain
# systemd-nspawn, the same without its filter, and podman. Needs root and a release build.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "container-start: error: containers need root" >&2 && exit 5; }
volt=$PWD/.build/release/volt-container
[ -x "$volt" ] || { printf "container-start: error: '%s' is not built\ncontainer-start: hint: run 'make release'\n" "$volt" >&2 && exit 69; }
scratch=$(mktemp -d)
export VOLT_ROOT=$scratch/volt
cleanup() { rm -rf --one-file-system "$scratch"; }
trap cleanup EXIT
root=$scratch/root
mkdir -p "$root"/{bin,usr,etc,proc,sys,dev,run,tmp}
cp /bin/busybox "$root/bin/busybox"
ln -s busybox "$root/bin/true"
"$volt" import --name busybox "$root" >/dev/null

# nspawn needs /run on a tmpfs and a cgroup2 of its own where process 1 is not systemd.
cat >"$scratch/host" <<'X'
mount -t tmpfs -o mode=755 tmpfs /run
if [ ! -e /sys/fs/cgroup/cgroup.procs ]; then umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; fi
mkdir -p /run/lock "/sys/fs/cgroup/$1" && echo $$ >"/sys/fs/cgroup/$1/cgroup.procs"
shift
exec "$@"
X
group=volt-bench-$$
# Both directories are the benchmark's own, and empty when its processes have ended.
trap 'find /sys/fs/cgroup/unified/$group /sys/fs/cgroup/$group -depth -type d -exec rmdir {} + 2>/dev/null || true; cleanup' EXIT
private() { unshare -m --propagation private sh "$scratch/host" "$group" "$@"; }
spawn="systemd-nspawn -q --keep-unit --register=no --resolv-conf=off --timezone=off --link-journal=no --console=pipe -D $root"

runs=${VOLT_BENCH_RUNS:-40}
commands=(
    -n volt "$volt run --rm busybox true"
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
