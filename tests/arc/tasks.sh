#!/bin/sh
# The programs of examples/arc on all pairs of their tasks: tasks.py. Without the tasks beside the
# project, or without python3, the test is skipped.
set -u
: "${GACTRUN:=gactrun}"
data=${ARC_DATA:-../shared/arc}
[ -f "$data/tasks.json" ] || { echo "skipped: there is no $data/tasks.json"; exit 77; }
command -v python3 >/dev/null || { echo "skipped: there is no python3"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export GACTRUN
python3 tests/arc/tasks.py "$data/tasks.json" "$work" examples/arc/solve_*.gact
