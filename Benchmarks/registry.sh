#!/bin/bash
# registry.sh [ROUNDS]: `volt registry serve` beside Debian's docker-registry, in turns, on the same disk: blobs in and
# out, small blobs, manifests, a copy by skopeo, and memory. The best of the rounds counts. Release programs.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
. Benchmarks/lib.sh
peer_port=$(volt-demo free-port)
cat >"$scratch/peer.yml" <<X
version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: $scratch/peer }, delete: { enabled: true } }
http: { addr: "127.0.0.1:$peer_port" }
X
docker-registry serve "$scratch/peer.yml" >"$scratch/peer.log" 2>&1 &
peer=$!
children+=("$peer")
volt-registry serve --port 0 --store "$scratch/store" --gc-every 0 >"$scratch/volt.log" 2>&1 &
volt=$!
children+=("$volt")
volt_url=$(wait_for "$scratch/volt.log" '(http://[0-9.]+:[0-9]+)')
volt_port=${volt_url##*:}
for _ in $(seq 200); do curl -sf "http://127.0.0.1:$peer_port/v2/" >/dev/null && break || sleep 0.05; done

memory() { awk -v field="$1" '$1 == field ":" { printf "%.0f", $2 / 1024 }' "/proc/$2/status"; }
load() { python3 Benchmarks/registry-load.py "$@"; }
row() { # NAME THEIRS OURS: one row, and how much more ours is
    awk -v name="$1" -v a="$2" -v b="$3" 'BEGIN { printf "%-34s %10s %10s %8.2f\n", name, a, b, b / a }'
}
best() { sort -g | tail -n 1; }
turns() { # NAME WORDS: runs `load` with both ports, ROUNDS times; PORT and ROUND stand for what they are
    local name=$1 word words
    shift
    : >"$scratch/theirs" >"$scratch/ours"
    for round in $(seq "$rounds"); do
        for side in "theirs $peer_port" "ours $volt_port"; do
            words=()
            for word in "$@"; do
                word=${word/PORT/${side#* }}
                words+=("${word/ROUND/$round}")
            done
            "${words[@]}" >>"$scratch/${side% *}"
        done
    done
    row "$name" "$(best <"$scratch/theirs")" "$(best <"$scratch/ours")"
}

printf '%-34s %10s %10s %8s\n' '' docker volt ratio
rest="$(memory VmRSS "$peer") $(memory VmRSS "$volt")"
size=$((256 << 20))
head -c "$size" /dev/urandom >"$scratch/blob"
digest=sha256:$(sha256sum "$scratch/blob" | cut -d ' ' -f 1)
turns 'push 256 MiB, MiB/s' load push PORT "$scratch/blob" "$digest" one/ROUND 1
turns 'push 256 MiB four at once, MiB/s' load push PORT "$scratch/blob" "$digest" four/ROUND 4
turns 'pull 256 MiB, MiB/s' load pull PORT "$digest" one/1/0 "$size" 1
turns 'pull 256 MiB four at once, MiB/s' load pull PORT "$digest" one/1/0 "$size" 4
turns 'push of 2,500 small blobs, /s' load small PORT 2500 small/ROUND 4

mkdir -p "$scratch/rootfs"
cp /bin/busybox "$scratch/rootfs/"
umoci init --layout "$scratch/image" >/dev/null && umoci new --image "$scratch/image:a" >/dev/null 2>&1
umoci insert --image "$scratch/image:a" "$scratch/rootfs" / >/dev/null 2>&1
skopeo_seconds() { # PORT NAME
    local start
    start=$(date +%s%N)
    skopeo copy --quiet --insecure-policy --dest-tls-verify=false "oci:$scratch/image:a" "docker://127.0.0.1:$1/$2:1" >/dev/null
    echo $((1000000000000 / ($(date +%s%N) - start)))
}
turns 'copy of an image by skopeo, /1000 s' skopeo_seconds PORT image/ROUND
image=$(curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "$volt_url/v2/image/1/manifests/1" |
    tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }')
accept='Accept: application/vnd.oci.image.manifest.v1+json'
rate() { # PORT PATH
    wrk -t2 -c16 -d4 -H "$accept" "http://127.0.0.1:$1$2" | awk '/Non-2xx/ { exit 1 } /Requests\/sec/ { printf "%.0f\n", $2 }'
}
head_rate() { # PORT PATH; wrk waits for the body of an answer to HEAD
    ab -q -i -k -c 16 -n 20000 -H "$accept" "http://127.0.0.1:$1$2" 2>/dev/null |
        awk '/Non-2xx/ { exit 1 } /Requests per second/ { printf "%.0f\n", $4 }'
}
turns 'manifest by tag, /s' rate PORT /v2/image/1/manifests/1
turns 'manifest by digest, /s' rate PORT "/v2/image/1/manifests/$image"
turns 'HEAD of a manifest by tag, /s' head_rate PORT /v2/image/1/manifests/1
load pull "$peer_port" "$digest" one/1/0 "$size" 64 >/dev/null
load pull "$volt_port" "$digest" one/1/0 "$size" 64 >/dev/null
row 'memory at rest, MB' ${rest}
row 'memory at most, with 64 pulls, MB' "$(memory VmHWM "$peer")" "$(memory VmHWM "$volt")"
