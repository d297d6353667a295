#!/usr/bin/python3
"""Target app-runner with an image that is built here: to ECR, live, moved under its tag, and back."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
sys.path.append("tests/clouds/aws")
import harness as h
import standin

if standin.absent():
    h.skip_all(standin.absent())
if subprocess.run(["docker", "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
    h.skip_all("no Docker engine answers")
from deploying import App, verdict

aws = standin.Aws(urls="loopback")
name = f"slipway-test/shop-{os.getpid()}"
app = App(aws, "app-runner", {"service-name": "shop", "repository": name, "access-role":
                              standin.ROLE + "AppRunnerECRAccessRole"}, build={"dockerfile": "Dockerfile"})
SHA = "0123456789abcdef0123456789abcdef01234567"
SHOP = {"status": 500, "times": 0, "service": "shop"}


def content(text):
    folder = app.base + "/app"
    os.makedirs(folder, exist_ok=True)
    h.write(folder + "/Dockerfile", "FROM scratch\nCOPY page /page\nCMD [\"/page\"]\n")
    h.write(folder + "/page", text)


made = set()


def docker(*words):
    return subprocess.run(["docker", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout


def deploy(*words, **more):
    run = app.deploy(*words, GITHUB_SHA=SHA, **more)
    made.update(docker("images", "-q", "--no-trunc", f"slipway/shop:{SHA[:12]}").split())
    return run


def service():
    return aws.state()["apprunner"][0]


def image():
    return service()["config"]["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"]


content("one")
run = deploy()
verdict(run, 0, "succeeded", "is live", "built, pushed to a repository that is made for it, and live")
h.same(image(), f"{standin.ECR}/{name}:{SHA}", "by its tag, the commit")
digest = run.outputs.get("image-digest", "")
h.ok(re.fullmatch("sha256:[0-9a-f]{64}", digest) and run.outputs.get("image", "").endswith("@" + digest),
     "the outputs have its digest", run.outputs)

run = deploy()
verdict(run, 0, "succeeded", "deploying it anew", "the same commit again: the same image, deployed anew")
h.same(run.outputs.get("image-digest"), digest, "its digest is the same")

content("two")
aws.do({"app": SHOP})
run = deploy()
verdict(run, 1, "rolled_back", "answered 500", "the same commit built to another image, which answers wrong")
h.same(image(), f"{standin.ECR}/{name}@{digest}", "back to the old image, by the digest that the tag had before")

aws.reset(urls="loopback")
content("three")
run = deploy({"image-by-digest": True})
verdict(run, 0, "succeeded", "is live", "image-by-digest")
h.same(image(), f"{standin.ECR}/{name}@{run.outputs.get('image-digest')}", "by its digest")
h.same(aws.wrong(), [], "the stand-in made no mistake")
docker("rmi", "-f", *made)
h.done()
