#!/bin/sh
# Allocations from the pool of a device's memory and frees into it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -std=gnu17 -O2 -DNDEBUG -I"$root" "$root/tests/bench/programs/device_pool.c" \
    "$root/runtime/device/pool.c" -pthread -o "$work/device_pool"
"$work/device_pool"
