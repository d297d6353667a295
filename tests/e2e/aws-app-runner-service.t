#!/usr/bin/python3
"""Target app-runner from slipwayd: a push goes live; workers that are killed never ask AWS for the same thing twice."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
sys.path.append("tests/clouds/aws")
import harness as h
import standin

if standin.absent():
    h.skip_all(standin.absent())

aws = standin.Aws(urls="loopback", images="any")
aws.fault("DescribeImages", "denied", times=0)
os.environ.update(aws.env())
repo = h.Repo(os.path.join(h.folder(), "shop"))
service = h.Service({"acme/shop": repo})


def version(number):
    """A commit that deploys image :vNUMBER."""
    return repo.commit({"slipway.yml": json.dumps({"version": 1, "services": {"shop": {
        "health": {"path": "/", "timeout": "5s", "settle": "0s"}, "environments": {"production": {
            "target": "app-runner", "service-name": "shop", "image": f"{standin.ECR}/shop:v{number}",
            "access-role": standin.ROLE + "AppRunnerECRAccessRole"}}}}})})


def image():
    return aws.state()["apprunner"][0]["config"]["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"]


def done(operation):
    return [r for r in aws.requests(operation) if r["status"] == 200]


service.start()
before = version(1)
deployment = service.deploy("acme/shop", before)
h.same(deployment["state"], "succeeded", "a push: the service is made", deployment)
h.ok(deployment["url"] and image().endswith("shop:v1"), "it has its URL, and our image", deployment)

# Killed at different moments of the same wait.
for number, operation, seconds in ((2, "ListOperations", 0), (3, "UpdateService", 0), (4, "UpdateService", 0.3),
                                   (5, "DescribeService", 0)):
    aws.outcome(op="UPDATE_SERVICE", seconds=1.5)
    asked, updates = len(aws.requests(operation)), len(done("UpdateService"))
    after = version(number)
    service.push("acme/shop", after, before)
    h.until(lambda: len(aws.requests(operation)) > asked, 20, 0.005)
    time.sleep(seconds)
    h.ok(service.kill("worker-1"), f"the worker is killed {seconds} s after {operation}")
    found = h.until(lambda: image().endswith(f"v{number}") and next(
        (d for d in service.api("GET", "/v1/deployments?limit=1", token=service.token)[1]["deployments"]
         if d["commit"] == after and d["state"] not in ("queued", "running")), None), 60, 0.2)
    h.ok(found and found["state"] == "succeeded", "another goes on, and it is live", found, service.log_text()[-1500:])
    h.same(len(done("UpdateService")) - updates, 1, "AWS was asked once")
    h.ok(not aws.requests("StartDeployment"), "and for nothing else")
    before = after

# The app's own failure: back, by the service.
aws.do({"app": {"service": "shop", "status": 500, "times": 0}})
deployment = service.deploy("acme/shop", version(6), before)
h.same((deployment["state"], image()), ("rolled_back", f"{standin.ECR}/shop:v5"), "a version that answers wrong: back", deployment)
h.same(aws.wrong(), [], "the stand-in made no mistake")
h.done()
