#!/usr/bin/env python3
"""Recorded calls of the ARC primitives as gact programs.

samples.py PRIMITIVES WORK [--limit N] [--only NAME] [--batch N]

Calls with the same function, types and shape of function arguments are one test block that loops over
them; blocks are compiled many at a time. What the compiler refuses is taken out and counted as not
expressible, with the first message. A call passes if its result is equal to the recorded one, or
faults where the recorded one did. Prints counts and one line for each group that is not right;
exit status 0 if at least the share --least of all calls pass.
"""
import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter, OrderedDict

BUILDERS = ('compose', 'chain', 'matcher', 'rbind', 'lbind', 'power', 'fork')


def parts(text):
    """The arguments of a type, A<B,C<D>> -> [B, C<D>]."""
    inner, depth, out = text[text.index('<') + 1:-1], 0, ['']
    for c in inner:
        depth += (c == '<') - (c == '>')
        if c == ',' and depth == 0:
            out.append('')
        else:
            out[-1] += c
    return out


def expand(t):
    named = {'Pair': 'Tup<Int,Int>', 'Cell': 'Tup<Int,Tup<Int,Int>>', 'Grid': 'Seq<Seq<Int>>'}
    return named.get(t, t)


def default(t):
    t = expand(t)
    if t in ('Int', 'Bool'):
        return '0' if t == 'Int' else 'false'
    if t == 'Seq<Seq<Int>>':
        return 'fill((0, 0), 0)'
    if t.startswith('Tup'):
        return '(' + ', '.join(default(p) for p in parts(t)) + ')'
    empty = 'take([%s], 0)' % default(parts(t)[0])
    return empty if t.startswith('Seq') else 'sets.Set(%s)' % empty


def value(t, v):
    t = expand(t)
    if v is None:
        return 'none()' if t == 'Int' else '(none(), none())'
    if t == 'Int':
        return str(int(v)) if v >= 0 else '(%d)' % v
    if t == 'Bool':
        return 'true' if v else 'false'
    if t.startswith('Tup'):
        return '(' + ', '.join(value(p, x) for p, x in zip(parts(t), v)) + ')'
    if t == 'Seq<Seq<Int>>' and (not v or not v[0]):
        return 'fill((%d, 0), 0)' % len(v)
    if not v:
        return default(t)
    elements = '[' + ', '.join(value(parts(t)[0], x) for x in v) + ']'
    return elements if t.startswith('Seq') else 'sets.Set(%s)' % elements


class Sample:
    """One call: code with holes, the type of each hole, and what fills them."""

    def __init__(self, s):
        self.types, self.values = [], []
        f = s['f'] if isinstance(s['f'], str) else self.function(s['f'])
        self.name = s['f'] if isinstance(s['f'], str) else s['f'][0]
        args = [self.argument(a['t'], a['v']) for a in s['args']]
        self.code = '%s(%s)' % (f, ', '.join(args))
        self.faults = s['res']['v'] == 'E'
        self.result = s['res']['t']
        self.want = default(self.result) if self.faults else value(self.result, s['res']['v'])
        self.key = (self.code, tuple(self.types), self.result)

    def hole(self, t, v):
        self.types.append(t)
        self.values.append(value(t, v))
        return 'a%d' % len(self.types)

    def function(self, f):
        if isinstance(f, str):
            return f
        if f[0] == 'power':
            return 'power(%s, %d)' % (self.function(f[1]), f[2])
        return '%s(%s)' % (f[0], ', '.join(self.operand(o) for o in f[1:]))

    def operand(self, o):
        if isinstance(o, bool):
            return self.hole('Bool', o)
        if isinstance(o, int):
            return self.hole('Int', o)
        if isinstance(o, dict):
            return self.argument(o['t'], o['v'])
        return self.function(o)

    def argument(self, t, v):
        if t == 'Fn':
            return self.function(v)
        if t in ('Seq<Fn>', 'Set<Fn>'):
            list_ = '[' + ', '.join(self.function(f) for f in v) + ']'
            return list_ if t == 'Seq<Fn>' else 'sets.of(%s)' % list_
        if t.startswith('Tup') and 'Fn' in t:
            return '(' + ', '.join(self.argument(p, x) for p, x in zip(parts(t), v)) + ')'
        return self.hole(t, v)


def block(number, key, samples):
    """A test that prints one digit a sample: 1 equal, 0 not, 2 a fault; and what came instead."""
    names = ['a%d' % (i + 1) for i in range(len(key[1]))] + ['want']
    rows = ['(' + ', '.join(s.values + [s.want]) + ')' for s in samples]
    if len(names) == 1:
        rows = [s.want for s in samples]
    pattern = '(%s)' % ', '.join(names) if len(names) > 1 else names[0]
    text = 'test "%d" { let rows = [%s]; for %s in rows { ' % (number, ', '.join(rows), pattern)
    return text + 'print("={try i64(equality(%s, want)) else 2}") } }\n' % key[0]


def shown(number, key, s):
    names = ['a%d' % (i + 1) for i in range(len(key[1]))]
    lets = ' '.join('let %s = %s;' % p for p in zip(names, s.values))
    return 'test "%d" { %s print("{%s}") }\n' % (number, lets, key[0])


HEAD = 'import arc.*\nimport sets\n'


class Runner:
    def __init__(self, work, options):
        self.work, self.options = work, options
        self.refused = {}

    def gactc(self, *args):
        command = [os.environ.get('GACTC', 'gactc')] + self.options.flags.split() + list(args)
        return subprocess.run(command, capture_output=True, text=True)

    def check(self, groups):
        """The groups that compile; notes the others."""
        path = os.path.join(self.work, 'batch.gact')
        while groups:
            with open(path, 'w') as f:
                f.write(HEAD + ''.join(block(n, k, s) for n, k, s in groups))
            run = self.gactc('--check', '--message-format=short', '--error-limit=0', '-W', path)
            bad = {}
            for line in (run.stdout + run.stderr).splitlines():
                m = re.match(r'.*?:(\d+):\d+: error\S*: (.*)', line)
                if m and 'batch.gact' in line:
                    bad.setdefault(int(m.group(1)) - 3, m.group(2))
            if run.returncode == 0:
                return groups
            if not bad:
                bad = {0: (run.stderr or 'status %d' % run.returncode).strip()[:200]} if len(groups) == 1 else {}
                if not bad:
                    half = len(groups) // 2
                    return self.check(groups[:half]) + self.check(groups[half:])
            for i, text in bad.items():
                self.refused[groups[i][0]] = text
            groups = [g for i, g in enumerate(groups) if i not in bad]
        return groups

    def run(self, groups):
        """number -> the digits of its samples."""
        path = os.path.join(self.work, 'batch.gact')
        with open(path, 'w') as f:
            f.write(HEAD + ''.join(block(n, k, s) for n, k, s in groups))
        run = self.gactc('test', '-O0', path)
        digits, now = {}, None
        for line in run.stdout.splitlines():
            m = re.match(r'test "(\d+)"[ .]*(.*)', line)
            if m:
                now = int(m.group(1))
                digits[now] = ''
                line = m.group(2)
            if now is not None and re.match(r'=\d', line):
                digits[now] += line[1]
        if len(digits) < len(groups):
            if len(groups) == 1:
                self.refused[groups[0][0]] = 'compiler: ' + (run.stderr.strip()[-300:] or 'status %d' % run.returncode)
                return {}
            half = len(groups) // 2
            return {**self.run(groups[:half]), **self.run(groups[half:])}
        return digits


def main():
    p = argparse.ArgumentParser()
    p.add_argument('primitives')
    p.add_argument('work')
    p.add_argument('--limit', type=int, default=0, help='take about every n-th group')
    p.add_argument('--only', default='')
    p.add_argument('--batch', type=int, default=60)
    p.add_argument('--least', type=float, default=98.0)
    p.add_argument('--flags', default='')
    p.add_argument('--log', default='')
    options = p.parse_args()
    groups = OrderedDict()
    for s in json.load(open(options.primitives))['samples']:
        s = Sample(s)
        if not options.only or s.name == options.only:
            groups.setdefault(s.key, []).append(s)
    numbered = [(n, k, s) for n, (k, s) in enumerate(groups.items())]
    if options.limit:
        numbered = numbered[::options.limit]
    runner = Runner(options.work, options)
    digits = {}
    for i in range(0, len(numbered), options.batch):
        good = runner.check(numbered[i:i + options.batch])
        if good:
            digits.update(runner.run(good))
    total, passed, failed, refused = 0, 0, 0, 0
    reasons, lines = Counter(), []
    for n, key, samples in numbered:
        total += len(samples)
        if n in runner.refused:
            refused += len(samples)
            reasons[runner.refused[n].splitlines()[0][:100]] += len(samples)
            lines.append('refused %d %s %s -> %s: %s' % (n, key[0], key[1], key[2], runner.refused[n]))
            continue
        got = digits.get(n, '')
        for i, s in enumerate(samples):
            right = i < len(got) and got[i] == ('2' if s.faults else '1')
            passed += right
            failed += not right
            if not right:
                lines.append('failed %d %s %s -> %s: %s, wanted %s, of %s' % (
                    n, key[0], key[1], key[2], got[i] if i < len(got) else 'none', 'fault' if s.faults else s.want, s.values))
    print('\n'.join(lines), file=open(options.log, 'w') if options.log else sys.stdout)
    for text, count in reasons.most_common(25):
        print('%5d not expressible: %s' % (count, text))
    share = 100.0 * passed / max(total, 1)
    print('%d calls in %d groups: %d passed, %d not expressible, %d failed: %.2f %%' %
          (total, len(numbered), passed, refused, failed, share))
    sys.exit(0 if share >= options.least else 1)


main()
