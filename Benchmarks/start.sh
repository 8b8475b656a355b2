#!/bin/bash
# start: what each tool needs until it has printed its version and an empty list, beside volt-service, which loads no
# library, and beside a C program that does nothing but load the same libraries. One after the other in each round.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/lib.sh
mkdir -p "$scratch/bin" "$scratch/c"
export VOLT_ROOT=$scratch/root
printf 'int main(void) { return 0; }\n' >"$scratch/c/true.c"
commands=() tools=()
for tool in service container cas gitops registry; do
    [ -x "$build/volt-$tool" ] || continue
    tools+=("$tool")
    # As they are installed.
    strip -o "$scratch/bin/volt-$tool" "$build/volt-$tool"
    mapfile -t libraries < <(readelf -d "$build/volt-$tool" | sed -nE 's/.*NEEDED.*\[(lib.*)\]/-l:\1/p')
    cc -O2 -o "$scratch/c/$tool" "$scratch/c/true.c" -Wl,--no-as-needed "${libraries[@]}"
    commands+=(-n "$tool libraries" "$scratch/c/$tool" -n "$tool --version" "$scratch/bin/volt-$tool --version")
done
add() { [ ! -x "$scratch/bin/volt-$1" ] || commands+=(-n "$*" "$scratch/bin/volt-$*"); }
[ ! -x "$scratch/bin/volt-cas" ] || "$scratch/bin/volt-cas" init >/dev/null
add service list
[ "$(id -u)" != 0 ] || add container images
add cas tags
add gitops list

rounds=${VOLT_BENCH_RUNS:-20}
# hyperfine ends one command before it begins the next: short rounds keep what else the machine does from one of them.
for round in $(seq "$rounds"); do
    hyperfine -N --warmup 3 --runs 15 --export-csv "$scratch/$round.csv" "${commands[@]}" >/dev/null 2>"$scratch/notes" ||
        { cat "$scratch/notes" >&2; exit 1; }
done
awk -F, 'FNR > 1 { if (!($1 in count)) order[++n] = $1; value[$1, ++count[$1]] = $4 * 1000
                   cpu[$1] += ($5 + $6) * 1000
                   if (!($1 in least) || $7 * 1000 < least[$1]) least[$1] = $7 * 1000 }
    function middle(name,  i, j, t, c) {
        c = count[name]
        for (i = 1; i <= c; i++) for (j = i + 1; j <= c; j++) if (value[name, j] < value[name, i]) {
            t = value[name, i]; value[name, i] = value[name, j]; value[name, j] = t }
        return value[name, int((c + 1) / 2)]
    }
    END {
        printf "%-22s %9s %9s %9s %15s   (ms)\n", "", "median", "least", "processor", "to volt-service"
        for (i = 1; i <= n; i++) {
            name = order[i]; split(name, word, " ")
            # What volt-service lists is what other tools print.
            base = word[2] == "libraries" ? "service libraries" : "service --version"
            printf "%-22s %9.2f %9.2f %9.2f %+15.2f\n", name, middle(name), least[name], cpu[name] / count[name],
                middle(name) - middle(base)
        }
    }' "$scratch"/[0-9]*.csv
