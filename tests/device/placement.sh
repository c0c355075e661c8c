#!/bin/sh
# placement.sh GACTC: kernels go where they are thought, and then known, to be quick. The emulated device says that it is
# a thousand times as fast as it is, so kernels start there; once they are measured they leave it, and the next process
# knows it. What is printed is the host's everywhere. Skipped where there is no C++ compiler.
set -u
GACTC=${1:-$GACTC}
: "${GACTRUN:?the runtime to test}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
"$GACTC" "$(dirname "$0")/placement.gact" -o "$work/x.gactx" && "$GACTRUN" --device=host "$work/x.gactx" >"$work/want" || exit 1
XDG_CACHE_HOME=$work
export XDG_CACHE_HOME

fail() {
    echo "$*"
    cat "$work/out" "$work/err" "$work/json"
    exit 1
}

# attempt SPEED: runs with placement by cost on a device that says it is so many times as fast.
attempt() {
    GACT_EMU_SPEED=$1 "$GACTRUN" --device=auto:emu --profile-json "$work/json" "$work/x.gactx" >"$work/out" 2>"$work/err" || {
        grep -q 'needs a C++ compiler' "$work/err" && echo "skipped: no C++ compiler" && exit 77
        fail "status $?"
    }
    cmp -s "$work/want" "$work/out" || fail "another result"
}
count() { grep -c "\"place\": \"$1\"" "$work/json"; }
launches() { sed -n 's/.*"launches": \([0-9]*\).*/\1/p' "$work/json"; }

attempt 1000
[ "$(count device)" -gt 0 ] || fail "nothing ran where it was said to be quick"
[ "$(count host)" -gt 0 ] || fail "nothing left the device when it turned out to be slow"
grep -q '"host_estimate_ns": [1-9][0-9]*, "device_estimate_ns": [1-9]' "$work/json" || fail "no estimates"
first=$(launches)
attempt 1000 # only a kernel that the first process did not measure there may still be tried
[ "$(launches)" -lt "$first" ] && [ "$(launches)" -le 2 ] || fail "what was measured was not kept"
for file in "$work"/gact/*.cost; do
    [ -f "$file" ] || fail "nothing was kept"
    echo damaged >"$file"
done
attempt 1000
[ "$(count device)" -gt 0 ] || fail "a damaged file was believed"
rm "$work"/gact/*.cost
attempt 1
[ "$(count device)" = 0 ] || fail "something ran where it was said to be slow"
