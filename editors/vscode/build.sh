#!/bin/sh
# Makes gact.vsix from this folder and two npm packages: build.sh [OUT]. npm takes what its cache has
# before it asks a registry, so that a second build needs no network.
set -eu
cd "$(dirname "$0")"
out=${1:-gact.vsix}
case $out in /*) ;; *) out=$OLDPWD/$out ;; esac
command -v npm >/dev/null || { echo "build.sh: npm is needed" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r . "$work/extension"
cp ../../LICENSE "$work/extension/LICENSE"
cd "$work/extension"
npm install --prefer-offline --no-audit --no-fund --no-package-lock --loglevel=error
npx --no-install vsce package --allow-missing-repository --out "$out"
