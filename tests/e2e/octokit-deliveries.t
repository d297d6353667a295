#!/usr/bin/env python3
"""Every payload of @octokit/webhooks-examples, posted as JSON and as a form: what each is answered, and what becomes
of those that could deploy. Twice: while the repositories lack the payloads' commits, and with commits that are there."""
import json
import os
import re
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(__file__))
import harness as h

CORPUS = "tests/npm/node_modules/@octokit/webhooks-examples/api.github.com/index.json"
DEPLOYING = {"push", "release", "workflow_run", "deployment", "registry_package"}
# The commits that the payloads name, and the refs that they are on.
COMMITS = {
    "6113728f27ae82c7b1a177c8d03f9e96e0adf246", "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
    "3484a3fb816e0859fd6e1cea078d76385ff50625", "5779607b49aab1200488439f02372c57b4f75444",
    "6c62fb45fe66bfb1ea9a66abc38f6a0cc974292b",
}

DELETED = "simple-tag: the tag was deleted"
TAG = "tag simple-tag was pushed"
BRANCH = "pushed to master"
RELEASE = "release 0.0.1 was published"
ACTION = "0.0.1: only a release's publication deploys"
PRODUCTION = "a deployment of master to production was asked for"
PAGES = "a deployment of gh-pages to github-pages was asked for"
EVENT = "started by repository_dispatch, not by a push"
UNFINISHED = "the workflow has not completed"
PULL = "a pull request doesn't deploy by itself"
PING = "a ping: the webhook is set up"
ONCE = "is for this commit already"

# What must become of each example, in octokit's order: what its reason says, and the environment that it deploys to;
# ONCE: an example before it did that already. While the commit isn't there, only what names no commit deploys.
EXPECTED = {
    "push": [(TAG, "tags"), (DELETED, None), (DELETED, None), (DELETED, None), (BRANCH, "branches"), (BRANCH, ONCE),
             (DELETED, None)],
    "release": [(RELEASE, "releases"), *[(ACTION, None)] * 9, (RELEASE, ONCE), (RELEASE, ONCE), (ACTION, None)],
    "workflow_run": [(UNFINISHED, None), (EVENT, None), (EVENT, None), (UNFINISHED, None), (UNFINISHED, None)],
    "deployment": [(PRODUCTION, "production"), (PAGES, "github-pages"), (PRODUCTION, ONCE), (PRODUCTION, ONCE)],
    "registry_package": [("package shop:v1.4.0 was published", "packages")],
    "ping": [(PING, None)] * 4,
    "pull_request": [(PULL, None)] * 29,
}
ENVIRONMENTS = ["tags", "branches", "releases", "production", "github-pages", "packages", "workflows"]

if not os.path.isfile(CORPUS):
    h.skip_all("tests/npm/node_modules is absent: (cd tests/npm && npm ci)")

with open(CORPUS, encoding="utf-8") as f:
    examples = [(e["name"], i, x) for e in json.load(f) for i, x in enumerate(e["examples"])]
h.same(len(examples), 329, "octokit has 329 examples")
with open("tests/golden/registry_package.json", encoding="utf-8") as f:
    examples.append(("registry_package", 0, json.load(f)))

repo = h.Repo(os.path.join(h.folder(), "repo"))
head = repo.commit({
    "slipway.yml": "version: 1\nservices:\n  hello:\n    test: {run: [/bin/false]}\n    start: [/bin/true]\n"
    "    health: {path: /}\n    environments:\n"
    + "".join(f"      {e}: {{target: server, url: 'http://{e}.localhost:8080'}}\n" for e in ENVIRONMENTS),
    "README.md": "hello\n",
})
for name in ("master", "gh-pages"):
    repo.git("branch", name)
for name in ("0.0.1", "simple-tag"):
    repo.git("tag", name)

RULES = [
    {"on": "push", "branches": ["*"], "environment": "branches"},
    {"on": "push", "tags": ["*"], "environment": "tags"},
    {"on": "release", "environment": "releases"},
    {"on": "workflow_run", "environment": "workflows"},
    {"on": "deployment"},
    {"on": "registry_package", "environment": "packages"},
]
NAMES = ["Codertocat/Hello-World", "octo-org/octo-repo", "acme/shop"]


def rows(service, table="deliveries"):
    with sqlite3.connect(f"file:{service.data}/store/slipway.db?mode=ro", uri=True) as db:
        return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def spoilt(service, form, label):
    """The first example of each event, cut or unsigned or of another type: nothing of it stays."""
    before = rows(service)
    wrong = []
    for event, place, example in examples:
        if place > 0:
            continue
        body = json.dumps(example).encode()
        tries = (
            ("cut", 400, {"payload": body[:-1], "form": form}),
            ("unsigned", 401, {"payload": body, "form": form, "headers": {"X-Hub-Signature-256": None}}),
            ("of another secret", 401, {"payload": body, "form": form, "secret": "another"}),
            ("as text", 415, {"payload": body, "headers": {"Content-Type": "text/plain"}}),
        )
        for how, want, words in tries:
            status, text, _ = service.post(event, **words)
            if status != want:
                wrong.append(f"{event} {how}: {status}, expected {want}: {text}")
    h.same(wrong, [], f"{label}: each event cut is 400, unsigned 401, as text 415")
    h.same(rows(service), before, f"{label}: none of those is recorded")


def run(there, form):
    label = ("form" if form else "JSON") + (", commits there" if there else ", commits absent")
    service = h.Service({name: {"source": {"git": repo.path}, "deploy": RULES} for name in NAMES}).start()
    sent, wrong = [], []
    for event, place, example in examples:
        body = json.dumps(example, ensure_ascii=False, separators=(",", ":"))
        if there:
            body = re.sub("|".join(COMMITS), head, body)
        status, text, guid = service.post(event, body.encode(), form=form)
        want = 202 if event in DEPLOYING else 200
        if status != want or json.loads(text).get("delivery") != guid:
            wrong.append(f"{event} {place}: {status}, expected {want}: {text}")
        sent.append((event, place, guid, body))
    h.same(wrong, [], f"{label}: each of {len(sent)} is answered as documented")
    verdicts(service, sent, there, label)
    again(service, sent, form, label)
    spoilt(service, form, label)
    h.same(service.stop(), 0, f"{label}: it ends as it should")


def verdicts(service, sent, there, label):
    wrong = []
    for event, place, guid, _ in sent:
        got = service.delivery(guid) or {}
        if event in EXPECTED:
            verdict(service, event, place, got, there, label)
        elif (got.get("state"), got.get("reason")) != ("ignored", f"the event '{event}' doesn't deploy anything"):
            wrong.append(f"{event} {place}: {got}")
    h.same(wrong, [], f"{label}: all other events are ignored, and it says why")


def verdict(service, event, place, got, there, label):
    reason, environment = EXPECTED[event][place]
    parts = [reason]
    if environment and not there and event != "release":
        environment = None
        parts.append("there is no slipway.yml at ")
    elif environment == ONCE:
        environment = None
        parts.append(ONCE)
    elif environment:
        parts.append(f"{head[:12]}: hello to {environment}")
    made = [service.api("GET", f"/v1/deployments/{number}")[1] for number in got.get("deployments", [])]
    h.ok(got.get("state") == ("deployed" if environment else "ignored")
         and all(part in (got.get("reason") or "") for part in parts)
         and [(d["environment"], d["commit"]) for d in made] == ([(environment, head)] if environment else []),
         f"{label}: {event} {place}: {'; '.join(parts[:2])}", got, made)


def again(service, sent, form, label):
    deliveries, deployments = rows(service), rows(service, "deployments")
    statuses = {service.post(event, body.encode(), guid, form)[0] for event, _, guid, body in sent[::5]}
    h.same(statuses, {200}, f"{label}: delivered again, each is answered 200")
    h.same((rows(service), rows(service, "deployments")), (deliveries, deployments),
           f"{label}: delivered again, nothing is there twice")


def mended():
    """octokit's runs come from no push; one that does deploys, but not for another repository's code or a failure."""
    service = h.Service({name: {"source": {"git": repo.path}, "deploy": RULES} for name in NAMES}).start()
    text = json.dumps(next(x for event, place, x in examples if (event, place) == ("workflow_run", 1)))
    text = re.sub("|".join(COMMITS), head, text)
    for change, state, reason in (
        ({"head_repository": {"full_name": "mallory/octo-repo", "fork": True}}, "ignored", "another repository's code"),
        ({"conclusion": "failure"}, "ignored", "failure"),
        ({}, "deployed", "hello to workflows"),
        ({"run_attempt": 2}, "ignored", ONCE),
    ):
        example = json.loads(text)
        example["workflow_run"].update(event="push", **change)
        got = service.delivery(service.post("workflow_run", example)[2]) or {}
        h.ok(got.get("state") == state and reason in got.get("reason", ""),
             f"a workflow run for a push, {change or 'as it is'}: {state}: {reason}", got)


run(there=True, form=False)
run(there=True, form=True)
run(there=False, form=False)
mended()
h.done()
