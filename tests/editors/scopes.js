// Every keyword in the programs given has a scope of its own in the TextMate grammar, and what stands in
// code has one at all: scopes.js MODULES GRAMMAR KEYWORDS FILE…; KEYWORDS is a list with commas.
"use strict";

const fs = require("fs");
const path = require("path");

const [modules, grammarFile, words, ...files] = process.argv.slice(2);
const textmate = require(path.join(modules, "vscode-textmate"));
const oniguruma = require(path.join(modules, "vscode-oniguruma"));
const keywords = new Set(words.split(","));
// What stands for a word that is no name, in code.
const wanted = /^(keyword|storage|constant\.language|variable\.language)/;
// A keyword is a name after a dot and in attributes, and text in comments and strings.
const other = /^(comment|string|variable\.other\.member|entity\.name\.function\.call|constant\.other\.(choice|format)|entity\.other)/;

async function main() {
  const wasm = fs.readFileSync(path.join(modules, "vscode-oniguruma/release/onig.wasm"));
  await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () => textmate.parseRawGrammar(fs.readFileSync(grammarFile, "utf8"), grammarFile),
  });
  const grammar = await registry.loadGrammar("source.gact");
  let failures = 0, tokens = 0;
  for (const file of files) {
    let stack = textmate.INITIAL;
    fs.readFileSync(file, "utf8").split("\n").forEach((line, number) => {
      const result = grammar.tokenizeLine(line, stack);
      stack = result.ruleStack;
      for (const token of result.tokens) {
        const text = line.slice(token.startIndex, token.endIndex).trim();
        const scope = token.scopes[token.scopes.length - 1];
        if (!text) continue;
        tokens++;
        const bare = /^(source\.gact|meta\.)/.test(scope);
        const missed = keywords.has(text) && !wanted.test(scope) && !other.test(scope);
        if ((bare || missed) && failures++ < 20)
          console.log(`${file}:${number + 1}:${token.startIndex + 1}: \`${text}\` has the scope ${scope}`);
      }
    });
    if (stack.depth > 1 && failures++ < 20) console.log(`${file}: something is still open at its end`);
  }
  console.log(`${tokens} tokens in ${files.length} files, ${failures} failures`);
  process.exit(failures ? 1 : 0);
}

main();
