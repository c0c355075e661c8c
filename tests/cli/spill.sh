#!/bin/sh
# A device with less memory than a dag's arrays: what is used least goes to the host and comes back,
# kernels that do not fit at all run there, and results are those of the host.
set -u
GACTC=${1:-$GACTC}
"$GACTRUN" --doctor 2>&1 | grep -q "^emu:0" || { echo "skipped: no C++ compiler for the device emu"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# Three arrays of 800 kB, of which a kernel needs two.
cat >turns.gact <<'END'
dag turns(n: i64) -> (a: f32, b: f32, c: f32) {
  let p = scan([f32(i % 1001) for i in 0..n], 0.0, (s, v) -> s + v)
  let q = scan([f32(i % 77) for i in 0..n + 1], 0.0, (s, v) -> s + v)
  let r = scan([f32(i % 5) for i in 0..n + 2], 0.0, (s, v) -> s + v)
  let a = sum([p[i] * q[i] for i in 0..n])
  let b = sum([q[i] * r[i] for i in 0..n])
  let c = sum([p[i] * r[i] for i in 0..n])
  return (a, b, c)
}
END
"$GACTC" turns.gact || exit 1

# run NAME OPTION…: results in NAME.out, counters in NAME.prom.
run() {
    name=$1
    shift
    "$GACTRUN" "$@" --metrics-file="$name.prom" turns.gactx --in n=200000 >"$name.out" 2>err ||
        { cat err; exit 1; }
    cmp host.out "$name.out" || exit 1
}

# more NAME METRIC: the counter is above 0.
more() {
    grep -Eq "^$2 [1-9]" "$1.prom" || { echo "$1: $2 is not above 0"; cat "$1.prom"; exit 1; }
}

run host --device=host
run whole --device=emu
run small --device=emu --device-memory=3
run none --device=emu --device-memory=1
more whole 'gact_kernel_calls_total\{kernel="c",place="device"\}'
more small 'gact_kernel_calls_total\{kernel="c",place="device"\}'
more small gact_device_pool_spills_total
more small 'gact_device_copied_bytes_total\{direction="in"\}'
more none 'gact_device_pool_allocations_total\{result="none"\}'
more none 'gact_kernel_calls_total\{kernel="c",place="host"\}'
if grep -q '^gact_device_pool_spills_total [1-9]' whole.prom; then
    echo "something is spilled where there is room"
    exit 1
fi
