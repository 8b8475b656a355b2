#!/bin/bash
# polls.sh [MINUTES]: CPU of `volt gitops serve` with 200 pipelines polled once a minute, its workers
# included, beside as many `git ls-remote`. Release programs.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-2}
pipelines=200
build=$PWD/.build/release
scratch=$(mktemp -d "${TMPDIR:-/tmp}/volt-bench.XXXXXX")
export VOLT_ROOT=$scratch/root PATH=$build:$PATH GIT_CONFIG_NOSYSTEM=1 HOME=$scratch
children=()
finish() {
    set +e
    for child in "${children[@]}"; do kill "$child" 2>/dev/null && wait "$child" 2>/dev/null; done
    rm -rf "$scratch"
}
trap finish EXIT
git init --quiet --bare -b main "$scratch/git/site.git"
git -C "$scratch/git/site.git" fast-import --quiet <<'X'
commit refs/heads/main
committer b <b@localhost> 1700000000 +0000
data 3
one
M 100644 inline README
data 3
one
X
volt-demo serve-git "$scratch/git" >"$scratch/git.log" 2>&1 &
children+=($!)
for _ in $(seq 100); do [ -s "$scratch/git.log" ] && break; sleep 0.05; done
base=$(head -n 1 "$scratch/git.log")
for number in $(seq "$pipelines"); do
    ln -s site.git "$scratch/git/site$number.git"
    volt-gitops create --name "p$number" --repo "$base/site$number.git" --provider github --branch main \
        --workload "w$number" --insecure-no-secret --allow-http --poll-interval 60 2>/dev/null
done
volt-gitops serve --port 0 --listen 127.0.0.1 >"$scratch/serve.log" 2>&1 &
server=$!
children+=("$server")
# The first polls find a commit that has no manifest: after three failures each it is held.
sleep 100
ticks() { awk '{ print $14 + $15 + $16 + $17 }' "/proc/$server/stat"; }
before=$(ticks)
sleep $((minutes * 60))
after=$(ticks)
ours=$(awk -v t="$((after - before))" -v hz="$(getconf CLK_TCK)" -v m="$minutes" 'BEGIN { printf "%.1f", t / hz * 60 / m }')
theirs=$( { TIMEFORMAT='%U %S'; time for _ in $(seq 50); do git ls-remote --quiet "$base/site1.git" refs/heads/main >/dev/null; done; } 2>&1 |
    awk -v n="$pipelines" '{ printf "%.1f", ($1 + $2) / 50 * n * 60 }')
awk -v n="$pipelines" -v a="$ours" -v b="$theirs" 'BEGIN {
    printf "%d pipelines polled each minute, CPU seconds an hour: volt %s, git ls-remote %s, ratio %.2f\n", n, a, b, a / b }'
