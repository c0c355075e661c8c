#!/bin/sh
# Each example on a larger input, against the simplest good C for it (gcc -O3 -march=native -ffast-math): programs
# and floors are examples/NAME.gact and NAME.c, both on one thread, run in turn; the least time of each counts, and
# the results of every repetition must agree. EXAMPLES names some of them only.
set -eu
programs=$(dirname "$0")/examples
rounds=${EXAMPLES_ROUNDS:-3} repetitions=5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# same_results NAME: the second columns agree to a part in a million.
same_results() {
    paste "$work/$1.gact.out" "$work/$1.c.out" | awk -v name="$1" '
        { d = $2 - $4; if (d < 0) d = -d; size = $4 < 0 ? -$4 : $4 }
        d > 1e-6 * size { print name ": " $2 " is not the floor'"'"'s " $4; exit 1 }' >&2
}

least() { cut -d' ' -f1 "$work/$1".* | sort -n | head -n 1; }

for name in ${EXAMPLES:-$(cd "$programs" && ls ./*.c | sed 's|./||; s|\.c$||' | grep -v '^harness$')}; do
    "$GACTC" "$programs/$name.gact" -o "$work/$name.gactx"
    gcc -std=gnu17 -O3 -march=native -ffast-math "$programs/$name.c" "$programs/harness.c" -o "$work/$name" -lm
    for round in $(seq "$rounds"); do
        GACT_THREADS=1 "$GACTRUN" "$work/$name.gactx" $repetitions >"$work/$name.gact.out"
        "$work/$name" $repetitions >"$work/$name.c.out"
        same_results "$name"
        cp "$work/$name.gact.out" "$work/ours.$round"
        cp "$work/$name.c.out" "$work/floor.$round"
    done
    echo "$(least ours) $(least floor)" |
        awk -v name="$name" '{ printf "%-24s %9.3f ms %9.3f ms in C, ratio %6.2f\n", name, $1, $2, $1 / $2 }'
done
