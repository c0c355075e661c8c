"""gactc lsp as an editor sees it: test_lsp.py GACTC. Each test is a function; a server serves several."""
import json
import os
import sys
import tempfile
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Client  # noqa: E402

GACTC = sys.argv[1]

PROGRAM = """\
import stats
import "shapes.gact" as shapes
/// Doubles.
fn twice(x) = x + x
fn twice(x, y) = (x + x, y + y)
type Order = { id: u64, price: f32 }
type Side = Buy | Sell
const RATE = 0.5
/// Takes the mean off.
dag centred(x: [n]f32, k: f32 = 2) -> (y: [n]f32) {
  let d = twice(x) * k
  let m = stats.mean(d)
  return (y = d - m)
}
actor Counter(start: i64) {
  state count: i64 = start
  on add(amount: i64) { count += amount }
  on get() -> i64 { return count }
}
main {
  let orders = [Order(id = u64(i), price = 1.5) for i in 0..10]
  let prices = orders.price
  let counter = spawn Counter(start = 3)
  counter ! add(2)
  print(counter ? get(), sum(prices), "{twice(prices[0])}", shapes.area(2.0), RATE)
  match Buy { Buy => print(1), Sell => print(2) }
}
"""
SHAPES = """\
/// Of a square.
fn area(side) = side * side
fn _hidden(x) = x
"""


class Session:
    """A folder with two files, one of them open."""

    def __init__(self, text=PROGRAM, **options):
        self.folder = tempfile.TemporaryDirectory()
        root = os.path.realpath(self.folder.name)
        with open(os.path.join(root, "shapes.gact"), "w") as out:
            out.write(SHAPES)
        with open(os.path.join(root, "prog.gact"), "w") as out:
            out.write(text)
        env = dict(os.environ, XDG_CACHE_HOME=os.path.join(root, "cache"))
        self.client = Client(GACTC, root=root, env=env, **options)
        self.root = root
        self.text = text
        self.uri = "file://" + root + "/prog.gact"
        self.client.open(self.uri, text)
        self.version = 1

    def place(self, mark, number=0, inside=0):
        """Line and column of the number-th occurrence of a text."""
        at = -1
        for _ in range(number + 1):
            at = self.text.index(mark, at + 1)
        at += inside
        line = self.text.count("\n", 0, at)
        return line, at - (self.text.rfind("\n", 0, at) + 1)

    def ask(self, method, mark, number=0, inside=0, **more):
        line, column = self.place(mark, number, inside)
        return self.client.ask("textDocument/" + method, self.client.at(self.uri, line, column, **more))

    def answer(self, method, mark, number=0, inside=0, **more):
        line, column = self.place(mark, number, inside)
        return self.client.answer("textDocument/" + method, self.client.at(self.uri, line, column, **more))

    def whole(self, method, **more):
        return self.client.ask("textDocument/" + method, dict({"textDocument": {"uri": self.uri}}, **more))

    def replace(self, text):
        self.version += 1
        self.text = text
        self.client.change(self.uri, [{"text": text}], self.version)

    def checked(self):
        return self.client.diagnostics(self.uri, self.version)

    def hover(self, mark, number=0, inside=0):
        answer = self.ask("hover", mark, number, inside)
        return answer["contents"]["value"] if answer else None

    def labels(self, mark, number=0, inside=0, **more):
        answer = self.ask("completion", mark, number, inside, **more)
        return [item["label"] for item in answer["items"]] if answer else None

    def apply(self, edits):
        """The text with the edits of one file, whose ranges are ASCII."""
        lines = self.text.split("\n")
        for edit in sorted(edits, key=lambda e: (e["range"]["start"]["line"], e["range"]["start"]["character"]),
                           reverse=True):
            start, end = edit["range"]["start"], edit["range"]["end"]
            tail = lines[end["line"]][end["character"]:] if end["line"] < len(lines) else ""
            first = lines[start["line"]][:start["character"]]
            lines[start["line"]:end["line"] + 1] = (first + edit["newText"] + tail).split("\n")
        return "\n".join(lines)

    def end(self):
        status = self.client.close()
        self.folder.cleanup()
        assert status == 0, status


def equal(found, wanted):
    assert found == wanted, "%r is not %r" % (found, wanted)


def has(text, part):
    assert part in text, "%r is not in %r" % (part, text)


def test_hover(s):
    equal(s.checked(), [])
    has(s.hover("twice", 2), "fn twice(x)\n```\n\nDoubles.")
    has(s.hover("d = twice"), "let d: [n]f32")
    has(s.hover("d = twice"), "A node of `centred`. Runs on the host")
    has(s.hover("orders", 1), "let orders: [10]Order")
    has(s.hover("price", 3), "Order.price: f32")
    has(s.hover("add(2"), "on add(amount: i64)")
    has(s.hover("Counter", 1), "on get() -> i64")
    has(s.hover("mean(d"), "The arithmetic mean.")
    has(s.hover("stats.mean"), "Statistics.")
    has(s.hover("shapes.area", 0, 7), "Of a square.")
    has(s.hover("f32"), "IEEE single precision")
    has(s.hover("sum("), "The sum of all elements")
    has(s.hover("k: f32"), "k: f32")
    has(s.hover("RATE", 1), "const RATE = 0.5")
    equal(s.hover("{\n  let d"), None)


def test_definition(s):
    def target(mark, number=0, inside=0):
        found = s.ask("definition", mark, number, inside)
        return [(os.path.basename(f["uri"]), f["range"]["start"]["line"]) for f in found or []]
    s.checked()
    equal(target("twice(x) *"), [("prog.gact", 3)])
    equal(target("d - m"), [("prog.gact", 10)])
    equal(target("price\n"), [("prog.gact", 5)])
    equal(target("add(2"), [("prog.gact", 16)])
    equal(target("get(),"), [("prog.gact", 17)])
    equal(target("area(2"), [("shapes.gact", 1)])
    equal(target("mean(d"), [("stats.gact", 18)])
    equal(target("price = 1"), [("prog.gact", 5)])
    equal(target("start = 3"), [("prog.gact", 14)])
    equal(target("Buy =>"), [("prog.gact", 6)])
    equal(target("f32"), [])


def test_references(s):
    s.checked()
    def lines(mark, number=0, inside=0, declaration=True):
        found = s.ask("references", mark, number, inside, context={"includeDeclaration": declaration})
        return sorted((os.path.basename(f["uri"]), f["range"]["start"]["line"]) for f in found)
    equal(lines("twice"), [("prog.gact", 3), ("prog.gact", 4), ("prog.gact", 10), ("prog.gact", 24)])
    equal(lines("twice", declaration=False), [("prog.gact", 10), ("prog.gact", 24)])
    equal(lines("count:"), [("prog.gact", 15), ("prog.gact", 16), ("prog.gact", 17)])
    equal(lines("price:"), [("prog.gact", 5), ("prog.gact", 20), ("prog.gact", 21)])
    equal(lines("area(2"), [("prog.gact", 24), ("shapes.gact", 1)])
    equal(len(s.ask("documentHighlight", "orders")), 2)


def test_rename(s):
    s.checked()
    def renamed(mark, name, number=0, inside=0):
        changes = s.ask("rename", mark, number, inside, newName=name)["changes"]
        return s.apply(changes[s.uri]), changes
    for mark, old, new in [("d = twice", "d", "doubled"), ("price:", "price", "cost"), ("add(amount", "add", "plus"),
                           ("Counter", "Counter", "Tally"), ("amount:", "amount", "by_how_much"),
                           ("twice", "twice", "double"), ("RATE", "RATE", "SHARE"), ("n]f32, k", "n", "size"),
                           ("Buy", "Buy", "Bid"), ("k: f32", "k", "factor")]:
        text, _ = renamed(mark, new)
        s.replace(text)
        assert all(d["severity"] > 1 for d in s.checked()), (mark, s.checked())
        has(text, new)
        back, _ = renamed(new, old)
        s.replace(back)
        equal(back, PROGRAM)
        s.checked()
    _, changes = renamed("area(2", "surface")
    equal(sorted(os.path.basename(uri) for uri in changes), ["prog.gact", "shapes.gact"])
    for mark, name in [("d = twice", "m"), ("d = twice", "1x"), ("d = twice", "fn"), ("twice", "RATE"),
                       ("mean(d", "average"), ("f32", "real"), ("let", "x")]:
        assert "error" in s.answer("rename", mark, newName=name), (mark, name)
    equal(s.ask("prepareRename", "orders")["start"]["line"], 20)


def test_completion(s):
    s.checked()
    equal(s.labels("price\n"), ["id", "price"])
    equal(s.labels("add(2"), ["add", "get"])
    has(s.labels("mean(d"), "stddev")
    equal(s.labels("area(2"), ["area"])
    found = s.labels("start = 3")
    equal(found[0], "start =")
    has(s.labels("price = 1"), "price =")
    found = s.labels("d - m")
    for name in ["d", "m", "x", "k", "n", "twice", "RATE", "Order", "stats", "map", "let", "f32", "Buy", "len"]:
        has(found, name)
    for name in ["orders", "_hidden", "area", "add"]:
        assert name not in found, name
    has(s.labels("count += "), "count")
    equal(s.labels("Doubles"), None)
    # What is being written is no whole program.
    s.replace(PROGRAM.replace("  let prices = orders.price\n", "  let prices = orders.\n"))
    equal(s.labels("orders.\n", 0, 7), ["id", "price"])
    s.replace(PROGRAM.replace("  counter ! add(2)\n", "  counter ! \n"))
    equal(s.labels("! \n", 0, 2, context={"triggerKind": 2, "triggerCharacter": " "}), ["add", "get"])
    s.replace(PROGRAM.replace("dag centred", "@\ndag centred"))
    has(s.labels("@\n", 0, 1), "gpu")
    s.replace("import \n" + PROGRAM)
    has(s.labels("import \n", 0, 7), "linalg")
    has(s.labels("import \n", 0, 7), "shapes")


def test_signature(s):
    def help_at(mark, inside):
        return s.ask("signatureHelp", mark, 0, inside)
    found = help_at("twice(x) * k", 6)
    equal([x["label"] for x in found["signatures"]], ["fn twice(x)", "fn twice(x, y)"])
    equal((found["activeSignature"], found["activeParameter"]), (0, 0))
    s.replace(PROGRAM.replace("twice(x) * k", "twice(x, "))
    found = help_at("= twice(x, ", 11)
    equal((found["activeSignature"], found["activeParameter"]), (1, 1))
    s.replace(PROGRAM)
    equal(help_at("add(2", 4)["signatures"][0]["label"], "on add(amount: i64)")
    equal(help_at("Counter(start = 3", 8)["signatures"][0]["parameters"], [{"label": "start: i64"}])
    equal(help_at("mean(d", 5)["signatures"][0]["label"], "fn mean(x)")
    equal(s.ask("signatureHelp", "let d"), None)


def test_symbols(s):
    names = [x["name"] for x in s.whole("documentSymbol")]
    equal(names, ["twice", "twice", "Order", "Side", "RATE", "centred", "Counter", "main"])
    counter = [x for x in s.whole("documentSymbol") if x["name"] == "Counter"][0]
    equal([x["name"] for x in counter["children"]], ["count", "add", "get"])
    found = s.client.ask("workspace/symbol", {"query": "are"})
    equal([(x["name"], os.path.basename(x["location"]["uri"])) for x in found], [("area", "shapes.gact")])
    has([x["name"] for x in s.client.ask("workspace/symbol", {"query": "gt"})], "get")
    equal([(f["startLine"], f["endLine"]) for f in s.whole("foldingRange")], [(9, 13), (14, 18), (19, 26)])


def test_tokens(s):
    legend = s.client.capabilities["semanticTokensProvider"]["legend"]
    s.checked()
    data = s.whole("semanticTokens/full")["data"]
    lines = s.text.split("\n")
    line = column = 0
    found = set()
    for k in range(0, len(data), 5):
        line, column = line + data[k], data[k + 1] + (0 if data[k] else column)
        word = lines[line][column:column + data[k + 2]]
        found.add((word, legend["tokenTypes"][data[k + 3]]))
    for pair in [("twice", "function"), ("stats", "namespace"), ("price", "property"), ("add", "method"),
                 ("Counter", "class"), ("Buy", "enumMember"), ("n", "parameter"), ("f32", "type"),
                 ("orders", "variable"), ("Order", "type")]:
        has(found, pair)


def test_hints(s):
    s.checked()
    everything = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}
    hints = {(h["position"]["line"], h["label"]) for h in s.whole("inlayHint", range=everything)}
    for hint in [(10, ": [n]f32"), (11, ": f32"), (20, ": [10]Order"), (21, ": [10]f32"), (22, ": Counter")]:
        has(hints, hint)


def test_diagnostics(s):
    equal(s.checked(), [])
    s.replace(PROGRAM.replace("stats.mean(d)", "stats.maen(d)"))
    found = s.checked()
    equal([(d["code"], d["range"]["start"], d["severity"]) for d in found],
          [("G0102", {"line": 11, "character": 16}, 1)])
    s.replace(PROGRAM.replace("let m =", "let m :="))
    found = s.checked()
    equal(found[0]["data"]["fixes"][0]["sure"], True)
    actions = s.whole("codeAction", range=found[0]["range"], context={"diagnostics": found})
    equal([a["kind"] for a in actions], ["quickfix", "source.fixAll"])
    for action in actions:
        equal(s.apply(action["edit"]["changes"][s.uri]), PROGRAM)
    s.replace(PROGRAM.replace("twice(x) * k", "twicee(x) * k"))
    found = s.checked()
    actions = s.whole("codeAction", range=found[0]["range"], context={"diagnostics": found})
    equal(s.apply(actions[0]["edit"]["changes"][s.uri]), PROGRAM)
    # A mistake in another file that is imported.
    shapes = "file://" + s.root + "/shapes.gact"
    s.client.open(shapes, SHAPES.replace("side * side", "side * sid"), 1)
    equal(len(s.client.diagnostics(shapes, 1)), 1)
    s.client.tell("textDocument/didClose", {"textDocument": {"uri": shapes}})
    s.replace(PROGRAM)
    equal(s.checked(), [])
    equal(s.client.published[shapes], [])


def test_actions(s):
    """What is offered beside the fixes of diagnostics: imports and types."""
    def offered(mark, number=0):
        line, column = s.place(mark, number)
        at = {"line": line, "character": column}
        return {a["title"]: a for a in s.whole("codeAction", range={"start": at, "end": at}, context={"diagnostics": []})}
    s.checked()
    s.replace(PROGRAM.replace("stats.mean(d)", "stddev(d)"))
    s.checked()
    action = offered("stddev")["Import `stats` and write `stats.stddev`"]
    s.replace(s.apply(action["edit"]["changes"][s.uri]))
    equal(s.text, PROGRAM.replace("stats.mean(d)", "stats.stddev(d)"))
    equal(s.checked(), [])
    s.replace(PROGRAM.replace("stats.mean(d)", "norm1(d)"))
    s.checked()
    action = offered("norm1")["Import `linalg` and write `linalg.norm1`"]
    s.replace(s.apply(action["edit"]["changes"][s.uri]))
    has(s.text, 'as shapes\nimport linalg\n/// Doubles.')
    equal(s.checked(), [])
    s.replace("// A program.\n\n/// Main.\nmain { print(norm1([1.0])) }\n")
    s.checked()
    action = offered("norm1")["Import `linalg` and write `linalg.norm1`"]
    s.replace(s.apply(action["edit"]["changes"][s.uri]))
    has(s.text, "// A program.\n\nimport linalg\n\n/// Main.\nmain { print(linalg.norm1")
    equal(s.checked(), [])
    s.replace(PROGRAM)
    s.checked()
    action = offered("d = twice")["Write the type `[n]f32`"]
    s.replace(s.apply(action["edit"]["changes"][s.uri]))
    has(s.text, "let d: [n]f32 = twice")
    equal(s.checked(), [])
    equal(offered("d: [n]f32 ="), {})


def test_files(s):
    """A file that is imported and not open changes on disk."""
    equal(s.checked(), [])
    path = os.path.join(s.root, "shapes.gact")
    with open(path, "w") as out:
        out.write(SHAPES.replace("area", "surface"))
    s.client.versions.clear()
    s.client.tell("workspace/didChangeWatchedFiles", {"changes": [{"uri": "file://" + path, "type": 2}]})
    equal([d["range"]["start"]["line"] for d in s.checked()], [24])
    has(s.labels("area(2"), "surface")
    # A mistake in it, and its cure.
    for text, count in [(SHAPES.replace("side * side", "side * sid"), 1), (SHAPES, 0)]:
        with open(path, "w") as out:
            out.write(text)
        s.client.versions.clear()
        s.client.tell("textDocument/didSave", {"textDocument": {"uri": s.uri}})
        equal(s.checked(), [])
        while len(s.client.published.get("file://" + path, [])) != count:
            s.client.receive()


def test_edits(s):
    """Changes by ranges, with characters of several bytes and units."""
    s.replace('main {\n  print("ä𝄞x")\n}\n')
    s.checked()
    at = {"line": 1, "character": 12}  # behind the clef, which has two units
    s.version += 1
    s.client.change(s.uri, [{"range": {"start": at, "end": at}, "text": "é"},
                            {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}},
                             "text": "// one\n"}], s.version)
    equal(s.checked(), [])
    s.version += 1
    s.client.change(s.uri, [{"range": {"start": {"line": 2, "character": 2}, "end": {"line": 2, "character": 7}},
                             "text": "prin"}], s.version)
    equal(s.checked()[0]["range"]["start"], {"line": 2, "character": 2})
    formatted = s.whole("formatting", options={"tabSize": 2, "insertSpaces": True})
    equal(formatted, [])
    s.version += 1
    s.client.change(s.uri, [{"range": {"start": {"line": 2, "character": 0}, "end": {"line": 99, "character": 0}},
                             "text": '    print( "ä𝄞éx" )}'}], s.version)
    formatted = s.whole("formatting", options={"tabSize": 2, "insertSpaces": True})
    equal(formatted[0]["newText"], '// one\nmain {\n  print("ä𝄞éx")\n}\n')


def test_bytes():
    """Columns in bytes, where the editor offers them."""
    s = Session('main {\n  let x = ("ä", yy)\n}\n', encodings=["utf-8", "utf-16"])
    equal(s.client.capabilities["positionEncoding"], "utf-8")
    equal(s.checked()[0]["range"]["start"], {"line": 1, "character": 17})
    s.end()


def test_frames(s):
    """What is no message is answered with an error, and the next one is understood."""
    c = s.client
    s.checked()
    def error(raw):
        c.send_raw(raw)
        while True:
            message = c.receive()
            if "error" in message:
                return message["error"]["code"]
    equal(error(b"Content-Length: nonsense\r\n\r\n"), -32700)
    equal(error(b"Nothing\r\n\r\n"), -32700)
    equal(error(b"Content-Length: 5\r\n\r\n{]\n\0x"), -32700)
    equal(error(b"x" * 9000), -32700)
    equal(error(b"Content-Length: 2\r\n\r\n{}"), -32600)
    equal(error(b"Content-Length: 70000000\r\n\r\n" + b" " * 70000000), -32700)
    equal(c.answer("no/such", {})["error"]["code"], -32601)
    equal(c.answer("textDocument/hover", {})["error"]["code"], -32602)
    equal(c.answer("textDocument/hover", None)["error"]["code"], -32602)
    for params in [{"textDocument": {"uri": s.uri}}, {"textDocument": {"uri": s.uri}, "position": "here"},
                   {"textDocument": {"uri": s.uri}, "position": {"line": -1, "character": 1e300}},
                   {"textDocument": {"uri": s.uri}, "position": {"line": 1e300, "character": 0}, "range": 3,
                    "newName": 4, "context": []},
                   {"textDocument": {"uri": s.uri}, "position": {}, "range": {"start": {}, "end": {}}, "context": {}}]:
        for method in ["hover", "definition", "references", "rename", "prepareRename", "completion",
                       "signatureHelp", "inlayHint", "codeAction", "semanticTokens/full", "formatting"]:
            c.answer("textDocument/" + method, params)
    c.tell("$/cancelRequest", {"id": 1})
    c.tell("textDocument/didChange", {"textDocument": {"uri": s.uri}, "contentChanges": [{"nothing": 1}]})
    c.tell("textDocument/didOpen", {})
    c.send({"id": 77, "result": None})
    for chunk in [b"Content-Len", b"gth: 54\r", b"\n\r\n", b'{"jsonrpc":"2.0","id":"a","method":"shutdown",', b'"x":123}']:
        c.send_raw(chunk)
    while True:
        message = c.receive()
        if message.get("id") == "a":
            break
    equal(c.answer("textDocument/hover", s.client.at(s.uri, 0, 0))["error"]["code"], -32600)


def test_broken_texts(s):
    """Every prefix of the program, and the program without each of its lines: no request fails."""
    lines = PROGRAM.split("\n")
    texts = [PROGRAM[:k] for k in range(0, len(PROGRAM), 23)]
    texts += ["\n".join(lines[:k] + lines[k + 1:]) for k in range(len(lines))]
    for text in texts:
        s.replace(text)
        line = text.count("\n")
        for method in ["hover", "completion", "signatureHelp", "definition"]:
            for place in [(line, len(text) - (text.rfind("\n") + 1)), (line // 2, 6)]:
                s.client.ask("textDocument/" + method, s.client.at(s.uri, *place))
        s.whole("semanticTokens/full")
        s.whole("documentSymbol")
        s.whole("formatting", options={})
    s.replace(PROGRAM)
    equal(s.checked(), [])


def test_speed():
    """A keystroke in a file of a thousand lines costs less than 20 ms of time on a processor."""
    part = "fn more%d(a: [n]f32, b) {\n  let x = a + b\n  let y = sum(x) * f32(%d)\n  // kept\n  return map(a, v -> v * y)\n}\n"
    text = "".join(part % (k, k) for k in range(170)) + "main {\n  print(more1([1, 2], 3))\n  \n}\n"
    s = Session(text)
    s.checked()
    line = text.count("\n") - 2

    def spent():
        with open("/proc/%d/schedstat" % s.client.process.pid) as f:
            return int(f.read().split()[0]) / 1e6
    before, keys = spent(), 20
    for k in range(keys):
        at = {"line": line, "character": 2 + k}
        s.version += 1
        s.client.change(s.uri, [{"range": {"start": at, "end": at}, "text": "m"}], s.version)
        s.client.ask("textDocument/completion", s.client.at(s.uri, line, 3 + k))
    each = (spent() - before) / keys
    print("a keystroke in %d lines: %.1f ms" % (line, each))
    slow = os.environ.get("SANITIZED")
    assert slow or each < 20, each
    s.end()


def main():
    failures = count = 0
    for name, test in sorted(globals().items()):
        if not name.startswith("test_"):
            continue
        count += 1
        try:
            if test.__code__.co_argcount:
                session = Session()
                test(session)
                if name != "test_frames":
                    session.end()
                else:
                    session.client.tell("exit", None)
                    equal(session.client.process.wait(60), 0)
            else:
                test()
        except Exception:
            failures += 1
            print("%s:" % name)
            traceback.print_exc(limit=-3, file=sys.stdout)
    print("%d tests, %d failures" % (count, failures))
    return 1 if failures else 0


sys.exit(main())
