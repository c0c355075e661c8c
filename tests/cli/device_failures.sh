#!/bin/sh
# Whichever call of the device fails, once or from then on, a dag gives the host's results or a fault
# that tells of it. Needs a C++ compiler for the emulated device.
set -u
GACTC=${1:-$GACTC}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME="$work/cache"
command -v c++ >/dev/null || { echo 'no C++ compiler'; exit 77; }

cat >dag.gact <<'END'
dag work(x: [_]f32) -> (total: f32, y: [_]f32, after: [_]f32) {
  let y = exp(x) * 2
  let total = sum(y)
  return (total = total, y = y, after = [v / total for v in y])
}
END
"$GACTC" dag.gact || exit 1
run() { "$GACTRUN" dag.gactx --in 'x=[0.25, 1, -2, 0.5, 3]' "$@" >out 2>err; }
run --device=host || { cat err; exit 1; }
mv out wanted
run --device=emu || { cat err; exit 1; }
cmp out wanted || exit 1

# fails AT: the run is right, or its fault says what failed.
fails() {
    GACT_DEVICE_FAIL_AT=$1 run --device=emu
    status=$?
    case $status in
    0) cmp -s out wanted && return ;;
    1) grep -q 'fault\[.*call [0-9]* of the device fails' err && faults=$((faults + 1)) && return ;;
    esac
    echo "call $1 fails: status $status"
    cat out err
    exit 1
}

faults=0
for at in $(seq 1 60); do
    fails "$at"
    fails "$at+"
done
[ $faults -gt 5 ] || { echo "only $faults faults: nothing ran on the device"; exit 1; }
# The same where nothing is kept, so that compiling can fail.
for at in 1 2 3 4; do
    rm -rf cache
    fails "$at"
done
