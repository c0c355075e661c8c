#!/bin/sh
# gactc's code for GPUs: --emit=cuda, ptx and cubin, and what --gpu-arch puts into images. What needs
# libnvrtc or clang is left out where they are not.
set -u
GACTC=${1:-$GACTC}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# expect STATUS TEXT COMMAND…: the command ends so and prints the text, a basic pattern
# (empty: whatever).
expect() {
    wanted=$1 text=$2
    shift 2
    "$@" >out 2>&1
    status=$?
    if [ $status != "$wanted" ] || { [ -n "$text" ] && ! grep -q -e "$text" out; }; then
        echo "$*: status $status, expected $wanted and \`$text\`; it printed:"
        cat out
        exit 1
    fi
}
without() { GACT_NVRTC=/none/libnvrtc.so GACT_CLANG=/none/clang "$@"; }
has_nvrtc() { "$GACTRUN" --doctor | grep -q '^libnvrtc *[1-9]'; }

echo 'dag twice(x: [_]f32) -> (y: [_]f32) { return (y = exp(x) * 2) }' >dag.gact

expect 0 '^GX_KERNEL' without "$GACTC" --emit=cuda dag.gact

# Functions of floats stand once, under their names, and values have the names of their arrays.
cat >price.gact <<'END'
dag price(spot: [n]f32, rates: [m]f32, y: [m]f32) -> (now: [n]f32, grown: [m]f32, both: [m]f32) {
  return (now = map(spot, s -> exp(-s) * log(s + 1)), grown = map(rates, r -> exp(r) + exp(2 * r)), both = y * rates - y)
}
END
expect 0 'gact_exp_f32(-spot_[0-9]*) \* gact_log_f32(spot_[0-9]* + 1.0f);' "$GACTC" --emit=cuda price.gact
[ "$(grep -c '^GX_DEV f32 gact_exp_f32(f32 x1) {' out)" = 1 ] || { echo 'exp does not stand once'; exit 1; }
expect 2 '^gactc: --gpu-arch is a list such as sm_80,sm_90' "$GACTC" --gpu-arch=sm_80,90 dag.gact
expect 2 'is a list' "$GACTC" --gpu-arch=sm_80, dag.gact
expect 2 'is a list' "$GACTC" --gpu-arch= dag.gact
expect 2 'are for one GPU' "$GACTC" --emit=cubin dag.gact
expect 2 'are for one GPU' "$GACTC" --emit=ptx --gpu-arch=sm_80,sm_90 dag.gact
expect 3 'needs libnvrtc: /none' without "$GACTC" --emit=cubin --gpu-arch=sm_80 dag.gact
expect 3 'needs libnvrtc or clang 19' without "$GACTC" --emit=ptx dag.gact

# An image gets what can be made, and works with the text alone.
expect 0 '^gactc: no code for sm_80 in the image: ' without "$GACTC" --gpu-arch=sm_80 dag.gact
expect 0 '' without "$GACTRUN" dag.gactx --in 'x=[0]'
text_only=$(wc -c <dag.gactx)
without "$GACTC" dag.gact || exit 1
[ "$(wc -c <dag.gactx)" = "$text_only" ] || { echo 'the image has code that nothing made'; exit 1; }

if clang++-19 --version >/dev/null 2>&1; then
    GACT_NVRTC=/none expect 0 '^\.target sm_75' "$GACTC" --emit=ptx dag.gact
    GACT_NVRTC=/none expect 0 '^\.target sm_86' "$GACTC" --emit=ptx --gpu-arch=sm_86 dag.gact
fi
if has_nvrtc; then
    expect 0 '^\.target sm_80' "$GACTC" --emit=ptx --gpu-arch=sm_80 dag.gact
    expect 0 '' "$GACTC" --emit=cubin --gpu-arch=sm_80 dag.gact
    expect 0 'ELF' head -c 4 dag.cubin
    expect 0 '' "$GACTC" --gpu-arch=sm_80,sm_90 dag.gact
    [ "$(wc -c <dag.gactx)" -gt $((text_only + 10000)) ] || { echo 'the image has no code'; exit 1; }
    expect 0 'y = \[2\.0' "$GACTRUN" dag.gactx --in 'x=[0]'
    expect 0 'no code for sm_10 in the image: nvrtc' "$GACTC" --gpu-arch=sm_80,sm_10 dag.gact
fi
