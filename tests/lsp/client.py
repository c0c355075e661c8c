"""A client of `gactc lsp` for tests: it speaks the protocol as editors do, over two pipes."""
import json
import os
import select
import subprocess
import time

PATIENCE = 60  # seconds for an answer; a slow machine is no failure


class Client:
    def __init__(self, program, root=None, encodings=None, args=(), env=None):
        self.process = subprocess.Popen([program, "lsp", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        bufsize=0, env=env)
        self.buffer = b""
        self.next_id = 0
        self.published = {}  # uri -> the last diagnostics
        self.versions = {}
        capabilities = {"general": {"positionEncodings": encodings}} if encodings else {}
        params = {"processId": os.getpid(), "capabilities": capabilities,
                  "rootUri": "file://" + root if root else None}
        self.capabilities = self.ask("initialize", params)["capabilities"]
        self.tell("initialized", {})

    # ---- frames ----

    def send_raw(self, data):
        self.process.stdin.write(data)

    def send(self, message):
        body = json.dumps(dict(message, jsonrpc="2.0")).encode()
        self.send_raw(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def read_more(self, deadline):
        ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.time()))
        if not ready:
            raise AssertionError("the server does not answer")
        chunk = os.read(self.process.stdout.fileno(), 1 << 16)
        if not chunk:
            raise AssertionError("the server has ended with %s" % self.process.wait())
        self.buffer += chunk

    def receive(self, patience=PATIENCE):
        deadline = time.time() + patience
        while b"\r\n\r\n" not in self.buffer:
            self.read_more(deadline)
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        length = int(head.split(b":")[1])
        while len(rest) < length:
            self.read_more(deadline)
            rest = self.buffer.partition(b"\r\n\r\n")[2]
        self.buffer = rest[length:]
        message = json.loads(rest[:length])
        if message.get("method") == "textDocument/publishDiagnostics":
            params = message["params"]
            self.published[params["uri"]] = params["diagnostics"]
            self.versions[params["uri"]] = params.get("version")
        return message

    # ---- messages ----

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def answer(self, method, params):
        """The whole answer, result or error."""
        self.next_id += 1
        self.send({"id": self.next_id, "method": method, "params": params})
        while True:
            message = self.receive()
            if message.get("id") == self.next_id:
                return message

    def ask(self, method, params):
        message = self.answer(method, params)
        assert "error" not in message, message
        return message["result"]

    def open(self, uri, text, version=1):
        self.tell("textDocument/didOpen",
                  {"textDocument": {"uri": uri, "languageId": "gact", "version": version, "text": text}})

    def change(self, uri, changes, version):
        self.tell("textDocument/didChange",
                  {"textDocument": {"uri": uri, "version": version}, "contentChanges": changes})

    def diagnostics(self, uri, version):
        """The diagnostics of a version, once they are there."""
        while self.versions.get(uri) != version:
            self.receive()
        return self.published[uri]

    def at(self, uri, line, character, **more):
        return dict({"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}, **more)

    def close(self):
        self.ask("shutdown", None)
        self.tell("exit", None)
        self.process.stdin.close()
        self.process.stdout.read()
        return self.process.wait(PATIENCE)
