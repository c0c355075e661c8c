#!/bin/sh
# The actor workloads beside a hand-written floor in C that queues every message, too: nanoseconds of
# processor time a message, on one thread, and their ratio. Both must give the same check value.
set -eu
here=$(dirname "$0")/actors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O3 -march=native -w -o "$work/floor" "$here/floor.c" -lm -lpthread

# NAME, parameters, and the same with next to nothing to do.
while read -r name params idle; do
    "$GACTC" "$here/$name.gact" -o "$work/$name.gactx"
    python3 "$here/ratio.py" "$name" "$params" "$idle" "$work/floor" "$GACTRUN" "$work/$name.gactx"
done <<LIST
pingpong 5000000 1
ring 100,10000000 100,1
counting 4000000 1
fjt 60,40000 60,1
fjc 1000000 1
chameneos 100,2000000 100,1
big 120,80000 120,1
bank 1000,1000000 1000,1
dict 20,400000 20,1
pop 10000,1000 10000,1
latency 1000000 1
spawn 2000000 1
LIST
