#!/bin/sh
# The array workloads in arrays/ against hand-written C and the peers of ../shared/bench/arrays that are
# installed, on one thread (in CPU time) and on all; prints a table each and gact's ratios, and compares the
# bits of the results on 1 and 2 threads and at -O0. Settings:
#   ARRAYS_ONLY=sum,dot   these workloads alone      ARRAYS_PEERS=c-hand,numpy   these peers beside gact
#   ARRAYS_THREADS="1 2"  the thread counts          ARRAYS_ROUNDS=5, ARRAYS_BUDGET=6, ARRAYS_SMALL=1
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
shared=$root/../shared/bench/arrays
[ -d "$shared" ] || { echo "arrays: skipped, $shared is absent"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=/usr/bin/python3

# The bench with the workloads of workloads.py added to its own, whose reference results are made anew.
cp -r "$shared" "$work/arrays"
cat >>"$work/arrays/spec.py" <<EOF
import sys
sys.path.append("$here/arrays")
import workloads
_open = specs
def specs(small=False): return workloads.add_more(_open(small), small)
EOF
"$python" - "$work/arrays" "$here/arrays" <<'EOF'
import json, sys
sys.path.append(sys.argv[2])
import workloads
for name in ["reference.json", "reference-small.json"]:
    path = f"{sys.argv[1]}/{name}"
    kept = {k: v for k, v in json.load(open(path)).items() if k not in workloads.MORE}
    json.dump(kept, open(path, "w"))
EOF

mkdir "$work/O0" "$work/O2"
names=
for file in "$here"/arrays/*.gact; do
    name=$(basename "$file" .gact)
    case ,${ARRAYS_ONLY:-$name}, in
    *,"$name",*) ;;
    *) continue ;;
    esac
    names="$names $name"
    for level in 0 2; do "$GACTC" -O$level "$file" -o "$work/O$level/$name.gactx"; done
done

LIBGACT=${LIBGACT:-$(dirname "$GACTC")/../runtime/libgact.so}
GACT_IMAGES=$work/O2 ARRAYS=$work/arrays TMPDIR=$work
export LIBGACT GACT_IMAGES ARRAYS TMPDIR
small=${ARRAYS_SMALL:+--small}

# digests LEVEL THREADS: what the workloads give at the small sizes.
digests() {
    # A word each.
    # shellcheck disable=SC2086
    GACT_IMAGES=$work/O$1 GACT_THREADS=$2 "$python" "$here/arrays/same.py" $names
}
mkdir "$work/arrays-bench-same"
gcc -O2 -fopenmp -shared -fPIC -w -Wno-psabi "$work/arrays/c/gen.c" -o "$work/arrays-bench-same/libgen.so" -lm
digests 2 1 >"$work/bits"
for case in "2 2" "0 1"; do
    # A word each.
    # shellcheck disable=SC2086
    digests $case | diff "$work/bits" - || { echo "arrays: -O2 on one thread and -O${case% *} on ${case#* } differ" >&2; exit 1; }
done
echo "same bits on 1 and 2 threads and at -O0:$names"

# The bench builds its C code in a new folder below TMPDIR, which the server finds by its name.
for threads in ${ARRAYS_THREADS:-1 2}; do
    "$python" "$work/arrays/run.py" --threads "$threads" --rounds "${ARRAYS_ROUNDS:-5}" \
        --budget "${ARRAYS_BUDGET:-6}" --quiet "${ARRAYS_QUIET:-5}" --keep-ref \
        ${ARRAYS_ONLY:+--only "$ARRAYS_ONLY"} ${ARRAYS_PEERS:+--peers "$ARRAYS_PEERS"} $small \
        --serve "gact=$python $here/arrays/serve.py $small" --out "$work/results.md" --json "$work/$threads.json"
    "$python" "$here/arrays/ratios.py" "$work/$threads.json"
done
