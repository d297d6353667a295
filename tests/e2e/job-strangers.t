#!/usr/bin/python3
"""Pull requests from forks and pull_request_target don't deploy: nothing of theirs is built, the job is red and says why."""

import html
import os

import jobs
import harness as t

jobs.need("busybox", "nginx:stable")
place = jobs.Place()
MARK = "built by a stranger"


def pull(home):
    """A pull request's payload; its head lies in that repository, or in a fork that was deleted."""
    return {"action": "opened", "number": 7, "repository": {"full_name": "acme/shop", "default_branch": "main"},
            "pull_request": {"number": 7, "head": {"ref": "x", "repo": {"full_name": home} if home else None},
                             "base": {"ref": "main", "sha": "1" * 40, "repo": {"full_name": "acme/shop"}}}}


def run(event, payload, version="new", **inputs):
    source = place.project(version, dockerfile=f'RUN echo "{MARK}"')
    workflow = place.workflow(on=event, inputs="".join(f", {k.replace('_', '-')}: {v}" for k, v in inputs.items()))
    return place.run(source, workflow, event=event, payload=payload, ref="refs/pull/7/merge")


for what, event, payload, why in [
    ("a fork's pull request", "pull_request", pull("eve/shop"), "a pull request from the fork eve/shop"),
    ("a deleted fork's", "pull_request", pull(None), "from the fork (deleted)"),
    ("pull_request_target of a fork", "pull_request_target", pull("eve/shop"), "a pull request from the fork eve/shop"),
    ("pull_request_target of our own", "pull_request_target", pull("acme/shop"), "pull_request_target"),
    ("a run that a fork set off", "workflow_run", {"workflow_run": {"head_repository": {"full_name": "eve/shop"}}}, "from the fork eve/shop"),
    ("a review of a fork's", "pull_request_review", pull("eve/shop"), "from the fork eve/shop"),
]:
    r = run(event, payload)
    act = r.step("slipway")
    t.same((r.conclusion, act.code, act.outputs.get("state")), ("failure", 2, "failed"), f"{what}: refused with status 2", r.log[-3000:])
    t.ok(any(why in a["message"] for a in jobs.kinds(act.annotations)), f"{what}: an annotation says what it is", act.annotations)
    t.ok(why in html.unescape(act.summary) and "allow-forks" in act.summary, f"{what}: the summary too, and what to do", act.summary)
    t.ok(MARK not in r.log and not os.path.exists(place.data) and not place.apps(), f"{what}: nothing is built, nothing is touched", r.log[-3000:])
    place.clean(r, what)

# The project file is then the base's, which has to be read: without a token nothing happens either.
r = run("pull_request", pull("eve/shop"), allow_forks="true")
t.same((r.conclusion, r.step("slipway").code), ("failure", 2), "allowed, without a token: the base's project file can't be read", r.log[-3000:])
t.has(r.step("slipway").summary, "token", "and the summary says what is missing")
t.ok(MARK not in r.log and not os.path.exists(place.data), "nothing of the fork's is built")

r = run("pull_request", pull("acme/shop"), "one")
t.same((r.conclusion, place.page()), ("success", "one"), "a pull request of the repository's own deploys", r.log[-3000:])
place.clean(r, "own")
t.done()
