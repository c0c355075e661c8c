#!/bin/sh
# gactc init and gactc watch: init.sh GACTC.
set -u
gactc=$1
work=$(mktemp -d) || exit 1
watcher=
trap '[ -z "$watcher" ] || kill "$watcher" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0
fail() {
    echo "$1"
    failures=$((failures + 1))
}

"$gactc" init first >out || fail "init fails"
"$gactc" fmt --check first/first.gact || fail "the new program is not in the one style"
"$gactc" --check -Werror first/first.gact || fail "the new program has mistakes"
"$gactc" test -O0 first/first.gact >out 2>&1 || { cat out; fail "its test fails"; }
"${GACTRUN:?the runtime}" first/first.gact >out 2>&1
sed -i '/WARNING: ASan/d' out
[ "$(cat out)" = "mean 4.00, furthest 5.00" ] || { cat out; fail "it prints something else"; }
for name in first a/b 'a b' '' -x; do
    "$gactc" init -- "$name" 2>/dev/null >out && fail "init takes '$name'"
done

# appears TEXT: waits until the watcher has printed it.
appears() {
    for _ in $(seq 200); do
        if grep -qF "$1" log; then return; fi
        sleep 0.05
    done
    fail "watch does not print: $1"
    cat log
}

echo 'fn half(x) = x / 2' >first/lib.gact
printf 'import lib\nmain { print(lib.half(4)) }\n' >first/prog.gact
"$gactc" watch first/prog.gact >log 2>&1 &
watcher=$!
appears "first/prog.gact has no errors"
echo 'fn hal(x) = x / 2' >first/lib.gact
appears 'module lib has no `half`'
: >log
echo 'fn half(x) = x / 2' >new && mv new first/lib.gact
appears "first/prog.gact has no errors"
kill -0 "$watcher" || fail "watch has ended"
kill "$watcher"
wait "$watcher" 2>/dev/null
watcher=
"$gactc" watch none/none.gact 2>/dev/null && fail "watch takes what is not there"
[ $failures = 0 ]
