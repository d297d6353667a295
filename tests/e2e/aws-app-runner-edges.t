#!/usr/bin/python3
"""Target app-runner: the edge cases of the contract with AWS, each by its number."""
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

ACCESS = standin.ROLE + "AppRunnerECRAccessRole"
INSTANCE = standin.ROLE + "AppRunnerInstance"
SECRET = f"arn:aws:secretsmanager:{standin.REGION}:{standin.ACCOUNT}:secret:db-AbCdEf:password::"
PARAMETER = f"arn:aws:ssm:{standin.REGION}:{standin.ACCOUNT}:parameter/shop/key"
SHOP = {"seed": {"name": "shop"}}
SAME = {"seed": {"name": "shop", "image": IMAGE}}
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
    return App(aws, "app-runner", {"service-name": "shop", "image": IMAGE, "access-role": ACCESS})


def live(aws, name="shop"):
    return next(s for s in aws.state()["apprunner"] if s["name"] == name)


def image_of(service):
    return service["config"]["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"]


def sent(aws, operation, which=-1):
    return aws.requests(operation)[which]["params"]


def good(run, name, text="is live"):
    verdict(run, 0, "succeeded", text, name)


def services(aws):
    return [s for s in aws.state()["apprunner"] if s["status"] != "DELETED"]


# --- the service's name and who else uses it ---


@edge(1)
def made_by_another_run(aws, name):
    app = world(aws)
    aws.fault("CreateService", do=[{"seed": {"name": "shop"}}])
    run = app.deploy()
    good(run, f"{name}: made by another run between list and create: taken", "taking that one")
    h.same((len(services(aws)), image_of(live(aws))), (1, IMAGE), f"{name}: one service, with our image")


@edge(2)
def answer_lost(aws, name):
    app = world(aws)
    aws.fault("CreateService", "cut-after")
    run = app.deploy()
    good(run, f"{name}: the answer of create is lost: found, not made twice", "App Runner has it")
    h.same((len(services(aws)), run.calls.count("CreateService")), (1, 1), f"{name}: asked once, one service")
    app = world(aws, SHOP)
    aws.fault("UpdateService", "cut-after")
    run = app.deploy()
    good(run, f"{name}: the answer of update is lost", "App Runner has it")
    h.same(run.calls.count("UpdateService"), 1, f"{name}: asked once")
    app = world(aws)
    aws.fault("CreateService", "500", effect=True)
    good(app.deploy(), f"{name}: 500, and done all the same", "App Runner has it")
    app = world(aws)
    aws.fault("CreateService", cut="before")
    good(app.deploy(), f"{name}: lost before it came: asked again")
    h.same(len(services(aws)), 1, f"{name}: one service")


@edge(3)
def busy(aws, name):
    app = world(aws, SHOP, {"elsewhere": {"service": "shop", "image": OLD + "2", "polls": 4}})
    run = app.deploy()
    good(run, f"{name}: busy at the start: waits, then deploys", "the service is busy")
    h.same(image_of(live(aws)), IMAGE, f"{name}: our image, after theirs")


@edge(4)
def race(aws, name):
    app = world(aws, SHOP)
    aws.fault("UpdateService", do=[{"elsewhere": {"service": "shop", "image": OLD + "2", "polls": 3}}])
    run = app.deploy()
    good(run, f"{name}: busy between describe and update: waits and asks again", "takes no change now")
    h.same(image_of(live(aws)), IMAGE, f"{name}: our image")


@edge(5)
def maintenance(aws, name):
    app = world(aws, SHOP, {"maintenance": {"service": "shop", "polls": 4}})
    good(app.deploy(), f"{name}: in progress without an operation (maintenance): waits")


@edge(6)
def auto_deployment(aws, name):
    config = {"SourceConfiguration": {
        "ImageRepository": {"ImageIdentifier": IMAGE, "ImageRepositoryType": "ECR"}, "AutoDeploymentsEnabled": True,
        "AuthenticationConfiguration": {"AccessRoleArn": ACCESS}}}
    app = world(aws)
    aws.reset(urls="loopback", images="any")
    aws.do({"seed": {"name": "shop", "config": config}})
    began = {"elsewhere": {"service": "shop", "type": "START_DEPLOYMENT", "polls": 6}}
    aws.fault("GetCallerIdentity", then=[began])
    aws.fault("DescribeImages", "denied")
    run = app.deploy({"auto-deployments": True})
    good(run, f"{name}: App Runner's own deployment of what was pushed is taken for ours", "by itself")
    h.ok("StartDeployment" not in run.calls and "UpdateService" not in run.calls, f"{name}: no second one", run)


@edge(7)
def create_failed(aws, name):
    app = world(aws, {"outcome": {"end": "FAILED", "events": ["no port"], "app_log": ["boom: no such module"]}})
    run = app.deploy()
    verdict(run, 1, "failed", "boom: no such module", f"{name}: create failed is no success, and says why")
    h.has(run.text, "no port", f"{name}: with App Runner's events")


@edge(8)
def leftover(aws, name):
    failed = {"seed": {"name": "shop", "status": "CREATE_FAILED"}}
    app = world(aws, failed)
    before = live(aws)["arn"]
    good(app.deploy(), f"{name}: CREATE_FAILED: rebuilt", "rebuilding it")
    h.same(live(aws)["arn"], before, f"{name}: it is the same service")
    app = world(aws, failed, rebuild=False)
    run = app.deploy()
    good(run, f"{name}: the rebuild is refused: deleted, and made anew", "App Runner won't rebuild it")
    h.ok(run.calls.index("DeleteService") < run.calls.index("CreateService"), f"{name}: in that order", run)
    app = world(aws, failed, {"outcome": {"op": "DELETE_SERVICE", "end": "FAILED"}}, rebuild=False)
    verdict(app.deploy(), 1, "failed", "DELETE_FAILED", f"{name}: the deletion fails")
    app = world(aws, failed)
    verdict(app.deploy({"on-create-failed": "fail"}), 1, "failed", "on-create-failed is 'fail'", f"{name}: fail")
    app = world(aws, failed)
    good(app.deploy({"on-create-failed": "recreate"}), f"{name}: recreate", "deleting the service")
    h.ok(live(aws)["arn"] != before, f"{name}: another service")


@edge(9)
def deleted_both_ways(aws, name):
    for looks in (0, 50):
        app = world(aws, {"seed": {"name": "shop", "status": "CREATE_FAILED"}}, deleted_looks=looks)
        good(app.deploy({"on-create-failed": "recreate"}),
             f"{name}: after a deletion, {'DELETED' if looks else 'not found'} means gone")


@edge(10)
def deleted_namesake(aws, name):
    app = world(aws, {"seed": {"name": "shop", "status": "DELETED"}}, deleted_looks=50)
    run = app.deploy()
    good(run, f"{name}: a deleted service of the same name is passed over")
    h.ok("CreateService" in run.calls, f"{name}: a new one is made")


@edge(11)
def paused(aws, name):
    app = world(aws, {"seed": {"name": "shop", "status": "PAUSED"}})
    aws.fault("ResumeService", patch={"OperationId": None})
    run = app.deploy()
    good(run, f"{name}: paused: resumed (no OperationId in the answer), then deployed", "resuming it first")
    h.ok(run.calls.index("ResumeService") < run.calls.index("UpdateService"), f"{name}: in that order", run)
    app = world(aws, {"seed": {"name": "shop", "status": "PAUSED"}}, {"outcome": {"op": "RESUME_SERVICE", "end": "FAILED"}})
    verdict(app.deploy(), 1, "failed", "couldn't resume it", f"{name}: it can't be resumed")


@edge(12)
def rollbacks(aws, name):
    app = world(aws, SHOP, {"outcome": {"polls": 3, "end": "ROLLBACK_SUCCEEDED"}})
    run = app.deploy()
    verdict(run, 1, "rolled_back", "ROLLBACK_IN_PROGRESS", f"{name}: ROLLBACK_IN_PROGRESS is waited for")
    h.same((run.outputs.get("rolled-back"), run.outputs.get("operation-status")), ("true", "ROLLBACK_SUCCEEDED"),
           f"{name}: the outputs say so")
    app = world(aws, SHOP, {"outcome": {"end": "ROLLBACK_FAILED"}})
    verdict(app.deploy(), 3, "failed", "the service may be down", f"{name}: ROLLBACK_FAILED is said louder")


@edge(13, 15, 47)
def superseded(aws, name):
    app = world(aws, SHOP, {"outcome": {"then": [{"elsewhere": {"service": "shop", "image": OLD + "2"}}]}})
    run = app.deploy()
    verdict(run, 5, "superseded", "superseded by operation", f"{name}: ours succeeded, somebody else's newer one won")
    app = world(aws, SHOP, {"outcome": {"then": [{"elsewhere": {"service": "shop", "type": "START_DEPLOYMENT"}}]}})
    good(app.deploy(), f"{name}: a newer operation with our image: ours is followed to its end")


@edge(14)
def no_id(aws, name):
    app = world(aws, SHOP, {"outcome": {"operation_id": False, "polls": 4}})
    run = app.deploy()
    good(run, f"{name}: no operation id in the answer: found in the list")
    h.ok(len(run.outputs.get("operation-id", "")) == 36, f"{name}: and it's an output", run.outputs)
    app = world(aws, SHOP, {"outcome": {"hidden": 5, "polls": 8}})
    good(app.deploy(), f"{name}: absent from the list at first", "not in the list yet")
    app = world(aws, SHOP, page=1)
    aws.do(*[{"elsewhere": {"service": "shop", "polls": 0}} for _ in range(3)])
    aws.do({"seed": {"name": "other"}}, {"seed": {"name": "third"}})
    good(app.deploy(), f"{name}: pages of one, of services and of operations")


@edge(16, 17)
def timed_out(aws, name):
    app = world(aws, SHOP, {"outcome": {"end": "stall"}})
    run = app.deploy({"wait-timeout": "1s"})
    verdict(run, 3, "failed", "only AWS Support can end", f"{name}: time runs out: exit 3, and it goes on")
    h.ok(run.outputs.get("service-arn") and run.outputs.get("operation-id") and "DeleteService" not in run.calls,
         f"{name}: the outputs are there, nothing was deleted", run.outputs)


@edge(18)
def throttled(aws, name):
    app = world(aws, SHOP)
    for operation in ("ListServices", "DescribeService", "ListOperations", "UpdateService"):
        aws.fault(operation, "throttled")
    aws.fault("ListOperations", "429", headers={"Retry-After": "1"})
    run = app.deploy()
    good(run, f"{name}: each call throttled once")
    h.same(len([r for r in aws.requests("UpdateService") if r["status"] == 200]), 1, f"{name}: one update")


@edge(19)
def html(aws, name):
    app = world(aws, SHOP)
    for kind in ("html", "500", "502", "504"):
        aws.fault("ListOperations", kind, skip=1)
    aws.fault("DescribeService", "html")
    good(app.deploy(), f"{name}: 500, 502, 503, 504 with HTML")


@edge(20, 21)
def nonsense(aws, name):
    app = world(aws, SHOP, {"outcome": {"polls": 6}})
    for kind in ("empty", "truncated", "broken-json"):
        aws.fault("ListOperations", kind, skip=1)
        aws.fault("DescribeService", kind, skip=2)
    good(app.deploy(), f"{name}: empty, truncated and broken answers while it waits")
    app = world(aws, SHOP, {"outcome": {"polls": 4}})
    aws.fault("ListOperations", skip=1, patch={"OperationSummaryList": {"0": {"Status": "POLISHING", "More": [1]}}, "New": {}})
    aws.fault("DescribeService", skip=2, patch={"Service": {"Status": "DREAMING", "Mood": "good"}})
    run = app.deploy()
    good(run, f"{name}: unknown states are waited out, unknown members passed over", "POLISHING")
    h.same(run.text.count("is new to Slipway"), 2, f"{name}: each said once", run.text)


@edge(22)
def skewed(aws, name):
    for seconds in (600, -600):
        app = world(aws, SHOP, {"clock": seconds})
        good(app.deploy(), f"{name}: AWS's clock is {seconds} s off")


@edge(23)
def expires(aws, name):
    app = world(aws, SHOP, {"outcome": {"polls": 8}})
    run = app.deploy(env=aws.env_session(calls=8))
    verdict(run, 3, "failed", "goes on", f"{name}: a session token ends while it waits")
    app = world(aws, SHOP, {"outcome": {"polls": 8}}, role_calls=5)
    good(app.deploy({"role-to-assume": standin.ROLE + "deploy"}, env=aws.env_oidc()), f"{name}: OIDC: renewed")


@edge(25, 26)
def environment(aws, name):
    app = world(aws)
    good(app.deploy(env={**aws.env(), "AWS_SESSION_TOKEN": ""}), f"{name}: an empty AWS_SESSION_TOKEN is none")
    for only in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        app = world(aws)
        good(app.deploy(env={k: v for k, v in aws.env().items() if "REGION" not in k or k == only}), f"{name}: only {only}")


@edge(27)
def elsewhere_on_earth(aws, name):
    app = world(aws)
    env = {k: v for k, v in aws.env().items() if "ENDPOINT" not in k}
    run = app.deploy({"region": "eu-north-1"}, env=env)
    h.ok(run.status in (1, 2) and "eu-north-1" in run.text and "eu-west-1" in run.text,
         f"{name}: a region without App Runner: said at once, with those that have it", run)


@edge(28)
def closed(aws, name):
    app = world(aws, closed=True)
    run = app.deploy({"cpu": "2", "memory": "4", "port": 3000, "instance-role": INSTANCE})
    verdict(run, 1, "failed", "target: ecs-express", f"{name}: closed to new customers: what to write instead")
    for line in ("port: 3000", "cpu: 2048", "memory: 4096", f"image: {IMAGE}", "service-name: shop"):
        h.has(run.text, line, f"{name}: {line}")
    h.has(run.raw, "::error", f"{name}: in an annotation")


@edge(29)
def arn_given(aws, name):
    app = world(aws, SHOP)
    aws.fault("ListServices", "denied", times=0)
    run = app.deploy({"service-arn": live(aws)["arn"], "service-name": None})
    good(run, f"{name}: service-arn: no need to list")
    h.ok("ListServices" not in run.calls, f"{name}: it isn't asked", run)
    run = app.deploy({"service-arn": live(aws)["arn"][:-4] + "0000", "service-name": None})
    verdict(run, 1, "failed", "there is no service arn:", f"{name}: one that isn't there")


@edge(30)
def roles(aws, name):
    app = world(aws)
    aws.fault("CreateService", "passrole")
    verdict(app.deploy(), 1, "failed", "allow iam:PassRole", f"{name}: PassRole denied")
    app = world(aws)
    aws.fault("CreateService", "role")
    good(app.deploy(), f"{name}: a role made a moment ago: asked again", "can't use the role yet")


# --- settings ---


@edge(31, 32, 33)
def images(aws, name):
    app = world(aws)
    public = "public.ecr.aws/aws-containers/hello-app-runner:latest"
    good(app.deploy({"image": public}), f"{name}: ECR Public with an access role: it is left out")
    h.ok("AuthenticationConfiguration" not in sent(aws, "CreateService")["SourceConfiguration"], f"{name}: not sent")
    app = world(aws)
    verdict(app.check({"access-role": None}), 2, "", "access-role: is missing", f"{name}: none for a private image")
    for image, text in (("docker.io/nginx:1", "ECR"), ("ghcr.io/acme/shop:1", "ECR"), (standin.ECR + "/Shop:1", "Shop"),
                        (standin.ECR + "/shop:", "shop")):
        verdict(app.check({"image": image}), 2, "", text, f"{name}: {image} is refused here")
    verdict(app.check({"image": public, "auto-deployments": True, "access-role": None}), 2, "", "ECR Public",
            f"{name}: auto-deployments of ECR Public")
    digest = "@sha256:" + "a" * 64
    app = world(aws)
    good(app.deploy({"image": standin.ECR + "/shop:new" + digest}), f"{name}: tag and digest")
    h.same(image_of(live(aws)), standin.ECR + "/shop" + digest, f"{name}: the digest alone is sent")
    app = world(aws)
    good(app.deploy({"image": standin.ECR + "/shop"}), f"{name}: no tag is 'latest', with a warning", "latest")
    app = world(aws)
    other = standin.ECR.replace(standin.ACCOUNT, "999999999999") + "/shop:1"
    run = app.deploy({"image": other, "auto-deployments": True})
    verdict(run, 2, "failed", "another account", f"{name}: auto-deployments from another account")


@edge(34)
def absent_image(aws, name):
    app = world(aws, SHOP)
    aws.reset(urls="loopback")
    aws.do({"repository": {"name": "shop"}}, SHOP)
    run = app.deploy()
    h.ok(run.status == 1 and "UpdateService" not in run.calls and "shop:new" in run.text,
         f"{name}: an image that isn't there: said before anything is changed", run)


@edge(35, 36, 37)
def values(aws, name):
    app = world(aws)
    for settings, text in (
            ({"port": 0}, "1 to 65535"), ({"port": 65536}, "1 to 65535"), ({"port": "abc"}, "1 to 65535"),
            ({"cpu": "3", "memory": "4"}, "0.25, 0.5, 1, 2 or 4"), ({"cpu": "1", "memory": "1"}, "expected 0.25 vCPU with"),
            ({"cpu": "1"}, "give both"), ({"health-check": {"protocol": "tcp", "path": "/x"}}, "protocol: http"),
            ({"health-check": {"interval": 21}}, "1 to 20"), ({"health-check": {"timeout": 0}}, "1 to 20")):
        verdict(app.check(settings), 2, "", text, f"{name}: {settings} is refused")
    run = app.check({"port": 0, "cpu": "3", "memory": "5", "observabilty": "none", "tags": {"aws:x": "y"}})
    h.ok(run.status == 2 and all(t in run.text for t in ("65535", "'cpu'", "'memory'", "observability", "aws:x")),
         f"{name}: all mistakes at once, each with its line", run)
    for cpu, memory in (("1", "2"), ("1024", "2048"), ("1 vCPU", "2 GB"), ("1vcpu", "2GB")):
        app = world(aws, SAME)
        run = app.deploy({"cpu": cpu, "memory": memory, "skip-if-unchanged": True})
        good(run, f"{name}: '{cpu}' with '{memory}' is what 1024 and 2048 are", "nothing to do")
    app = world(aws, SHOP)
    good(app.deploy({"port": 3000, "cpu": "0.25", "memory": "0.5", "health-check": {"path": "/up"}}), f"{name}: changed")
    update = sent(aws, "UpdateService")
    h.same((update["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"]["Port"],
            update["InstanceConfiguration"], update["HealthCheckConfiguration"]["Protocol"]),
           ("3000", {"Cpu": "256", "Memory": "512"}, "HTTP"), f"{name}: the port is a text, a path means HTTP")
    run = app.deploy({"port": 3000}, service={"env": {"A": "1"}})
    good(run, f"{name}: then only env is changed")
    h.same(set(sent(aws, "UpdateService")), {"ServiceArn", "SourceConfiguration"}, f"{name}: the health check isn't sent")
    h.same(live(aws)["config"]["HealthCheckConfiguration"]["Path"], "/up", f"{name}: and stays")


@edge(38)
def env(aws, name):
    odd = {"EMPTY": "", "TEXT": "zwei\nZeilen, \"quoted\", ü €"}
    app = world(aws, SHOP)
    good(app.deploy(service={"env": odd}), f"{name}: empty values, newlines, quotes, unicode")
    configuration = sent(aws, "UpdateService")["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"]
    h.same(configuration["RuntimeEnvironmentVariables"], odd, f"{name}: as they are")
    good(app.deploy(service={"env": {"NEW": "1"}}), f"{name}: another one")
    kept = live(aws)["config"]["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"]
    h.same(sorted(kept["RuntimeEnvironmentVariables"]), ["EMPTY", "NEW", "TEXT"], f"{name}: merge: those before stay")
    good(app.deploy({"env-mode": "replace"}, service={"env": {"NEW": "2"}}), f"{name}: replace")
    kept = live(aws)["config"]["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"]
    h.same(kept["RuntimeEnvironmentVariables"], {"NEW": "2"}, f"{name}: replace: they go")
    run = app.deploy(service={"env": {f"V{i}": "x" for i in range(51)}})
    good(run, f"{name}: more than 50", "warning: 51 variables")
    run = app.plan(service={"env": {"NEW": "hunter2"}})
    h.ok("env NEW: changed" in run.text and "hunter2" not in run.text, f"{name}: plan names them, and shows no value", run)
    verdict(app.check(service={"env": {"A=B": "x"}}), 2, "", "A=B", f"{name}: no such name")


@edge(39)
def secrets(aws, name):
    app = world(aws, SHOP)
    settings = {"instance-role": INSTANCE, "runtime-secrets": {"DB": SECRET, "KEY": PARAMETER}}
    good(app.deploy(settings), f"{name}: from Secrets Manager (with a key) and SSM")
    configuration = sent(aws, "UpdateService")["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"]
    h.same(configuration["RuntimeEnvironmentSecrets"], {"DB": SECRET, "KEY": PARAMETER}, f"{name}: sent as secrets")
    app = world(aws, SHOP)
    good(app.deploy({"instance-role": INSTANCE}, service={"secrets": ["DB"]}, DB=SECRET), f"{name}: secrets: with an ARN")
    app = world(aws, SHOP)
    run = app.deploy({"instance-role": INSTANCE}, service={"secrets": ["DB"]}, DB="hunter2-plain")
    verdict(run, 2, "failed", "isn't sent", f"{name}: a value that is no ARN is refused")
    h.ok("hunter2-plain" not in run.text and not run.calls, f"{name}: unshown, before any call", run)
    verdict(app.deploy({"runtime-secrets": {"DB": SECRET}}), 2, "failed", "instance-role: is missing", f"{name}: no role")
    run = app.deploy({"instance-role": INSTANCE, "runtime-secrets": {"DB": SECRET.replace("us-east-1", "eu-west-1")}})
    verdict(run, 2, "failed", "its own region only", f"{name}: another region's")
    run = app.check({"runtime-secrets": {"A": SECRET, "B": "hunter2"}}, service={"env": {"A": "1"}})
    h.ok(run.status == 2 and "'A' is in env" in run.text and "'B'" in run.text and "hunter2" not in run.text,
         f"{name}: a name twice; no ARN", run)


@edge(40)
def scaling(aws, name):
    app = world(aws, SHOP)
    arn = aws.do({"scaling": {"name": "wide", "MaxSize": 5, "MinSize": 2, "MaxConcurrency": 50}})
    good(app.deploy({"auto-scaling-configuration": arn.rpartition("/")[0].rpartition("/")[0]}), f"{name}: by name only")
    h.same(sent(aws, "UpdateService")["AutoScalingConfigurationArn"], arn, f"{name}: its newest revision is sent")
    run = app.deploy({"auto-scaling": {"name": "wide", "max-size": 5, "min-size": 2, "max-concurrency": 50}})
    good(run, f"{name}: values that a revision has")
    h.ok("CreateAutoScalingConfiguration" not in run.calls, f"{name}: that one is used", run)
    run = app.deploy({"auto-scaling": {"name": "wide", "max-size": 6}})
    good(run, f"{name}: other values: a new revision")
    h.same(run.calls.count("CreateAutoScalingConfiguration"), 1, f"{name}: made once")
    verdict(app.check({"auto-scaling-configuration": ""}), 2, "", "auto-scaling-configuration", f"{name}: empty")


@edge(41, 42)
def networks(aws, name):
    base = f"arn:aws:apprunner:{standin.REGION}:{standin.ACCOUNT}:"
    connector, tracing = base + "vpcconnector/v/1/" + "a" * 32, base + "observabilityconfiguration/o/1/" + "b" * 32
    app = world(aws, SHOP)
    good(app.deploy({"vpc-connector": connector, "observability": tracing}), f"{name}: a connector and tracing")
    update = sent(aws, "UpdateService")
    h.same((update["NetworkConfiguration"]["EgressConfiguration"], update["ObservabilityConfiguration"]),
           ({"EgressType": "VPC", "VpcConnectorArn": connector},
            {"ObservabilityEnabled": True, "ObservabilityConfigurationArn": tracing}), f"{name}: type and ARN go together")
    good(app.deploy({"vpc-connector": "none", "observability": "none"}), f"{name}: and back")
    update = sent(aws, "UpdateService")
    h.same((update["NetworkConfiguration"]["EgressConfiguration"], update["ObservabilityConfiguration"]),
           ({"EgressType": "DEFAULT"}, {"ObservabilityEnabled": False}), f"{name}: without ARNs")
    app = world(aws, SHOP)
    run = app.deploy({"ingress": "private"})
    good(run, f"{name}: private: no URL, no probe", "the service is private")
    h.ok(not aws.apps() and not run.outputs.get("url"), f"{name}: nobody was asked", run.outputs)


@edge(43)
def tags(aws, name):
    tagged = {"seed": {"name": "shop", "tags": [{"Key": "team", "Value": "web"}, {"Key": "by", "Value": "hand"}]}}
    app = world(aws, tagged)
    good(app.deploy({"tags": {"team": "shop", "stage": "prod"}}), f"{name}: tags of a service that is there")
    h.same(sorted((t["Key"], t["Value"]) for t in live(aws)["tags"]), [("by", "hand"), ("stage", "prod"), ("team", "shop")],
           f"{name}: changed, added; others stay")
    app = world(aws, tagged)
    aws.fault("TagResource", "denied")
    good(app.deploy({"tags": {"team": "shop"}}), f"{name}: a refusal hides no good deployment", "tags couldn't be set")
    verdict(app.check({"tags": {f"k{i}": "v" for i in range(51)}}), 2, "", "at most 50", f"{name}: too many")


@edge(44)
def fixed(aws, name):
    key = f"arn:aws:kms:{standin.REGION}:{standin.ACCOUNT}:key/12345678-1234-1234-1234-123456789012"
    app = world(aws, SHOP)
    verdict(app.deploy({"kms-key": key}), 2, "failed", "can't be changed", f"{name}: another key")
    verdict(app.deploy({"service-arn": live(aws)["arn"], "service-name": "other"}), 2, "failed", "can't be renamed",
            f"{name}: another name")


@edge(45)
def code(aws, name):
    app = world(aws)
    arn = aws.do({"connection": {"name": "github"}})
    given = {"connection": arn, "repository": "https://github.com/acme/shop", "branch": "refs/heads/feature/a",
             "runtime": "NODEJS_22", "build-command": "npm ci", "directory": "/web"}
    plain = {"image": None, "access-role": None, "port": 3000, "start-command": "node ."}
    run = app.deploy({**plain, "code": given}, service={"env": {"A": "1"}})
    good(run, f"{name}: from a repository")
    source = sent(aws, "CreateService")["SourceConfiguration"]
    h.same((source["CodeRepository"]["SourceCodeVersion"], source["CodeRepository"]["SourceDirectory"],
            source["AutoDeploymentsEnabled"]), ({"Type": "BRANCH", "Value": "feature/a"}, "/web", False),
           f"{name}: a branch with a slash; no automatic deployments")
    run = app.deploy({"image": IMAGE})
    verdict(run, 2, "failed", "no way between the two", f"{name}: from code to an image")
    app = world(aws)
    arn = aws.do({"connection": {"name": "github"}})
    by_file = {"connection": arn, "repository": "https://github.com/acme/shop", "configuration-source": "repository"}
    good(app.deploy({"image": None, "access-role": None, "code": by_file}), f"{name}: apprunner.yaml")
    h.same(sent(aws, "CreateService")["SourceConfiguration"]["CodeRepository"]["CodeConfiguration"],
           {"ConfigurationSource": "REPOSITORY"}, f"{name}: without values of ours")
    aws.do({"connection": {"name": "github", "status": "PENDING_HANDSHAKE"}})
    verdict(app.deploy({"image": None, "access-role": None, "code": by_file}), 2, "failed", "finish its handshake",
            f"{name}: a pending connection")
    verdict(app.check({**plain, "code": {**given, "branch": "refs/tags/v1"}}), 2, "", "branches only", f"{name}: a tag")
    verdict(app.check({**plain, "code": by_file}), 2, "", "apprunner.yaml then", f"{name}: both apprunner.yaml and values")


@edge(46)
def unchanged(aws, name):
    app = world(aws, SAME)
    run = app.deploy()
    good(run, f"{name}: nothing has changed: deployed anew")
    h.ok("StartDeployment" in run.calls and "UpdateService" not in run.calls, f"{name}: by StartDeployment", run)
    run = app.deploy({"skip-if-unchanged": True})
    good(run, f"{name}: skip-if-unchanged", "nothing to do")
    h.ok("StartDeployment" not in run.calls, f"{name}: nothing is sent", run)


@edge(48)
def cancelled(aws, name):
    app = world(aws, SHOP, {"outcome": {"end": "stall"}})
    app.write()
    process = app.start()
    h.until(lambda: aws.requests("UpdateService"), 20)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    run = app.end(process)
    verdict(run, 4, "cancelled", "can't be cancelled", f"{name}: SIGTERM while it waits: said, and ended")
    h.ok(run.seconds < 10 and run.calls.count("UpdateService") == 1, f"{name}: at once", run)


@edge(49)
def urls(aws, name):
    app = world(aws)
    aws.reset(images="any")
    aws.fault("DescribeImages", "denied", times=0)
    run = app.deploy(env=aws.env(proxy=True), service={"health": {"path": "/", "timeout": "5s", "settle": "0s"}})
    good(run, f"{name}: a URL as AWS gives it, by https")
    h.ok(run.outputs.get("url", "").startswith("https://") and run.outputs["url"].endswith(".awsapprunner.com"),
         f"{name}: the output has its scheme", run.outputs)
    app = world(aws, SHOP, {"app": {"service": "shop", "status": 503, "times": 3}})
    good(app.deploy(), f"{name}: 503 at first is waited out")
    app = world(aws, SHOP, {"app": {"service": "shop", "status": 401, "times": 0}})
    good(app.deploy(service={"health": {"path": "/", "status": 401, "timeout": "1s", "settle": "0s"}}),
         f"{name}: health.status 401")


@edge(55)
def no_logs(aws, name):
    app = world(aws, {"outcome": {"end": "FAILED", "logs": False}})
    run = app.deploy()
    verdict(run, 1, "failed", "no log was written", f"{name}: no log group: no second failure")
    h.has(run.text, "console.aws.amazon.com/cloudwatch", f"{name}: but where to look")
    app = world(aws, {"outcome": {"end": "FAILED"}})
    aws.fault("GetLogEvents", "denied", times=0)
    aws.fault("DescribeLogStreams", "denied", times=0)
    verdict(app.deploy(), 1, "failed", "CREATE_FAILED", f"{name}: not allowed to read the log")


def named(function):
    def one(aws):
        function(aws, f"aws edge {function.edge} (app-runner)")
        allowed = ("expired", "Signature", "Expired")
        wrong = [r for r in aws.refused() if not any(a in str(r) for a in allowed)]
        h.same(wrong, [], f"aws edge {function.edge} (app-runner): every request is one by AWS's models")
    one.__name__ = function.__name__
    return one


only = sys.argv[1:]
lanes([named(e) for e in EDGES if not only or e.__name__ in only], 1 if only else 3)
h.done()
