#!/bin/sh
# Images for older processors: vectors are shorter there, down to two numbers of 64 bits, and give the same
# bits. Bools are packed without masks.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

cat >prog.gact <<'EOF'
import random
dag draws(n: i64) -> [_]u32 { return [random.u32(7u64, i) for i in 0..n] }
dag grow(cells: [n, m]bool, steps: i64) -> [n, m]bool {
  let later = loop (now = cells) for t in 0..steps {
    [sum(i64(wrap_at(now, i + di, j + dj)) for di in -1..2, dj in -1..2) % 3 == 1 for i in 0..n, j in 0..m]
  }
  return later
}
main {
  print(sum(draws(1000)))
  for m in [1, 63, 64, 130, 513] {
    let later = grow([(i * 7 + j * j) % 5 < 2 for i in 0..9, j in 0..m], 5)
    print(sum(i64(later[i, j]) * (31 * i + j) for i in 0..9, j in 0..m))
  }
}
EOF
"$GACTC" -O0 prog.gact -o plain.gactx && "$GACTRUN" plain.gactx >expected || exit 1
for cpu in native x86-64 x86-64-v2 x86-64-v3; do
    "$GACTC" --cpu=$cpu prog.gact -o prog.gactx && "$GACTRUN" prog.gactx >out || exit 1
    diff expected out || { echo "$cpu gives other numbers"; exit 1; }
done
