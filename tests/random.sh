#!/bin/sh
# Random programs (random/generate.c) must compile, and print the same at -O0 and -O2, on one thread
# and on two, and with their dags on the emulated device where there is a C++ compiler: random.sh PROGRAM. RANDOM_SECONDS (60) bounds the time and RANDOM_SEED (1) is the
# first seed. A program that fails is left in build/random.
set -u
: "${GACTC:?the compiler to test}" "${GACTRUN:?the runtime to test}"
generate=$1 seed=${RANDOM_SEED:-1} most=20
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# run_once LEVEL THREADS [DEVICE]: fills $work/out with what the program prints and its exit status.
run_once() {
    XDG_CACHE_HOME=$work timeout "$most" "$GACTRUN" --device="${3:-host}" --threads="$2" "$work/$1.gactx" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    echo "exit status $status" >>"$work/out"
    if [ $status -gt 1 ]; then
        echo "-$1 on $2 threads ends with status $status"
        cat "$work/err"
        return 1
    fi
    ! grep '^check.*false' "$work/out"
}

# one_program: compiles and runs $work/program.gact.
one_program() {
    for level in O0 O2; do
        timeout "$most" "$GACTC" "-$level" "$work/program.gact" -o "$work/$level.gactx" >"$work/log" 2>&1 || {
            echo "gactc -$level ends with status $?"
            head -n 20 "$work/log"
            return 1
        }
    done
    run_once O0 1 || return 1
    cp "$work/out" "$work/first"
    for threads in 1 2; do
        run_once O2 $threads || return 1
        diff -u --label "-O0 on one thread" --label "-O2 on $threads" "$work/first" "$work/out" || return 1
    done
    if [ -z "$emulated" ] || ! grep -q '^dag' "$work/program.gact"; then return 0; fi
    run_once O2 2 emu && diff -u --label "the host" --label "the device" "$work/first" "$work/out"
}

emulated=
for compiler in ${GACT_EMU_CXX:-c++ g++ clang++ clang++-19}; do
    if command -v "$compiler" >/dev/null; then emulated=yes; fi
done

failures=0 programs=0 end=$(($(date +%s) + ${RANDOM_SECONDS:-60}))
while [ "$(date +%s)" -lt "$end" ]; do
    if ! { "$generate" "$seed" >"$work/program.gact" && one_program; }; then
        echo "seed $seed fails"
        mkdir -p build/random && cp "$work/program.gact" "build/random/$seed.gact"
        failures=$((failures + 1))
    fi
    seed=$((seed + 1)) programs=$((programs + 1))
done
echo "$programs programs, $failures failures"
[ $failures = 0 ]
