#!/usr/bin/python3
"""Target app-runner against the AWS stand-ins: every ending with its exit code and state."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))
sys.path.append("tests/clouds/aws")
import harness as h
import standin

if standin.absent():
    h.skip_all(standin.absent())
from deploying import IMAGE, OLD, App, lanes, verdict

ACCESS = standin.ROLE + "AppRunnerECRAccessRole"
SHOP = {"seed": {"name": "shop"}}


def world(aws, *actions, **settings):
    """The app, in a new world in which every image is there (where ECR may not be asked it is believed)."""
    aws.reset(urls="loopback", images="any", **settings)
    aws.fault("DescribeImages", "denied", times=0)
    if actions:
        aws.do(*actions)
    return App(aws, "app-runner", {"service-name": "shop", "image": IMAGE, "access-role": ACCESS})


# (row of the page's table, what AWS does, settings, exit, state, what is said)
ENDINGS = [
    ("created", [], {}, 0, "succeeded", "is live"),
    ("create failed", [{"outcome": {"end": "FAILED", "events": ["exec format error"]}}], {}, 1, "failed",
     "CREATE_SERVICE) has failed"),
    ("updated", [SHOP], {}, 0, "succeeded", "is live"),
    ("rolled back by App Runner", [SHOP, {"outcome": {"end": "ROLLBACK_SUCCEEDED", "app_log": ["no such module"]}}], {},
     1, "rolled_back", "went back to the version before"),
    ("its rollback failed too", [SHOP, {"outcome": {"end": "ROLLBACK_FAILED"}}], {}, 3, "failed", "couldn't go back"),
    ("update failed", [SHOP, {"outcome": {"end": "FAILED"}}], {}, 1, "rolled_back", "has failed"),
    ("stuck", [SHOP, {"outcome": {"end": "stall"}}], {"wait-timeout": "2s"}, 3, "failed", "only AWS Support can end"),
    ("superseded by another operation", [SHOP, {"outcome": {"end": "SUCCEEDED", "then": [
        {"elsewhere": {"service": "shop", "image": OLD + "2"}}]}}], {}, 5, "superseded", "superseded by operation"),
    ("paused", [{"seed": {"name": "shop", "status": "PAUSED"}}], {}, 0, "succeeded", "resuming it first"),
    ("paused, and on-paused: fail", [{"seed": {"name": "shop", "status": "PAUSED"}}], {"on-paused": "fail"}, 1, "failed",
     "on-paused"),
    ("busy, then free", [SHOP, {"elsewhere": {"service": "shop", "image": OLD + "2", "polls": 3}}], {}, 0, "succeeded",
     "the service is busy"),
    ("busy, and on-busy: fail", [SHOP, {"elsewhere": {"service": "shop", "seconds": 60}}], {"on-busy": "fail"}, 1,
     "failed", "on-busy is 'fail'"),
    ("busy all the time", [SHOP, {"elsewhere": {"service": "shop", "end": "stall"}}], {"busy-timeout": "2s"}, 1, "failed",
     "was busy for 2 s"),
    ("paused meanwhile", [SHOP, {"outcome": {"status": "PAUSED"}}], {}, 1, "failed", "is PAUSED by now"),
    ("deleted meanwhile", [SHOP, {"fault": {"op": "ListOperations", "skip": 2, "then": [{"remove": "shop"}]}}], {}, 1,
     "failed", "deleted by somebody else"),
    ("throttled throughout, before", [SHOP, {"fault": {"op": "ListServices", "kind": "throttled", "times": 0}}], {}, 1,
     "failed", "ThrottlingException"),
    ("throttled throughout, while waiting", [SHOP, {"fault": {"op": "ListOperations", "skip": 1, "kind": "throttled",
                                                            "times": 0}}], {"wait-timeout": "3s"}, 3, "failed",
     "goes on"),
    ("the end of a CREATE_FAILED", [{"seed": {"name": "shop", "status": "CREATE_FAILED"}}], {}, 0, "succeeded",
     "rebuilding it, which keeps its URL"),
    ("rebuilt, failed again", [{"seed": {"name": "shop", "status": "CREATE_FAILED"}}, {"outcome": {"end": "FAILED"}}], {},
     1, "failed", "CREATE_FAILED"),
    ("DELETE_FAILED", [{"seed": {"name": "shop", "status": "DELETE_FAILED"}}], {}, 1, "failed", "DELETE_FAILED"),
    ("logs absent", [{"outcome": {"end": "FAILED", "logs": False}}], {}, 1, "failed", "no log was written"),
    ("nothing has changed", [{"seed": {"name": "shop", "image": IMAGE}}], {}, 0, "succeeded", "deploying it anew"),
    ("nothing has changed, skip-if-unchanged", [{"seed": {"name": "shop", "image": IMAGE}}], {"skip-if-unchanged": True}, 0,
     "succeeded", "nothing to do"),
    ("closed to new customers", [{"set": {"closed": True}}], {}, 1, "failed", "target: ecs-express"),
    ("access denied", [{"fault": {"op": "CreateService", "kind": "passrole"}}], {}, 1, "failed", "iam:PassRole"),
    ("went live, but answers wrong", [SHOP, {"app": {"service": "shop", "status": 500, "times": 0}}], {}, 1, "rolled_back",
     "answered 500"),
    ("first version, answers wrong", [{"fault": {"op": "CreateService", "then": [
        {"app": {"service": "shop", "status": 500, "times": 0}}]}}], {}, 1, "rolled_back", "pausing the service"),
    ("settings wrong", [], {"cpu": "1", "memory": "12 GB"}, 2, "failed", "expected 0.25 vCPU with"),
]


def ending(row, actions, settings, status, state, text):
    def one(aws):
        run = world(aws, *actions).deploy(settings)
        verdict(run, status, state, text, f"aws verdict: {row} (app-runner)")
    one.__name__ = row
    return one


def page():
    """The rows of docs/targets/app-runner.md: (ending, exit, state)."""
    with open(os.path.join(h.TOP, "docs/targets/app-runner.md"), encoding="utf-8") as f:
        table = f.read().partition("<!-- endings:")[2].partition("<!-- end of endings")[0]
    return [(r[0], int(r[1]), r[2]) for r in re.findall(r"^\| ([^|]+) \| (\d) \| (\w+) \|", table, re.M)]


def plan(aws):
    """plan reads only, and shows the difference."""
    app = world(aws, SHOP)
    for want, settings in (("update service", {"port": 3000, "ingress": "private"}), ("do nothing", {
            "image": OLD, "skip-if-unchanged": True}), ("create it", {"service-name": "other"})):
        run = app.plan(settings)
        h.ok(run.status == 0 and want in run.text, f"plan: {want} (app-runner)", run)
        h.ok(all(c.startswith(("List", "Describe", "Get")) for c in run.calls), "plan reads only (app-runner)", run)
        if "port" in settings:
            h.ok(f"image: {OLD} -> {IMAGE}" in run.text and "port: 8080 -> 3000" in run.text
                 and "ingress.public: true -> false" in run.text, "plan: what is live, what would be (app-runner)", run)
    for status, want in (("PAUSED", "resume it"), ("CREATE_FAILED", "rebuild it"), ("DELETE_FAILED", "in the way")):
        run = world(aws, {"seed": {"name": "shop", "status": status}}).plan()
        h.ok(run.status == 0 and want in run.text, f"plan of a service that is {status} (app-runner)", run)


h.same(page(), [(e[0], e[3], e[4]) for e in ENDINGS], "the page has these endings")
h.ok(len(ENDINGS) >= 20, "at least 20 of them")
lanes([plan, *[ending(*row) for row in ENDINGS]])
h.done()
