#!/bin/sh
# Many small instances of a dag, as gactrun --each runs them, beside loops in C. EACH_DAGS names those to
# measure; all by default.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
programs=$root/tests/bench/programs
libraries=$(dirname "$GACTRUN")/../runtime
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$GACTC" "$programs/each.gact" -o "$work/each.gactx"
gcc -O3 -march=native -ffp-contract=off -I"$root" "$programs/each.c" -L"$libraries" \
    -Wl,-rpath,"$libraries" -lgact -lm -o "$work/each"
# shellcheck disable=SC2086 # words
"$work/each" "$work/each.gactx" ${EACH_DAGS:-}
