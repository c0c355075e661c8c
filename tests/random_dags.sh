#!/bin/sh
# Random dags (random/dags.c), in programs of 25 with a test block each, must print the same at -O0, at -O2 and on the
# emulated device, there every fourth program at -O0, too, faults included: random_dags.sh PROGRAM. RANDOM_DAGS (300) is how many there are, RANDOM_SEED (1) the
# first seed. A program that fails is left in build/random. Without a C++ compiler there is no emulated device.
set -u
: "${GACTC:?the compiler to test}" "${GACTRUN:?the runtime to test}"
generate=$1 seed=${RANDOM_SEED:-1} each=25 most=300
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
XDG_CACHE_HOME=$work # what is compiled is not wanted again
export XDG_CACHE_HOME

# run_once IMAGE DEVICE OUT: test blocks may fail, but the program must end by itself.
run_once() {
    timeout "$most" "$GACTRUN" --device="$2" --tests "$work/$1.gactx" >"$work/$3" 2>&1 </dev/null
    status=$?
    # The sanitizer's own remark on stacks that programs switch.
    sed -i 's/==[0-9]*==WARNING: ASan .*//' "$work/$3"
    [ $status -le 1 ] || {
        echo "$1 ends with status $status on $2"
        tail -n 5 "$work/$3"
        return 1
    }
}

# on_device LEVEL: runs the image, which prints what the host has.
on_device() {
    run_once "$1" emu emu || return 1
    diff "$work/$1" "$work/emu" | cut -c 1-300 | head -n 20 >"$work/log"
    [ -s "$work/log" ] || return 0
    echo "the host and the device differ at -$1:"
    cat "$work/log"
    return 1
}

# one_program: compiles and runs $work/program.gact.
one_program() {
    for level in O0 O2; do
        timeout "$most" "$GACTC" "-$level" --tests "$work/program.gact" -o "$work/$level.gactx" >"$work/log" 2>&1 || {
            echo "gactc -$level ends with status $?"
            head -n 20 "$work/log"
            return 1
        }
        run_once $level host $level || return 1
    done
    diff "$work/O0" "$work/O2" | cut -c 1-300 | head -n 20 >"$work/log"
    [ -s "$work/log" ] && echo "-O0 and -O2 differ:" && cat "$work/log" && return 1
    [ -z "$emulated" ] && return 0
    on_device O2 || return 1
    if [ $((seed % 4)) = 0 ]; then on_device O0; fi
}

emulated=
for compiler in ${GACT_EMU_CXX:-c++ g++ clang++ clang++-19}; do
    if command -v "$compiler" >/dev/null; then emulated=yes; fi
done
[ -n "$emulated" ] || echo "left out: the emulated device, as there is no C++ compiler"

failures=0 dags=0 most_dags=${RANDOM_DAGS:-300} faults=0
while [ $dags -lt "$most_dags" ]; do
    if ! { "$generate" "$seed" $each >"$work/program.gact" && one_program; }; then
        echo "seed $seed fails"
        mkdir -p build/random && cp "$work/program.gact" "build/random/dags$seed.gact"
        failures=$((failures + 1))
    fi
    faults=$((faults + $(grep -c '^fault' "$work/O2")))
    seed=$((seed + 1)) dags=$((dags + each))
done
echo "$dags dags, $faults of them with a fault; $failures programs fail"
[ $failures = 0 ] && [ $faults -gt 0 ] && [ $faults -lt $((dags / 2)) ]
