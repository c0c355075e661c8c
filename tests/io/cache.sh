#!/bin/sh
# gactrun on .gact files: the compiler runs once for a program, again when any file that it read has
# changed, and after a kept image was damaged. The compiler here is a script that counts its runs.
GACTRUN=${GACTRUN:-gactrun}
CC=${CC:-cc}
here=$(cd "$(dirname "$0")" && pwd)
command -v "$CC" >/dev/null || exit 77
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
"$CC" -shared -fPIC -O1 -o "$work/f.gactx" "$here/fixture.c" &&
    "$CC" -O1 -o "$work/seal" "$here/seal.c" && "$work/seal" "$work/f.gactx" || exit 77
cat >"$work/compiler" <<'END'
#!/bin/sh
# compiler FILE -o IMAGE --deps DEPS -O2 --cpu=native
echo run >>"$WORK/runs"
grep -q wrong "$1" && { echo "error: wrong" >&2; exit 1; }
cp "$WORK/f.gactx" "$3" && printf '%s\n%s/lib.gact\n' "$1" "$(dirname "$1")" >"$5"
END
chmod +x "$work/compiler"
export WORK="$work" GACTC="$work/compiler" XDG_CACHE_HOME="$work/cache"
cd "$work" || exit 2
: >runs
echo one >prog.gact
echo lib >lib.gact
failed=0

# expect RUNS STATUS WHAT COMMAND…
expect() {
    runs=$1 status=$2 what=$3
    shift 3
    "$@" >out 2>&1
    code=$?
    got=$(grep -c run runs)
    if [ $code -ne "$status" ] || [ "$got" -ne "$runs" ]; then
        failed=1
        echo "$what: status $code, wanted $status; $got compilations, wanted $runs"
        cat out
    fi
}
run() { "$GACTRUN" prog.gact hello; }

expect 1 0 'first run' run
expect 1 0 'unchanged' run
echo two >prog.gact
expect 2 0 'changed program' run
echo more >lib.gact
expect 3 0 'changed import' run
echo lib >lib.gact
expect 3 0 'import as it was' run
echo one >prog.gact
expect 3 0 'program as it was' run
mkdir elsewhere
elsewhere() { (cd elsewhere && "$GACTRUN" ../prog.gact hello); }
expect 4 0 'from another folder' elsewhere
expect 4 0 'from there again' elsewhere
expect 4 0 'and from here' run
for image in cache/gact/*.gactx; do printf 'x' | dd of="$image" bs=1 seek=100 conv=notrunc 2>/dev/null; done
expect 5 0 'damaged image' run
expect 5 0 'repaired image' run
rm lib.gact
expect 6 0 'missing import' run
echo lib >lib.gact
echo wrong >prog.gact
expect 7 2 'program with errors' run
grep -q 'prog.gact does not compile' out || { failed=1; cat out; }
echo one >prog.gact
GACT_CACHE_SIZE=0 expect 8 0 'no cache' run
XDG_CACHE_HOME=/dev/null/x expect 9 0 'unwritable cache' run
GACTC=$work/none expect 9 2 'no compiler' env XDG_CACHE_HOME="$work/other" "$GACTRUN" prog.gact
left=$(find cache -name 'new-*' | wc -l)
[ "$left" -eq 0 ] || { failed=1; echo "$left temporary files are left"; }

# Room for one image: the one used least recently goes.
rm -rf cache
"$CC" -shared -fPIC -O1 -o f.gactx "$here/fixture.c" && head -c 700000 /dev/zero >>f.gactx &&
    ./seal f.gactx
export GACT_CACHE_SIZE=1
echo lib >lib.gact
: >runs
for version in 1 2; do
    echo "version $version" >prog.gact
    expect $version 0 "version $version" run
done
expect 2 0 'the newest is kept' run
echo 'version 1' >prog.gact
expect 3 0 'the oldest is gone' run
exit $failed
