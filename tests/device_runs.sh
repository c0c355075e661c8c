#!/bin/sh
# Programs on the emulated device in other ways than run.sh's; all must give what their golden files or the host say.
# device_runs.sh MODE, skipped where there is no C++ compiler:
#   orders     some programs of golden/run with threads and blocks in three other orders (GACT_EMU_SEED)
#   address    all of golden/run with device text under the sanitizers of addresses and undefined behaviour; gactrun must
#              have been built with them
#   arenas     programs whose points make arrays, with arenas that are too small at first, so that launches run again, and
#              with none that is large enough, so that the host runs the kernels
#   examples   the runs of examples/demo.list
set -u
mode=$1
: "${GACTC:?the compiler to test}" "${GACTRUN:?the runtime to test}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
XDG_CACHE_HOME=${GACT_TEST_CACHE:-$work}
export XDG_CACHE_HOME
found=
for compiler in ${GACT_EMU_CXX:-c++ g++ clang++ clang++-19}; do
    if command -v "$compiler" >/dev/null; then found=yes; fi
done
[ -n "$found" ] || { echo "skipped: no C++ compiler"; exit 77; }

some="faults_of_kernels scans one_pass filters selections short_sums reductions_by_member shared_by_rows transpositions"
failures=0 metrics=

# golden NAME [VARIABLE=VALUE]: runs a program of golden/run, compiled at -O2, on the device.
golden() {
    base=tests/golden/run/$1
    shift
    [ -f "$work/${base##*/}.gactx" ] || "$GACTC" -O2 "$base.gact" -o "$work/${base##*/}.gactx" || exit 1
    variables=$*
    eval "set -- $(cat "$base.args" 2>/dev/null)"
    env $variables timeout 250 "$GACTRUN" --device=emu $metrics "$work/${base##*/}.gactx" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    [ $status = 0 ] || echo "exit status $status" >>"$work/out"
    cmp -s "$base.out" "$work/out" || {
        echo "$base with $variables:"
        diff "$base.out" "$work/out" | head -n 5
        head -n 20 "$work/err"
        failures=$((failures + 1))
    }
}

# example PROGRAM ARGUMENTS: as scripts/demo does, on the host and on the device.
example() {
    "$GACTC" -O2 "examples/$1" -o "$work/demo.gactx" || exit 1
    for device in host emu; do
        pictures=$work/$device bytes=$PWD/tests/run.sh # what the list may mention
        mkdir -p "$pictures"
        (cd examples && eval "\"$GACTRUN\" --device=$device \"$work/demo.gactx\" $2") </dev/null >"$work/$device.out" 2>&1 ||
            echo "exit status $?" >>"$work/$device.out"
        sed -i "/^==[0-9]*==WARNING: ASan/d; s|$pictures|PICTURES|g" "$work/$device.out"
    done
    diff "$work/host.out" "$work/emu.out" >"$work/differ" && diff -r "$work/host" "$work/emu" >>"$work/differ" || {
        echo "$1 $2:"
        head -n 10 "$work/differ"
        failures=$((failures + 1))
    }
}

# counted METRIC: the last run has counted some.
counted() {
    awk -v name="$1" '$1 ~ name && $1 !~ /^#/ && $2 > 0 { found = 1 } END { exit !found }' "$work/metrics" || {
        echo "no $1 were counted"
        failures=$((failures + 1))
    }
}

case $mode in
orders) for name in $some; do for seed in 1 2 3; do golden $name GACT_EMU_SEED=$seed; done; done ;;
address)
    for file in tests/golden/run/*.gact; do
        if grep -q '^// needs' "$file"; then continue; fi
        golden "$(basename "$file" .gact)" GACT_EMU_SAN=address,undefined
    done
    ;;
arenas)
    metrics=--metrics-file=$work/metrics
    golden arrays_of_points GACT_DEVICE_ARENA=1024
    counted device_arena_retries
    golden arrays_of_points GACT_DEVICE_ARENA=1024,2048
    counted device_arena_falls
    golden joined_runs GACT_DEVICE_ARENA=1024
    ;;
examples)
    while read -r program arguments; do
        case $program in '' | '#'*) continue ;; esac
        example "$program" "$arguments"
    done <examples/demo.list
    ;;
*)
    echo "device_runs.sh: no mode $mode" >&2
    exit 2
    ;;
esac
[ $failures = 0 ]
