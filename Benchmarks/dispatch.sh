#!/bin/bash
# dispatch: what `volt hello` costs over running volt-hello itself, beside what `git hello` costs over
# running git-hello. Both tools are the same static program that does nothing, so the rest is the dispatcher.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
volt=$root/.build/release/volt
[ -x "$volt" ] || { printf "dispatch: error: '%s' is not built\ndispatch: hint: run 'make release'\n" "$volt" >&2 && exit 69; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/bin" "$scratch/tools" "$scratch/home"
strip -o "$scratch/bin/volt" "$volt"
printf 'int main(void) { return 0; }\n' >"$scratch/true.c"
cc -O2 -static -s -o "$scratch/tools/volt-hello" "$scratch/true.c"
ln "$scratch/tools/volt-hello" "$scratch/tools/git-hello"
# The PATH of a Debian user, with the tools in its last directory: each dispatcher passes all others.
export PATH=$scratch/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games:$scratch/tools HOME=$scratch/home
export GIT_CONFIG_NOSYSTEM=1
cd "$scratch"

runs=${VOLT_BENCH_RUNS:-2000}
hyperfine -N --warmup 100 --runs "$runs" --export-csv "$scratch/result.csv" \
    -n direct "$scratch/tools/volt-hello" -n volt "$scratch/bin/volt hello" -n git "git hello" \
    -n 'volt --version' "$scratch/bin/volt --version" -n 'git --version' 'git --version' >/dev/null 2>"$scratch/notes"

# command,mean,stddev,median,user,system,min,max
awk -F, 'NR > 1 { mean[$1] = $2 * 1000; median[$1] = $4 * 1000; least[$1] = $7 * 1000 }
    END {
        split("direct,volt,git,volt --version,git --version", order, ",")
        printf "%-15s %9s %9s %9s   (ms)\n", "", "median", "mean", "least"
        for (i = 1; i <= 5; i++) printf "%-15s %9.3f %9.3f %9.3f\n", order[i], median[order[i]], mean[order[i]], least[order[i]]
        v = median["volt"] - median["direct"]; g = median["git"] - median["direct"]
        printf "\nadded by volt: %.3f ms, added by git: %.3f ms, ratio git/volt: %.2f\n", v, g, g / v
        exit !(v < g)
    }' "$scratch/result.csv"
