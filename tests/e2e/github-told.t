#!/usr/bin/env python3
"""GitHub is told about deployments: an App's login, deployments, statuses, checks; nothing twice and nothing lost.

GitHub is the stand-in, which holds every request against GitHub's own description where npm's @octokit/openapi is there.
"""

import json
import os
import subprocess

from harness import *

base = folder()
key = os.path.join(base, "app.pem")
subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "2048"], check=True, stderr=subprocess.DEVNULL)
subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", key + ".pub"], check=True, stderr=subprocess.DEVNULL)
os.chmod(key, 0o600)
gateway = free_port()
url = f"http://shop.localhost:{gateway}"
repo = Repo(os.path.join(base, "repo"))
github = github_api()
github.repository("acme/shop", repo.path)
github.app("Iv1.slipway", key + ".pub")
service = Service(
    {"acme/shop": {"source": "github",
                   "deploy": [{"on": "push", "branches": ["main"], "environment": "production"},
                              {"on": "deployment", "environment": "production"}]}},
    more=f"url: https://deploy.example/\ngithub: {{api: '{github.url}', app: {{id: Iv1.slipway, key: {{file: app.pem}}}},"
         " report: [deployments, statuses, checks], deliveries: none}\n",
    base=base,
).start()


def states(deployment):
    return [status["state"] for status in github.statuses[deployment["id"]]]


def told(count, state, seconds=40):
    """Until so many deployments are known and the last is in that state."""
    return until(lambda: len(github.deployments) == count and states(github.deployments[-1])[-1:] == [state], seconds)


def no_twice(name):
    for deployment in github.deployments:
        seen = [(s["state"], s["description"]) for s in github.statuses[deployment["id"]]]
        same(len(seen), len(set(seen)), f"{name}: no status of {deployment['payload']} twice", seen)
    for sha, statuses in github.commit_statuses.items():
        seen = [(s["context"], s["state"]) for s in statuses]
        same(len(seen), len(set(seen)), f"{name}: no commit status twice", seen)
    keys = [d["payload"]["slipway"]["key"] for d in github.deployments if "slipway" in d["payload"]]
    same(len(keys), len(set(keys)), f"{name}: no deployment twice", keys)
    marks = [c["external_id"] for c in github.checks]
    same(len(marks), len(set(marks)), f"{name}: no check run twice", marks)


ok("courier" in service.roles(), "the courier is a process of its own")

# --- one that succeeds, with trouble on the way ---
github.fault(r"POST .*/deployments$", status=502, after=True)  # it is there, and we don't know
github.fault(r"POST .*/deployments/\d+/statuses$", cut=True, after=True)
github.fault(r"POST .*/statuses/\w+$", status=403, headers={"Retry-After": "1"}, body={"message": "You have exceeded a secondary rate limit"})
github.fault(r"POST .*/check-runs$", status=500, body={"message": "oops"})
one = repo.commit(app("one", url, start_seconds=4))
deployed = service.deploy("acme/shop", one)
same(deployed.get("state"), "succeeded", "deployed, whatever GitHub says", deployed, service.log_text()[-3000:])
ok(told(1, "success"), "GitHub knows that it is live", github.deployments, github.statuses, service.log_text()[-3000:])
first = github.deployments[0]
same((first["sha"], first["environment"], first["payload"]["slipway"]["service"]), (one, "production", "shop"), "which commit, and where to")
ok(states(first)[0] == "in_progress", "that it was under way", states(first))
last = github.statuses[first["id"]][-1]
same((last["environment_url"], last["log_url"]), (url, f"https://deploy.example/v1/deployments/{deployed['id']}/log"), "its URL and its log")
ok(until(lambda: [c["conclusion"] for c in github.checks] == ["success"], 20), "a check run says so too", github.checks)
has(github.checks[0]["output"]["summary"], one, "with a summary")
same([(s["context"], s["state"]) for s in github.commit_statuses[one]][-1], ("slipway/production/shop", "success"), "and the commit's status")
posts = [c[0] for c in github.calls if c[1] in ("POST", "PATCH") and "access_tokens" not in c[2] and c[3] in (200, 201)]
ok(len(posts) >= 3 and min(b - a for a, b in zip(posts, posts[1:])) > 0.9, "changes come one a second", posts)
no_twice("with lost answers")

# --- one that fails, while everything is killed again and again ---
two = repo.commit(app("two", url, health="{path: /healthz, timeout: 4s, settle: 1s}", never_listens=True))
_, _, guid = service.push("acme/shop", two, one)
number = service.delivery(guid)["deployments"][0]
number = number["id"] if isinstance(number, dict) else number
kills = 0
for i in range(9):
    if service.kill("courier"):
        kills += 1
    time.sleep(0.35 + (i % 4) * 0.3)
ok(kills >= 4, f"the courier was killed {kills} times")
failed = service.deployment(number)
same(failed["state"], "failed", "the deployment doesn't notice", failed)
service.kill_all()
service.start()
ok(told(2, "failure", 60), "GitHub hears of the end after that", github.deployments, github.statuses, service.log_text()[-3000:])
has(github.statuses[github.deployments[-1]["id"]][-1]["description"], "Failed: publish: not healthy", "and why")
ok(until(lambda: [c["conclusion"] for c in github.checks] == ["success", "failure"], 30), "the check run has failed", github.checks)
same(github.commit_statuses[two][-1]["state"], "failure", "and the commit")
same(states(first)[-1], "success", "what is live stays so")
no_twice("killed")

# --- GitHub is away for a while ---
away = github.fault(r".* .*/(deployments|statuses|check-runs).*", times=10**6, status=503, body={"message": "unicorn"})
three = repo.commit(app("three", url))
deployed = service.deploy("acme/shop", three, two)
same(deployed.get("state"), "succeeded", "deployed without GitHub", deployed)
same(len(github.deployments), 2, "which knows nothing yet")
away["times"] = 0
ok(told(3, "success", 60), "and hears of it when it is back", github.statuses, service.log_text()[-2000:])
ok(until(lambda: states(first)[-1] == "inactive", 20), "what was live before it is inactive now", states(first))
no_twice("away")

# --- a deployment that GitHub asked for ---
asked = {"id": 5555, "repository": "acme/shop", "sha": repo.commit(app("four", url)), "ref": "main", "task": "deploy",
         "environment": "production", "payload": {}, "description": None, "transient_environment": False,
         "production_environment": True, "creator": "someone", "created_at": "2026-11-24T13:45:00Z", "updated_at": "2026-11-24T13:45:00Z"}
github.deployments.append(asked)
github.statuses[5555] = []
service.post("deployment", {"action": "created", "repository": {"full_name": "acme/shop"}, "deployment": {
    k: asked[k] for k in ("id", "sha", "ref", "task", "environment", "payload")}})
ok(until(lambda: states(asked)[-1:] == ["success"], 60), "one that GitHub asked for is told there", states(asked), service.log_text()[-2000:])
same(len(github.deployments), 4, "and no second one is made")

same(github.wrong, [], "every request and every answer fit GitHub's description")
text = service.log_text()
ok("ghs_1_" not in text and "BEGIN RSA" not in text, "no credential in the log")
pid = service.roles()["courier"]
with open(f"/proc/{pid}/environ", "rb") as f:
    ok(b"ghs_" not in f.read(), "nor in its environment")
same([os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd") if "TCP" in os.readlink(f"/proc/{pid}/fd/{n}")], [], "it has no port")
same(service.stop(), 0, "slipwayd ends in order")
done()
