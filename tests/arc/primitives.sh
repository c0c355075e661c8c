#!/bin/sh
# The recorded calls of the ARC primitives, tests/arc/samples.py: primitives.sh STEP takes each STEP-th group of
# calls, all of them without it. Without the recordings beside the project, or without python3, the
# test is skipped.
set -u
: "${GACTC:=gactc}"
data=${ARC_DATA:-../shared/arc}
[ -f "$data/primitives.json" ] || { echo "skipped: there is no $data/primitives.json"; exit 77; }
command -v python3 >/dev/null || { echo "skipped: there is no python3"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export GACTC
python3 tests/arc/samples.py "$data/primitives.json" "$work" ${1:+--limit "$1"}
