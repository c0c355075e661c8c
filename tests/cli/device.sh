#!/bin/sh
# gactrun --device and --doctor, with a GPU that is none (tests/unit/fixture/fake_cuda.c) and without.
set -u
GACTC=${1:-$GACTC}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME="$work/cache"

# expect STATUS TEXT COMMAND…: the command ends so and prints the text, a basic pattern.
expect() {
    wanted=$1 text=$2
    shift 2
    "$@" >out 2>&1
    status=$?
    if [ $status != "$wanted" ] || ! grep -q -e "$text" out; then
        echo "$*: status $status, expected $wanted and \`$text\`; it printed:"
        cat out
        exit 1
    fi
}
with() { GACT_CUDA=$FAKE_CUDA "$@"; }
without() { GACT_CUDA=/none/libcuda.so "$@"; }

echo 'main { print(21 * 2) }' >prog.gact
"$GACTC" prog.gact || exit 1

expect 0 '^42$' without "$GACTRUN" --device=host prog.gactx
expect 0 '^42$' without "$GACTRUN" --device=auto prog.gactx
expect 2 'device cuda cannot be used: NVIDIA.s driver is not installed: /none/libcuda.so' \
    without "$GACTRUN" --device=cuda prog.gactx
expect 2 'no device `gpu`: it is host, cuda, cuda:N, emu or auto' \
    without "$GACTRUN" --device=gpu prog.gactx
expect 2 'device cuda:1 cannot be used: there is no GPU 1' \
    with "$GACTRUN" --device=cuda:1 prog.gactx
export GACT_DEVICE=cuda:7
expect 2 'device cuda:7 cannot be used' with "$GACTRUN" prog.gactx
expect 0 '^42$' with "$GACTRUN" -d host --times=times prog.gactx
expect 0 '"device": "host"' cat times
unset GACT_DEVICE
expect 0 '^42$' with "$GACTRUN" --device=cuda --times=times prog.gactx
expect 0 '"device": "cuda"' cat times
expect 0 '^42$' with "$GACTRUN" --device=auto --times=times prog.gactx
expect 0 '"device": "cuda"' cat times

expect 0 '^cuda:0 *Fake 90, sm_90, 3 multiprocessors' with "$GACTRUN" --doctor
expect 0 'nvidia-driver' without "$GACTRUN" --doctor
expect 0 "^gactc *$GACTC\$" without "$GACTRUN" --doctor
expect 0 "^cache *$work/cache/gact: 0 files" without "$GACTRUN" --doctor
GACT_NVRTC=/none/libnvrtc.so expect 0 'pip install nvidia-cuda-nvrtc' without "$GACTRUN" --doctor
# Every device is tried: the one that is none has no such kernel.
expect 0 '^ *a trial fails: cuModuleGetFunction\|nothing compiles CUDA here' with "$GACTRUN" --doctor
if command -v c++ >/dev/null; then
    expect 0 '^ *a kernel is compiled by .* in [0-9]* ms and runs' without "$GACTRUN" --doctor
fi
# A machine with nothing.
nothing() { env -i GACT_CUDA=/none GACT_NVRTC=/none GACTC=/none "$@"; }
expect 0 'install it beside gactrun' nothing "$GACTRUN" --doctor
expect 0 '^cache *none' nothing "$GACTRUN" --doctor
