#!/usr/bin/python3
"""Target ecs-express against the AWS stand-ins: every ending with its exit code and state."""
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

SETTINGS = {"service-name": "shop", "image": IMAGE, "execution-role": standin.ROLE + "ecsTaskExecutionRole",
            "infrastructure-role": standin.ROLE + "ecsInfrastructure"}
SHOP = {"ecs-seed": {"name": "shop"}}
ROLLED = {"ecs-outcome": {"end": "ROLLBACK_SUCCESSFUL", "reason": "Tasks failed to start: exec format error",
                          "app_log": ["no such module: shop"]}}


def world(aws, *actions, **settings):
    """The app, in a new world in which every image is there (where ECR may not be asked it is believed)."""
    aws.reset(urls="loopback", images="any", **settings)
    aws.fault("DescribeImages", "denied", times=0)
    if actions:
        aws.do(*actions)
    return App(aws, "ecs-express", SETTINGS)


# (row of the page's table, what AWS does, settings, exit, state, what is said)
ENDINGS = [
    ("created", [], {}, 0, "succeeded", "is live"),
    ("created, private", [], {"subnets": ["subnet-private1"]}, 0, "succeeded", "the service is private"),
    ("create failed", [{"ecs-outcome": {"end": "ROLLBACK_FAILED", "reason": "exec format error"}}], {}, 1, "failed",
     "couldn't deploy the service's first version"),
    ("create failed, rolled back to nothing", [ROLLED], {}, 1, "failed", "no such module: shop"),
    ("updated", [SHOP], {}, 0, "succeeded", "is live"),
    ("rolled back by ECS", [SHOP, ROLLED], {}, 1, "rolled_back", "went back to the version before"),
    ("its rollback failed too", [SHOP, {"ecs-outcome": {"end": "ROLLBACK_FAILED"}}], {}, 3, "failed", "couldn't go back"),
    ("stopped by somebody", [SHOP, {"ecs-outcome": {"end": "STOPPED"}}], {}, 1, "rolled_back",
     "somebody stopped deployment"),
    ("stuck", [SHOP, {"ecs-outcome": {"end": "stall"}}], {"wait-timeout": "2s"}, 3, "failed", "it goes on without us"),
    ("stuck on its way back", [SHOP, {"ecs-outcome": {"end": "stall-rollback"}}], {"wait-timeout": "3s"}, 3, "failed",
     "ROLLBACK_IN_PROGRESS"),
    ("a state that is new", [SHOP, {"fault": {"op": "DescribeServiceDeployments", "times": 0, "patch": {
        "serviceDeployments": [{"status": "SHINY"}]}}}], {"wait-timeout": "2s"}, 3, "failed", "'SHINY', which is new to Slipway"),
    ("superseded while under way", [SHOP, {"fault": {"op": "DescribeServiceDeployments", "then": [
        {"ecs-elsewhere": {"service": "shop", "image": OLD + "2"}}]}}], {}, 5, "superseded", "superseded by deployment"),
    ("superseded after it was successful", [SHOP, {"ecs-outcome": {"end": "SUCCESSFUL", "then": [
        {"ecs-elsewhere": {"service": "shop", "image": OLD + "2", "polls": 0}}]}}], {}, 5,
     "superseded", "superseded by deployment"),
    ("busy, then free", [SHOP, {"ecs-elsewhere": {"service": "shop", "image": OLD + "2", "polls": 3}}], {}, 0, "succeeded",
     "the service is busy"),
    ("busy, and on-busy: fail", [SHOP, {"ecs-elsewhere": {"service": "shop", "image": OLD + "2", "seconds": 60}}],
     {"on-busy": "fail"}, 1, "failed", "on-busy is 'fail'"),
    ("busy all the time", [SHOP, {"ecs-elsewhere": {"service": "shop", "image": OLD + "2", "end": "stall"}}],
     {"busy-timeout": "2s"}, 1, "failed", "was busy for 2 s"),
    ("being deleted, then made anew", [{"ecs-seed": {"name": "shop", "status": "DRAINING"}}], {}, 0, "succeeded",
     "it is being deleted"),
    ("deleted long ago", [{"ecs-seed": {"name": "shop", "status": "INACTIVE"}}], {}, 0, "succeeded", "creating service"),
    ("deleted meanwhile", [SHOP, {"fault": {"op": "DescribeServiceDeployments", "skip": 1, "then": [{"remove": "shop"}]}}],
     {}, 1, "failed", "deleted by somebody else"),
    ("throttled throughout, before", [SHOP, {"fault": {"op": "DescribeExpressGatewayService", "kind": "throttled",
                                                      "times": 0}}], {}, 1, "failed", "ThrottlingException"),
    ("throttled throughout, while waiting", [SHOP, {"fault": {"op": "DescribeServiceDeployments", "skip": 1,
                                                             "kind": "throttled", "times": 0}}],
     {"wait-timeout": "3s"}, 3, "failed", "goes on"),
    ("logs absent", [{"ecs-outcome": {"end": "ROLLBACK_FAILED", "logs": False}}], {}, 1, "failed", "no log was written"),
    ("nothing has changed", [], {"image": OLD}, 0, "succeeded", "deploying it anew"),
    ("nothing has changed, skip-if-unchanged", [], {"image": OLD, "skip-if-unchanged": True}, 0, "succeeded",
     "nothing to do"),
    ("access denied", [{"fault": {"op": "CreateExpressGatewayService", "kind": "passrole"}}], {}, 1, "failed",
     "allow iam:PassRole"),
    ("no such cluster", [], {"cluster": "other"}, 1, "failed", "make the cluster first"),
    ("went live, but answers wrong", [SHOP, {"app": {"service": "shop", "status": 500, "times": 0}}], {}, 1, "rolled_back",
     "answered 500"),
    ("first version, answers wrong", [{"fault": {"op": "CreateExpressGatewayService", "then": [
        {"app": {"service": "shop", "status": 500, "times": 0}}]}}], {}, 1, "rolled_back",
     "deleting the service that we made"),
    ("settings wrong", [], {"cpu": "1", "memory": "12 GB"}, 2, "failed", "expected 0.25 vCPU with"),
]


def ending(row, actions, settings, status, state, text):
    def one(aws):
        app = world(aws, *actions)
        if row.startswith("nothing has changed"):
            app.deploy({"image": OLD})
        verdict(app.deploy(settings), status, state, text, f"aws verdict: {row} (ecs-express)")
    one.__name__ = row
    return one


def page():
    """The rows of docs/targets/ecs-express.md: (ending, exit, state)."""
    with open(os.path.join(h.TOP, "docs/targets/ecs-express.md"), encoding="utf-8") as f:
        table = f.read().partition("<!-- endings:")[2].partition("<!-- end of endings")[0]
    return [(r[0], int(r[1]), r[2]) for r in re.findall(r"^\| ([^|]+) \| (\d) \| (\w+) \|", table, re.M)]


h.same(page(), [(e[0], e[3], e[4]) for e in ENDINGS], "the page has these endings")
h.ok(len(ENDINGS) >= 20, "at least 20 of them")
lanes([ending(*row) for row in ENDINGS])
h.done()
