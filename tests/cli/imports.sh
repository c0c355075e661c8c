#!/bin/sh
# Imports: beside the file, in folders, by file name, from the library, each once; what is missing
# or circular is reported with the place and the chain.  imports.sh GACTC
set -u
GACTC=${1:-$GACTC}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
fail() {
    echo "$1"
    [ ! -e err ] || cat err
    exit 1
}

mkdir -p lib/deep
echo 'import lib.deep.inner
import "lib/util.gact" as util
fn use(x) = inner.twice(util.next(x))
test "imports" { assert use(1) == 4 }' >main.gact
echo 'fn twice(x) = x * 2' >lib/deep/inner.gact
echo 'import "deep/inner.gact"
fn next(x) = inner.twice(x) / 2 + 1' >lib/util.gact
"$GACTC" --check main.gact --deps deps 2>err || fail "modules beside the file are not found"
printf 'main.gact\nlib/deep/inner.gact\nlib/util.gact\n' | cmp - deps || { cat deps; fail "deps"; }

echo 'import a' >circle.gact
echo 'import b' >a.gact
echo 'import circle' >b.gact
"$GACTC" --check --message-format=short circle.gact 2>err && fail "a circle is accepted"
grep -q 'b.gact:1:1: .*G0100.*circle -> a -> b -> circle' err || fail "the chain is not named"

echo 'import circl
import sats
import "none.gact"' >missing.gact
"$GACTC" --check --message-format=short missing.gact 2>err && fail "a missing module is accepted"
grep -q 'missing.gact:1:1: .*G0101.*circl' err || fail "a missing module is not reported"
grep -q 'missing.gact:3:1: .*G0101.*none.gact' err || fail "a missing file is not reported"

echo 'import own' >own.gact
"$GACTC" --check --message-format=short own.gact 2>err && fail "a module imports itself"
grep -q 'own -> own' err || fail "a self import is not reported"
exit 0
