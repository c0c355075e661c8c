#!/bin/sh
# From a source file to its result: a program of a hundred lines with ten loops, compiled and run for
# the first time, and again from the cache. For comparison: gcc -O3 on a C file of about that size.
# Medians of runs taken in turn.
set -eu
programs=$(dirname "$0")/programs
rounds=${START_ROUNDS:-9}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

median() { sort -n | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'; }

# measure NAME COMMAND…: notes the microseconds that the command takes.
measure() {
    name=$1
    shift
    start=$(date +%s%N)
    "$@" >/dev/null
    echo $((($(date +%s%N) - start) / 1000)) >>"$work/$name"
}

# show LABEL NAME
show() {
    median <"$work/$2" | awk -v label="$1" '{ printf "%-40s %9.3f ms\n", label, $1 / 1000 }'
}

for _ in $(seq "$rounds"); do
    rm -rf "$work/cache"
    measure cold env XDG_CACHE_HOME="$work/cache" "$GACTRUN" "$programs/hundred.gact"
    measure cached env XDG_CACHE_HOME="$work/cache" "$GACTRUN" "$programs/hundred.gact"
    measure compile "$GACTC" "$programs/hundred.gact" -o "$work/hundred.gactx"
    measure run "$GACTRUN" "$work/hundred.gactx"
    measure list "$GACTRUN" --list "$work/hundred.gactx"
    measure gcc gcc -O3 -march=native -fopenmp "$programs/floor.c" -o "$work/floor"
    measure process true
done
show "start: cold, source to result" cold
show "start: cached, source to result" cached
show "start: gactc" compile
show "start: image to result" run
show "start: image loaded (--list)" list
show "start: an empty process" process
show "start: gcc -O3 floor.c" gcc
paste "$work/compile" "$work/gcc" | awk '{ print $1 / $2 }' | median |
    awk '{ printf "%-40s %9.3f\n", "start: ratio gactc / gcc", $1 }'
