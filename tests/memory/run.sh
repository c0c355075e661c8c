#!/bin/sh
# run.sh MEMORY: compiles dags.gact at -O2 and looks at the memory that its dags hold.
set -eu
: "${GACTC:?the compiler to test}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$GACTC" "$(dirname "$0")/dags.gact" -o "$work/dags.gactx"
"$1" "$work/dags.gactx"
