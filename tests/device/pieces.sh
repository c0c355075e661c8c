#!/bin/sh
# pieces.sh GACTC: kernels whose arrays are larger than the device's memory run in pieces and give what the host gives,
# bit for bit, with as little memory as 4096 points of all arrays take twice; less than once, and the host runs them.
# Skipped where there is no C++ compiler.
set -u
GACTC=${1:-$GACTC}
: "${GACTRUN:?the runtime to test}"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
XDG_CACHE_HOME=${GACT_TEST_CACHE:-$work}
export XDG_CACHE_HOME
"$GACTC" -O2 "$(dirname "$0")/pieces.gact" -o "$work/x.gactx" || exit 1
cd "$work" || exit 1
"$GACTRUN" x.gactx make --in n=120000 --out x=x.npy --out g=g.npy || exit 1

# outputs DAG: the options that write its outputs below a folder
outputs() {
    case $1 in
    forms) echo "--in x=x.npy --in y=x.npy --in w=[1.5,2.5,3.5] --out a=$2/a.npy --out b=$2/b.npy --out c=$2/c.npy --out d=$2/d.npy --out e=$2/e.npy" ;;
    grid) echo "--in g=g.npy --out s=$2/s.npy --out t=$2/t.npy" ;;
    faults) echo "--in x=x.npy --out y=$2/y.npy --out z=$2/z.npy" ;;
    esac
}

# attempt BYTES DAG STATUS PIECES: with so much device memory it takes at least so many pieces; 0: none.
attempt() {
    rm -rf host device
    mkdir host device
    "$GACTRUN" --device=host x.gactx "$2" $(outputs "$2" host) 2>host/err
    status=$?
    [ $status = "$3" ] || { echo "$2 on the host: status $status"; cat host/err; exit 1; }
    GACT_EMU_MEMORY=$1 "$GACTRUN" --device=emu --times=times x.gactx "$2" $(outputs "$2" device) 2>device/err
    status=$?
    if grep -q 'needs a C++ compiler' device/err; then
        echo "skipped: no C++ compiler"
        exit 77
    fi
    [ $status = "$3" ] || { echo "$2 with $1 bytes: status $status"; cat device/err; exit 1; }
    sed -i '/WARNING: ASan/d' host/err device/err
    diff -r host device || { echo "$2 with $1 bytes"; exit 1; }
    pieces=$(sed 's/.*"pieces": \([0-9]*\).*/\1/' times)
    { [ "$4" = 0 ] && [ "$pieces" = 0 ]; } || { [ "$4" != 0 ] && [ "$pieces" -ge "$4" ]; } || {
        echo "$2 with $1 bytes: $pieces pieces, not $4"
        exit 1
    }
}

attempt 4000000000 forms 0 0
attempt 2000000 forms 0 2
attempt 500000 forms 0 10
attempt 20000 forms 0 0
attempt 500000 grid 0 4
attempt 700000 faults 1 2
