#!/bin/sh
# An editor without a screen highlights and indents sample.gact as recorded: highlight.sh vim|emacs
# (BLESS=1 records). Skipped (77) where the editor is absent.
set -u
: "${BLESS:=}"
editor=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cp tests/editors/sample.gact "$work/sample.gact"
export SAMPLE="$work/sample.gact" OUT="$work/out" HOME="$work"
case $editor in
vim)
    for program in vim vim.basic vim.nox; do
        # A vim that is small has no syntax.
        if "$program" --version 2>/dev/null | grep -q '+syntax'; then found=$program; fi
    done
    [ -n "${found:-}" ] || { echo "skipped: there is no Vim with syntax"; exit 77; }
    timeout 60 "$found" -u NONE -N -i NONE -es -S tests/editors/dump.vim </dev/null >"$work/log" 2>&1
    ;;
emacs)
    command -v emacs >/dev/null || { echo "skipped: Emacs is absent"; exit 77; }
    timeout 60 emacs -Q --batch -l tests/editors/dump.el </dev/null >"$work/log" 2>&1
    ;;
esac
[ -s "$OUT" ] || { cat "$work/log"; echo "$editor prints nothing"; exit 1; }
if [ -n "$BLESS" ]; then
    cp "$OUT" "tests/editors/sample.$editor"
else
    diff -u "tests/editors/sample.$editor" "$OUT"
fi
