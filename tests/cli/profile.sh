#!/bin/sh
# What gactrun tells of time and memory: --profile with and without a number, --profile-json,
# --metrics-file and --trace.
set -u
GACTC=${1:-$GACTC}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

cat >p.gact <<'END'
dag shares(n: i64) -> (total: f32, share: [_]f32) {
  let e = [exp(f32(i % 7)) for i in 0..n]
  let total = sum(e)
  let share = map(e, v -> v / total)
  return (total, share)
}
END
echo 'main { print("here") }' >m.gact
"$GACTC" p.gact && "$GACTC" m.gact || exit 1

wrong() {
    echo "$1; it printed:"
    cat out err
    exit 1
}

# run OPTION…: the dag; what it prints is in out and err.
run() {
    "$GACTRUN" "$@" p.gactx --in n=50000 >out 2>err || wrong "gactrun $* failed"
    grep -q '^total = ' out || wrong "gactrun $*: no result"
}

run --profile
grep -Eq '^total +1 .* map reduce$' err || wrong "no line of the kernel in the profile"
grep -q 'deviation' err && wrong "a single run has no deviation"

# Three runs are measured; the one before them does not count.
run --profile=3
grep -Eq '^kernel +calls +min ms +mean ms +max ms +deviation' err || wrong "no spread in the profile"
grep -Eq '^total +1 .* map reduce$' err || wrong "a run has one call of the kernel"
awk '/^\(whole run\)/ { found = $3 == 3 && $4 <= $5 && $5 <= $6 } END { exit !found }' err ||
    wrong "the whole run has no spread of three"
[ "$(grep -c '^total = ' out)" = 1 ] || wrong "outputs are not printed once"
"$GACTRUN" -p2 m.gactx >out 2>err
[ "$(grep -c here out)" = 3 ] || wrong "main does not run as often"

# refused TEXT ARGUMENT…
refused() {
    text=$1
    shift
    "$GACTRUN" "$@" >out 2>err
    [ $? = 2 ] && grep -q -e "$text" err || wrong "$* is not refused with \`$text\`"
}
refused 'wants a number' --profile=often p.gactx --in n=1
refused 'not --each' --profile=2 p.gactx --each 'n=[1,2]'
refused 'not --tests' --profile=2 --tests p.gactx
refused 'cannot write none/p.prom' --metrics-file=none/p.prom p.gactx --in n=1

run --profile=4 --profile-json=p.json --metrics-file=p.prom --trace=p.trace
if command -v c++ >/dev/null; then
    run --device=emu --profile --metrics-file=emu.prom --trace=emu.trace
    grep -Eq '^kernel on the device +calls' err || wrong "no kernels of the device in the profile"
    grep -Eq '^total +1 .* map reduce$' err || wrong "no line of the device's kernel"
    grep -Eq '^copied from it +[1-9]' err || wrong "no copies in the profile"
    grep -Eq '^device memory: .* of [1-9][0-9]* allocations' err || wrong "no allocations"
    grep -q '^gact_kernel_calls_total{kernel="total",place="device"} 1$' emu.prom ||
        wrong "no kernel of the device in the metrics"
    grep -q '"device stream 0"' emu.trace || wrong "no stream in the trace"
fi

command -v python3 >/dev/null || exit 0
python3 - <<'END' || wrong "the files are wrong"
import json, re
p = json.load(open("p.json"))
kernel = {k["name"]: k for k in p["kernels"]}["total"]
assert p["run"]["rounds"] == 4 and kernel["rounds"] == 4 and kernel["calls"] == 4
assert kernel["elements"] == 200000 and kernel["place"] == "host"
assert kernel["min_ns"] <= kernel["mean_ns"] <= kernel["max_ns"] <= p["run"]["max_ns"]
assert p["metrics"]["launches"] == 0 and p["machine"]["threads"] >= 1
assert json.load(open("p.trace"))["traceEvents"]
names, typed = {}, set()
for line in open("p.prom"):
    if line.startswith("# TYPE "):
        name = line.split()[2]
        assert name not in typed, name
        typed.add(name)
    elif not line.startswith("# HELP "):
        key, value = re.fullmatch(r'([a-z_]+(?:\{[^}]*\})?) ([0-9.e+-]+)\n', line).groups()
        assert key not in names and key.split("{")[0] == name, key
        names[key] = float(value)
assert names['gact_kernel_calls_total{kernel="total",place="host"}'] == 4
assert 'gact_device_copied_bytes_total{direction="out"}' in names
END
