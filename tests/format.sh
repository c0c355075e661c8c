#!/bin/sh
# The formatter on every program of the project, on random ones and on all of them changed at random:
# format.sh FORMAT GENERATE, the programs of format.c and random/. FORMAT_EDITS (500) is how many
# changes, FORMAT_SEED (1) chooses them. The examples are in the one style.
set -u
: "${GACTC:?the compiler to test}"
check=$1 generate=$2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
seed=${FORMAT_SEED:-1}
for k in 1 2 3 4 5 6 7 8 9 10 11 12; do
    "$generate" $((seed * 1000 + k)) >"$work/random$k.gact" || exit 1
done
"$GACTC" fmt --check examples/*.gact || { echo "gactc fmt writes these"; exit 1; }
find stdlib examples tests -name '*.gact' ! -name '*[" ]*' | sort >"$work/files"
mkdir -p build
# No name holds a blank.
# shellcheck disable=SC2046
"$check" "$seed" "${FORMAT_EDITS:-500}" "$work"/random*.gact $(cat "$work/files")
