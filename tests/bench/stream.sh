#!/bin/sh
# A chain of twelve elementwise operations, sum and dot over 64 Mi floats, each against the fastest pass
# in C that moves the same bytes; the chain also against a pass in place. Both run in turn, the warm
# repetitions of each run are reduced to their median, and the ratio is the median of the pairs' ratios.
# Also: results are the same on one thread and two.
set -eu
programs=$(dirname "$0")/programs
count=${STREAM_COUNT:-67108864} pairs=${STREAM_PAIRS:-5} repetitions=6
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -O3 -march=native -fopenmp "$programs/floor.c" -o "$work/floor"
"$GACTC" "$programs/stream.gact" -o "$work/stream.gactx"

median() { sort -n | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'; }

# The milliseconds of each `took`, without the first, which warms up.
warm() {
    awk '$1 == "took" && seen++ {
        unit = $2; sub(/^[0-9.]+/, "", unit)
        print ($2 + 0) * (unit == "s" ? 1e3 : unit == "us" ? 1e-3 : 1)
    }'
}

gact_ms() { "$GACTRUN" "$work/stream.gactx" "$1" "$count" "$repetitions" | warm | median; }
floor_ms() { OMP_WAIT_POLICY=passive "$work/floor" "$1" "$count" "$repetitions" | warm | median; }

# compare NAME FLOOR…: pairs of gact's pass and the fastest of the floors.
compare() {
    name=$1
    shift
    : >"$work/pairs"
    for _ in $(seq "$pairs"); do
        ours=$(gact_ms "$name")
        best=$(for f in "$@"; do floor_ms "$f"; done | sort -n | head -n 1)
        echo "$ours $best" >>"$work/pairs"
    done
    printf '%-40s %9.3f ms\n' "$name" "$(cut -d' ' -f1 "$work/pairs" | median)"
    printf '%-40s %9.3f ms\n' "$name: floor, the best of $*" "$(cut -d' ' -f2 "$work/pairs" | median)"
    printf '%-40s %9.3f\n' "$name: ratio" "$(awk '{ print $1 / $2 }' "$work/pairs" | median)"
}

same_bits() {
    for threads in 1 2; do
        "$GACTRUN" --threads=$threads "$work/stream.gactx" "$1" "$count" 2 |
            grep '^result' >"$work/bits$threads"
    done
    cmp "$work/bits1" "$work/bits2" || { echo "$1: one thread and two differ" >&2; exit 1; }
    printf '%-40s %9s\n' "$1: one thread and two" equal
}

compare chain copy stream
compare chain scale
compare sum sum
compare dot dot
for name in chain sum dot; do same_bits "$name"; done
