#!/usr/bin/python3
"""The Flask and the Go example go from checkout to live in one workflow job each, with what `slipway init` writes and with the action's own image.

Then a second push, and commits that are no good.
"""

import os
import re
import shutil
import subprocess

import jobs
import harness as t

t.once()
jobs.need("debian:bookworm-slim", "python:3.11-slim", "golang:1.22", "nginx:stable", "busybox")
place = jobs.Place(action=t.TOP)
USES = "slipway/slipway@v1"


def example(name):
    """The example as somebody has it who has not heard of us: init writes the rest. Only the port and the data folder are the test's."""
    folder = os.path.join(place.base, name)
    shutil.copytree(os.path.join(t.TOP, "examples", name), folder, ignore=shutil.ignore_patterns("slipway.yml", "Dockerfile", ".*cache", "__pycache__"))
    told = subprocess.run([jobs.SLIPWAY, "init", folder], capture_output=True, check=False, text=True)
    t.same(told.returncode, 0, f"{name}: slipway init", told.stderr)
    repo = t.Repo(folder)
    text = read(folder, "slipway.yml")
    text, services = re.subn(r"(?m)^  [a-z]+:$", f"  {service(name)}:", text)
    text, urls = re.subn(r"http://[a-z]+\.localhost:8080", url(name), text)
    t.same((services, urls), (1, 1), f"{name}: it has one service with one URL")
    t.write(os.path.join(folder, "slipway.yml"), text.replace("timeout: 60s", "timeout: 12s"))
    repo.commit({})
    return repo


def service(name):
    return f"{jobs.NAME}-{name}"


def url(name):
    return f"http://{service(name)}.localhost:{place.port}"


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return f.read()


def run(repo):
    """The workflow that init wrote. On a machine without GitHub there is nobody to tell of the deployment."""
    workflow = read(repo.path, ".github/workflows/deploy.yml")
    workflow = workflow.replace("with: {environment: production}", f'with: {{environment: production, data: {place.data}, token: ""}}\n        id: slipway')
    return place.runner.run(workflow, source=repo.path, actions={USES: t.TOP})


def lives(name, r, says, what):
    act = r.step("slipway")
    out = act.outputs
    t.same((r.conclusion, act.code), ("success", 0), f"{name}: {what}: the job is green", r.log)
    t.has(place.page("/", f"{service(name)}.localhost"), says, f"{name}: {what}: the page is served", r.log[-3000:])
    t.same((out.get("state"), out.get("url"), out.get("commit")), ("succeeded", url(name), place.runner.job.sha), f"{name}: {what}: outputs", out)
    t.ok(re.fullmatch(place.runner.job.sha[:12] + "-[0-9a-z]+", out.get("version", "")), f"{name}: {what}: the version names the commit", out)
    t.has(out.get("summary"), f"{service(name)} is live in production: {url(name)}", f"{name}: {what}: a line that says so", out)
    for part in (f"## {service(name)}: ✅ live", url(name), place.runner.job.sha, out.get("version"), "| build |", "| shift |", "| verify |"):
        t.has(act.summary, part, f"{name}: {what}: the summary has {part[:20]}")
    t.same(jobs.kinds(act.annotations), [], f"{name}: {what}: no error is annotated")
    place.clean(r, f"{name}: {what}")
    return out


def bad(name, r, says, why, what, code=1, state=None):
    act = r.step("slipway")
    t.same((r.conclusion, act.code), ("failure", code), f"{name}: {what}: the job is red", r.log)
    t.has(place.page("/", f"{service(name)}.localhost"), says, f"{name}: {what}: the last good version serves")
    if state:
        t.same(act.outputs.get("state"), state, f"{name}: {what}: the state")
    told = [a["message"] for a in jobs.kinds(act.annotations)]
    t.ok(any(re.search(why, m) for m in told), f"{name}: {what}: an annotation says why", told, r.log[-3000:])
    t.ok(re.search(rf"\*\*Why:\*\* .*{why}", act.summary), f"{name}: {what}: the summary too", act.summary)
    place.clean(r, f"{name}: {what}")
    return act


# --- Flask ---

flask = example("flask")
first = lives("flask", run(flask), "Hello from Slipway", "first push")
shop = read(flask.path, "shop.py")
flask.commit({"shop.py": shop.replace('VERSION = "1"', 'VERSION = "2"')})
second = lives("flask", run(flask), "Version 2", "second push")
t.same(second.get("previous-version"), first["version"], "flask: the version before is named")
flask.commit({"shop.py": shop.replace('VERSION = "1"', 'VERSION = "3"').replace("PRICES[item] * count", "PRICES[item] - count")})
act = bad("flask", run(flask), "Version 2", "ended with status 1", "tests fail", state="failed")
at = [(a.get("file"), a.get("line")) for a in jobs.kinds(act.annotations) if a.get("file")]
line = 1 + read(flask.path, "tests/test_shop.py").split("\n").index('    assert total({"tea": 2, "coffee": 1}) == 10')
t.same(at[:1], [("tests/test_shop.py", str(line))], "flask: the annotation stands at the assertion that failed", act.annotations)
flask.commit({"shop.py": shop.replace('VERSION = "1"', 'VERSION = "4"').replace('@app.get("/healthz")', '@app.get("/health")'),
              "tests/test_shop.py": read(flask.path, "tests/test_shop.py").replace('get("/healthz")', 'get("/health")')})
bad("flask", run(flask), "Version 2", "404", "no health")

# --- Go ---

go = example("go")
lives("go", run(go), "Hello, world!", "first push")
main = read(go.path, "main.go")
go.commit({"main.go": main.replace('"Hello, "', '"Good day, "'), "main_test.go": read(go.path, "main_test.go").replace("Hello, ", "Good day, ")})
lives("go", run(go), "Good day, world!", "second push")
go.commit({"main.go": main.replace('"Hello, "', '"Bye, "')})
act = bad("go", run(go), "Good day, world!", "docker build", "tests fail", state="failed")
t.same([a.get("file") for a in jobs.kinds(act.annotations) if a.get("file")][:1], ["main_test.go"], "go: the annotation stands in the test", act.annotations)
t.has(place.page("/", f"{service('flask')}.localhost"), "Version 2", "both serve behind one gateway")
t.done()
