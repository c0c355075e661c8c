#!/bin/sh
# gactc cache: what is kept, why a program is compiled again, and what is removed.
set -u
GACTC=${1:-$GACTC}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export GACTC XDG_CACHE_HOME="$work/cache"

# expect STATUS TEXT COMMAND…: the command ends so and prints the text, a basic pattern.
expect() {
    wanted=$1 text=$2
    shift 2
    "$@" >out 2>&1
    status=$?
    if [ $status != "$wanted" ] || ! grep -q -e "$text" out; then
        echo "$*: status $status, expected $wanted and \`$text\`; it printed:"
        cat out
        exit 1
    fi
}
# files NUMBER ENDING: so many are kept.
files() {
    number=$(find cache/gact -type f -name "*$2" | wc -l)
    [ "$number" = "$1" ] || { echo "$number files *$2, expected $1"; ls -l cache/gact; exit 1; }
}
cache() { "$GACTC" cache "$@"; }

echo 'import "lib.gact" as lib
main { print(lib.f(2)) }' >prog.gact
echo 'fn f(x) = x * 3' >lib.gact

expect 2 'it is cache list, cache why FILE' cache
expect 2 'it is cache list' cache forget
expect 2 'it is cache list' cache why
expect 2 'there is no such file' cache why none.gact
expect 0 '^0 files in .*/cache/gact' cache list
expect 0 'prog.gact will be compiled: gactrun has not compiled it yet' cache why prog.gact
expect 0 '^6$' "$GACTRUN" prog.gact
expect 0 "^program $work/prog.gact, [0-9.]* KiB, used [0-9]* s ago" cache list
expect 0 '^prog.gact is kept, [0-9.]* KiB, used [0-9]* s ago: /' cache why prog.gact
expect 0 'gactrun has not compiled it yet' cache why --tests prog.gact

echo 'fn f(x) = x * 4' >lib.gact
expect 0 "^  $work/lib.gact has changed\$" cache why prog.gact
expect 0 '^8$' "$GACTRUN" prog.gact
expect 0 '^prog.gact is kept' cache why prog.gact
expect 0 "^  $work/lib.gact has changed\$" cache why prog.gact
expect 0 '^program of an earlier version' cache list
files 2 .gactx

# As it was: the older image, and then another compiler, another way to say the name.
echo 'fn f(x) = x * 3' >lib.gact
expect 0 '^prog.gact is kept' cache why prog.gact
GACTC=$GACTRUN expect 0 "^  the compiler is now .*gactrun" "$GACTC" cache why prog.gact
expect 0 '^  the source is now `./prog.gact`' cache why ./prog.gact
echo 'main { print(1) }' >prog.gact
expect 0 "^  $work/prog.gact has changed\$" cache why prog.gact
expect 0 '^1$' "$GACTRUN" prog.gact
expect 0 "^  $work/lib.gact is no longer read\$" cache why prog.gact
echo 'import "lib.gact" as lib
main { print(lib.f(2)) }' >prog.gact
expect 0 '^6$' "$GACTRUN" prog.gact
rm lib.gact
expect 0 "^  $work/lib.gact cannot be read\$" cache why prog.gact

# What no source has now goes, then records without a source, then all.
expect 0 '^removed 2 files, ' cache prune
files 1 .gactx
rm cache/gact/*.gactx
echo 'fn f(x) = x * 3' >lib.gact
expect 0 '^  its image was dropped' cache why prog.gact
expect 0 '^6$' "$GACTRUN" prog.gact
rm prog.gact
expect 0 '^removed 2 files, ' cache prune
expect 0 '^removed 0 files, 0 B' cache prune
files 0 ""
echo 'main { print(1) }' >prog.gact
expect 0 '^1$' "$GACTRUN" prog.gact
files 1 .gactx
expect 0 '^removed 2 files, ' cache prune --all
files 0 ''

# Where main is run, it alone is compiled; a dag that is asked for is compiled with all others.
echo 'dag twice(x: i64 = 4) -> i64 = 2 * x
main { print(twice(1)) }' >prog.gact
expect 0 '^2$' "$GACTRUN" prog.gact
files 1 .gactx
expect 0 '^prog.gact is kept' cache why prog.gact
expect 0 '8$' "$GACTRUN" prog.gact twice
files 2 .gactx
expect 0 '^2$' "$GACTRUN" prog.gact
expect 0 '^dag twice' "$GACTRUN" prog.gact --list
files 2 .gactx
"$GACTC" --main prog.gact -o main.gactx
expect 0 '^main$' "$GACTRUN" main.gactx --list
echo 'dag twice(x: i64 = 4) -> i64 = 2 * x' >prog.gact
expect 0 '= 8$' "$GACTRUN" prog.gact
expect 0 '^prog.gact is kept' cache why prog.gact
GACT_CACHE_SIZE=0 expect 2 'nothing is kept' "$GACTC" cache list
