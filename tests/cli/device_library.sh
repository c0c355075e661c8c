#!/bin/sh
# Sorts and products of a program, which the emulated device does as a whole, and what they have in
# memory. Skipped where there is no C++ compiler.
set -u
GACTC=${1:-$GACTC}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
program=tests/golden/run/sorts_and_products
"$GACTC" $program.gact -o "$work/prog.gactx" || exit 1
"$GACTRUN" --device=emu "$work/prog.gactx" >"$work/out" 2>"$work/errors"
status=$?
if [ $status = 2 ] && grep -q 'cannot be used' "$work/errors"; then
    cat "$work/errors"
    exit 77
fi
diff $program.out "$work/out" || exit 1
# A device whose memory is short: the host does some of it.
for bytes in 30000 70000 130000; do
    GACT_EMU_MEMORY=$bytes "$GACTRUN" --device=emu "$work/prog.gactx" >"$work/out" 2>"$work/errors"
    diff $program.out "$work/out" || exit 1
done
"$GACTRUN" --device=emu --profile "$work/prog.gactx" >"$work/profile" 2>&1
for name in sort argsort matmul; do
    grep -q "^$name  .*\(radix\|fma\)" "$work/profile" || {
        echo "no $name on the device:"
        cat "$work/profile"
        exit 1
    }
done
