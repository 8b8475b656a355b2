#!/bin/bash
# push-to-page.sh [ROUNDS]: from the end of `git push` to the first response with the new content, on
# loopback, with a warm image; release programs. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-20}
. Benchmarks/lib.sh
trap 'volt container remove --workload web >/dev/null 2>&1; finish' EXIT

mkdir -p "$scratch/bb/bin" "$scratch/bb/etc" "$scratch/bb/tmp"
cp /bin/busybox "$scratch/bb/bin/"
printf 'root:x:0:0:root:/:/bin/sh\n' >"$scratch/bb/etc/passwd"
volt container import --name busybox "$scratch/bb" >/dev/null
git init --quiet --bare "$scratch/git/site.git"
git -C "$scratch/git/site.git" config http.receivepack true
serve_git
repository=$git_url/site.git
page=$(volt-demo free-port)
cp -r examples/site "$scratch/site"
sed -i "s/127.0.0.1:8080:8080/127.0.0.1:$page:8080/; s/interval: 200ms/interval: 50ms/" "$scratch/site/volt-manifest.yaml"
cd "$scratch/site"
git init --quiet
git remote add origin "$repository"
head -c 32 /dev/urandom | base64 >"$scratch/secret"
volt gitops create --name site --repo "$repository" --provider github --branch main --workload web \
    --secret-file "$scratch/secret" --allow-http >/dev/null
serve_hooks

: >"$scratch/times"
for round in $(seq 0 "$rounds"); do
    printf 'round %s\n' "$round" >www/index.html
    git add -A
    git commit --quiet -m "round $round"
    git push --quiet origin main
    pushed=$(date +%s%N)
    volt-demo push-event --to "$server_url/hooks/github" --repo "$repository" --branch main \
        --commit "$(git rev-parse HEAD)" --secret-file "$scratch/secret" >/dev/null
    until curl --silent --max-time 2 "http://127.0.0.1:$page/" | grep -qx "round $round"; do
        [ $(($(date +%s%N) - pushed)) -lt 60000000000 ] || { tail "$scratch/serve.log" >&2; exit 1; }
    done
    elapsed=$((($(date +%s%N) - pushed) / 1000000))
    # The first one makes the workload; the others replace it.
    if [ "$round" = 0 ]; then printf 'first deploy: %s ms\n' "$elapsed"; else echo "$elapsed" >>"$scratch/times"; fi
    # The next push comes when this attempt has ended.
    until volt gitops status 2>/dev/null | grep -q success; do sleep 0.05; done
done
# A commit that changes nothing of the workload: until its attempt has succeeded.
: >"$scratch/same"
for round in $(seq "$rounds"); do
    printf 'note %s\n' "$round" >NOTES
    git add -A
    git commit --quiet -m "note $round"
    git push --quiet origin main
    pushed=$(date +%s%N)
    commit=$(git rev-parse HEAD)
    volt-demo push-event --to "$server_url/hooks/github" --repo "$repository" --branch main \
        --commit "$commit" --secret-file "$scratch/secret" >/dev/null
    until volt gitops logs --name site --limit 1 2>/dev/null | grep -q "${commit:0:7}.*success"; do
        [ $(($(date +%s%N) - pushed)) -lt 60000000000 ] || { tail "$scratch/serve.log" >&2; exit 1; }
    done
    echo $((($(date +%s%N) - pushed) / 1000000)) >>"$scratch/same"
done
sort -n "$scratch/same" | awk '{ t[NR] = $1 } END {
    printf "push that changes nothing to success, %d pushes: median %d ms, min %d ms, max %d ms\n", NR, t[int((NR + 1) / 2)], t[1], t[NR] }'
sort -n "$scratch/times" | awk '{ t[NR] = $1 } END {
    printf "push to served page, %d pushes: median %d ms, min %d ms, max %d ms\n", NR, t[int((NR + 1) / 2)], t[1], t[NR] }'
