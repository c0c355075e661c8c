#!/bin/sh
# Every operation on every basic type and class of shape, against the results that ops.c computes:
# run.sh OPS [TYPE…]. Each program is compiled at -O0, and run on two threads, and at -O2, and run on
# one, on two and on the emulated device, which is left out where there is no C++ compiler.
set -u
: "${GACTC:?the compiler to test}" "${GACTRUN:?the runtime to test}"
ops=$1
shift
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
"$ops" write "$work" || exit 1

emulated=
for compiler in ${GACT_EMU_CXX:-c++ g++ clang++ clang++-19}; do
    if command -v "$compiler" >/dev/null; then emulated=emu; fi
done
[ -n "$emulated" ] || echo "left out: the emulated device, as there is no C++ compiler"
XDG_CACHE_HOME=${GACT_TEST_CACHE:-$work}
export XDG_CACHE_HOME

# run_case CASE IMAGE THREADS DEVICE: compares what the case's dag gives.
run_case() {
    dir=$1 image=$2
    read -r dag <"$dir/dag"
    set -- "--threads=$3" "--device=$4" "$image" "$dag"
    for input in "$dir"/in.*.npy; do
        name=${input##*/in.}
        set -- "$@" --in "${name%.npy}=$input"
    done
    wants=
    for want in "$dir"/want.*.npy; do
        name=${want##*/want.}
        name=${name%.npy}
        wants="$wants $name"
        set -- "$@" --out "${name%.*}=$dir/got.${name%.*}.npy"
    done
    rm -f "$dir"/got.*.npy
    "$GACTRUN" "$@" && "$ops" compare "$dir" $wants
}

# run_type TYPE LEVEL: 1 if a case fails. One thread does not differ from two at -O0.
run_type() {
    image=$work/$1/$2.gactx status=0
    "$GACTC" "-$2" "$work/$1/ops.gact" -o "$image" || return 1
    for dir in "$work/$1"/*/; do
        for threads in $([ "$2" = O0 ] || echo 1) 2; do
            run_case "${dir%/}" "$image" "$threads" host || {
                echo "$1 ${dir#"$work"/*/} fails at -$2 on $threads threads"
                status=1
            }
        done
        [ "$2$emulated" != O2emu ] || run_case "${dir%/}" "$image" 1 emu || {
            echo "$1 ${dir#"$work"/*/} fails on the emulated device"
            status=1
        }
    done
    return $status
}

failures=0
for type in "${@:-bool}" $([ $# = 0 ] && echo i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64); do
    for level in O0 O2; do
        run_type "$type" "$level" || failures=$((failures + 1))
    done
done
[ "$failures" = 0 ]
