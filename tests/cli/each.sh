#!/bin/sh
# gactrun --each: lists of instances from files and literals, results in order at any number of
# threads, what faults and what is refused.
set -u
GACTC=${1:-$GACTC}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

cat >p.gact <<'END'
type Side = Buy | Sell
type Order = { id: u64, price: f64, qty: i64, side: Side }

/// A grid turned clockwise.
dag turn(grid: [h, w]i64) -> [w, h]i64 { return transpose(reverse(grid)) }

dag parts(x: [n]i64, by: i64 = 1) -> (total: i64, quotients: [n]i64, big: [_]i64) {
  let q = [v / by for v in x]
  return (total = sum(x), quotients = q, big = filter(x, v -> v > 2))
}

dag scale(a: [2, 2]f64, by: f64) -> [2, 2]f64 { return a * by }

dag value(o: Order) -> (value: f64, next: Order) {
  let v = o.price * f64(o.qty)
  return (value = if o.side == Buy { v } else { -v }, next = Order(id = o.id + 1, price = v, qty = 0, side = o.side))
}

dag checked(x: f64) -> (root: f64, twice: f64) {
  let y = x * 2
  assert x >= 0, "{x} is negative"
  return (root = sqrt(x), twice = y)
}

fn down(n: i64) -> i64 = if n == 0 { 0 } else { 1 + down(n - 1) }
dag deep(n: i64) -> i64 { return down(n) }

dag words(text: []string) -> (longest: string, letters: [][]i64) {
  let byl = sort_by(text, w -> -len(w))
  return (longest = first(byl), letters = [iota(len(w)) for w in text])
}

/// Of sizes that differ, with faults where n mod 7 is 3.
dag mixed(n: i64) -> (list: [_]f64, rest: i64, even: [4]f64) {
  let list = sort([f64((i * 7919 + n) % 101) for i in 0..n % 13])
  assert n % 7 != 3, "{n} is bad"
  return (list = cumsum(list), rest = 1000 / (n % 5), even = [f64(n + i) for i in 0..4])
}
END
timeout 120 "$GACTC" p.gact -o p.gactx || exit 1

# check NAME STATUS EXPECTED ARGUMENT…: what is printed, then what is reported, is EXPECTED, or
# contains it after "~".
check() {
    name=$1 status=$2 expected=$3
    shift 3
    for threads in 1 4; do
        timeout 60 "$GACTRUN" p.gactx --threads=$threads "$@" >out 2>err
        code=$?
        got=$(cat out && grep -v 'WARNING: ASan doesn' err)
        case $expected in
        '~'*) case $got in *"${expected#\~}"*) same=yes ;; *) same=no ;; esac ;;
        *) [ "$got" = "$expected" ] && same=yes || same=no ;;
        esac
        [ $code -eq "$status" ] && [ $same = yes ] && continue
        failed=1
        printf '%s, %s threads: status %s, wanted %s\n--- wanted\n%s\n--- got\n%s\n' \
            "$name" $threads $code "$status" "$expected" "$got"
    done
}

# holds NAME FILE EXPECTED
holds() {
    [ "$(cat "$2")" = "$3" ] && return
    failed=1
    printf '%s: %s holds\n%s\n--- wanted\n%s\n' "$1" "$2" "$(cat "$2")" "$3"
}

# numbers FILE FORMAT: what a .npy file holds behind its header of 128 bytes.
numbers() { tail -c +129 "$1" | od -An -v -t "$2" | tr -s ' \n' ' '; }

# ---- lists of instances ----

echo '[[[1, 2], [3, 4]], [[1, 2, 3]], []]' >grids.json
check 'grids of several sizes' 0 'result = [[[3, 1], [4, 2]], [[1], [2], [3]], []]' \
    turn --each grid=grids.json
check 'several lists' 0 'total = [6, 0, 5]
quotients = [[1, 2, 3], [], [2]]
big = [[3], [], [5]]' parts --each x='[[1, 2, 3], [], [5]]' --each by='[1, 0, 2]'
check 'a default' 0 'total = [6, 5]
quotients = [[1, 2, 3], [5]]
big = [[3], [5]]' parts --each x='[[1, 2, 3], [5]]'
check 'one for all' 0 'total = [3, 3]
quotients = [[1, 2], [0, 1]]
big = [[], []]' parts --in x='[1, 2]' --each by='[1, 2]'
echo '[{"id": 1, "price": 2.5, "qty": 4, "side": "Buy"}, {"id": 7, "price": 0.5, "qty": 2, "side": "Sell"}]' >orders.json
check records 0 'value = [10.0, -1.0]
next = [Order(id = 2, price = 10.0, qty = 0, side = Buy), Order(id = 8, price = 1.0, qty = 0, side = Sell)]' \
    value --each o=orders.json
check 'texts and lists of lists' 0 'longest = ["three", "a"]
letters = [[[0, 1, 2], [0, 1, 2, 3, 4]], [[0]]]' words --each text='[["two", "three"], ["a"]]'
printf 'x,y\n1,2\n4,9\n' >book.csv
check 'a column' 0 'root = [1.0, 2.0]
twice = [2.0, 8.0]' checked --each x=book.csv:x
check 'an array in .npy' 0 '' scale --each a='[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]' --in by=2 --out result=a.npy
check 'an array from .npy' 0 'result = [[[4.0, 8.0], [12.0, 16.0]], [[10.0, 12.0], [14.0, 16.0]]]' \
    scale --each a=a.npy --each by='[2, 1]'
check 'an array in .npz' 0 '' scale --each a=a.npy --in by=1 --out result=a.npz:doubled
check 'an array from .npz' 0 '~[10.0, 12.0], [14.0, 16.0]]]' scale --each a=a.npz:doubled --in by=1
check 'an array in .bin' 0 '' scale --each a=a.npy --in by=1 --out result=a.bin
check 'an array from .bin' 0 '~[10.0, 12.0], [14.0, 16.0]]]' scale --each a=a.bin --in by=1
check 'a part of a file' 0 'result = [[[1]]]' turn --each grid='[[[1]]]'
check none 0 'result = []' turn --each grid='[]'
check 'none, written' 0 '' turn --each grid='[]' --out result=none.json
holds 'none, written' none.json '[]'
check 'none, as numbers' 0 '' scale --each a='[]' --in by=1 --out result=none.npy
check 'none, read again' 0 'result = []' scale --each a=none.npy --in by=1

# ---- faults ----

check 'an output that does not depend on it' 1 '~total = [6, 0, 5]
quotients = [Some([1, 2, 3]), Some([]), None]
big = [[3], [], [5]]
instance 2:
fault[division]: division by zero' parts --each x='[[1, 2, 3], [], [5]]' --each by='[1, 0, 0]'
check 'null in a file' 1 '~instance 1:' \
    parts --each x='[[1], [2], [3, 4]]' --each by='[1, 0, 2]' --out quotients=q.json --out total=t.json
holds 'null in a file' q.json '[[1], null, [1, 2]]'
holds 'others are whole' t.json '[1, 2, 7]'
check 'asserts in order' 1 '~root = [Some(2.0), None, Some(3.0), None]
twice = [8.0, -2.0, 18.0, -5.0]
instance 1:
fault[assert]: -1.0 is negative' checked --each x='[4, -1, 9, -2.5]'
check 'the later one' 1 '~instance 3:
fault[assert]: -2.5 is negative' checked --each x='[4, -1, 9, -2.5]'
check 'deep recursion' 1 '~result = [Some(4), None, Some(9)]
instance 1:
fault[recursion]' deep --each n='[4, 100000000, 9]'
check 'all of them' 1 '~result = [None, None]
instance 0:' deep --each n='[100000000, 100000000]'
check 'numbers alone' 1 '~output root: r.npy has NaN or 0 where an instance has no result: 1 of 2' \
    checked --each x='[-1, 4]' --out root=r.npy --out twice=t.npy
numbers r.npy f8 >r.txt
grep -q '^ *-\{0,1\}nan 2 *$' r.txt || { echo "r.npy holds $(cat r.txt)" && failed=1; }
check 'a table' 1 '~instance 0:' checked --each x='[-1, 4]' --out root=r.csv
holds 'a table' r.csv 'root

2.0'

# ---- what is refused ----

check 'counts that differ' 2 'gactrun: input by has 1 instances, input x has 2' \
    parts --each x='[[1], [2]]' --each by='[1]'
check 'a size' 2 'gactrun: instance 1: input a: expected [2, 2]f64, but the value holds [1, 2]f64' \
    scale --each a='[[[1, 2], [3, 4]], [[1, 2]]]' --in by=1
check 'a type' 2 '~gactrun: input x: expected []f64, but the literal has `"a"`' checked --each x='[1, "a"]'
check 'no list' 2 '~gactrun: input x: expected []f64' checked --each x=1
check 'a name' 2 'gactrun: turn has no input gird: did you mean grid?' turn --each gird=grids.json
check 'given twice' 2 'gactrun: input x is given twice' checked --each x='[1]' --in x=1
check 'a missing one' 2 'gactrun: scale needs the input by: f64' scale --each a=a.npy
check 'a missing file' 2 'gactrun: input x: cannot open nowhere.json: No such file or directory' \
    checked --each x=nowhere.json
head -c 150 a.npy >cut.npy
check 'a cut file' 2 '~gactrun: input a: ' scale --each a=cut.npy --in by=1 --out result=new.npy
check 'several sizes as numbers' 2 'gactrun: output result: new.npy cannot hold [_, _]i64 of several sizes; use .json' \
    turn --each grid=grids.json --out result=new.npy
check 'an unknown output' 2 '~did you mean result?' turn --each grid=grids.json --out reslt=new.npy
[ -e new.npy ] && echo "a refused run wrote a file" && failed=1

# ---- many ----

awk 'BEGIN { printf "["; for (i = 0; i < 2999; i++) printf "%s%d", i ? ", " : "", i; print "]" }' >many.json
for threads in 1 2 3 8; do
    timeout 60 "$GACTRUN" p.gactx mixed --each n=many.json --threads=$threads --out list=list.$threads.json \
        --out rest=rest.$threads.json --out even=even.$threads.npy 2>many.$threads.err
    [ $? = 1 ] || { echo "mixed: no fault on $threads threads" && failed=1; }
    sed -i "s/even\.$threads/even/; /WARNING: ASan doesn/d" many.$threads.err
done
for threads in 2 3 8; do
    for kind in list rest; do
        cmp "$kind.1.json" $kind.$threads.json || failed=1
    done
    cmp even.1.npy even.$threads.npy && cmp many.1.err many.$threads.err || failed=1
done
[ "$(grep -c '^instance ' many.1.err)" = 942 ] || { echo "mixed: $(grep -c '^instance ' many.1.err) faulted" && failed=1; }
grep '^instance ' many.1.err | tr -dc '0-9\n' | sort -nc || failed=1
"$GACTRUN" p.gactx mixed --in n=2998 --out list=one.json
[ "$(sed 's/.*\(\[[^[]*\]\)\]$/\1/' list.1.json)" = "$(cat one.json)" ] || { echo "mixed: the last differs" && failed=1; }

# ---- what is told ----

"$GACTRUN" p.gactx deep --each n=many.json --profile --times t.json --metrics-file m.txt >/dev/null 2>err
grep -Eq '^instances: 2999 in [0-9.]+ ms, [0-9]+ a second$' err || { echo "no line of instances" && failed=1; }
grep -q '^gact_batch_instances_total 2999$' m.txt || { echo "no metric of instances" && failed=1; }
grep -q '"run": 0\.0*[1-9]' t.json || { echo "no time" && failed=1; }
exit $failed
