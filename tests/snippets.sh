#!/bin/sh
# Compiles the examples of every diagnostic: the wrong one must give exactly that code, the right
# one must compile. snippets.sh WRITER, the program that writes them.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
"$1" "$work" || exit 1
failures=0 count=0
for file in "$work"/*.wrong/program.gact; do
    [ -e "$file" ] || continue
    code=$(basename "${file%.wrong/program.gact}")
    count=$((count + 1))
    text=$("$GACTC" --check --message-format=short "$file" 2>&1)
    found=$(printf '%s\n' "$text" | grep -o '\[G[0-9][0-9][0-9][0-9]\]' | tr -d '[]' | sort -u | xargs)
    if [ "$found" != "$code" ]; then
        echo "$code: the wrong example gives: ${found:-nothing}"
        printf '%s\n' "$text" | head -5
        failures=$((failures + 1))
    fi
done
for file in "$work"/*.right/program.gact; do
    [ -e "$file" ] || continue
    count=$((count + 1))
    if ! text=$("$GACTC" --check --message-format=short "$file" 2>&1); then
        echo "$(basename "${file%.right/program.gact}"): the right example does not compile"
        printf '%s\n' "$text" | head -5
        failures=$((failures + 1))
    fi
done
echo "$count examples, $failures failures"
[ "$failures" = 0 ]
