#!/bin/sh
# scripts/gpu-test with a kit of a few programs on the emulated device, and that it finds what differs.
# Skipped where there is no C++ compiler for that device.
set -u
GACTC=${1:-$GACTC}
export GACTC
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
kit=$work/kit

# expect TEXT: a line that the output has, a basic pattern.
expect() {
    grep -q -e "$1" "$work/out" && return
    echo "no \`$1\` in:"
    cat "$work/out"
    exit 1
}

scripts/gpu-test pack "$kit" --only=run/fault_in_lists,lang/6_unused_faults,examples/life,arrays/chain,arrays/filter \
    >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
expect '^libraries: .*not taken: .*libc.so'
expect '/kit: 6 programs, [0-9]* MiB$'
if "$kit/bin/device_copy" emu 1 2>&1 | grep 'cannot be used'; then exit 77; fi

# The programs of the kit itself.
run() { env -u GACTRUN scripts/gpu-test "$kit" --device=emu --scale=4096 --rounds=2 "$@" >"$work/out" 2>&1; }
run || { cat "$work/out"; exit 1; }
expect ' 6 passed, 0 failed, 0 skipped'
expect '^[1-9] of them launched something'
expect '^| image with code for sm_90 | [0-9.]* | [0-9.]* |$'
expect '^| a loop of 100 steps | .* | 100 | [0-9.]* |$'
expect '^| chain | [0-9.]* | .* | 1 | .* | yes |$'
expect '^| filter | .* | yes |$'
expect '^2[0-9-]*, emulated device'
# The sanitizer's own remark on stacks that programs switch may stand in either.
sed -i '/WARNING: ASan/d' "$work/out" "$kit/results.md"
diff "$work/out" "$kit/results.md" || exit 1

# Other output, other diagnostics and another exit status are failures; what comes too late is skipped.
echo 1 >"$kit/expect/arrays/chain.status"
echo more >>"$kit/expect/examples/life.out"
sed -i 's/by zero/by one/' "$kit/expect/run/fault_in_lists.err"
run --parts=tests && { echo 'passes what differs'; exit 1; }
expect ' 3 passed, 3 failed, 0 skipped'
expect '^- arrays/chain: exit status 0, not 1'
expect '^- examples/life: output differs'
expect '^- run/fault_in_lists: diagnostics differ'
run --parts=tests --limit=0 || { cat "$work/out"; exit 1; }
expect ' 0 passed, 0 failed, 6 skipped'

# A peers' script gets the times of this run.
cat >"$work/peers.py" <<'END'
import subprocess, sys
print("peers", subprocess.run(sys.argv[4].split("=", 1)[1], shell=True, capture_output=True, text=True).stdout)
END
run --parts=bench,peers --peers="$work/peers.py" || { cat "$work/out"; exit 1; }
expect '^peers {"fw": "gact", "w": "chain", "ms": [0-9.]*, "first": 0'
