#!/bin/sh
# One golden test: run.sh STAGE FILE.gact. Compares what the stage prints with the file beside the
# program; BLESS=1 writes that file instead. A line `// needs PATH` in the program skips the test
# (status 77) where PATH is absent.
#   lex .tokens  parse .ast  check .types  ir .ir  error .err
#   fmt     .formatted: the program as `gactc fmt` writes it
#   math    .ir: the program with the library's code for exp, log, …
#   fuse    .kernels: the counts of kernels, array reads and writes of each entry, after fusion
#   peel    .ir, after the passes peel and sweep
#   bits    .ir, after the pass bits
#   code    .counts: how many gathers and shuffles of vectors there are in what a processor with
#           AVX-512 is given, before LLVM's passes
#   run     .out: the standard output of gactrun and, unless it is 0, the exit status; .err: its
#           diagnostics, where the file exists; .args: the arguments after the image. Run at -O0
#           and -O2, on one thread and on two, and at -O2 on the emulated device: the results must
#           be equal, on the device the diagnostics, too.
#   explain .remarks: what --explain says
#   blocks  the test blocks of the file pass at -O0 and -O2, there on the emulated device, too; no
#           golden file
# The emulated device is left out where there is no C++ compiler. What that made is kept in
# GACT_TEST_CACHE, if it is set.
set -u
stage=$1 file=$2 base=${2%.gact}
: "${GACTC:?the compiler to test}" "${BLESS:=}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

missing=$(sed -n 's|^// needs ||p' "$file" | while read -r need; do [ -e "$need" ] || echo "$need"; done)
if [ -n "$missing" ]; then
    echo "skipped: $missing is absent"
    exit 77
fi

# compare GOLDEN ACTUAL
compare() {
    if [ -n "$BLESS" ]; then
        cmp -s "$1" "$2" || { cp "$2" "$1" && echo "blessed $1"; }
    else
        diff -u --label "$1" --label actual "$1" "$2" || exit 1
    fi
}

# emit STAGE ENDING
emit() {
    "$GACTC" --emit="$1" "$file" >"$work/out" 2>"$work/err"
    status=$?
    [ $status -le 1 ] || { cat "$work/err"; exit 1; }
    compare "$base.$2" "$work/out"
}

# Can the emulated device be used here? Says so where it cannot.
has_emulation() {
    XDG_CACHE_HOME=${GACT_TEST_CACHE:-$work}
    export XDG_CACHE_HOME
    for compiler in ${GACT_EMU_CXX:-c++ g++ clang++ clang++-19}; do
        if command -v "$compiler" >/dev/null; then return 0; fi
    done
    echo "left out: the emulated device, as there is no C++ compiler"
    return 1
}

# run_once LEVEL THREADS [DEVICE]: fills $work/out and $work/err
run_once() {
    [ -f "$work/$1.gactx" ] || "$GACTC" "-$1" "$file" -o "$work/$1.gactx" || exit 1
    eval "set -- $1 $2 ${3:-host} $(cat "$base.args" 2>/dev/null)"
    level=$1 threads=$2 device=$3
    shift 3
    "$GACTRUN" --threads="$threads" --device="$device" "$work/$level.gactx" "$@" \
        >"$work/out" 2>"$work/log" </dev/null
    status=$?
    # The sanitizer's own remark on stacks that programs switch.
    grep -v '^==[0-9]*==WARNING: ASan' "$work/log" >"$work/err"
    [ $status = 0 ] || echo "exit status $status" >>"$work/out"
}

run() {
    : "${GACTRUN:?the runtime to test}"
    for level in O0 O2; do
        for threads in 1 2; do
            run_once "$level" "$threads"
            if [ "$level$threads" = O01 ]; then
                compare "$base.out" "$work/out"
                if [ -f "$base.err" ]; then compare "$base.err" "$work/err"; fi
                cp "$work/out" "$work/first"
            else
                diff -u --label "-O0 on one thread" --label "-$level on $threads" \
                    "$work/first" "$work/out" || exit 1
            fi
        done
    done
    has_emulation || return 0
    cp "$work/err" "$work/host"
    run_once O2 2 emu
    diff -u --label "the host" --label "the device" "$work/first" "$work/out" &&
        diff -u --label "the host" --label "the device" "$work/host" "$work/err" || exit 1
}

case $stage in
lex) emit tokens tokens ;;
parse) emit ast ast ;;
check) emit types types ;;
ir) emit ir ir ;;
fuse)
    "$GACTC" --emit=fused "$file" >"$work/module" 2>"$work/err" || { cat "$work/err"; exit 1; }
    sed -n 's|^// ||p' "$work/module" >"$work/out"
    compare "$base.kernels" "$work/out"
    ;;
peel)
    "$GACTC" --emit=fused --dump-after=sweep "$file" >"$work/out" 2>"$work/err" ||
        { cat "$work/err"; exit 1; }
    compare "$base.ir" "$work/out"
    ;;
bits)
    "$GACTC" --emit=fused --dump-after=bits "$file" >"$work/out" 2>"$work/err" ||
        { cat "$work/err"; exit 1; }
    compare "$base.ir" "$work/out"
    ;;
fmt)
    "$GACTC" fmt - <"$file" >"$work/out" 2>&1
    compare "$base.formatted" "$work/out"
    ;;
error)
    "$GACTC" --check "$file" >"$work/out" 2>&1
    compare "$base.err" "$work/out"
    ;;
code)
    "$GACTC" --emit=llvm --cpu=x86-64-v4 "$file" >"$work/module" || exit 1
    for word in masked.gather shufflevector llvm.prefetch; do
        echo "$word $(grep -v '^declare' "$work/module" | grep -c "$word")"
    done >"$work/out"
    compare "$base.counts" "$work/out"
    ;;
run) run ;;
math)
    "$GACTC" --dump-after=math "$file" >"$work/out"
    compare "$base.ir" "$work/out"
    ;;
explain)
    "$GACTC" --explain "$file" -o "$work/x.gactx" >"$work/out" 2>&1
    compare "$base.remarks" "$work/out"
    ;;
blocks)
    : "${GACTRUN:?the runtime to test}"
    for level in -O0 -O2; do
        "$GACTC" $level --tests "$file" -o "$work/x.gactx" && "$GACTRUN" --tests "$work/x.gactx" ||
            { echo "$file fails at $level"; exit 1; }
    done
    if has_emulation; then
        "$GACTRUN" --device=emu --tests "$work/x.gactx" ||
            { echo "$file fails on the emulated device"; exit 1; }
    fi
    ;;
*)
    echo "run.sh: no stage $stage" >&2
    exit 2
    ;;
esac
