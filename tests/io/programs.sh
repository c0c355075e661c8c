#!/bin/sh
# Compiled programs fed from the command line and from files, and what they print and write.
GACTRUN=${GACTRUN:-gactrun}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME="$work/cache"
cd "$work" || exit 2
failed=0

# check NAME STATUS EXPECTED ARGUMENT…: what gactrun prints, output before errors.
check() {
    name=$1 status=$2 expected=$3
    shift 3
    got=$("$GACTRUN" "$@" 2>err)
    code=$?
    err=$(grep -v 'WARNING: ASan doesn' err)
    got="$got${got:+${err:+
}}$err"
    if [ $code -ne "$status" ] || [ "$got" != "$expected" ]; then
        failed=1
        printf '%s: status %s, wanted %s\n--- wanted\n%s\n--- got\n%s\n' \
            "$name" $code "$status" "$expected" "$got"
    fi
}
# holds NAME FILE TEXT
holds() {
    if [ "$(cat "$2")" != "$3" ]; then
        failed=1
        printf '%s: %s holds\n%s\n' "$1" "$2" "$(cat "$2")"
    fi
}

cat >p.gact <<'END'
import io
import text

type Side = Buy | Sell
type Order = { id: u64, price: f32, qty: i32, side: Side }
type Shape = Circle(f32) | Rect(width: f32, height: f32) | Empty

dag totals(orders: [n]Order, by: f32 = 2) -> (total: f32, prices: [n]f32) {
  let p = orders.price * by
  return (total = sum(p), prices = p)
}
dag area(s: [n]Shape) -> [n]f32 {
  let r = map(s, x -> match x { Circle(r) => r * r * 3.0, Rect(w, h) => w * h, Empty => 0 })
  return r
}
dag several(x: Option[i64], d: duration, t: string) -> (y: Option[i64], dd: duration, tt: string) {
  return (y = match x { Some(v) => Some(v + 1), None => None }, dd = d, tt = t)
}
dag image(g: [h, w]u8) -> (img: [h, w]u8, rows: [][]i64) {
  return (img = g * 2, rows = [[j for j in 0..i] for i in 0..h])
}
dag fixed(p: [3]f32, q: [n + 1]f32, k: [n]f32) -> (r: [n]f32) { return (r = k * p[0] + q[0]) }
dag lens(xs: [n][]i64) -> (k: [n]i64) { return (k = map(xs, x -> len(x))) }

main(args: []string) {
  let x: [_]f32 = [1, 2.5]
  io.save("a.npy", x)
  let y: [_]f32 = io.load("a.npy")
  print("{y} {sum(y):.3}", args)
  io.write_text("a.dat", "x\ny")
  print(io.read_text("a.dat"), text.parse_i64("12") + 1)
  print(1.5s, Some(1), (a = 1, b = "x"), "{255:x} {[1.75, 2.5]:.1}|{7:^5}|")
}
test "one" { assert 1 + 1 == 2 }
END
printf 'id,price,qty,side\n1,2.5,3,Buy\n2,4,5,Sell\n' >orders.csv

check main 0 '[1.0, 2.5] 3.500 ["a"]
x
y 13
1.5s Some(1) (a = 1, b = "x") ff [1.8, 2.5]|  7  |' p.gact a
check 'records of a table' 0 'total = 13.0
prices = [5.0, 8.0]' p.gact totals --in orders=orders.csv
check 'records of JSON' 0 'total = 2.5
prices = [2.5]' p.gact totals --in by=1 --in orders='[{"id": 1, "price": 2.5, "qty": 1, "side": "Buy"}]'
check 'each of records' 0 'total = [0.0, 4.0]
prices = [[], [4.0]]' p.gact totals --each orders='[[], [Order(id = 1, price = 2, qty = 3, side = Sell)]]'
check shapes 0 'r = [12.0, 0.0, 6.0]' p.gact area --in s='[Circle(2), Empty, Rect(width = 2, height = 3)]'
check options 0 'y = Some(4)
dd = 1.5s
tt = hello' p.gact several --in x='Some(3)' --in d=1.5s --in t=hello
check 'one JSON file' 0 '' p.gact several --in x=None --in d=10us --in t='"a b"' \
    --out y=y.json --out dd=y.json --out tt=y.json:text
holds 'one JSON file' y.json '{"y": null, "dd": "10us", "text": "a b"}'
check 'back from it' 0 'y = Some(2)
dd = 10us
tt = a b' p.gact several --in x=1 --in d=y.json:dd --in t=y.json:text
check image 0 '' p.gact image --in g='[[1, 2], [3, 4]]' --out img=i.png --out rows=i.json
holds image i.json '[[], [0]]'
check 'lists of lists' 0 'k = [0, 1]' p.gact lens --in xs=i.json
check 'fixed size' 2 'gactrun: input p: expected [3]f32, but the value holds [2]f32' \
    p.gact fixed --in p='[1, 2]' --in q='[1, 2]' --in k='[1]'
check 'sum of sizes' 2 'gactrun: input k has 2 elements, but n is 1 (from q)' \
    p.gact fixed --in p='[1, 2, 3]' --in q='[1, 2]' --in k='[1, 2]'
check 'no such size' 2 'gactrun: input q has 0 elements, which cannot be n + 1' \
    p.gact fixed --in p='[1, 2, 3]' --in q='[]' --in k='[1, 2]'
check sizes 0 'r = [2.0, 3.0]' p.gact fixed --in p='[1, 2, 3]' --in q='[1, 2, 3]' --in k='[1, 2]'
check wrong 2 'gactrun: input p: expected [3]f32, but orders.csv:qty holds [2]f32' \
    p.gact fixed --in p=orders.csv:qty --in q='[1]' --in k='[]'
check tests 0 'test "one" ... ok
1 passed, 0 failed' --tests p.gact
exit $failed
