#!/bin/sh
# The language server, asked by a client in Python's standard library: run.sh GACTC. Skipped (77) without
# Python.
set -u
for python in python3 python; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null; then
        PYTHONDONTWRITEBYTECODE=1 exec timeout 280 "$python" tests/lsp/test_lsp.py "$1"
    fi
done
echo "skipped: Python is absent"
exit 77
