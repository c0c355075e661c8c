#!/bin/sh
# failures.sh GACTC: every call of the emulated device fails once, alone and with all that follow, and the device's
# memory is small. The program must print what it prints on the host, or end with a fault that says that the device
# failed. Skipped where there is no C++ compiler.
set -u
GACTC=${1:-$GACTC}
: "${GACTRUN:?the runtime to test}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
XDG_CACHE_HOME=${GACT_TEST_CACHE:-$work}
export XDG_CACHE_HOME
"$GACTC" "$(dirname "$0")/failures.gact" -o "$work/x.gactx" && "$GACTRUN" "$work/x.gactx" >"$work/want" || exit 1
"$GACTRUN" --device=emu "$work/x.gactx" >"$work/out" 2>"$work/err" || {
    grep -q 'needs a C++ compiler' "$work/err" && echo "skipped: no C++ compiler" && exit 77
    cat "$work/err"
    exit 1
}

fail() {
    echo "$*"
    cat "$work/out" "$work/err"
    exit 1
}

# attempt WHAT [VARIABLE=VALUE]: runs on the device; what ends with a fault must have printed a part of the rest.
attempt() {
    what=$1
    shift
    env "$@" "$GACTRUN" --device=emu "$work/x.gactx" >"$work/out" 2>"$work/err"
    case $? in
    0) cmp -s "$work/want" "$work/out" || fail "$what: another result" ;;
    1)
        grep -q '^fault\[device\]: the device.*: call [0-9]* of the device fails' "$work/err" ||
            fail "$what: another fault"
        head -c "$(wc -c <"$work/out")" "$work/want" | cmp -s - "$work/out" || fail "$what: other output"
        ;;
    *) fail "$what: status $?" ;;
    esac
}

cmp "$work/want" "$work/out" || exit 1
for lasting in '' '+'; do
    call=1
    while :; do
        attempt "call $call$lasting" GACT_DEVICE_FAIL_AT="$call$lasting"
        if grep -q 'was not reached' "$work/err"; then break; fi
        call=$((call + 1))
        [ $call -lt 2000 ] || fail "there is no end of calls"
    done
    echo "$((call - 1)) calls failed${lasting:+ with all after them}"
    [ $call -gt 20 ] || fail "too few calls to be true"
done
# The same where nothing is kept, so that compiling can fail.
for call in 1 2 3 4; do
    attempt "call $call of a first run" GACT_DEVICE_FAIL_AT=$call XDG_CACHE_HOME="$work/first$call"
done
for bytes in 1000 20000 100000 200000 400000 800000; do
    attempt "a device of $bytes bytes" GACT_EMU_MEMORY=$bytes
done
