#!/usr/bin/python3
"""Images in ECR: published through the engine and straight, and found; against the stand-ins for AWS."""
import base64
import json
import os
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.dirname(__file__))
sys.path += ["tests/clouds/aws", "tests/clouds"]
import harness as h
import standin

if standin.absent():
    h.skip_all(standin.absent())
if subprocess.run(["docker", "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode != 0:
    h.skip_all("no Docker engine answers")

TOOL = os.path.join(h.BUILD, "tests/tools/aws_image")
aws = standin.Aws()
data = h.folder()
mark = uuid.uuid4().hex[:12]
names = []


def docker(*words, **more):
    return subprocess.run(["docker", *words], check=True, stdout=subprocess.PIPE, text=True, **more).stdout.strip()


def build(name, text, platform=None):
    """An image of one file, named; its id."""
    folder = h.folder()
    h.write(f"{folder}/Dockerfile", f"FROM scratch\nCOPY text /text\nLABEL mark={mark}\n")
    h.write(f"{folder}/text", text)
    tag = f"slipway-aws-image-{mark}:{name}"
    names.append(tag)
    extra = ["--platform", platform] if platform else []
    docker("build", "-q", *extra, "-t", tag, folder, env={**os.environ, "DOCKER_BUILDKIT": "0"}, stderr=subprocess.DEVNULL)
    return docker("inspect", "-f", "{{.Id}}", tag)


def run(do="publish", env=None, **what):
    what = {"do": do, "data": data, **what}
    if do == "publish":
        what = {"repository": "acme/shop", "tag": "1a2b3c", **what}
    done = subprocess.run([TOOL, json.dumps(what)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          env={"PATH": "/usr/bin:/bin", **(env or aws.env())})
    return json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr, "kind": "crash"}


def tail():
    """What is to be seen of the images after each part: nothing of ours may stay in the engine."""
    left = docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
    return [name for name in left if name.startswith(aws.registry)]


try:
    one, two = build("one", "one"), build("two", "two")

    for straight in (False, True):
        way = "straight" if straight else "through the engine"
        aws.reset()
        told = run(image=one, straight=straight, tags=["app=shop"], scan=True)
        digest = told.get("digest")
        h.ok(told.get("created"), f"aws edge 50: the repository is made on demand ({way})", told)
        h.same(told.get("by_tag"), f"{standin.ECR}/acme/shop:1a2b3c", f"the name by tag ({way})", told)
        h.same(told.get("by_digest"), f"{standin.ECR}/acme/shop@{digest}", f"the name by digest ({way})")
        h.same([told.get("account"), told.get("region")], [standin.ACCOUNT, standin.REGION], f"account and region ({way})")
        found = run("find", reference=f"{standin.ECR}/acme/shop:1a2b3c")
        h.same(found.get("digest"), digest, f"the digest is what ECR has ({way})", found)
        h.ok("GetAuthorizationToken" in aws.calls() and "DescribeImages" in aws.calls(), f"asked ECR what it stored ({way})",
             aws.calls())
        created = aws.requests("CreateRepository")[0]["params"]
        h.same([created["imageTagMutability"], created["imageScanningConfiguration"], created["tags"]],
               ["MUTABLE", {"scanOnPush": True}, [{"Key": "app", "Value": "shop"}]], f"the new repository's options ({way})")
        again = run(image=one, straight=straight)
        h.ok(again.get("was_there") and again.get("digest") == digest, f"published again: it is there ({way})", again)
        h.ok(not again.get("created"), f"and the repository too ({way})")
        other = run(image=two, straight=straight)
        h.ok(other.get("digest") not in (None, digest), f"a mutable tag moves on ({way})", other)
        h.same(tail(), [], f"no name stays in the engine ({way})")
        password = [m for m in told.get("masked", []) if len(m) > 1000]
        h.ok(len(password) >= 2 and password[-1].endswith("+/="), f"token and password are masked ({way})",
             [len(m) for m in told.get("masked", [])])
        spoken = json.dumps([told["said"], told.get("error"), again["said"], other["said"]])
        h.ok(not any(p in spoken for p in password), f"aws edge 50: and said nowhere ({way})")
        h.ok("digest" in run(image=one, straight=straight, tag="other"), f"another tag ({way})")

    # --- tags that stay ---

    for straight in (False, True):
        way = "straight" if straight else "through the engine"
        aws.reset()
        told = run(image=one, immutable=True, straight=straight, repository=f"stay-{straight}".lower())
        h.same(aws.requests("CreateRepository")[0]["params"]["imageTagMutability"], "IMMUTABLE", f"an immutable repository ({way})")
        again = run(image=one, straight=straight, repository=f"stay-{straight}".lower())
        h.same(again.get("digest"), told.get("digest"), f"aws edge 50: the same image under an immutable tag ({way})", again)
        clash = run(image=two, straight=straight, repository=f"stay-{straight}".lower())
        h.same(clash.get("kind"), "conflict", f"aws edge 50: another image under an immutable tag ({way})", clash)
        h.same(tail(), [], f"no name stays after it ({way})")

    # --- the control operations ---

    aws.reset()
    aws.fault("CreateRepository", status=400, code="RepositoryAlreadyExistsException", effect=True, message="it exists", key="message")
    told = run(image=one, repository="race")
    h.ok("digest" in told and not told["created"], "aws edge 50: somebody else makes the repository at the same time", told)
    aws.fault("DescribeRepositories", "denied")
    told = run(image=one, repository="hidden")
    h.same(told.get("kind"), "auth", "who may not look at repositories is told", told)
    aws.fault("GetAuthorizationToken", patch={"authorizationData": [{"authorizationToken": "###"}]})
    h.ok("digest" in run(image=one, repository="race", tag="t1"), "a token that can't be read, once")
    aws.fault("GetAuthorizationToken", times=9, patch={"authorizationData": [{"authorizationToken": "QVdT"}]})
    told = run(image=one, repository="race", tag="t3")
    h.has(told.get("error"), "token can't be read", "a token that can't be read, always", told)
    aws.reset()
    run(image=one, repository="race")
    aws.fault("GetAuthorizationToken", times=2, patch={"authorizationData": [{
        "authorizationToken": base64.b64encode(b"AWS:x").decode(), "expiresAt": 4e9, "proxyEndpoint": "http://203.0.113.7"}]})
    told = run(image=one, repository="race", tag="t2", straight=True)
    h.has(told.get("error"), "can't be used", "a registry over http that isn't loopback", told)
    aws.reset()
    aws.fault("DescribeImages", status=400, code="ImageNotFoundException", message="not yet", key="message", times=2)
    h.ok("digest" in run(image=one, repository="later"), "what was stored is seen a little later")
    aws.fault("DescribeImages", "denied")
    told = run(image=one, repository="blind")
    h.ok("digest" in told and any("believing the push" in line for line in told["said"]), "who may not look believes the push", told)
    aws.fault("DescribeImages", patch={"imageDetails": [{"imageDigest": "sha256:" + "0" * 64}]})
    told = run(image=one, repository="other")
    h.same(told.get("kind"), "conflict", "somebody else's push of the tag won", told)
    aws.fault("GetAuthorizationToken", "throttled", times=2)
    h.ok("digest" in run(image=one, repository="slow"), "throttled twice")
    h.same(run(image=one, repository="Not/ECR").get("kind"), "usage", "a repository's name that ECR doesn't take")

    # --- the data plane's own trouble: the engine's push fails in the stream, and we push ourselves ---

    for name, straight, fault in (
            ("refuses a manifest to the engine", False, {"op": "manifest-put", "status": 403, "code": "DENIED"}),
            ("has trouble", True, {"op": "blob-put", "status": 500, "times": 2}),
            ("is asked too often", True, {"op": "blob-post", "status": 429, "code": "TOOMANYREQUESTS", "times": 2}),
            ("loses the connection", True, {"op": "blob-put", "cut": "after"})):
        aws.reset()
        aws.do({"fault": {**fault, "op": f"registry.{fault['op']}"}})
        told = run(image=one, repository="trouble", straight=straight)
        h.ok("digest" in told, f"aws edge 50: the registry {name}", told, aws.calls())
        h.ok(straight or any("without the engine" in line for line in told["said"]), f"and that is said ({name})", told)
    aws.reset(registry_location="relative")
    h.ok("digest" in run(image=two, repository="relative", straight=True), "aws edge 50: relative Locations")

    # --- a token that ends while we work: only the registry says so ---

    aws.reset()
    told = run(image=one, again=2, repository="often")
    h.same(aws.calls().count("GetAuthorizationToken"), 3, "one token for each publish", aws.calls())
    soon = base64.b64encode(b"AWS:wrong").decode()
    aws.fault("GetAuthorizationToken", patch={"authorizationData": [{"authorizationToken": soon, "expiresAt": 4e9, "proxyEndpoint":
                                                                     aws.url}]})
    told = run(image=two, repository="often", straight=True)
    h.ok("digest" in told, "aws edge 50: a token that the registry doesn't take is renewed", told)
    aws.fault("GetAuthorizationToken", patch={"authorizationData": [{"authorizationToken": soon, "expiresAt": 4e9, "proxyEndpoint":
                                                                     aws.url}]})
    told = run(image=two, repository="often", tag="more")
    h.ok("digest" in told, "aws edge 50: also where the engine was refused", told)

    # --- platforms ---

    aws.reset()
    arm = build("arm", "arm", "linux/arm64")
    if docker("inspect", "-f", "{{.Architecture}}", arm) == "arm64":
        told = run(image=arm)
        h.ok(told.get("kind") == "usage" and "linux/arm64" in told["error"] and "linux/amd64" in told["error"],
             "aws edge 34: an image for arm64 only is refused", told)
        h.ok("platform: linux/amd64" in told.get("error", ""), "and how to build it otherwise", told)
        h.same(aws.calls(), [], "before anything is asked of AWS")
        h.ok("digest" in run(image=arm, platform="linux/arm64", repository="arms"), "where arm64 runs it is fine")
        told = run("find", reference=f"{standin.ECR}/arms:1a2b3c")
        h.same(told.get("kind"), "usage", "aws edge 34: also one that is in ECR already", told)
        h.ok("digest" in run(image=one, repository="arms", tag="amd"), "one for amd64 beside it")
    else:
        h.skip("arm64", "the engine doesn't build for it")

    # --- images that are there ---

    h.same(run("find", reference=f"{standin.ECR}/acme/none:x").get("kind"), "absent", "aws edge 34: no such repository")
    run(image=one)
    h.same(run("find", reference=f"{standin.ECR}/acme/shop:none").get("kind"), "absent", "aws edge 34: no such tag")
    told = run("find", reference=f"{standin.ECR}/acme/shop:1a2b3c")
    digest = told.get("digest")
    h.same(told.get("by_tag"), f"{standin.ECR}/acme/shop:1a2b3c", "aws edge 32: by tag", told)
    told = run("find", reference=f"{standin.ECR}/acme/shop@{digest}")
    h.same([told.get("by_tag"), told.get("digest")], [None, digest], "aws edge 32: by digest", told)
    told = run("find", reference=f"{standin.ECR}/acme/shop:zzz@{digest}")
    h.same([told.get("by_tag"), told.get("by_digest")], [None, f"{standin.ECR}/acme/shop@{digest}"],
           "aws edge 32: tag and digest: the digest counts", told)
    run(image=one, tag="latest")
    told = run("find", reference=f"{standin.ECR}/acme/shop")
    h.ok(told.get("by_tag", "").endswith(":latest") and any("no tag" in line for line in told["said"]),
         "aws edge 32: no tag is latest, with a warning", told)
    for reference in ("docker.io/library/nginx:1", "nginx", "ghcr.io/a/b:c", f"{standin.ECR}.evil.example/a:b",
                      "12345.dkr.ecr.us-east-1.amazonaws.com/a:b", "123456789012.dkr.ecr.us-east-1.example.com/a:b"):
        told = run("find", reference=reference)
        h.ok(told.get("kind") == "usage" and "no registry of AWS" in told["error"], f"aws edge 32: elsewhere: {reference}", told)
    for reference in (f"{standin.ECR}/Acme/shop:x", f"{standin.ECR}/acme/shop@sha256:12", f"{standin.ECR}/acme/shop:-x",
                      f"{standin.ECR}/:x", f"{standin.ECR}/a//b:x"):
        h.same(run("find", reference=reference).get("kind"), "usage", f"aws edge 32: malformed: {reference}")
    aws.fault("DescribeImages", "denied")
    told = run("find", reference=f"{standin.ECR}/acme/shop:1a2b3c")
    h.ok("error" not in told and told["digest"] is None, "who may not look at the image goes on", told)
    foreign = "999999999999.dkr.ecr.us-east-1.amazonaws.com/acme/shop:1a2b3c"
    told = run("find", reference=foreign)
    h.ok(told.get("foreign") and told.get("by_tag") == foreign, "aws edge 33: another account's image", told)
    h.same(aws.requests("DescribeImages")[-1]["params"]["registryId"], "999999999999", "is asked of that account")
    far = f"{standin.ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/acme/shop:1a2b3c"
    told = run("find", reference=far)
    h.ok(told.get("far") and any("region eu-west-1" in line for line in told["said"]), "aws edge 33: another region's image", told)
    h.has(aws.requests("DescribeImages")[-1]["headers"].get("authorization"), "/eu-west-1/ecr/", "is asked for there")
    h.same([r for r in aws.refused() if "999999999999" not in json.dumps(r) and "eu-west-1" not in json.dumps(r)], [],
           "nothing that AWS would refuse as malformed")
finally:
    subprocess.run(["docker", "rmi", "-f", *names], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
h.same(aws.wrong(), [], "the stand-in made no mistake")
h.same([f for f in os.listdir(data)], [], "no passing file is left")
h.done()
