#!/bin/sh
# The word lists in the files for editors are those of the compiler: stale.sh EDITORS, the program that
# writes them (BLESS=1 does).
set -u
: "${BLESS:=}"
files=$(grep -rl 'generated: ' editors --include='*' --exclude-dir=node_modules --exclude='*.md')
[ -n "$files" ] || { echo "there are no lists"; exit 1; }
# A file each.
# shellcheck disable=SC2086
"$1" "$([ -n "$BLESS" ] && echo write || echo check)" $files || {
    echo "BLESS=1 ctest -R editors/stale writes the lists anew"
    exit 1
}
