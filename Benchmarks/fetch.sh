#!/bin/bash
# fetch.sh [RUNS]: clone and fetch of a repository with 50,000 objects over loopback HTTP, and the tree of
# the commit on disk, by volt-gitops--worker (libgit2, as a deploy does it) and by git. Release programs.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-5}
. Benchmarks/lib.sh

# 12,500 commits of one changed file each in a directory of a hundred: a commit, two trees and a blob.
history() { # FIRST LAST
    awk -v first="$1" -v last="$2" 'BEGIN {
        for (i = first; i <= last; i++) {
            data = sprintf("line %d of a file that changes\n%0200d\n", i, i * 7919)
            printf "commit refs/heads/main\ncommitter b <b@localhost> %d +0000\ndata 8\nchange%02d\n", 1700000000 + i, i % 100
            if (i == first && first > 1) printf "from refs/heads/main^0\n"
            printf "M 100644 inline d%d/f%d\ndata %d\n%s\n", i % 100, i % 1000, length(data), data
        }
    }'
}
git init --quiet --bare -b main "$scratch/git/large.git"
history 1 12500 | git -C "$scratch/git/large.git" fast-import --quiet
git -C "$scratch/git/large.git" gc --quiet
objects=$(git -C "$scratch/git/large.git" count-objects -v | sed -n 's/^in-pack: //p')
serve_git
url=$git_url/large.git

now() { date +%s%N; }
worker() { # MIRROR SNAPSHOT
    printf '{"action":"snapshot","repository":{"system":"git","url":"%s","branch":"main","allowsHTTP":true,"allowsFile":false},"mirror":"%s","snapshot":"%s"}' \
        "$url" "$1" "$2" | volt-gitops--worker | tail -n 1 | grep -q '"snapshot"'
}
peer() { # MIRROR SNAPSHOT
    if [ -d "$1" ]; then git -C "$1" fetch --quiet origin '+refs/heads/*:refs/heads/*'; else git clone --quiet --bare "$url" "$1"; fi
    mkdir "$2" && git -C "$1" archive main | tar -x -C "$2"
}
measure() { # FILE COMMAND...
    local start file=$1
    shift
    start=$(now)
    "$@"
    echo $((($(now) - start) / 1000)) >>"$file"
}
for run in $(seq "$runs"); do
    for who in worker peer; do
        rm -rf "$scratch/$who.mirror"
        measure "$scratch/clone.$who" "$who" "$scratch/$who.mirror" "$scratch/$who.clone.$run"
    done
    history "$((12500 + run * 10 - 9))" "$((12500 + run * 10))" | git -C "$scratch/git/large.git" fast-import --quiet
    for who in worker peer; do
        measure "$scratch/fetch.$who" "$who" "$scratch/$who.mirror" "$scratch/$who.fetch.$run"
    done
    diff -r "$scratch/worker.fetch.$run" "$scratch/peer.fetch.$run"
    rm -rf "$scratch"/{worker,peer}.{clone,fetch}."$run"
done
printf '%s objects, median of %s runs\n%-22s %10s %10s %8s\n' "$objects" "$runs" "" VOLT GIT RATIO
for what in clone fetch; do
    median() { sort -n "$1" | awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] }'; }
    ours=$(median "$scratch/$what.worker") theirs=$(median "$scratch/$what.peer")
    awk -v what="$what and its tree" -v a="$ours" -v b="$theirs" \
        'BEGIN { printf "%-22s %7.0f ms %7.0f ms %7.2fx\n", what, a / 1000, b / 1000, a / b }'
done
