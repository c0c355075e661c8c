#!/bin/sh
# Functions of floats over arrays in the cache, on one thread: gact beside loops that gcc compiles to
# calls of glibc's vector library. MATH_FUNCTIONS names those to measure; all by default.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
programs=$root/tests/bench/programs
libraries=$(dirname "$GACTRUN")/../runtime
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

gcc -E -P -D'ONE(name, lo, hi)=@ONE name' -D'TWO(name, lo, hi)=@TWO name' -x c "$programs/math.def" |
    awk '$1 == "@ONE" { for (t = 32; t <= 64; t += 32)
             printf "dag %s_f%d(x: [n]f%d) -> [n]f%d = %s(x)\n", $2, t, t, t, $2 }
         $1 == "@TWO" { for (t = 32; t <= 64; t += 32)
             printf "dag %s_f%d(x: [n]f%d, y: [n]f%d) -> [n]f%d = %s(x, y)\n", $2, t, t, t, t, $2 }' \
        >"$work/math.gact"
"$GACTC" "$work/math.gact" -o "$work/math.gactx"
gcc -O3 -march=native -mprefer-vector-width=512 -ffast-math -c "$programs/math_peer.c" -o "$work/peer.o"
gcc -O2 -I"$root" "$programs/math.c" "$work/peer.o" -L"$libraries" -Wl,-rpath,"$libraries" -lgact \
    -lmvec -lm -o "$work/math"
# shellcheck disable=SC2086 # words
"$work/math" "$work/math.gactx" ${MATH_FUNCTIONS:-}
