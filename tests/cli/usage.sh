#!/bin/sh
# gactc's command line: exit statuses, messages and where output goes.
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

echo 'fn twice(x) = x * 2
main { print(twice(21)) }' >good.gact
echo 'main { print(nothing) }' >bad.gact
echo 'dag total(x: [_]f32) -> f32 = sum(x)' >dag.gact

expect 0 '^gactc [0-9]' "$GACTC" --version
expect 0 'Exit status' "$GACTC" --help
expect 2 'no file is given' "$GACTC"
expect 2 'did you mean --check' "$GACTC" --chekc good.gact
expect 2 'one of image|tokens' "$GACTC" --emit=nothing good.gact
expect 2 'whole number' "$GACTC" --error-limit=many good.gact
expect 2 'more than one file' "$GACTC" good.gact bad.gact
expect 2 'cannot read none.gact: No such file' "$GACTC" none.gact
expect 2 'cannot write none/out' "$GACTC" --emit=ast good.gact -o none/out
expect 2 'no diagnostic G9999' "$GACTC" explain G9999
expect 0 '' "$GACTC" --check good.gact
expect 1 'bad.gact:1:14' "$GACTC" --check good.gact bad.gact
expect 1 'G0' "$GACTC" --message-format=json --check bad.gact
expect 0 twice "$GACTC" --emit=ast good.gact
expect 0 main "$GACTC" --emit=types good.gact
"$GACTC" --emit=tokens good.gact -o tokens || exit 1
expect 0 twice cat tokens
expect 2 'no dag' "$GACTC" --emit=graph good.gact
expect 0 digraph "$GACTC" --emit=graph dag.gact
if command -v dot >/dev/null; then
    "$GACTC" --emit=graph dag.gact -o graph.svg || exit 1
    expect 0 '</svg>' cat graph.svg
fi
expect 2 'cannot load the back end' env GACT_LLVM=/none "$GACTC" good.gact
[ ! -e good.gactx ] || { echo "an image is left after a failure"; exit 1; }
expect 0 '' "$GACTC" good.gact
[ -s good.gactx ] || { echo "no image at the default place"; exit 1; }
# What is no regular file is written into, not replaced.
mkfifo pipe
timeout 60 cat pipe >through.gactx &
expect 0 '' "$GACTC" good.gact -o pipe
wait
[ -p pipe ] && cmp good.gactx through.gactx || { echo "an image through a pipe differs"; exit 1; }
