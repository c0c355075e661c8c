#!/bin/sh
# gactrun --each on the emulated device: instances of one shape at once, with the host's bits and
# reports, faults included. Skipped where there is no C++ compiler.
set -u
GACTC=${1:-$GACTC}
export GACTC
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
XDG_CACHE_HOME=${GACT_TEST_CACHE:-$work}
export XDG_CACHE_HOME
cd "$work" || exit 1
found=
for compiler in ${GACT_EMU_CXX:-c++ g++ clang++ clang++-19}; do
    if command -v "$compiler" >/dev/null; then found=yes; fi
done
[ -n "$found" ] || { echo "skipped: no C++ compiler"; exit 77; }
failed=0

cat >p.gact <<'END'
/// A grid turned clockwise, two of its colours exchanged.
dag recolour(grid: [h, w]i64, from: i64 = 1, to: i64 = 2) -> [w, h]i64 {
  let turned = transpose(reverse(grid))
  return [if turned[i, j] == from { to } else if turned[i, j] == to { from } else { turned[i, j] } for i in 0..w, j in 0..h]
}

/// Faults where a row holds the centre; the sum does not depend on it.
dag ratios(x: [n]i64, centre: i64, scale: i64 = 2) -> (ratio: [n]i64, total: i64) {
  let r = [scale * 1000 / (v - centre) for v in x]
  return (ratio = r, total = sum(x))
}

dag checked(x: f64) -> f64 {
  assert x >= 0, "{x} is negative"
  return exp(-x) * 3 + 1
}

dag norms(m: [n, n]f32, v: [n]f32) -> (rows: [n]f32, all: f32, top: [n, n]f32) {
  let rows = [sum(row * v) for row in m]
  return (rows = rows, all = sum(rows) * v[0], top = [max(m[i, j], m[j, i] * v[i]) for i in 0..n, j in 0..n])
}

type Order = { id: u64, price: f64, qty: i64 }
dag worth(o: Order) -> (value: f64, next: Order) {
  return (value = o.price * f64(o.qty), next = Order(id = o.id + 1, price = o.price / 2, qty = o.qty))
}

/// A size that an input tells.
dag repeated(n: i64, x: [n]f64) -> f64 = sum(x) * f64(n)

/// A size for which the form for many instances has no type.
dag doubled(n: i64, x: [2 * n]f64) -> f64 = sum(x) * f64(n)

/// Of any length.
dag kept(x: [n]i64) -> [_]i64 = filter(x, v -> v % 3 == 0)
fn turns(n: i64) -> i64 = if n < 2 { 0 } else { 1 + turns(n / 2) }
/// Recursion stays on the host.
dag recursive(x: [n]i64) -> [n]i64 = map(x, turns)
@host
dag pinned(x: f64) -> f64 = x + 1
END

awk 'BEGIN {
    srand(7)
    printf "[" >"grids.json"; printf "[" >"rows.json"; printf "[" >"squares.json"; printf "[" >"vectors.json"
    printf "[" >"orders.json"; printf "[" >"numbers.json"
    for (i = 0; i < 400; i++) {
        comma = i ? ", " : ""
        h = 1 + int(rand() * 3); w = 1 + int(i / 150) # shapes that stay for a while
        printf "%s[", comma >"grids.json"
        for (y = 0; y < h; y++) {
            printf "%s[", y ? ", " : "" >"grids.json"
            for (x = 0; x < w; x++) printf "%s%d", x ? ", " : "", int(rand() * 4) >"grids.json"
            printf "]" >"grids.json"
        }
        printf "]" >"grids.json"
        printf "%s[", comma >"rows.json"
        for (k = 0; k < 3 + i % 2; k++) printf "%s%d", k ? ", " : "", i == 77 || i == 301 ? k + 15 : int(rand() * 10) >"rows.json"
        printf "]" >"rows.json"
        n = 2 + i % 3
        printf "%s[", comma >"squares.json"; printf "%s[", comma >"vectors.json"
        for (y = 0; y < n; y++) {
            printf "%s[", y ? ", " : "" >"squares.json"
            for (x = 0; x < n; x++) printf "%s%.6f", x ? ", " : "", rand() - 0.5 >"squares.json"
            printf "]" >"squares.json"
            printf "%s%.6f", y ? ", " : "", rand() >"vectors.json"
        }
        printf "]" >"squares.json"; printf "]" >"vectors.json"
        printf "%s{\"id\": %d, \"price\": %.3f, \"qty\": %d}", comma, i, rand() * 9, i % 5 >"orders.json"
        printf "%s%.6f", comma, i == 211 ? -0.5 : rand() >"numbers.json"
    }
    print "]" >"grids.json"; print "]" >"rows.json"; print "]" >"squares.json"; print "]" >"vectors.json"
    print "]" >"orders.json"; print "]" >"numbers.json"
}'

# count WHAT: how many instances of the last run did that.
count() { sed -n "s/^gact_batch_instances_$1_total //p" metrics; }

# same STATUS AT-LEAST DAG ARGUMENT…: on the host and the device alike, so many instances at once.
same() {
    status=$1 least=$2
    shift 2
    for device in host emu; do
        timeout 200 "$GACTRUN" p.gact "$@" --device=$device --metrics-file metrics >$device.out 2>$device.err
        code=$?
        [ $code = "$status" ] || { echo "$* on $device: status $code" && tail -5 $device.err && failed=1; }
        sed -i '/WARNING: ASan/d' $device.err
    done
    diff host.out emu.out >diff && diff host.err emu.err >diff ||
        { echo "$*: the device differs" && head -5 diff && failed=1; }
    [ "$(count at_once)" -ge "$least" ] || { echo "$*: $(count at_once) at once, not $least" && failed=1; }
    [ "$least" -gt 0 ] || [ "$(count at_once)" = 0 ] || { echo "$*: it runs at once" && failed=1; }
}

same 0 400 recolour --each grid=grids.json
same 0 400 recolour --each grid=grids.json --in from=3
same 0 400 norms --each m=squares.json --each v=vectors.json
same 0 3 norms --each m='[[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[0, 1], [1, 0]]]' --in v='[0.5, 2]'
same 0 400 worth --each o=orders.json
same 1 300 checked --each x=numbers.json
same 1 200 ratios --each x=rows.json --in centre=17
same 0 3 repeated --each n='[2, 2, 3]' --each x='[[1, 2], [3, 4], [5, 6, 7]]'
same 1 2 repeated --each n='[2, 2, 3]' --each x='[[1, 2], [3], [5, 6, 7]]'
same 0 0 doubled --each n='[1, 2]' --each x='[[1, 2], [3, 4, 5, 6]]'
same 0 200 kept --each x=rows.json
same 0 0 recursive --each x=rows.json
same 0 0 pinned --each x=numbers.json
same 0 0 recolour --each grid='[]'
same 0 2 recolour --in grid='[[1, 2]]' --each from='[1, 2]' --in to=5

# An array is given where it lies, and results may be one.
for device in host emu; do
    "$GACTRUN" p.gact recolour --each grid='[[[1, 2], [3, 4]], [[2, 2], [1, 1]]]' --device=$device -o result=$device.npy ||
        failed=1
    "$GACTRUN" p.gact recolour --each grid=host.npy --device=$device -o result=again.$device.json || failed=1
done
cmp host.npy emu.npy && cmp again.host.json again.emu.json || failed=1

# Several devices share a batch, unless one is asked for.
launches() {
    "$GACTRUN" p.gact worth --each o=orders.json --device="$1" --metrics-file metrics >out || failed=1
    sed -n 's/^gact_device_launches_total //p' metrics
}
GACT_EMU_DEVICES=3
export GACT_EMU_DEVICES
[ "$(launches emu)" = $((3 * $(launches emu:1))) ] || { echo "three devices do not share a batch" && failed=1; }
same 1 200 ratios --each x=rows.json --in centre=17
same 1 300 checked --each x=numbers.json
unset GACT_EMU_DEVICES

# In an image the form is there if it was asked for.
"$GACTC" p.gact -o plain.gactx && "$GACTC" p.gact --each=checked:x -o many.gactx || exit 1
for image in plain many; do
    "$GACTRUN" $image.gactx checked --each x='[1, 2, 3]' --device=emu --profile >$image.out 2>$image.err || failed=1
done
cmp plain.out many.out || failed=1
grep -q 'many at once' plain.err && echo "an image has a form nobody asked for" && failed=1
grep -q '^instances: 3 .*; 3 many at once, 0 again after faults$' many.err ||
    { echo "the image's form is not used" && cat many.err && failed=1; }
"$GACTRUN" --list many.gactx >list && [ "$(grep -c checked list)" = 1 ] || { echo "the form is listed" && failed=1; }
"$GACTC" p.gact --each=recursive:x --explain -o many.gactx | grep -q 'as it calls turns, which is recursive' ||
    { echo "nothing tells why recursive stays on the host" && failed=1; }
"$GACTC" p.gact --each=pinned:x --explain -o many.gactx | grep -q 'instances run on the host, as it is pinned' ||
    { echo "nothing tells why pinned stays on the host" && failed=1; }
"$GACTC" p.gact --each=doubled:n,x --explain -o many.gactx | grep -q 'instances run on the host, as their types do not fit' ||
    { echo "nothing tells why doubled stays on the host" && failed=1; }
exit $failed
