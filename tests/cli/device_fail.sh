#!/bin/sh
# Every call of a device fails once, and all from one on: the run gives the host's results or a fault
# that names the call, and no more than that goes wrong (the sanitizers look for leaks). A failure
# to measure, which --metrics-file asks for, is none of the run.
set -u
GACTC=${1:-$GACTC}
"$GACTRUN" --doctor 2>&1 | grep -q "^emu:0" || { echo "skipped: no C++ compiler for the device emu"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME="$work"

cat >turns.gact <<'END'
dag turns(n: i64) -> (a: f32, c: f32) {
  let p = scan([f32(i % 1001) for i in 0..n], 0.0, (s, v) -> s + v)
  let q = scan([f32(i % 77) for i in 0..n + 1], 0.0, (s, v) -> s + v)
  let r = scan([f32(i % 5) for i in 0..n + 2], 0.0, (s, v) -> s + v)
  let a = sum([p[i] * q[i] for i in 0..n])
  let c = sum([p[i] * r[i] for i in 0..n])
  return (a, c)
}
END
"$GACTC" turns.gact || exit 1
"$GACTRUN" turns.gactx --in n=200000 >host || exit 1

# try N OPTION…: the run with the failure N.
try() {
    fail=$1
    shift
    GACT_DEVICE_FAIL_AT=$fail "$GACTRUN" --device=emu "$@" --metrics-file=prom turns.gactx \
        --in n=200000 >out 2>err
    status=$?
    if [ $status = 0 ] && cmp -s host out; then
        return 0
    fi
    if [ $status = 1 ] && grep -q 'fault\[device\]: .* of the device fails, as was asked for' err; then
        faults=$((faults + 1))
        return 0
    fi
    echo "$fail $*: status $status"
    cat out err
    exit 1
}

for options in '' '--device-memory=3'; do
    faults=0
    for n in 1 2 3 4 5 6 7 8 10 12 14 17 20 23 26 29 32 35 38 41 45 50 1+ 9+ 25+; do
        # shellcheck disable=SC2086 # words
        try $n $options
    done
    [ $faults -ge 5 ] || { echo "$options: only $faults failures showed"; exit 1; }
    # shellcheck disable=SC2086
    try 100000 $options
    cmp host out || exit 1
done
