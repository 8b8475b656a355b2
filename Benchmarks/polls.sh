#!/bin/bash
# polls.sh [MINUTES]: CPU of `volt gitops serve` with 200 pipelines polled once a minute, its workers
# included, beside as many `git ls-remote`. Release programs.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-2}
pipelines=200
. Benchmarks/lib.sh
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
serve_git
for number in $(seq "$pipelines"); do
    ln -s site.git "$scratch/git/site$number.git"
    volt-gitops create --name "p$number" --repo "$git_url/site$number.git" --provider github --branch main \
        --workload "w$number" --insecure-no-secret --allow-http --poll-interval 60 2>/dev/null
done
serve_hooks
# The first polls find a commit that has no manifest: after three failures each it is held.
sleep 150
ticks() { awk '{ print $14 + $15 + $16 + $17 }' "/proc/$server/stat"; }
before=$(ticks)
sleep $((minutes * 60))
after=$(ticks)
ours=$(awk -v t="$((after - before))" -v hz="$(getconf CLK_TCK)" -v m="$minutes" 'BEGIN { printf "%.1f", t / hz * 60 / m }')
theirs=$( { TIMEFORMAT='%U %S'; time for _ in $(seq 50); do git ls-remote --quiet "$git_url/site1.git" refs/heads/main >/dev/null; done; } 2>&1 |
    awk -v n="$pipelines" '{ printf "%.1f", ($1 + $2) / 50 * n * 60 }')
awk -v n="$pipelines" -v a="$ours" -v b="$theirs" 'BEGIN {
    printf "%d pipelines polled each minute, CPU seconds an hour: volt %s, git ls-remote %s, ratio %.2f\n", n, a, b, a / b }'
