"""Prints gact's time over that of the hand-written C and of each peer, from the JSON of one run of the bench."""
import json, math, statistics, sys

data = json.load(open(sys.argv[1]))
cpu = data["clock"] == "cpu"


def score(peer):
    times = peer["clean"] or peer["t"]
    return statistics.median(times) if cpu else min(times)


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


rows = {}
for name, row in data["rows"].items():
    times = {k: score(p) for k, p in row["peers"].items() if p["t"]}
    if "gact" in times:
        rows[name] = times
peers = sorted({k for times in rows.values() for k in times} - {"gact"})
threads = data["threads"]
print(f"gact's time over each peer's, {threads} thread{'s' * (threads > 1)}")
print(f"{'workload':13s}{'gact ms':>10s}" + "".join(f"{p:>18s}" for p in peers))
for name, times in rows.items():
    cells = "".join(f"{times['gact'] / times[p]:18.2f}" if p in times else " " * 18 for p in peers)
    wrong = data["rows"][name]["peers"]["gact"].get("check")
    print(f"{name:13s}{times['gact'] * 1e3:10.1f}{cells}{'' if wrong in ('ok', 'n/a') else '  wrong: ' + str(wrong)}")
cells = "".join(f"{mean([t['gact'] / t[p] for t in rows.values() if p in t]):18.2f}" for p in peers)
print(f"{'mean':13s}{'':10s}{cells}")
