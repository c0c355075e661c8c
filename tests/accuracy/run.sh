#!/bin/sh
# The errors of the mathematical functions stay within the bounds of functions.def, on a sample of
# the numbers that scripts/accuracy measures: run.sh [ACCURACY]. Skipped without the program, which
# needs MPFR.
set -eu
: "${GACTC:?the compiler to test}"
[ $# = 1 ] || { echo "skipped: MPFR is absent"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$GACTC" tests/accuracy/functions.gact -o "$work/functions.gactx"
"$1" "$work/functions.gactx" --check --points=16384 --stride=40009
