#!/bin/sh
# gactc fmt on files: fmt.sh GACTC.
set -u
gactc=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

# want WHAT STATUS: the last command's status and what it printed to ./out are known.
want() {
    [ "$status" = "$2" ] || { echo "$1: status $status, not $2"; cat out; failures=$((failures + 1)); }
}
run() {
    "$gactc" "$@" >out 2>&1
    status=$?
}

printf 'fn f(x)=x+1\n' >a.gact
printf 'fn f(x) = x + 1\n' >good.gact
printf 'fn f(x = {\n' >bad.gact
chmod 640 a.gact
ln -s a.gact link.gact
cp bad.gact bad.before

run fmt --check a.gact good.gact
want "--check of one that is not" 1
[ "$(cat out)" = a.gact ] || { echo "--check prints:"; cat out; failures=$((failures + 1)); }
printf 'fn f(x)=x+1\n' | cmp -s - a.gact || { echo "--check has changed the file"; failures=$((failures + 1)); }
run fmt link.gact bad.gact good.gact
want "one with a mistake" 1
cmp -s a.gact good.gact || { echo "a.gact is not formatted"; failures=$((failures + 1)); }
cmp -s bad.gact bad.before || { echo "a file with a mistake has changed"; failures=$((failures + 1)); }
grep -q 'bad.gact:1' out || { echo "the mistake has no place:"; cat out; failures=$((failures + 1)); }
[ "$(stat -c %a a.gact)" = 640 ] || { echo "the mode has changed"; failures=$((failures + 1)); }
[ -L link.gact ] || { echo "the link is gone"; failures=$((failures + 1)); }
run fmt --check a.gact good.gact
want "--check of good files" 0
[ ! -s out ] || { echo "--check of good files prints:"; cat out; failures=$((failures + 1)); }
run fmt none.gact
want "a file that is not there" 2
run fmt
want "no file" 2
printf 'fn f(x)=x' | "$gactc" fmt - >out 2>&1
[ "$(cat out)" = "fn f(x) = x" ] || { echo "of the standard input:"; cat out; failures=$((failures + 1)); }
printf 'fn f(x)=x' | "$gactc" fmt --check - >out 2>&1
status=$?
want "--check of the standard input" 1
rm good.gact
[ "$(find . -name '*.gact.*')" = "" ] || { echo "left:"; ls; failures=$((failures + 1)); }
[ $failures = 0 ]
