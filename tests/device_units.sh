#!/bin/sh
# The device text of every program that is run by tests, of all test blocks and of all examples is made into code for
# GPUs: device_units.sh UNITS. Compiling all for all architectures takes too long for a test, so each file's kernels are
# compiled for one of sm_75, 80, 90, 100 and 120, files with few kernels for all of them, and kernels that are equal
# once (device/units.c). Every fourth file is compiled, with UNITS_ALL=1 all of them. Skipped where neither libnvrtc nor clang is there.
set -u
: "${GACTC:?the compiler to test}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
status=0

# emit NAME OPTION… FILE
emit() {
    name=$1
    shift
    "$GACTC" --emit=cuda "$@" >"$work/$name.cu" 2>"$work/err" || {
        echo "no device text of $*:"
        head -n 5 "$work/err"
        status=1
    }
}
for file in tests/golden/run/*.gact; do emit "run_$(basename "$file" .gact)" -O2 "$file"; done
for file in tests/lang/*.gact stdlib/*.gact examples/*.gact; do
    emit "$(basename "$(dirname "$file")")_$(basename "$file" .gact)" -O2 --tests "$file"
done
units=$1 count=0
set --
for file in "$work"/*.cu; do
    [ -z "${UNITS_ALL:-}" ] && [ $((count % 4)) != 0 ] || set -- "$@" "$file"
    count=$((count + 1))
done
echo "$# of $count files"
"$units" "$@"
code=$?
[ $status = 0 ] && exit $code
exit $status
