#!/usr/bin/python3
"""Target ecs-express with an image that is built here: to ECR, live by its digest, and back."""
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
name = f"slipway-test/express-{os.getpid()}"
app = App(aws, "ecs-express", {"service-name": "shop", "repository": name, "execution-role":
                               standin.ROLE + "ecsTaskExecutionRole", "infrastructure-role":
                               standin.ROLE + "ecsInfrastructure"}, build={"dockerfile": "Dockerfile"})
SHA = "123456789abcdef0123456789abcdef012345678"
made = set()


def content(text):
    os.makedirs(app.base + "/app", exist_ok=True)
    h.write(app.base + "/app/Dockerfile", "FROM scratch\nCOPY page /page\nCMD [\"/page\"]\n")
    h.write(app.base + "/app/page", text)


def docker(*words):
    return subprocess.run(["docker", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout


def deploy(*words, **more):
    run = app.deploy(*words, GITHUB_SHA=SHA, **more)
    made.update(docker("images", "-q", "--no-trunc", f"slipway/shop:{SHA[:12]}").split())
    return run


def image():
    return aws.state()["ecs"][0]["active"][0]["primaryContainer"]["image"]


content("express one")
run = deploy()
verdict(run, 0, "succeeded", "is live", "built, pushed to a repository that is made for it, and live")
digest = run.outputs.get("image-digest", "")
h.ok(re.fullmatch("sha256:[0-9a-f]{64}", digest), "the output is its digest", run.outputs)
h.same(image(), f"{standin.ECR}/{name}@{digest}", "and ECS is given that, which never means another image")

run = deploy()
verdict(run, 0, "succeeded", "deploying it anew", "the same commit again: the same image, deployed anew")

content("express two")
aws.do({"app": {"status": 500, "times": 0, "service": "shop"}})
run = deploy()
verdict(run, 1, "rolled_back", "answered 500", "the same commit built to another image, which answers wrong")
h.same((image(), run.outputs.get("rolled-back")), (f"{standin.ECR}/{name}@{digest}", "true"),
       "back to the old image, though its tag has moved")

aws.reset(urls="loopback")
content("express three")
run = deploy({"image-by-digest": False})
verdict(run, 0, "succeeded", "is live", "image-by-digest: false")
h.same(image(), f"{standin.ECR}/{name}:{SHA}", "by its tag, the commit")
content("express four")
aws.do({"app": {"status": 500, "times": 0, "service": "shop"}})
run = deploy({"image-by-digest": False})
verdict(run, 3, "failed", "may stand for the one that failed", "by its tag nobody can say what serves after going back")
h.same(aws.wrong(), [], "the stand-in made no mistake")
docker("rmi", "-f", *made)
h.done()
