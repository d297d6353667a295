#!/usr/bin/python3
"""The emulator of GitHub's runner, its parsers: what actions/runner's own tests of its parsers hold for ours."""

import base64
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../runner"))
import harness as t

import commands
import docker_cli
import expressions
import workflow as files
from commands import Command, FileError, Masker, StepLog

t.once()

DO = {"do-something"}

# --- log commands ---

V1 = [
    ("##[do-something k1=v1;]msg", Command("do-something", {"k1": "v1"}, "msg")),
    ("##[do-something]", Command("do-something", {}, "")),
    ("##[do-something k1=%3B=%0D=%0A=%5D;]%3B-%0D-%0A-%5D", Command("do-something", {"k1": ";=\r=\n=]"}, ";-\r-\n-]")),
    ("##[do-something k1=%253B=%250D=%250A=%255D;]%253B-%250D-%250A-%255D", Command("do-something", {"k1": "%3B=%0D=%0A=%5D"}, "%3B-%0D-%0A-%5D")),
    ("##[do-something k1=;k2=;]", Command("do-something", {}, "")),
    (">>>   ##[do-something k1=v1;]msg", Command("do-something", {"k1": "v1"}, "msg")),
    ("##[do-something", None), ("##[other]x", None), ("", None),
]
V2 = [
    ("::do-something k1=v1,::msg", Command("do-something", {"k1": "v1"}, "msg")),
    ("::do-something::", Command("do-something", {}, "")),
    ("::do-something k1=;=%2C=%0D=%0A=]=%3A,::;-%0D-%0A-]-:-,", Command("do-something", {"k1": ";=,=\r=\n=]=:"}, ";-\r-\n-]-:-,")),
    ("::do-something k1=;=%252C=%250D=%250A=]=%253A,::;-%250D-%250A-]-:-,", Command("do-something", {"k1": ";=%2C=%0D=%0A=]=%3A"}, ";-%0D-%0A-]-:-,")),
    ("::do-something k1=,k2=,::", Command("do-something", {}, "")),
    ("::do-something k1=v1::", Command("do-something", {"k1": "v1"}, "")),
    ("   ::do-something k1=v1,::msg", Command("do-something", {"k1": "v1"}, "msg")),
    ("   >>>   ::do-something k1=v1,::msg", None), ("::do-something", None), ("::other::x", None),
    ("::DO-Something K1=v::m", Command("do-something", {"k1": "v"}, "m")),
]
t.same([commands.parse_v1(line, DO) for line, _ in V1], [want for _, want in V1], "log commands of the first kind, anywhere in a line")
t.same([commands.parse_v2(line, DO) for line, _ in V2], [want for _, want in V2], "log commands of the second kind, at a line's start")


def said(*lines, debug=False):
    log = StepLog(Masker(), lambda p: re.sub("^/github/workspace/", "", p), debug=debug)
    for line in lines:
        log.line(line)
    return log


log = said(*[f"::error file=/github/workspace/a/b.c,line={n}::no {n}" for n in range(12)], *["::warning::w"] * 10, "::notice title=T::n")
t.same([sum(a["type"] == kind for a in log.annotations) for kind in ("error", "warning", "notice")], [10, 10, 1], "ten of a kind are annotations")
t.same((log.dropped["error"], len(log.log)), (2, 23), "the rest only stands in the log")
t.same(log.annotations[3], {"type": "error", "message": "no 3", "file": "a/b.c", "line": "3"}, "its file is the repository's")
t.same(len(said("::error::" + "x" * 5000).annotations[0]["message"]), 4096, "a message is cut at 4096 characters")
places = [
    ("line=3,endLine=2", {}), ("line=3,endLine=5,col=1", {"line": "3", "endline": "5"}), ("col=4", {}), ("endLine=4", {"endline": "4", "line": "4"}),
    ("line=1,col=9,endColumn=4", {"line": "1"}), ("line=1,endColumn=4", {"line": "1", "endcolumn": "4", "col": "4"}),
    ("line=1,endLine=1,col=2,endColumn=3", {"line": "1", "endline": "1", "col": "2", "endcolumn": "3"}),
]
t.same([{k: v for k, v in said(f"::error {p}::m").annotations[0].items() if k not in ("type", "message")} for p, _ in places],
       [want for _, want in places], "lines and columns that contradict each other are dropped")
log = said("::stop-commands::tok_en1", "::error::no", "##[error]no", "::tok_en1::", "::error::yes")
t.same([a["message"] for a in log.annotations], ["yes"], "between stop-commands and its token nothing is a command")
t.ok("tok_en1" not in "\n".join(log.log[1:]) and "***" in log.log[3], "the token is masked", log.log)
t.same([said(f"::stop-commands::{token}").failed for token in ("", "error", "pause-logging", "x")], [True, True, True, False], "tokens that are refused")
log = said("::add-mask::geheim wort", "geheim wort", "::debug::x", "::group::G", "::endgroup::", "::set-env name=A::b", "::echo::on", "::group::H", "::add-mask::")
t.same(log.log[:3], ["***", "##[group]G", "##[endgroup]"], "masks and debug are not shown, groups are")
t.ok(log.failed and "::group::H" in log.log and log.annotations[-1]["message"].startswith("Can't add secret mask"), "set-env is refused, echo echoes", log.log)

lines = []
reader = commands.Lines(lines.append)
for piece in (b"a\r", b"\nb\rc\n", b"d", b"\xc3", b"\xa9\n\ne"):
    reader.feed(piece)
reader.end()
t.same(lines, ["a", "b", "c", "dé", "", "e"], "LF, CR LF and CR end a line")

# --- masks ---

masker = Masker()
masker.add('top "secret" <ü>\nsecond line')
SHOWN = ['top "secret" <ü>', "second line", 'top \\"secret\\" <ü>', "top%20%22secret%22%20%3C%C3%BC%3E", "top &quot;secret&quot; &lt;ü&gt;"]
SHOWN += [base64.b64encode("second line".encode()[n:]).decode() for n in range(3)]
t.same([masker.mask(f"[{each}]") for each in SHOWN], ["[***]"] * len(SHOWN), "a mask hides each line of a value, and its encodings")
masker.add("ab"), masker.add("bc")
t.same(masker.mask("xabcx ab"), "x***x ***", "masks that overlap are one")

# --- command files ---

PAIRS = [
    ("", []), ("MY=MY VALUE", [("MY", "MY VALUE")]), ("\nA=1\n\nB=\n\n", [("A", "1"), ("B", "")]), ("A==abc\nB=def=ghi\nC=jkl=", [("A", "=abc"), ("B", "def=ghi"), ("C", "jkl=")]),
    ("A<<EOF\nline one\nline two\nline three\nEOF", [("A", "line one\nline two\nline three")]), ("A<<EOF\nEOF\n", [("A", "")]),
    ("\nA<<EOF\nhello\nworld\nEOF\n\nB<<EOF\nHELLO\nAGAIN\nEOF\n", [("A", "hello\nworld"), ("B", "HELLO\nAGAIN")]),
    ("A<<=EOF\nhello\none\n=EOF\nB<<<EOF\nhello\ntwo\n<EOF\nC<<EOF\nhello\n\nthree\n\nEOF\nD<<EOF\nhello=four\nEOF\nE<<EOF\n EOF\nEOF",
     [("A", "hello\none"), ("B", "hello\ntwo"), ("C", "hello\n\nthree\n"), ("D", "hello=four"), ("E", " EOF")]),
    ("A=x\r\n", [("A", "x\r")]), ("A=b<<c", [("A", "b<<c")]), ("A<<E\n\nE", [("A", "")]), ("A<<E\n\n\nE", [("A", "\n")]),
]
t.same([commands.parse_pairs(text) for text, _ in PAIRS], [want for _, want in PAIRS], "pairs of the command files")


def refused(text):
    try:
        return commands.parse_pairs(text)
    except FileError as e:
        return str(e)


for text, want in [("A<<EOF line one EOF", "Matching delimiter not found"), ("A<<EOF\nx\n", "Matching delimiter not found"),
                   ("A<<EOF line\n   two\n three EOF", "EOF marker missing new line"), ("hello", "Invalid format"), ("<<EOF\nEOF", "must not be empty"),
                   ("A<<\n", "must not be empty")]:
    t.has(refused(text), want, f"refused: {text!r}")

# --- arguments ---

t.same(docker_cli.split_arguments(r'a "b c"  "d\"e" \x "f\\" ""  g"h i"j "k""l"'), ["a", "b c", 'd"e', r"\x", "f\\", "", "gh ij", 'k"l'], "arguments are split as .NET does")
t.same(docker_cli.split_arguments("run x" + "".join(map(docker_cli.quote_argument, ["a b", 'q"q', "", "ends\\", "--privileged"]))),
       ["run", "x", "a b", 'q"q', "", 'ends" --privileged'], "an argument that ends in a backslash breaks out of its quotes")
t.same(docker_cli.split_arguments(docker_cli.option("-e", 'A"B')), ["-e", 'A"B'], "a variable's name is escaped")

# --- expressions and files ---

CONTEXTS = {"github": {"ref": "refs/heads/main", "event": {"n": 3, "labels": [{"name": "a"}, {"name": "b"}]}}, "steps": {"a-b": {"outputs": {"x": "yes"}}}}
CASES = [
    ("x ${{ github.ref }} y", "x refs/heads/main y"), ("${{ github.event.n == '3' }}", True), ("${{ steps.a-b.outputs.x && 'p' || 'q' }}", "p"),
    ("${{ github.none }}", None), ("${{ github['ref'] != 'REFS/heads/MAIN' }}", False), ("${{ format('{0}-{{1}}', 5) }}", "5-{1}"),
    ("${{ contains(github.event.labels.*.name, 'b') }}", False), ("${{ !startsWith(github.ref, 'refs/tags') && (1 < 2) }}", True), ("${{ 'it''s }}' }}", "it's }}"),
]
CASES[6] = ("${{ contains(fromJSON('[\"a\",\"b\"]'), 'B') }}", True)
t.same([expressions.fill(text, CONTEXTS) for text, _ in CASES], [want for _, want in CASES], "expressions")
FAILED = {"success": lambda: False, "failure": lambda: True, "always": lambda: True, "cancelled": lambda: False}
t.same([expressions.holds(c, CONTEXTS, FAILED) for c in (None, "github.ref != ''", "failure()", "${{ always() && github.none }}", "always()")],
       [False, False, True, False, True], "an if: asks success() by itself")
t.same(files.load("on: push\nyes: no\nd: 2020-01-01\ne:\nf: 1.5\n"), {"on": "push", "yes": "no", "d": "2020-01-01", "e": None, "f": 1.5},
       "YAML as GitHub reads it")
t.done()
