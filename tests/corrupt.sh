#!/bin/sh
# Breaks every example and every module of the library in one token, many times: corrupt.sh PROGRAM.
# CORRUPT_SECONDS (60) bounds the time and CORRUPT_SEED (1) chooses the edits. The edits are made on
# copies; a program that crashes the compiler is left in build/corrupt.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
for folder in stdlib examples tests/lang; do
    [ ! -d "$folder" ] || cp -r --parents "$folder" "$work"
done
find "$work" -name '*.gact' | sort >"$work/files"
[ -s "$work/files" ] || { echo "there are no programs to break"; exit 1; }
# No name holds a blank: they are names of modules.
# shellcheck disable=SC2046
"$1" "${CORRUPT_SEED:-1}" "${CORRUPT_SECONDS:-60}" "$work/stdlib" $(cat "$work/files") >"$work/log"
status=$?
sed "s|$work/||g" "$work/log"
find "$work" -name '*.crash' -exec sh -c 'mkdir -p build/corrupt && cp "$1" build/corrupt' - {} \;
exit $status
