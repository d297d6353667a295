#!/usr/bin/env python3
"""What the action shows on GitHub: a deployment with its statuses, a commit status or a check run; and that a refusal fails nothing."""

import os
import subprocess

from harness import *

base = folder()
SLIPWAY = os.path.abspath(os.path.join(BUILD, "slipway"))
gateway = free_port()
repo = Repo(os.path.join(base, "repo"))
github = github_api()
github.repository("acme/shop", repo.path)
github.token("ghs_all", {"deployments": "write", "statuses": "write", "checks": "write", "contents": "read"}, kind="installation")
github.token("ghs_read", {"contents": "read"}, kind="installation")
runs = 0


def deploy(version, report, token="ghs_all", more=""):
    global runs
    runs += 1
    commit = repo.commit(app(version, f"http://shop.localhost:{gateway}", more=more))
    environment = {
        "PATH": os.environ["PATH"], "HOME": base, "XDG_STATE_HOME": base + "/state", "GITHUB_API_URL": github.url,
        "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": str(1000 + runs),
        "GITHUB_RUN_ATTEMPT": "1", "GITHUB_SHA": commit, "GITHUB_EVENT_NAME": "push", "INPUT_CONFIG": repo.path + "/slipway.yml",
        "INPUT_TOKEN": token, "INPUT_REPORT": report}
    done = subprocess.run([SLIPWAY, "action"], cwd=repo.path, env=environment, text=True, check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    return commit, done.returncode, done.stdout


def deployment(commit):
    return [[s["state"] for s in github.statuses[d["id"]]] for d in github.deployments if d["sha"] == commit]


try:
    commit, status, said = deploy("one", "statuses")
    same(status, 0, "deployed", said)
    same(deployment(commit), [["in_progress", "success"]], "GitHub has the deployment and how it went")
    marks = github.commit_statuses.get(commit, [])
    same([(m["context"], m["state"]) for m in marks],
         [("slipway/shop/production", "pending"), ("slipway/shop/production", "success")], "and the commit its status")
    ok(marks and all(m["target_url"] == "https://github.com/acme/shop/actions/runs/1001" for m in marks), "which leads to the job", marks)

    commit, status, said = deploy("two", "checks", more="test: {run: [sh, -c, 'echo not `good` today; exit 1']}")
    same(status, 1, "one whose test fails", said)
    same(deployment(commit), [["in_progress", "failure"]], "is a failed deployment")
    (check,) = [c for c in github.checks if c["head_sha"] == commit]
    same((check["name"], check["status"], check["conclusion"]), ("slipway / shop / production", "completed", "failure"),
         "and one check run, which was begun and ended", check)
    has(check["output"]["summary"], "test", "its summary says where it stopped")

    commit, status, said = deploy("three", "none")
    same((status, deployment(commit), github.commit_statuses.get(commit)), (0, [], None), "none: nothing is told", said)

    for report, permission in (("statuses", "statuses: write"), ("checks", "checks: write")):
        commit, status, said = deploy("four" + report, report, token="ghs_read")
        same((status, deployment(commit)), (0, []), f"a token that may not fails nothing ({report})", said)
        has(said, permission, "and the log says which permission is missing")

    commit, status, said = deploy("five", "loud")
    same(status, 2, "another word is a mistake", said)
    has(said, "loud", "that is named")
    same(github.wrong, [], "all of it fits GitHub's own description")
finally:
    subprocess.run([SLIPWAY, "down"], env={"PATH": os.environ["PATH"], "HOME": base, "XDG_STATE_HOME": base + "/state"}, check=False,
                   stdout=subprocess.DEVNULL)
done()
