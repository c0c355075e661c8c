#!/usr/bin/env python3
"""ARC programs against their tasks: tasks.py TASKS WORK PROGRAM.gact…

Each program has a dag solve_ID(I: Grid) -> Grid, which is run on all inputs of the task ID; only then
its outputs are compared with the expected ones. One line a program; exit status 0 if all are right.
"""
import json
import os
import re
import subprocess
import sys


def outputs(program, task, work):
    inputs, results = os.path.join(work, 'grids.json'), os.path.join(work, 'out.json')
    with open(inputs, 'w') as f:
        json.dump([p['input'] for p in task], f)
    if os.path.exists(results):
        os.remove(results)
    dag = re.search(r'dag (solve_\w+)', open(program).read()).group(1)
    run = subprocess.run([os.environ.get('GACTRUN', 'gactrun'), program, dag, '--each', 'I=' + inputs, '--out', 'O=' + results],
                         capture_output=True, text=True)
    if not os.path.exists(results):
        return None, run.stderr.strip()[:600]
    return json.load(open(results)), run.stderr.strip()[:600]


def main():
    tasks = json.load(open(sys.argv[1]))['tasks']
    wrong = 0
    for program in sys.argv[3:]:
        task = tasks[re.search(r'solve_(\w+)\.gact$', program).group(1)]
        pairs = task['train'] + task['test']
        got, text = outputs(program, pairs, sys.argv[2])
        right = sum(a == p['output'] for a, p in zip(got or [], pairs))
        wrong += right < len(pairs)
        if right < len(pairs):
            print('%s: %d of %d pairs\n%s' % (program, right, len(pairs), text))
    print('%d programs, %d of them wrong' % (len(sys.argv) - 3, wrong))
    sys.exit(wrong > 0)


main()
