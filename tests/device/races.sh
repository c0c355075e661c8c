#!/bin/sh
# races.sh GACTC: kernels of each form, sorts and products on few points under the thread sanitizer, which sees every pair
# of accesses that nothing orders. Nothing may be told, and the results are the host's. Skipped where the emulated
# device's compiler has no thread sanitizer, and where gactrun has another one.
set -u
GACTC=${1:-$GACTC}
: "${GACTRUN:?the runtime to test}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
XDG_CACHE_HOME=${GACT_TEST_CACHE:-$work}
export XDG_CACHE_HOME
for found in ${GACT_EMU_CXX:-} c++ g++ clang++ none; do
    if command -v "$found" >/dev/null; then break; fi
done
[ "$found" != none ] || { echo "skipped: no C++ compiler"; exit 77; }
library=$("$found" -print-file-name=libtsan.so)
[ -e "$library" ] || library=$("$found" -print-file-name=libclang_rt.tsan-x86_64.so)
"$GACTC" -O2 "$(dirname "$0")/races.gact" -o "$work/x.gactx" || exit 1
"$GACTRUN" --device=host "$work/x.gactx" >"$work/want" || exit 1

# The library of the sanitizer is in gactrun, or comes before it.
for preload in '' "$library"; do
    GACT_EMU_SAN=thread LD_PRELOAD=$preload "$GACTRUN" --device=emu --threads=1 "$work/x.gactx" >"$work/out" 2>"$work/err" &&
        break
done
if grep -q AddressSanitizer "$work/err"; then
    echo "skipped: gactrun has the address sanitizer"
    exit 77
fi
if [ ! -s "$work/out" ] && [ ! -e "$library" ]; then
    echo "skipped: no thread sanitizer"
    exit 77
fi
cmp "$work/want" "$work/out" || { head -n 40 "$work/err"; exit 1; }
if grep -q 'ThreadSanitizer' "$work/err"; then
    head -n 40 "$work/err"
    exit 1
fi
