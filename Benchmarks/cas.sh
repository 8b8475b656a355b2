#!/bin/bash
# cas.sh [ROUNDS]: the content store beside borg, restic, casync and ostree on two Debian trees, and beside cp. Each
# round has stores of its own, the tools take turns, and the least of the rounds counts. Nothing is deleted until the
# end, since ext4 is slow to create files after a mass deletion. Root, for the trees; release programs.
# VOLT_BENCH_TREES names a directory that keeps the trees for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/lib.sh
rounds=${1:-3}
trees=${VOLT_BENCH_TREES:-$scratch/trees}
mkdir -p "$trees"
common=ca-certificates,curl,python3,git,gcc,libc6-dev,make
[ -d "$trees/a" ] || mmdebstrap -q --variant=minbase --include=$common bookworm "$trees/a"
[ -d "$trees/b" ] || mmdebstrap -q --variant=minbase --include=$common,vim,cmake,sqlite3,openssh-client,nginx-light \
    bookworm "$trees/b"
# ostree has no devices.
rm -rf "$trees"/[ab]/dev/*
export BORG_BASE_DIR=$scratch/borg BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_RELOCATED_REPO_ACCESS_IS_OK=yes
export RESTIC_PASSWORD=benchmark RESTIC_CACHE_DIR=$scratch/restic
results=$scratch/results

measure() { # TOOL WHAT COMMAND...: notes seconds, CPU seconds and peak memory in KiB
    local tool=$1 what=$2
    shift 2
    command time -o "$scratch/time" -f '%e %U %S %M' "$@" >"$scratch/said" 2>&1 || {
        printf 'benchmark: error: %s failed\n' "$*" >&2
        cat "$scratch/said" >&2
        exit 1
    }
    printf '%s %s %s\n' "$tool" "$what" "$(tail -n 1 "$scratch/time")" >>"$results"
}
size() { printf '%s stored %s 0 0 0\n' "$1" "$(du -sb --apparent-size "$2" | cut -f 1)" >>"$results"; }

mount_ms() { # WHAT TREE: notes the milliseconds of the whole command
    local from=$EPOCHREALTIME
    volt-cas mount "$2" "$w/mnt" --store "$w/bare"
    printf 'volt-bare %s %s 0 0 0\n' "$1" "$(awk -v n="$((${EPOCHREALTIME/./} - ${from/./}))" 'BEGIN { printf "%.1f", n / 1000 }')" >>"$results"
    volt-cas umount "$w/mnt" --store "$w/bare" >/dev/null
}

volt_round() {
    volt-cas init --store "$w/volt" >/dev/null
    measure volt ingest-a volt-cas add-tree "$trees/a" --tag a -q --store "$w/volt"
    measure volt ingest-b volt-cas add-tree "$trees/b" --tag b -q --store "$w/volt"
    size volt "$w/volt"
    measure volt again-a volt-cas add-tree "$trees/a" --tag a2 -q --store "$w/volt"
    measure volt restore-a volt-cas checkout a "$w/volt-out" -q --store "$w/volt"
    measure volt verify volt-cas verify --read-data -q --store "$w/volt"
}
borg_round() {
    borg init -e none "$w/borg" 2>/dev/null
    (cd "$trees/a" && measure borg ingest-a borg create -C "$1" "$w/borg::a" .)
    (cd "$trees/b" && measure borg ingest-b borg create -C "$1" "$w/borg::b" .)
    size borg "$w/borg"
    (cd "$trees/a" && measure borg again-a borg create -C "$1" "$w/borg::a2" .)
    mkdir "$w/borg-out"
    (cd "$w/borg-out" && measure borg restore-a borg extract "$w/borg::a")
    measure borg verify borg check --verify-data "$w/borg"
}
restic_round() {
    restic init -q -r "$w/restic" --repository-version 2
    measure restic ingest-a restic -q -r "$w/restic" backup "$trees/a"
    local first
    first=$(restic -r "$w/restic" snapshots --json | sed -E 's/.*"short_id":"([0-9a-f]+)".*/\1/')
    measure restic ingest-b restic -q -r "$w/restic" backup "$trees/b"
    size restic "$w/restic"
    measure restic again-a restic -q -r "$w/restic" backup "$trees/a"
    measure restic restore-a restic -q -r "$w/restic" restore "$first" --target "$w/restic-out"
    measure restic verify restic -q -r "$w/restic" check --read-data
}
casync_round() {
    measure casync ingest-a casync make --store="$w/casync" "$w/a.caidx" "$trees/a"
    measure casync ingest-b casync make --store="$w/casync" "$w/b.caidx" "$trees/b"
    size casync "$w/casync"
    measure casync again-a casync make --store="$w/casync" "$w/a2.caidx" "$trees/a"
    measure casync restore-a casync extract --store="$w/casync" "$w/a.caidx" "$w/casync-out"
}
bare_round() {
    volt-cas init --store "$w/bare" >/dev/null
    measure volt-bare ingest-a volt-cas add-tree "$trees/a" --bare --tag a -q --store "$w/bare"
    measure volt-bare ingest-b volt-cas add-tree "$trees/b" --bare --tag b -q --store "$w/bare"
    measure volt-bare restore-a volt-cas checkout a "$w/bare-out" -q --store "$w/bare"
    volt-cas checkout a "$w/bare-warm" --link -q --store "$w/bare"
    measure volt-bare links-a volt-cas checkout a "$w/bare-links" --link -q --store "$w/bare"
    measure volt-bare verify volt-cas verify --read-data -q --store "$w/bare"
    mkdir "$w/mnt"
    for tree in a b; do
        sync
        echo 2 >/proc/sys/vm/drop_caches
        mount_ms "mount-$tree" "$tree"
        rm "$w"/bare/cache/*.erofs
        mount_ms "make-$tree" "$tree"
    done
    ostree init --repo="$w/ostree" --mode=bare
    measure ostree ingest-a ostree commit --repo="$w/ostree" -b a "$trees/a"
    measure ostree ingest-b ostree commit --repo="$w/ostree" -b b "$trees/b"
    measure ostree restore-a ostree checkout --repo="$w/ostree" --force-copy a "$w/ostree-out"
    measure ostree links-a ostree checkout --repo="$w/ostree" -H a "$w/ostree-links"
    measure ostree verify ostree fsck --repo="$w/ostree" -q
    measure cp restore-a cp -a "$trees/a" "$w/cp-out"
    measure cp links-a cp -al "$trees/a" "$w/cp-links"
}

find "$trees" -type f -exec cat {} + >/dev/null
for round in $(seq "$rounds"); do
    w=$scratch/$round
    mkdir "$w"
    volt_round
    borg_round lz4
    restic_round
    casync_round
    bare_round
done

least() { # TOOL WHAT: the least seconds of the rounds
    awk -v t="$1" -v w="$2" '$1 == t && $2 == w { if (n++ == 0 || $3 < m) m = $3 } END { print n ? m : "-" }' "$results"
}
row() { # NAME TOOL WHAT...
    local name=$1 tool=$2 line
    shift 2
    line="| $name |"
    for what in "$@"; do line+=" $(least "$tool" "$what") |"; done
    printf '%s %s |\n' "$line" "$(awk -v t="$tool" '$1 == t && $6 > m { m = $6 } END { printf "%d", m / 1024 }' "$results")"
}
ratio() { # WHAT TOOL PEER...: how many times as fast as the best of the peers
    local what=$1 tool=$2 best=
    shift 2
    best=$(for peer in "$@"; do printf '%s %s\n' "$(least "$peer" "$what")" "$peer"; done | grep -v '^-' | sort -n | head -n 1)
    awk -v m="$(least "$tool" "$what")" -v b="${best% *}" -v n="${best#* }" -v w="$what" -v t="$tool" \
        'BEGIN { printf "%-10s %-10s %5.2f times as fast as %s\n", t, w, b / m, n }'
}
printf '\n| | ingest A s | B after A s | A again s | stored bytes | restore A s | verify s | peak MiB |\n|---|---|---|---|---|---|---|---|\n'
for tool in volt borg restic casync; do row $tool $tool ingest-a ingest-b again-a stored restore-a verify; done
printf '\n| | ingest A s | B after A s | restore A s | links A s | verify s | peak MiB |\n|---|---|---|---|---|---|---|\n'
for tool in volt-bare ostree cp; do row $tool $tool ingest-a ingest-b restore-a links-a verify; done
printf '\nmount of A %s ms, of B %s ms, the command included; with the making of the image %s and %s ms\n\n' \
    "$(least volt-bare mount-a)" "$(least volt-bare mount-b)" "$(least volt-bare make-a)" "$(least volt-bare make-b)"
for what in ingest-a ingest-b again-a restore-a verify; do ratio $what volt borg restic casync; done
for what in ingest-a ingest-b verify; do ratio $what volt-bare ostree; done
ratio restore-a volt-bare cp
ratio links-a volt-bare cp
