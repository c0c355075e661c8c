#!/bin/sh
# Prints how long the functions of each folder are, and its lines of code; fails if a function that
# is not a flat switch has more than 70 lines. Relies on how the code is laid out: a definition
# starts in the first column, its head ends in `) {`, and a `}` in the first column ends it. A
# function is flat if one in four of its lines begins with `case`.
set -u
cd "$(dirname "$0")/.." || exit 1
functions=$(mktemp) || exit 1
trap 'rm -f "$functions"' EXIT
folders="lang compiler tools codegen runtime packaging tests"

# Folder, lines, "flat" or "code", and the place of every function.
# shellcheck disable=SC2086
find $folders -name '*.c' -exec awk '
    FNR == 1 { start = 0; head = 0 }
    /^[A-Za-z_]/ { head = FNR; name = $0 }
    head && /\) \{$/ && !start { start = head; flat = 0 }
    start && /^ +case / { flat++ }
    /^}/ {
        if (start) {
            lines = FNR - start + 1
            sub(/\(.*/, "", name)
            sub(/.*[ *]/, "", name)
            split(FILENAME, part, "/")
            print part[1], lines, (4 * flat > lines ? "flat" : "code"), FILENAME ":" start, name
        }
        start = 0
        head = 0
    }' {} + >"$functions"

count_lines() {
    find "$@" -type f -exec cat {} + 2>/dev/null | wc -l
}

printf '%-10s %6s %9s %4s %4s %4s %7s\n' folder lines functions p50 p90 p99 longest
for folder in $folders; do
    lines=$(count_lines "$folder" '(' -name '*.[chy]' -o -name '*.def' -o -name '*.re' ')')
    awk -v f="$folder" '$1 == f { print $2 }' "$functions" | sort -n |
        awk -v f="$folder" -v lines="$lines" '
            { n[NR] = $1 }
            function at(p) { return NR ? n[int((NR - 1) * p + 0.5) + 1] : 0 }
            END {
                printf "%-10s %6d %9d %4d %4d %4d %7d\n", f, lines, NR, at(0.5), at(0.9), at(0.99), at(1)
            }'
done
printf '%-10s %6d\n' gact "$(count_lines stdlib examples tests -name '*.gact')"
long=$(awk '$2 > 70 && $3 == "code" { print $4 ": " $5 " has " $2 " lines, more than 70" }' "$functions")
[ -z "$long" ] || { echo "$long"; exit 1; }
