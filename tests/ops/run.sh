#!/bin/sh
# Every operation on every basic type and class of shape, against the results that ops.c computes:
# run.sh OPS [TYPE…]. Each program is compiled at -O0 and -O2 and run on one thread and on two.
set -u
: "${GACTC:?the compiler to test}" "${GACTRUN:?the runtime to test}"
ops=$1
shift
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
"$ops" write "$work" || exit 1

# run_case CASE IMAGE THREADS: compares what the case's dag gives.
run_case() {
    dir=$1 image=$2 threads=$3
    read -r dag <"$dir/dag"
    set -- "--threads=$threads" "$image" "$dag"
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

# run_type TYPE LEVEL: 1 if a case fails.
run_type() {
    image=$work/$1/$2.gactx status=0
    "$GACTC" "-$2" "$work/$1/ops.gact" -o "$image" || return 1
    for dir in "$work/$1"/*/; do
        for threads in 1 2; do
            run_case "${dir%/}" "$image" "$threads" || {
                echo "$1 ${dir#"$work"/*/} fails at -$2 on $threads threads"
                status=1
            }
        done
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
