#!/bin/sh
# grammar_cases.sh GACTC CASES: a case is source lines, then `---`, then what `gactc --emit=ast`
# must print (the S-expressions on one line, or `error: ` and a part of the message); `===` ends
# a case. PARSER, if set, is run instead of `GACTC --emit=ast`.
parser=${PARSER:-"$1 --emit=ast"}
cases=$2
count=0
bad=0
src=$(mktemp --suffix=.gact)
trap 'rm -f "$src"' EXIT
: >"$src"
want=
part=src

check_case() {
    count=$((count + 1))
    got=$($parser "$src" 2>&1 | tr '\n' ' ' | sed 's/  */ /g; s/ $//')
    case $want in
    'error: '*) case $got in *"${want#error: }"*) return ;; esac ;;
    "$got") return ;;
    esac
    bad=$((bad + 1))
    printf 'case %d:\n%s\n  want %s\n  got  %s\n' "$count" "$(cat "$src")" "$want" "$got"
}

while IFS= read -r line; do
    case $line in
    '---') part=want ;;
    '===')
        check_case
        : >"$src"
        want=
        part=src
        ;;
    *)
        if [ $part = src ]; then
            printf '%s\n' "$line" >>"$src"
        else
            want=$line
        fi
        ;;
    esac
done <"$cases"
echo "$count cases, $bad wrong"
[ "$bad" = 0 ]
