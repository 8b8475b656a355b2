# lib.sh: what the benchmarks share; sourced after `cd` to the root of the repository.
# A scratch directory with a VOLT_ROOT, release programs on PATH, and the end of what was started.
build=$PWD/.build/release
[ -x "$build/volt" ] || { printf "benchmark: error: '%s' is not built\nbenchmark: hint: run 'make release'\n" "$build/volt" >&2 && exit 69; }
scratch=$(mktemp -d "${TMPDIR:-/tmp}/volt-bench.XXXXXX")
export VOLT_ROOT=$scratch/root PATH=$build:$PATH GIT_CONFIG_GLOBAL=$scratch/gitconfig GIT_CONFIG_NOSYSTEM=1
printf '[user]\n\tname = bench\n\temail = bench@localhost\n[init]\n\tdefaultBranch = main\n' >"$GIT_CONFIG_GLOBAL"
children=()
finish() {
    set +e
    for child in "${children[@]}"; do kill "$child" 2>/dev/null && wait "$child" 2>/dev/null; done
    rm -rf --one-file-system "$scratch"
}
trap finish EXIT

wait_for() { # FILE PATTERN: what the pattern's group matched
    local found
    for _ in $(seq 200); do
        found=$(sed -nE "s|.*$2.*|\1|p" "$1" | head -n 1)
        [ -z "$found" ] || { printf '%s' "$found" && return; }
        sleep 0.05
    done
    return 1
}

serve_git() { # sets git_url: the bare repositories below $scratch/git over HTTP
    volt-demo serve-git "$scratch/git" >"$scratch/git.log" 2>&1 &
    children+=($!)
    git_url=$(wait_for "$scratch/git.log" '(http://[0-9.:]+)')
}

serve_hooks() { # sets server and server_url: `volt gitops serve` at a free port of the loopback
    volt-gitops serve --port 0 --listen 127.0.0.1 >"$scratch/serve.log" 2>&1 &
    server=$!
    children+=("$server")
    server_url=$(wait_for "$scratch/serve.log" '(http://[0-9.]+:[0-9]+)')
}

require_root() { [ "$(id -u)" = 0 ] || { echo "benchmark: error: containers need root" >&2 && exit 5; }; }

container_host() { # WORDS: runs them with a /run and a cgroup2 of their own, as a host has them whose process 1 is systemd
    unshare -m --propagation private sh -c '
        mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/lock
        if [ ! -e /sys/fs/cgroup/cgroup.procs ]; then umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; fi
        exec "$@"' sh "$@"
}

busybox_root() { # DIRECTORY: a root file system with busybox as its one program
    mkdir -p "$1"/{bin,usr,etc,proc,sys,dev,run,tmp}
    cp /bin/busybox "$1/bin/busybox"
    ln -s busybox "$1/bin/true"
}
