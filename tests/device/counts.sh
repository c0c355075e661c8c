#!/bin/sh
# counts.sh GACTC: how often the device is called. Sums that the host does not need are not waited for, several are
# waited for together, and what is launched again and again goes to the device as graphs. Skipped where there is no C++
# compiler.
set -u
GACTC=${1:-$GACTC}
: "${GACTRUN:?the runtime to test}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
XDG_CACHE_HOME=${GACT_TEST_CACHE:-$work}
export XDG_CACHE_HOME
"$GACTC" -O2 "$(dirname "$0")/counts.gact" -o "$work/x.gactx" || exit 1

# attempt WHAT: runs it on the host and on the device, which must print the same.
attempt() {
    "$GACTRUN" --device=host "$work/x.gactx" "$1" >"$work/want" || exit 1
    "$GACTRUN" --device=emu --times="$work/times" "$work/x.gactx" "$1" >"$work/out" 2>"$work/err" || {
        grep -q 'needs a C++ compiler' "$work/err" && echo "skipped: no C++ compiler" && exit 77
        cat "$work/err"
        exit 1
    }
    cmp "$work/want" "$work/out" || exit 1
}
count() { sed "s/.*\"$1\": \([0-9]*\).*/\1/" "$work/times"; }
# expect NAME LEAST MOST
expect() {
    [ "$(count "$1")" -ge "$2" ] && [ "$(count "$1")" -le "$3" ] || {
        echo "$1: $(count "$1"), not $2 to $3"
        cat "$work/times"
        exit 1
    }
}

attempt loop
expect launches 200 400
expect waits 1 1
expect graphs 1 4
expect graph_runs 1 12
expect graph_steps 90 400
attempt steps
expect waits 20 20
expect graphs 1 4
expect graph_runs 15 20
attempt two
expect waits 1 1
