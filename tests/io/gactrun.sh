#!/bin/sh
# gactrun on an image written by hand (fixture.c): what it prints, which files it writes, and with
# which exit status it ends. Skipped where there is no C compiler.
GACTRUN=${GACTRUN:-gactrun}
CC=${CC:-cc}
here=$(cd "$(dirname "$0")" && pwd)
command -v "$CC" >/dev/null || exit 77
work=$(mktemp -d) || exit 2
errors=$(mktemp) || exit 2
trap 'rm -rf "$work" "$errors"' EXIT
"$CC" -shared -fPIC -O1 -o "$work/f.gactx" "$here/fixture.c" &&
    "$CC" -O1 -o "$work/seal" "$here/seal.c" && "$work/seal" "$work/f.gactx" || exit 77
cd "$work" || exit 2
failed=0

# check NAME STATUS EXPECTED COMMAND…: output and then errors are EXPECTED, or contain it after "~".
check() {
    name=$1 status=$2 expected=$3
    shift 3
    got=$("$@" 2>"$errors")
    code=$?
    # AddressSanitizer remarks on stacks that a program makes itself.
    err=$(grep -v 'WARNING: ASan doesn' "$errors")
    got="$got${got:+${err:+
}}$err"
    case $expected in
    '~'*) case $got in *"${expected#\~}"*) same=yes ;; *) same=no ;; esac ;;
    *) [ "$got" = "$expected" ] && same=yes || same=no ;;
    esac
    if [ $code -ne "$status" ] || [ $same = no ]; then
        failed=1
        printf '%s: status %s, wanted %s\n--- wanted\n%s\n--- got\n%s\n' \
            "$name" $code "$status" "$expected" "$got"
    fi
}
run() { "$GACTRUN" f.gactx "$@"; }
files() { ls | tr '\n' ' '; }

printf 'x,y\n1,2\n3,4\n' >book.csv
printf '{"x": [6, 8], "y": [2, 0]}' >data.json
printf '[[[1, 2], [3, 4]], [[5, 6, 7], [8, 9, 10]]]' >grids.json
printf '[[[1, 2]], [[5, 6], [7, 8]]]' >bad.json

check list 0 'dag scale(x: [n]f32, y: [n]f32, by: f32 = …) -> (product: [n]f32, quotient: [n]i32)
    Multiplies and divides.
dag turn(grid: [h, w]i64) -> (result: [w, h]i64)
main(args: []string)
test "passes"
test "fails"
test "wants a fault"
test "misses a fault"
test "calls the runtime"' run --list
check main 0 '["a", "-b"]' run -- a -b
check literals 0 'product = [8.0, 24.0]
quotient = [0, 0]' run scale --in x='[1, 2]' --in y='[4, 6]'
check default 0 'product = [1.0]
quotient = [2]' run scale -i x='[2]' -i y='[1]' -i by=0.5
check csv 0 'product = [4.0, 24.0]
quotient = [0, 0]' run scale -i x=book.csv:x -i y=book.csv:y
check fault 1 '~division of 8 by zero' run scale -i x=data.json:x -i y=data.json:y
check 'fault keeps others' 1 '~product = [24.0, 0.0]' run scale -i x=data.json:x -i y=data.json:y
check 'fault is named' 1 '~output quotient was not computed' run scale -i x=data.json:x -i y=data.json:y
check missing 2 'gactrun: scale needs the inputs x: [n]f32, y: [n]f32' run scale
check 'one missing' 2 'gactrun: scale needs the input y: [n]f32' run scale -i x='[1]'
check misnamed 2 'gactrun: turn has no input gird: did you mean grid?' run turn -i gird=1
check twice 2 'gactrun: input x is given twice' run scale -i x='[1]' -i x='[1]' -i y='[1]'
check 'no output' 2 'gactrun: turn has no output reslt: did you mean result?' run turn -i grid=1 -o reslt=a.npy
check sizes 2 'gactrun: input y has 1 element, but n is 2 (from x)' run scale -i x='[1, 2]' -i y='[1]'
check mistyped 2 'gactrun: input grid: expected [h, w]i64, but the literal has `1.5` where a number that fits i64 should be' run turn -i grid='[[1.5]]'
check unreadable 2 'gactrun: input grid: cannot open none.npy: No such file or directory' run turn -i grid=none.npy
check 'no extension' 2 'gactrun: input grid: the file seal has none of the extensions .npy, .npz, .csv, .tsv, .json, .bin, .txt and .png' run turn -i grid=seal
check 'unknown dag' 2 '~has no dag trun: did you mean turn?' run trun -i grid=1
check 'arguments of a dag' 2 'gactrun: turn takes no argument 3: inputs are given with --in NAME=VALUE' run turn 3 -i grid=1
check 'main by a name' 0 '["turn", "3"]' run turn 3
check 'which dag' 2 'gactrun: f.gactx: main has no inputs and outputs; say which dag to run: scale, turn' run -i grid=1
check 'no value' 2 'gactrun: --in wants NAME=VALUE, not `grid`' run turn -i grid

check npz 0 '' run scale -i x='[1, 2]' -i y='[4, 6]' -o product=o.npz -o quotient=o.npz:q
check 'npz back' 0 'product = [64.0, 288.0]
quotient = [2, 4]' run scale -i x=o.npz:product -i y='[4, 6]'
check json 0 '' run scale -i x='[1, 2]' -i y='[4, 6]' -o product=o.json
check 'json text' 0 '[8.0, 24.0]' cat o.json
check 'csv of two' 0 '' run scale -i x='[1, 2]' -i y='[4, 6]' -o product=o.csv -o quotient=o.csv
check 'csv text' 0 'product,quotient
8.0,0
24.0,0' cat o.csv
check bin 0 '' run turn -i grid='[[1, 2]
, [3, 4]]' -o result=o.bin
check 'bin size' 0 '32' sh -c 'wc -c <o.bin | tr -d " "'
rm -f o.*
check 'fault writes the rest' 1 '~division' run scale -i x=data.json:x -i y=data.json:y -o product=p.json -o quotient=q.json
check 'the rest' 0 '[24.0, 0.0]' cat p.json
check 'not the faulted' 0 'bad.json book.csv data.json f.gactx grids.json p.json seal ' files
rm -f p.json
check 'bad input writes nothing' 2 '~input y has 1 element' run scale -i x='[1, 2]' -i y='[1]' -o product=p.json
check 'unwritable writes nothing' 2 '~cannot write none/q.json' run scale -i x='[1]' -i y='[1]' -o product=p.json -o quotient=none/q.json
check 'nothing there' 0 'bad.json book.csv data.json f.gactx grids.json seal ' files

check each 0 'result = [[[1, 3], [2, 4]], [[5, 8], [6, 9], [7, 10]]]' run turn --each grid=grids.json
check 'each faults' 1 '~instance 0:' run turn --each grid=bad.json
check 'each null' 1 '~assert' run turn --each grid=bad.json --out result=r.json
check 'each null text' 0 '[null, [[5, 7], [6, 8]]]' cat r.json
check 'each with a fixed one' 0 'product = [[2.0, 4.0], [6.0, 8.0]]
quotient = [[1, 2], [3, 4]]' run scale --each x='[[1, 2], [3, 4]]' --in y='[1, 1]'
check 'each of two' 2 'gactrun: input y has 1 instances, input x has 2' run scale --each x='[[1], [2]]' --each y='[[1]]'
check 'each sizes' 2 'gactrun: instance 1: input y has 1 element, but n is 2 (from x)' run scale --each x='[[1], [2, 3]]' --in y='[1]'
check 'each npy' 0 '' run scale --each x='[[1, 2], [3, 4]]' --in y='[1, 1]' --out product=p.npy
check 'each npy back' 0 '~[[4.0, 8.0], [12.0, 16.0]]' run scale --each x=p.npy --in y='[1, 1]'
check 'each of scalars' 0 'product = [[2.0], [4.0], [6.0]]
quotient = [[1], [1], [1]]' run scale --each by='[2, 4, 6]' --in x='[1]' --in y='[1]'

check tests 1 '~test "passes" ... ok' run --tests
check 'tests summary' 1 '~3 passed, 2 failed' run --tests
check 'tests filter' 0 'test "passes" ... ok
1 passed, 0 failed, 4 left out' run --tests --filter passes
check 'tests want faults' 1 '~a fault with "assertion" was expected, and there was none' run --tests --filter misses

check 'runtime calls' 0 'test "calls the runtime" ... [3, 1, 2] 0.5
  0.50
-12
ok
1 passed, 0 failed, 4 left out' run --tests --filter runtime
check times 0 '' run turn -i grid='[[1], [2]]' -o result=o.json --times t.json
check 'times text' 0 '~"device": "host"' cat t.json
check 'no image' 2 '~is no gact program image' "$GACTRUN" book.csv
exit $failed
