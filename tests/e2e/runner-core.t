#!/usr/bin/python3
"""The emulator of GitHub's runner understands what @actions/core writes, which is the reference client of its files, commands and tokens."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../runner"))
import harness as t

from oidc import Issuer
from runner import Runner

t.once()

if not os.path.isdir("tests/npm/node_modules/@actions/core"):
    t.skip_all("@actions/core is absent: (cd tests/npm && npm ci)")
BASE = t.folder()
os.chmod(BASE, 0o755)
# As the user who runs the tests: scripts alone, no container.
RUNNER = Runner(os.path.join(BASE, "runner"), user=os.geteuid())
RUNNER.issuer = Issuer()
RUNNER.issuer.answers += [503, 502]
VALUES = {"plain": "a value", "lines": "one\ntwo\n\nfour", "ends": "newline\n", "empty": "", "odd": "a=b<<c", "heredoc": "x<<EOF\nEOF", "cr": "a\r\nb",
          "utf": "ü ключ 🔑", "spaces": "  x  ", "percent": "%0A%25"}
WORKFLOW = """
on: push
permissions: {id-token: write}
jobs:
  one:
    outputs: {lines: "${{ steps.a.outputs.lines }}", subject: "${{ steps.a.outputs.subject }}"}
    steps:
      - run: node -r %s/tests/tools/node18.cjs %s/tests/npm/core-client.mjs
        id: a
        env: {VALUES: "${{ toJSON(inputs) }}", AUDIENCE: "sts.amazonaws.com/a b:c"}
      - run: printf '%%s' "$E_lines" >lines; printf '%%s' "$PATH" >path
"""
r = RUNNER.run(WORKFLOW % (t.TOP, t.TOP), inputs=VALUES)
a = r.step("a")
t.same(r.conclusion, "success", "the job is green", r.log)
t.same({k: v for k, v in a.outputs.items() if k in VALUES}, VALUES, "outputs")
t.same(a.state, VALUES, "state")
t.same(r.env, {"E_" + k: v for k, v in VALUES.items()}, "variables")
t.same(open(os.path.join(RUNNER.job.workspace, "lines"), encoding="utf-8").read(), VALUES["lines"], "a variable in the next step")
t.ok(open(os.path.join(RUNNER.job.workspace, "path"), encoding="utf-8").read().startswith("/somewhere/bin:"), "a folder in front of its PATH")
t.ok("this is ***" in a.log and "geheim" not in r.log, "a secret is masked", r.log)
t.same(a.annotations, [
    {"type": "error", "message": "50% of a\nsecond: line, and ::more::", "title": "a: title, with 100%", "file": "src/a,b:c.py", "line": "3", "endline": "3",
     "col": "1", "endcolumn": "9"},
    {"type": "warning", "message": "w"}, {"type": "notice", "message": "n"}], "annotations")
t.same(a.debug[-1:] == ["hidden"] or "hidden" in a.debug, True, "debug", a.debug)
t.ok("##[group]a group" in a.log and "##[endgroup]" in a.log, "groups")
t.has(r.summary, "<h1>Deployed</h1>", "the summary")
t.same((a.outputs.get("audience"), r.outputs.get("subject")), ("sts.amazonaws.com/a b:c", "repo:acme/shop:ref:refs/heads/main"), "a token for the audience asked for", r.log)
t.same(len(RUNNER.issuer.requests), 3, "asked again after 503 and 502")
t.has(RUNNER.issuer.requests[-1][0], "?api-version=2.0&audience=sts.amazonaws.com%2Fa%20b%3Ac", "the request's line")
t.ok("token ***" in a.log, "the token is masked", a.log)
r = RUNNER.run((WORKFLOW % (t.TOP, t.TOP)).replace("id-token: write", "contents: read"), inputs=VALUES)
t.same(r.conclusion, "failure", "without the permission there is no token")
t.has(r.log, "Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable", "and @actions/core says why")
t.same(json.loads(r.as_json())["conclusion"], "failure", "the result is JSON")
RUNNER.close()
t.done()
