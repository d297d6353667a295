#!/usr/bin/python3
"""A workflow job that is cancelled, or whose containers are killed, in every step of a deployment: the last good version serves, nothing is left.

The signals are the runner's: SIGINT, 7.5 s later SIGTERM, 2.5 s later SIGKILL. The action ends before SIGTERM, or its post step ends what it began.
"""

import threading
import time

import jobs
import harness as t

jobs.need("busybox", "nginx:stable")
place = jobs.Place()
HANGS = "trap '' INT TERM; echo now is the time; (trap '' INT TERM HUP; sleep 7.7031) & sleep 60.7031"
NEVER = '["sleep", "100"]'


class At:
    """Does something once a line of the log has some text in it, and notes when the post step began."""

    def __init__(self, text, do):
        self.text, self.do, self.when, self.post, self.runs = text, do, None, None, 0

    def __call__(self, _stage, line):
        if line.startswith("##[command]") and " run --name " in line:
            self.runs += 1
            self.post = time.monotonic() if self.runs == 2 else None
        if self.when is None and self.text in line:
            self.when = time.monotonic()
            threading.Thread(target=self.do, daemon=True).start()


def good(version):
    r = place.run(place.project(version))
    t.same((r.conclusion, place.page()), ("success", version), f"version {version} is deployed and serves", r.log)
    place.clean(r, version)


def stays(what, at, r, last, new):
    """The last good version serves, or the new one when the job says that it was too late."""
    act = r.step("slipway")
    try:
        post = r.step("slipway", "post")
    except StopIteration:
        t.ok(False, f"{what}: the post step ran", r.log)
        return last
    t.ok(at.when is not None, f"{what}: it came to that", r.log)
    t.same(post.conclusion, "success", f"{what}: the post step is green", r.log)
    state = act.outputs.get("state")
    live = new if state == "succeeded" else last
    t.same(place.page(), live, f"{what}: what serves is what is told ({state})", r.log)
    told = [a["message"] for a in r.annotations]
    t.ok(state == "succeeded" or any("cancel" in m or "not live" in m or "undone" in m for m in told), f"{what}: an annotation says so", told, r.log)
    place.clean(r, what)
    t.same([words for _, words in place.processes("60.7031") + place.processes("7.7031")], [], f"{what}: no process is left")
    return live


def cancelled(what, text, last, **project):
    new = "not " + what
    at = At(text, place.runner.cancel)
    r = place.run(place.project(new, **project), on_line=at)
    t.same(r.conclusion, "cancelled", f"{what}: cancelled")
    took = at.post - at.when if at.post and at.when else -1
    t.ok(0 <= took < 8, f"{what}: ended before the runner's SIGTERM", took, r.log)
    return stays(what, at, r, last, new)


good("one")
last = "one"
last = cancelled("fetch", "##[group]fetch", last)
last = cancelled("build", "in the build", last, dockerfile='RUN ["sh", "-c", "echo now in the build; sleep 60.7031"]')
last = cancelled("test", "now is the time", last, test=HANGS)
last = cancelled("release", "now is the time", last, release=HANGS)
last = cancelled("publish", "##[group]publish", last, start=NEVER)
last = cancelled("publish of one that listens", "##[group]publish", last)
last = cancelled("shift", "##[group]shift", last)
last = cancelled("verify", "##[group]verify", last)


def killed(what, text, last, **project):
    """Its containers are killed: the machine ran out of memory, or somebody was in a hurry."""
    new = "not " + what

    def kill():
        ids = jobs.docker("ps", "-q", "--filter", f"label={place.runner.label}").split()
        ids += jobs.docker("ps", "-q", "--filter", f"label=slipway.sibling={place.runner.job.contexts['github']['run_id']}.deploy").split()
        jobs.docker("kill", "-s", "KILL", *ids)

    at = At(text, kill)
    r = place.run(place.project(new, **project), on_line=at)
    t.same(r.conclusion, "failure", f"{what}: the job is red")
    act = r.step("slipway")
    t.ok(act.code != 0, f"{what}: and so is the step", act.code)
    page = place.page()
    t.ok(page in (last, new), f"{what}: some version serves", page, r.log)
    t.same(r.step("slipway", "post").conclusion, "success", f"{what}: the post step is green", r.log)
    place.clean(r, what)
    return page


last = killed("killed in a test", "now is the time", last, test=HANGS)
last = killed("killed in publish", "##[group]publish", last, start=NEVER)
last = killed("killed in shift", "##[group]shift", last)
good("two")
t.done()
