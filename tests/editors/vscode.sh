#!/bin/sh
# The TextMate grammar: the assertions in editors/vscode/test, and a scope for every keyword of every
# example and module of the library: vscode.sh FOLDER, where npm packages are put. Skipped (77) where
# there is no npm or it reaches no registry and has no copy.
set -u
folder=$1
command -v npm >/dev/null && command -v node >/dev/null || { echo "skipped: npm is absent"; exit 77; }
if [ ! -d "$folder/node_modules/vscode-tmgrammar-test" ]; then
    mkdir -p "$folder"
    echo '{ "private": true }' >"$folder/package.json"
    (cd "$folder" && timeout 200 npm install --prefer-offline --no-audit --no-fund --fetch-retries=1 \
        --fetch-timeout=20000 vscode-tmgrammar-test@0.1.3 vscode-textmate@9.1.0 vscode-oniguruma@2.0.1) \
        >"$folder/log" 2>&1 || {
        echo "skipped: npm cannot get its packages"
        rm -rf "$folder/node_modules"
        exit 77
    }
fi
grammar=editors/vscode/syntaxes/gact.tmLanguage.json
words=$(sed -n 's/^KEYWORD("\([a-z]*\)".*/\1/p' lang/keywords.def | paste -sd, -)
"$folder/node_modules/.bin/vscode-tmgrammar-test" -c -g $grammar 'editors/vscode/test/*.gact' || exit 1
# No name holds a blank.
# shellcheck disable=SC2046
node tests/editors/scopes.js "$folder/node_modules" $grammar "$words" \
    $(find examples stdlib tests/lang -name '*.gact' | sort)
