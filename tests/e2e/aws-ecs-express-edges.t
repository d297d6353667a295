#!/usr/bin/python3
"""Target ecs-express: the edge cases of the contract with AWS, each by its number."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
sys.path.append("tests/clouds/aws")
import harness as h
import standin

if standin.absent():
    h.skip_all(standin.absent())
from deploying import IMAGE, OLD, App, lanes, verdict

EXECUTION, INFRASTRUCTURE = standin.ROLE + "ecsTaskExecutionRole", standin.ROLE + "ecsInfrastructure"
SECRET = f"arn:aws:secretsmanager:{standin.REGION}:{standin.ACCOUNT}:secret:db-AbCdEf:password::"
PARAMETER = f"arn:aws:ssm:{standin.REGION}:{standin.ACCOUNT}:parameter/shop/key"
CREATE, UPDATE, DESCRIBE = (f"{o}ExpressGatewayService" for o in ("Create", "Update", "Describe"))
SHOP = {"ecs-seed": {"name": "shop"}}
SAME = {"ecs-seed": {"name": "shop", "image": IMAGE, "config": {"healthCheckPath": "/", "primaryContainer": {
    "image": IMAGE, "containerPort": 8080, "environment": [{"name": "PORT", "value": "8080"}]}}}}
EDGES = []


def edge(*numbers):
    def keep(function):
        function.edge = ", ".join(map(str, numbers))
        EDGES.append(function)
        return function
    return keep


def world(aws, *actions, **settings):
    aws.reset(urls="loopback", images="any", **settings)
    aws.fault("DescribeImages", "denied", times=0)
    if actions:
        aws.do(*actions)
    return App(aws, "ecs-express", {"service-name": "shop", "image": IMAGE, "execution-role": EXECUTION,
                                    "infrastructure-role": INFRASTRUCTURE})


def elsewhere(**members):
    return {"ecs-elsewhere": {"service": "shop", "image": OLD + "2", **members}}


def live(aws, name="shop"):
    return next(s for s in aws.state()["ecs"] if s["name"] == name)


def config_of(service):
    return service["active"][0]


def image_of(service):
    return config_of(service)["primaryContainer"]["image"]


def sent(aws, operation, which=-1):
    return aws.requests(operation)[which]["params"]


def good(run, name, text="is live"):
    verdict(run, 0, "succeeded", text, name)


# --- the service's name and who else uses it ---


@edge(1)
def made_by_another_run(aws, name):
    app = world(aws)
    aws.fault(CREATE, do=[SHOP])
    run = app.deploy()
    good(run, f"{name}: made by another run between describe and create: taken", "taking that one")
    h.same((len(aws.state()["ecs"]), image_of(live(aws))), (1, IMAGE), f"{name}: one service, with our image")


@edge(2)
def answer_lost(aws, name):
    app = world(aws)
    aws.fault(CREATE, "cut-after")
    run = app.deploy()
    good(run, f"{name}: the answer of create is lost: found, not made twice", "ECS has it")
    h.same((len(aws.state()["ecs"]), run.calls.count(CREATE)), (1, 1), f"{name}: asked once, one service")
    app = world(aws, SHOP)
    aws.fault(UPDATE, "cut-after")
    run = app.deploy()
    good(run, f"{name}: the answer of update is lost", "ECS has it")
    h.same(run.calls.count(UPDATE), 1, f"{name}: asked once")
    app = world(aws)
    aws.fault(CREATE, "500", effect=True)
    good(app.deploy(), f"{name}: 500, and done all the same", "ECS has it")
    app = world(aws)
    aws.fault(CREATE, cut="before")
    good(app.deploy(), f"{name}: lost before it came: asked again")
    h.same(len(aws.state()["ecs"]), 1, f"{name}: one service")


@edge(3)
def busy(aws, name):
    app = world(aws, SHOP, elsewhere(polls=4))
    run = app.deploy()
    good(run, f"{name}: busy at the start: waits, then deploys", "the service is busy")
    h.same(image_of(live(aws)), IMAGE, f"{name}: our image, after theirs")


@edge(4)
def race(aws, name):
    app = world(aws, SHOP)
    aws.fault(UPDATE, status=400, code="ConflictException", message="A deployment is in progress.")
    run = app.deploy()
    good(run, f"{name}: busy between describe and update: waits and asks again", "A deployment is in progress")
    app = world(aws, SHOP)
    aws.fault("ListServiceDeployments", skip=3, then=[{"remove": "shop"}])
    run = app.deploy()
    good(run, f"{name}: deleted between describe and update: made anew", "creating service")


@edge(7)
def create_failed(aws, name):
    app = world(aws)
    aws.ecs_outcome(end="ROLLBACK_FAILED", reason="tasks failed to start", app_log=["boom: no such module"],
                    stopped="Essential container in task exited", exit=137)
    run = app.deploy()
    verdict(run, 1, "failed", "boom: no such module", f"{name}: create failed is no success, and says why")
    for text in ("tasks failed to start", "Essential container in task exited (exit 137)"):
        h.has(run.text, text, f"{name}: {text}")
    h.same(run.outputs.get("deployment-status"), "ROLLBACK_FAILED", f"{name}: an output says so")


@edge(8)
def leftover(aws, name):
    app = world(aws)
    aws.ecs_outcome(end="ROLLBACK_FAILED")
    app.deploy()
    before = live(aws)["arn"]
    run = app.deploy()
    good(run, f"{name}: a service whose first deployment failed gets the next")
    h.same((live(aws)["arn"], run.calls.count(UPDATE)), (before, 1), f"{name}: it is the same service")
    update = sent(aws, UPDATE)
    h.ok({"cpu", "memory", "healthCheckPath", "scalingTarget", "executionRoleArn"} <= set(update),
         f"{name}: everything is sent, since nothing is live", update)
    app = world(aws, SAME)
    aws.ecs_outcome(end="ROLLBACK_SUCCESSFUL")
    app.deploy({"cpu": "1", "memory": "2"})
    good(app.deploy(service={"env": {"A": "1"}}), f"{name}: after an update that was rolled back")
    h.same((config_of(live(aws))["cpu"], config_of(live(aws))["memory"]), ("256", "512"),
           f"{name}: nothing of the one that failed comes back")


@edge(9, 10)
def deleted(aws, name):
    app = world(aws, {"ecs-seed": {"name": "shop", "status": "INACTIVE"}})
    run = app.deploy()
    good(run, f"{name}: INACTIVE means gone: a new one is made")
    h.ok(CREATE in run.calls, f"{name}: by create", run)
    app = world(aws, {"ecs-seed": {"name": "shop", "status": "DRAINING", "drain": 5}})
    good(app.deploy(), f"{name}: DRAINING is waited for", "it is being deleted")
    app = world(aws, {"ecs-seed": {"name": "shop", "status": "DRAINING", "drain": 1 << 30}})
    verdict(app.deploy({"busy-timeout": "1s"}), 1, "failed", "was busy for 1 s", f"{name}: but not for ever")


@edge(12)
def rollbacks(aws, name):
    app = world(aws, SHOP)
    aws.ecs_outcome(polls=3, end="ROLLBACK_SUCCESSFUL", reason="4xx and 5xx rate")
    run = app.deploy()
    verdict(run, 1, "rolled_back", "ROLLBACK_IN_PROGRESS", f"{name}: ROLLBACK_IN_PROGRESS is waited for")
    h.same((run.outputs.get("rolled-back"), run.outputs.get("deployment-status")), ("true", "ROLLBACK_SUCCESSFUL"),
           f"{name}: the outputs say so")
    h.has(run.text, "4xx and 5xx rate", f"{name}: ECS's reason")
    app = world(aws, SHOP)
    aws.ecs_outcome(end="ROLLBACK_FAILED")
    verdict(app.deploy(), 3, "failed", "the service may be down", f"{name}: ROLLBACK_FAILED is said louder")
    app = world(aws, SHOP)
    aws.ecs_outcome(stages=[{"status": s, "polls": 2} for s in (
        "PENDING", "IN_PROGRESS", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")] + [{"status": "ROLLBACK_SUCCESSFUL"}])
    verdict(app.deploy(), 1, "rolled_back", "ROLLBACK_REQUESTED", f"{name}: rolled back by a person")
    app = world(aws, SHOP)
    aws.ecs_outcome(stages=[{"status": s, "polls": 2} for s in ("PENDING", "IN_PROGRESS", "STOP_REQUESTED")]
                    + [{"status": "STOPPED"}])
    run = app.deploy()
    verdict(run, 1, "rolled_back", "STOP_REQUESTED", f"{name}: stopped by a person: gone back")
    h.same(image_of(live(aws)), OLD, f"{name}: the old image")


@edge(13, 15, 47)
def superseded(aws, name):
    app = world(aws, SHOP)
    aws.ecs_outcome(then=[elsewhere(polls=0)])
    run = app.deploy()
    verdict(run, 5, "superseded", "superseded by deployment", f"{name}: ours was successful, a newer one won")
    app = world(aws, SHOP)
    aws.fault("DescribeServiceDeployments", then=[elsewhere(polls=2)])
    run = app.deploy()
    verdict(run, 5, "superseded", "superseded by deployment", f"{name}: a newer one stopped ours")
    h.ok(UPDATE not in run.calls[run.calls.index(UPDATE) + 1:], f"{name}: it isn't taken back", run)
    app = world(aws, SHOP)
    aws.ecs_outcome(then=[elsewhere(polls=50)])
    good(app.deploy(), f"{name}: a newer one has begun when ours is live")


@edge(14)
def no_id(aws, name):
    app = world(aws, SHOP)
    aws.ecs_outcome(polls=4)
    aws.fault(UPDATE, patch={"service": {"targetConfiguration": None}})
    run = app.deploy()
    good(run, f"{name}: no revision in the answer: found in the list")
    h.ok(":service-deployment/" in run.outputs.get("deployment-arn", ""), f"{name}: and it's an output", run.outputs)
    app = world(aws)
    aws.fault(CREATE, patch={"service": {"activeConfigurations": None, "currentDeployment": None}})
    good(app.deploy(), f"{name}: nor in that of create")
    app = world(aws, SHOP)
    aws.ecs_outcome(hidden=5, polls=8)
    good(app.deploy(), f"{name}: absent from the list at first", "not in the list yet")
    app = world(aws, SHOP, page=1)
    aws.do(*[elsewhere(polls=0) for _ in range(3)])
    aws.fault(UPDATE, "cut-after")
    good(app.deploy(), f"{name}: pages of one")


@edge(16)
def timed_out(aws, name):
    app = world(aws, SHOP)
    aws.ecs_outcome(end="stall")
    run = app.deploy({"wait-timeout": "1s"})
    verdict(run, 3, "failed", "it goes on without us", f"{name}: time runs out: exit 3, and it goes on")
    h.ok(run.outputs.get("service-arn") and run.outputs.get("deployment-arn")
         and "DeleteExpressGatewayService" not in run.calls, f"{name}: the outputs are there, nothing was deleted", run.outputs)


@edge(18)
def throttled(aws, name):
    app = world(aws, SHOP)
    for operation in (DESCRIBE, "ListServiceDeployments", UPDATE):
        aws.fault(operation, "throttled")
    aws.fault("DescribeServiceDeployments", "429", headers={"Retry-After": "1"})
    run = app.deploy()
    good(run, f"{name}: each call throttled once")
    h.same(len([r for r in aws.requests(UPDATE) if r["status"] == 200]), 1, f"{name}: one update")


@edge(19)
def html(aws, name):
    app = world(aws, SHOP)
    for kind in ("html", "500", "502", "504"):
        aws.fault("DescribeServiceDeployments", kind)
    aws.fault(DESCRIBE, "html")
    good(app.deploy(), f"{name}: 500, 502, 503, 504 with HTML")


@edge(20, 21)
def nonsense(aws, name):
    app = world(aws, SHOP)
    aws.ecs_outcome(polls=6)
    for kind in ("empty", "truncated", "broken-json"):
        aws.fault("DescribeServiceDeployments", kind)
        aws.fault(DESCRIBE, kind, skip=2)
    good(app.deploy(), f"{name}: empty, truncated and broken answers while it waits")
    app = world(aws, SHOP)
    aws.ecs_outcome(polls=4)
    aws.fault("DescribeServiceDeployments", patch={"serviceDeployments": {"0": {"status": "POLISHING", "more": [1]}}, "new": {}})
    run = app.deploy()
    good(run, f"{name}: an unknown state is waited out, unknown members passed over", "POLISHING")
    h.same(run.text.count("is new to Slipway"), 1, f"{name}: said once", run.text)
    app = world(aws, SHOP)
    aws.fault(DESCRIBE, patch={"service": {"status": {"statusCode": "DREAMING"}}})
    good(app.deploy(), f"{name}: the service's too", "DREAMING")


@edge(22)
def skewed(aws, name):
    for seconds in (600, -600):
        app = world(aws, SHOP, {"clock": seconds})
        good(app.deploy(), f"{name}: AWS's clock is {seconds} s off")


@edge(23)
def expires(aws, name):
    app = world(aws, SHOP)
    aws.ecs_outcome(polls=9)
    run = app.deploy(env=aws.env_session(calls=9))
    verdict(run, 3, "failed", "goes on", f"{name}: a session token ends while it waits")
    app = world(aws, SHOP, role_calls=5)
    aws.ecs_outcome(polls=9)
    good(app.deploy({"role-to-assume": standin.ROLE + "deploy"}, env=aws.env_oidc()), f"{name}: OIDC: renewed")


@edge(25, 26)
def environment(aws, name):
    app = world(aws)
    good(app.deploy(env={**aws.env(), "AWS_SESSION_TOKEN": ""}), f"{name}: an empty AWS_SESSION_TOKEN is none")
    for only in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        app = world(aws)
        good(app.deploy(env={k: v for k, v in aws.env().items() if "REGION" not in k or k == only}), f"{name}: only {only}")


@edge(29)
def arn_given(aws, name):
    app = world(aws, SHOP)
    given = {"service-arn": live(aws)["arn"], "service-name": None, "execution-role": None, "infrastructure-role": None}
    run = app.deploy(given)
    good(run, f"{name}: service-arn: no account has to be asked for, no role given")
    h.same(sorted(sent(aws, UPDATE)), ["healthCheckPath", "primaryContainer", "serviceArn"],
           f"{name}: what isn't mentioned isn't sent")
    verdict(app.deploy({**given, "service-arn": live(aws)["arn"] + "s"}), 1, "failed", "there is no Express Mode service",
            f"{name}: one that isn't there")
    verdict(app.deploy({**given, "service-arn": live(aws)["arn"].replace("us-east-1", "eu-west-1")}), 2, "failed",
            "is of region eu-west-1", f"{name}: another region's")


@edge(30)
def roles(aws, name):
    app = world(aws)
    aws.fault(CREATE, "passrole")
    verdict(app.deploy(), 1, "failed", "allow iam:PassRole", f"{name}: PassRole denied")
    app = world(aws)
    aws.fault(CREATE, status=400, code="InvalidParameterException",
              message=f"ECS was unable to assume the role '{EXECUTION}' that was provided for this task.")
    good(app.deploy(), f"{name}: a role made a moment ago: asked again", "can't use the role yet")


# --- settings ---


@edge(31, 32)
def images(aws, name):
    app = world(aws)
    verdict(app.check({"execution-role": None}), 2, "", "execution-role: is missing", f"{name}: no execution-role")
    verdict(app.check({"infrastructure-role": None}), 2, "", "infrastructure-role: is missing", f"{name}: no infrastructure-role")
    for image, text in ((standin.ECR + "/Shop:1", "Shop"), (standin.ECR + "/shop:", "shop")):
        verdict(app.check({"image": image}), 2, "", text, f"{name}: {image} is refused here")
    digest = "@sha256:" + "a" * 64
    good(app.deploy({"image": standin.ECR + "/shop:new" + digest}), f"{name}: tag and digest")
    h.same(image_of(live(aws)), standin.ECR + "/shop" + digest, f"{name}: the digest alone is sent")
    app = world(aws)
    good(app.deploy({"image": standin.ECR + "/shop"}), f"{name}: no tag is 'latest', with a warning", "latest")
    app = world(aws)
    credentials = f"arn:aws:secretsmanager:{standin.REGION}:{standin.ACCOUNT}:secret:ghcr-AbCdEf"
    run = app.deploy({"image": "ghcr.io/acme/shop:1", "repository-credentials": credentials})
    good(run, f"{name}: another registry's, with its credentials")
    h.same(sent(aws, CREATE)["primaryContainer"]["repositoryCredentials"], {"credentialsParameter": credentials},
           f"{name}: sent")
    h.ok("DescribeImages" not in run.calls, f"{name}: ECR isn't asked", run)
    verdict(app.check({"repository-credentials": credentials}), 2, "", "registries other than ECR",
            f"{name}: credentials for ECR")


@edge(34)
def absent_image(aws, name):
    app = world(aws, SHOP)
    aws.reset(urls="loopback")
    aws.do({"repository": {"name": "shop"}}, SHOP)
    run = app.deploy()
    h.ok(run.status == 1 and UPDATE not in run.calls and "shop:new" in run.text,
         f"{name}: an image that isn't there: said before anything is changed", run)


@edge(35, 36, 37)
def values(aws, name):
    app = world(aws)
    for settings, text in (
            ({"port": 0}, "1 to 65535"), ({"port": 65536}, "1 to 65535"), ({"port": "abc"}, "1 to 65535"),
            ({"cpu": "3", "memory": "4"}, "0.25, 0.5, 1, 2, 4, 8 or 16"), ({"cpu": "1", "memory": "1"}, "expected 0.25 vCPU with"),
            ({"cpu": "1"}, "give both"), ({"health-check-path": "up"}, "/healthz"), ({"cluster": "arn:aws:ecs"}, "not its ARN"),
            ({"scaling": {"min": 3, "max": 2}}, "min 3 is over max 2"), ({"scaling": {"min": 0}}, "1 to 5000"),
            ({"scaling": {"metric": "average-cpu", "target": 101}}, "at most 100"), ({"log-prefix": "x"}, "needs log-group"),
            ({"subnets": ["vpc-1"]}, "subnet-0a1b2c3d"), ({"security-groups": ["x"]}, "sg-0a1b2c3d")):
        verdict(app.check(settings), 2, "", text, f"{name}: {settings} is refused")
    for cpu, memory in ((".25 vCPU", "512"), ("256", "0.5 GB"), ("0.25vcpu", "0.5"), ("256", "512")):
        app = world(aws, SAME)
        if cpu.startswith("."):
            verdict(app.check({"cpu": cpu, "memory": memory}), 2, "", "'cpu'", f"{name}: '{cpu}' is none")
            continue
        run = app.deploy({"cpu": cpu, "memory": memory, "skip-if-unchanged": True})
        good(run, f"{name}: '{cpu}' with '{memory}' is what 256 and 512 are", "nothing to do")
    app = world(aws)
    good(app.deploy(service={"health": {"path": "/up", "timeout": "1s", "settle": "0s"}}), f"{name}: a new service")
    create = sent(aws, CREATE)
    h.same((create["cpu"], create["memory"], create["healthCheckPath"], create["primaryContainer"]["containerPort"],
            create["scalingTarget"], create["primaryContainer"]["environment"]),
           ("256", "512", "/up", 8080, {"minTaskCount": 1, "maxTaskCount": 20, "autoScalingMetric": "AVERAGE_CPU",
                                        "autoScalingTargetValue": 60}, [{"name": "PORT", "value": "8080"}]),
           f"{name}: every value is sent, none left to ECS")
    good(app.deploy({"port": 3000, "cpu": "1", "memory": "2 GB", "scaling": {"max": 5}, "health-check-path": "/x"}),
         f"{name}: changed")
    update = sent(aws, UPDATE)
    h.same((update["primaryContainer"]["containerPort"], update["cpu"], update["memory"], update["healthCheckPath"],
            update["scalingTarget"]["maxTaskCount"], update["scalingTarget"]["minTaskCount"]),
           (3000, "1024", "2048", "/x", 5, 1), f"{name}: as numbers and texts of ECS's")
    run = app.deploy({"health-check-path": "/x"}, service={"env": {"A": "1"}})
    good(run, f"{name}: then only env is changed")
    h.same(set(sent(aws, UPDATE)), {"serviceArn", "primaryContainer"}, f"{name}: nothing else is sent")
    config = config_of(live(aws))
    h.same((config["cpu"], config["primaryContainer"]["containerPort"], config["scalingTarget"]["maxTaskCount"]),
           ("1024", 3000, 5), f"{name}: what isn't mentioned stays")


@edge(38)
def env(aws, name):
    odd = {"EMPTY": "", "TEXT": "zwei\nZeilen, \"quoted\", ü €"}
    app = world(aws, SHOP)
    good(app.deploy(service={"env": odd}), f"{name}: empty values, newlines, quotes, unicode")

    def pairs():
        return {p["name"]: p["value"] for p in config_of(live(aws))["primaryContainer"]["environment"]}
    h.same(pairs(), {**odd, "PORT": "80"}, f"{name}: as they are; PORT is what ECS was told")
    good(app.deploy(service={"env": {"NEW": "1"}}), f"{name}: another one")
    h.same(sorted(pairs()), ["EMPTY", "NEW", "PORT", "TEXT"], f"{name}: merge: those before stay")
    good(app.deploy({"env-mode": "replace"}, service={"env": {"NEW": "2"}}), f"{name}: replace")
    h.same(pairs(), {"NEW": "2", "PORT": "80"}, f"{name}: replace: they go")
    run = app.plan(service={"env": {"NEW": "hunter2"}})
    h.ok("env NEW: changed" in run.text and "hunter2" not in run.text, f"{name}: plan names them, and shows no value", run)
    h.ok(run.status == 0 and not {CREATE, UPDATE} & set(run.calls), f"{name}: plan only reads", run)
    verdict(app.check(service={"env": {"A=B": "x"}}), 2, "", "A=B", f"{name}: no such name")


@edge(39)
def secrets(aws, name):
    app = world(aws, SHOP)
    good(app.deploy({"runtime-secrets": {"DB": SECRET, "KEY": PARAMETER}}), f"{name}: from Secrets Manager (with a key) and SSM")
    h.same(sent(aws, UPDATE)["primaryContainer"]["secrets"], [{"name": "DB", "valueFrom": SECRET},
                                                             {"name": "KEY", "valueFrom": PARAMETER}], f"{name}: sent")
    good(app.deploy(service={"env": {"DB": "sqlite"}}), f"{name}: a secret becomes a variable")
    h.same([s["name"] for s in sent(aws, UPDATE)["primaryContainer"]["secrets"]], ["KEY"], f"{name}: and is one of them only")
    app = world(aws, SHOP)
    good(app.deploy(service={"secrets": ["DB"]}, DB=SECRET), f"{name}: secrets: with an ARN")
    h.same(sent(aws, UPDATE)["primaryContainer"]["secrets"], [{"name": "DB", "valueFrom": SECRET}], f"{name}: is one")
    app = world(aws, SHOP)
    run = app.deploy(service={"secrets": ["DB"]}, DB="hunter2-plain")
    verdict(run, 2, "failed", "isn't sent", f"{name}: a value that is no ARN is refused")
    h.ok("hunter2-plain" not in run.text and not run.calls, f"{name}: unshown, before any call", run)
    run = app.deploy({"runtime-secrets": {"DB": SECRET.replace("us-east-1", "eu-west-1")}})
    verdict(run, 2, "failed", "its own region only", f"{name}: another region's")
    run = app.check({"runtime-secrets": {"A": SECRET, "B": "hunter2"}}, service={"env": {"A": "1"}})
    h.ok(run.status == 2 and "'A' is in env" in run.text and "'B'" in run.text and "hunter2" not in run.text,
         f"{name}: a name twice; no ARN", run)


@edge(40, 41)
def networks(aws, name):
    app = world(aws, SHOP)
    good(app.deploy({"subnets": ["subnet-2", "subnet-1"], "security-groups": ["sg-1"],
                     "scaling": {"min": 2, "max": 4, "metric": "request-count", "target": 500}}), f"{name}: subnets, scaling")
    update = sent(aws, UPDATE)
    h.same((sorted(update["networkConfiguration"]["subnets"]), update["networkConfiguration"]["securityGroups"],
            update["scalingTarget"]["autoScalingMetric"]), (["subnet-1", "subnet-2"], ["sg-1"], "REQUEST_COUNT_PER_TARGET"),
           f"{name}: sent")
    good(app.deploy({"subnets": ["subnet-1", "subnet-2"]}), f"{name}: the same subnets in another order")
    h.ok("networkConfiguration" not in sent(aws, UPDATE), f"{name}: are no change", sent(aws, UPDATE))
    app = world(aws)
    run = app.deploy({"subnets": ["subnet-private1"]})
    good(run, f"{name}: private: no URL, no probe", "the service is private")
    h.ok(not aws.apps() and not run.outputs.get("url"), f"{name}: nobody was asked", run.outputs)


@edge(43)
def tags(aws, name):
    app = world(aws)
    good(app.deploy({"tags": {"team": "web"}}), f"{name}: tags of a new service")
    h.same(live(aws)["tags"], [{"key": "team", "value": "web"}], f"{name}: come with it")
    good(app.deploy({"tags": {"team": "shop", "stage": "prod"}}), f"{name}: of one that is there")
    h.same(sorted((t["key"], t["value"]) for t in live(aws)["tags"]), [("stage", "prod"), ("team", "shop")],
           f"{name}: changed, added")
    aws.fault("TagResource", "denied")
    good(app.deploy({"tags": {"team": "x"}}), f"{name}: a refusal hides no good deployment", "tags couldn't be set")
    verdict(app.check({"tags": {f"k{i}": "v" for i in range(51)}}), 2, "", "at most 50", f"{name}: too many")
    verdict(app.check({"tags": {"aws:x": "y"}}), 2, "", "aws:x", f"{name}: aws:")


@edge(44)
def fixed(aws, name):
    app = world(aws, SHOP)
    run = app.deploy({"infrastructure-role": standin.ROLE + "other"})
    verdict(run, 2, "failed", "can't be changed", f"{name}: another infrastructure role")
    h.ok(UPDATE not in run.calls, f"{name}: nothing is changed", run)
    arn = live(aws)["arn"]
    verdict(app.check({"service-arn": arn, "service-name": "other"}), 2, "", "service-arn is of 'shop'", f"{name}: another name")
    verdict(app.check({"service-arn": arn, "cluster": "other"}), 2, "", "is of another", f"{name}: another cluster")
    aws.do({"cluster": "blue"})
    good(app.deploy({"cluster": "blue"}), f"{name}: the same name in another cluster is another service")
    h.same(len(aws.state()["ecs"]), 2, f"{name}: there are two")


@edge(46)
def unchanged(aws, name):
    app = world(aws, SAME)
    run = app.deploy()
    good(run, f"{name}: nothing has changed: deployed anew", "deploying it anew")
    h.same(run.calls.count(UPDATE), 1, f"{name}: by one update")
    run = app.deploy({"skip-if-unchanged": True})
    good(run, f"{name}: skip-if-unchanged", "nothing to do")
    h.ok(UPDATE not in run.calls, f"{name}: nothing is sent", run)


@edge(48)
def cancelled(aws, name):
    app = world(aws, SHOP)
    aws.ecs_outcome(end="stall")
    app.write()
    process = app.start()
    h.until(lambda: aws.requests("DescribeServiceDeployments"), 20)
    process.send_signal(signal.SIGTERM)
    run = app.end(process)
    verdict(run, 4, "cancelled", "stop-service-deployment", f"{name}: SIGTERM while it waits: said, and ended")
    h.ok(run.seconds < 10 and run.calls.count(UPDATE) == 1, f"{name}: at once", run)
    app = world(aws, SHOP)
    aws.ecs_outcome(seconds=4)
    app.write()
    process = app.start()
    h.until(lambda: aws.requests("DescribeServiceDeployments"), 20)
    process.kill()
    app.end(process)
    time.sleep(0.1)
    h.same(len(aws.requests(UPDATE)), 1, f"{name}: killed while it waits: ECS goes on")


@edge(49)
def urls(aws, name):
    for scheme in (False, True):
        app = world(aws)
        aws.reset(images="any", scheme=scheme)
        aws.fault("DescribeImages", "denied", times=0)
        run = app.deploy(env=aws.env(proxy=True), service={"health": {"path": "/", "timeout": "5s", "settle": "0s"}})
        good(run, f"{name}: a URL as AWS gives it, {'with' if scheme else 'without'} its scheme")
        h.ok(run.outputs.get("url", "").startswith("https://sh-") and run.outputs["url"].endswith(".on.aws"),
             f"{name}: the output has it once", run.outputs)
    app = world(aws, SHOP, {"app": {"service": "shop", "status": 503, "times": 3}})
    good(app.deploy(), f"{name}: 503 at first is waited out")
    app = world(aws, SHOP, {"app": {"service": "shop", "status": 401, "times": 0}})
    good(app.deploy(service={"health": {"path": "/", "status": 401, "timeout": "1s", "settle": "0s"}}),
         f"{name}: health.status 401")


@edge(55)
def no_logs(aws, name):
    app = world(aws)
    aws.ecs_outcome(end="ROLLBACK_FAILED", logs=False)
    run = app.deploy()
    verdict(run, 1, "failed", "no log was written", f"{name}: no log group: no second failure")
    h.has(run.text, "console.aws.amazon.com/cloudwatch", f"{name}: but where to look")
    for operation in ("GetLogEvents", "DescribeLogStreams", "ListTasks", "DescribeServices"):
        app = world(aws)
        aws.ecs_outcome(end="ROLLBACK_FAILED")
        aws.fault(operation, "denied", times=0)
        verdict(app.deploy(), 1, "failed", "couldn't deploy", f"{name}: {operation} isn't allowed")


def named(function):
    def one(aws):
        function(aws, f"aws edge {function.edge} (ecs-express)")
        allowed = ("expired", "Signature", "Expired")
        wrong = [r for r in aws.refused() if not any(a in str(r) for a in allowed)]
        h.same(wrong, [], f"aws edge {function.edge} (ecs-express): every request is one by AWS's models")
    one.__name__ = function.__name__
    return one


only = sys.argv[1:]
lanes([named(e) for e in EDGES if not only or e.__name__ in only], 1 if only else 3)
h.done()
