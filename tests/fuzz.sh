#!/bin/sh
# Builds the fuzzers with clang and runs them: first what is known (tests/fuzz/corpus/NAME), then
# FUZZ_SECONDS (30) of new inputs each, two fuzzers at a time. An input that fails is left in
# build/fuzz/found. Skipped (77) without clang-19.
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD seconds=${FUZZ_SECONDS:-30}
if ! command -v clang-19 >/dev/null; then
    echo "skipped: clang-19 is absent"
    exit 77
fi
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
if ! { cmake --preset fuzz && cmake --build --preset fuzz --target fuzzers; } >"$log" 2>&1; then
    tail -40 "$log"
    exit 1
fi

# One fuzzer: known inputs, then new ones. tests/fuzz/NAME.seeds names folders with further seeds.
fuzz_one() {
    name=$(basename "$1" | sed 's/^fuzz_//')
    found=$root/build/fuzz/found/$name new=$root/build/fuzz/corpus/$name
    known=$root/tests/fuzz/corpus/$name
    [ -d "$known" ] || known=
    mkdir -p "$found" "$new"
    seeds=
    # shellcheck disable=SC2013
    for folder in $(cat "$root/tests/fuzz/$name.seeds" 2>/dev/null); do
        [ ! -d "$root/$folder" ] || seeds="$seeds $root/$folder"
    done
    words=
    case $name in parse | front | format) words=-dict=$root/tests/fuzz/gact.dict ;; esac
    cd "$found" || return 1
    # A folder each.
    # shellcheck disable=SC2086
    "$1" -rss_limit_mb=2048 -timeout=10 -runs=0 $known </dev/null >log 2>&1 &&
        "$1" -rss_limit_mb=2048 -timeout=10 -max_total_time="$seconds" -max_len=4096 $words "$new" \
            $known $seeds >>log 2>&1
    status=$?
    echo "$name: $(tail -n 1 log)"
    [ $status = 0 ] || {
        grep -n -A 28 -m 1 'ERROR: ' log
        for input in crash-* timeout-* oom-* leak-*; do
            [ ! -f "$input" ] || echo "$input, in base64: $(base64 -w 0 "$input")"
        done
    }
    return $status
}

failed=0
set -- build/fuzz/fuzzers/fuzz_*
while [ $# -gt 0 ]; do
    fuzz_one "$root/$1" &
    first=$! second=
    shift
    if [ $# -gt 0 ]; then
        fuzz_one "$root/$1" &
        second=$!
        shift
    fi
    wait $first || failed=1
    [ -z "$second" ] || wait $second || failed=1
done
exit $failed
