#!/bin/sh
# The documentation says what is so: docs.sh REFERENCE, the program that makes its generated parts
# (BLESS=1 writes them anew). Every block of code marked `gact` compiles without a message, and the
# tests in it pass; one marked `gact G0123` is reported with exactly this code. A block that is
# marked `gact …` is a piece of a program and left alone. A block marked `output` is what the program
# before it prints, and nothing on the standard error.
set -u
: "${GACTC:?the compiler to test}" "${GACTRUN:?the runtime to test}" "${BLESS:=}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0 count=0
"$1" "$([ -n "$BLESS" ] && echo write || echo check)" lang/reference.md || {
    echo "BLESS=1 ctest -R docs writes the generated parts anew"
    failures=1
}

# fail NAME: what went wrong is in $work/log.
fail() {
    echo "$1:"
    head -n 12 "$work/log"
    failures=$((failures + 1))
}

check_block() {
    file=$1 want=$2 place=$3
    "$GACTC" --check --message-format=short "$file" >"$work/log" 2>&1
    found=$(grep -o '\[G[0-9][0-9][0-9][0-9]\]' "$work/log" | tr -d '[]' | sort -u | xargs)
    if [ "$found" != "$want" ]; then
        fail "$place gives ${found:-no code}"
    elif [ -z "$want" ] && grep -q '^test "' "$file"; then
        "$GACTC" test -O0 "$file" >"$work/log" 2>&1 || fail "$place has a failing test"
    fi
    [ -f "$file.out" ] || return 0
    "$GACTC" -O0 "$file" -o "$work/block.gactx" >"$work/log" 2>&1 &&
        "$GACTRUN" --device=host "$work/block.gactx" >"$work/out" 2>>"$work/log" &&
        sed -i '/WARNING: ASan/d' "$work/log" && diff "$file.out" "$work/out" >>"$work/log" && [ ! -s "$work/log" ] || fail "$place prints something else"
}

for page in README.md lang/reference.md docs/learn.md docs/cookbook.md docs/troubleshooting.md; do
    rm -f "$work"/block*
    # Writes each block to a file of its own and prints its name, its mark and its place.
    awk -v work="$work" -v page="$page" '
        /^```gact/ && !open {
            open = 1
            file = sprintf("%s/block%d.gact", work, NR)
            if ($2 != "…") print file, page ":" NR, $2
            last = file
            next
        }
        /^```output/ && !open { open = 1; file = last ".out"; next }
        /^```/ { open = !open; file = ""; next }
        open && file { print > file }' "$page" >"$work/blocks"
    while read -r file place want; do
        count=$((count + 1))
        check_block "$file" "$want" "$place"
    done <"$work/blocks"
done
echo "$count programs, $failures failures"
[ "$failures" = 0 ]
