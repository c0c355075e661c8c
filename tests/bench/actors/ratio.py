#!/usr/bin/env python3
"""ratio.py NAME PARAMS IDLE FLOOR GACTRUN IMAGE: one line for an actor workload, see actors.sh."""
import re
import resource
import subprocess
import sys

name, params, idle, floor, gactrun, image = sys.argv[1:]


def cost(command, arguments):
    """The least processor time of three runs, in seconds, and what the last one printed."""
    best, text = None, ""
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        text = subprocess.run(command + arguments.split(","), check=True, capture_output=True, text=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = took if best is None else min(best, took)
    return best, text


def measure(command):
    """Nanoseconds a message, and the check value."""
    least, _ = cost(command, idle)
    took, text = cost(command, params)
    found = re.search(r"msgs=(\d+) .*check=(-?\d+)", text)
    return (took - least) * 1e9 / int(found[1]), found[2]


theirs, want = measure([floor, name, "1"])
ours, got = measure([gactrun, "--threads=1", image])
if want != got:
    sys.exit(f"{name}: the check is {got}, not {want}")
print(f"actors {name:<10} {ours:8.2f} ns/message  floor {theirs:8.2f}  ratio {ours / max(theirs, 1e-3):6.2f}")
