// Starts `gactc lsp` and shows it to VS Code; everything about the language itself is in the server.
"use strict";

const vscode = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

let client;

function setting(name) {
  return vscode.workspace.getConfiguration("gact").get(name);
}

async function start() {
  const run = { command: setting("path"), args: ["lsp"], transport: TransportKind.stdio };
  client = new LanguageClient("gact", "gact", { run, debug: run }, {
    documentSelector: [{ language: "gact", scheme: "file" }, { language: "gact", scheme: "untitled" }],
    synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher("**/*.gact") },
  });
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    vscode.window.showErrorMessage(
      `gact: cannot start ${setting("path")} (${error.message}). The setting gact.path names the compiler.`);
  }
}

async function stop() {
  const old = client;
  client = undefined;
  if (old) await old.stop();
}

// Runs a program on the file at hand in a terminal.
async function inTerminal(program, args) {
  const editor = vscode.window.activeTextEditor;
  if (!editor || editor.document.languageId !== "gact") return;
  await editor.document.save();
  const terminal = vscode.window.terminals.find((t) => t.name === "gact") || vscode.window.createTerminal("gact");
  terminal.show(true);
  const quoted = [program, ...args, editor.document.fileName].map((word) => `'${word.replace(/'/g, "'\\''")}'`);
  terminal.sendText(quoted.join(" "));
}

function activate(context) {
  const commands = {
    "gact.restart": async () => { await stop(); await start(); },
    "gact.test": () => inTerminal(setting("path"), ["test"]),
    "gact.run": () => inTerminal(setting("run"), []),
    "gact.explain": () => inTerminal(setting("path"), ["--explain"]),
  };
  for (const [name, action] of Object.entries(commands))
    context.subscriptions.push(vscode.commands.registerCommand(name, action));
  context.subscriptions.push(vscode.workspace.onDidChangeConfiguration((change) => {
    if (change.affectsConfiguration("gact.path")) commands["gact.restart"]();
  }));
  return start();
}

module.exports = { activate, deactivate: stop };
