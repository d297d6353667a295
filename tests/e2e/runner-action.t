#!/usr/bin/python3
"""Our action in the emulator of GitHub's runner, with its real image: what a user sees of a dry run and of a mistake."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../runner"))
import harness as t

from runner import Runner

t.once()

ENGINE = subprocess.run(["docker", "-H", "unix:///var/run/docker.sock", "version"], capture_output=True, check=False).returncode == 0
if os.geteuid() != 0 or not ENGINE:
    t.skip_all("no Docker engine, or not root")
if subprocess.run([os.path.join(t.TOP, "scripts/base-image"), "debian:bookworm-slim"], capture_output=True, check=False).returncode:
    t.skip_all("no debian:bookworm-slim to build from")
BASE = t.folder()
os.chmod(BASE, 0o755)
PROJECT = """version: 1
services:
  shop:
    build: {dockerfile: Dockerfile}
    health: {path: /healthz}
    environments:
      production:
        target: server
        run: container
        url: http://shop.localhost:8080
"""
WORKFLOW = """
on: push
jobs:
  deploy:
    permissions: {contents: read}
    outputs: {state: "${{ steps.slipway.outputs.state }}"}
    steps:
      - uses: actions/checkout@v6
      - uses: acme/slipway@v1
        id: slipway
        with: {dry-run: "true"}
        env: {SECRET: "${{ secrets.KEY }}"}
"""


def project(name, text):
    t.write(os.path.join(BASE, name, "slipway.yml"), text)
    t.write(os.path.join(BASE, name, "Dockerfile"), "FROM busybox\nCMD [\"httpd\", \"-f\"]\n")
    return os.path.join(BASE, name)


runner = Runner(os.path.join(BASE, "runner"))


def run(source):
    return runner.run(WORKFLOW, source=source, actions={"acme/slipway@v1": t.TOP}, secrets={"KEY": "very-s3cret"})


# --- a mistake ---

r = run(project("mistake", PROJECT.replace("health: {path: /healthz}", "heatlh: {path: /healthz}")))
act = r.step("slipway")
t.same((r.conclusion, act.code), ("failure", 2), "a mistake in slipway.yml fails the step with status 2", r.log)
at = [a for a in act.annotations if a.get("file")]
t.same([(a["type"], a["file"], a["line"]) for a in at][:1], [("error", "slipway.yml", "5")], "it is annotated where it stands", act.annotations)
t.ok(act.summary and act.outputs.get("state") == "failed", "there are a summary and outputs", act.summary, act.outputs)
t.same((r.foreign, r.containers), ([], []), "nothing of root's is left, and no container")
t.ok("very-s3cret" not in r.log and runner.job.token not in r.log, "no secret in the log", r.log)
t.ok(sum(a["type"] == "error" for a in act.annotations) <= 10, "at most ten annotations")

# --- a dry run ---

r = run(project("good", PROJECT))
if "no such setting 'run'" in r.log:
    t.skip("a dry run is green", "target server has no containers yet")
else:
    act = r.step("slipway")
    t.same((r.conclusion, act.code), ("success", 0), "a dry run is green", r.log)
    t.same([a for a in act.annotations if a["type"] == "error"], [], "and has no error", act.annotations)
    t.same((r.foreign, r.containers), ([], []), "nothing of root's is left, and no container")
t.same([(s.stage, s.conclusion) for s in r.steps][-1], ("post", "success"), "the post step is green")
runner.close()
t.done()
