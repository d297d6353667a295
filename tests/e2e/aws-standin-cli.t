#!/usr/bin/python3
"""The AWS stand-ins are true: Debian's AWS CLI does to them what it does to AWS."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
sys.path.append("tests/clouds/aws")
import harness as h
import standin

if standin.absent() or not os.path.exists("/usr/bin/aws"):
    h.skip_all(standin.absent() or "awscli is not installed")
aws = standin.Aws(images="any")


def source(image, **more):
    return json.dumps({
        "ImageRepository": {"ImageIdentifier": f"{standin.ECR}/{image}", "ImageRepositoryType": "ECR",
                            "ImageConfiguration": {"Port": "8080", **more}},
        "AutoDeploymentsEnabled": False,
        "AuthenticationConfiguration": {"AccessRoleArn": standin.ROLE + "AppRunnerECRAccessRole"}})


def apprunner(*words, **more):
    return aws.cli("apprunner", *words, **more)


# --- who, and the repository ---

status, who = aws.cli("sts", "get-caller-identity")
h.same(who and who["Account"], standin.ACCOUNT, "sts get-caller-identity", who)
for name in ("imds", "container"):
    status, who = aws.cli("sts", "get-caller-identity", env=getattr(aws, "env_" + name)())
    h.has(str(who), "assumed-role", f"the CLI takes its credentials from {name}")
status, made = aws.cli("ecr", "create-repository", "--repository-name", "shop")
h.same(made["repository"]["repositoryUri"], standin.ECR + "/shop", "ecr create-repository")
h.has(aws.cli("ecr", "create-repository", "--repository-name", "shop")[1], "RepositoryAlreadyExistsException",
      "once more: it is there")
h.ok(len(aws.cli("ecr", "get-login-password")[1]) > 1500, "ecr get-login-password: long, as real ones")

# --- App Runner ---

status, made = apprunner("create-service", "--service-name", "shop", "--source-configuration", source("shop:a"),
                         "--instance-configuration", "Cpu=1 vCPU,Memory=2 GB", "--tags", "Key=team,Value=web")
h.same(status, 0, "create-service", made)
service, arn = made["Service"], made["Service"]["ServiceArn"]
h.same((service["Status"], service["InstanceConfiguration"]["Cpu"], service["InstanceConfiguration"]["Memory"]),
       ("OPERATION_IN_PROGRESS", "1024", "2048"), "the service is being made; its cpu and memory are numbers")
h.has(apprunner("create-service", "--service-name", "shop", "--source-configuration", source("shop:a"))[1],
      "Service with the provided name already exists: shop.", "create-service again: the name is taken")
h.has(apprunner("update-service", "--service-arn", arn, "--source-configuration", source("shop:b"))[1],
      "Service cannot be updated in the current state: OPERATION_IN_PROGRESS.", "update-service meanwhile: busy")
seen = []
while len(seen) < 9 and seen[-1:] != ["SUCCEEDED"]:
    seen.append(apprunner("list-operations", "--service-arn", arn)[1]["OperationSummaryList"][0]["Status"])
h.same(seen, ["PENDING", "IN_PROGRESS", "SUCCEEDED"], "list-operations: the states one after the other")
h.same(apprunner("list-services")[1]["ServiceSummaryList"][0]["Status"], "RUNNING", "list-services: it runs")
aws.outcome(op="UPDATE_SERVICE", end="ROLLBACK_SUCCEEDED", polls=1, events=["exec format error"])
status, updated = apprunner("update-service", "--service-arn", arn, "--source-configuration", source("shop:b"))
image = updated["Service"]["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"]
h.same(image, standin.ECR + "/shop:b", "update-service: the answer shows what is being applied")
while apprunner("describe-service", "--service-arn", arn)[1]["Service"]["Status"] != "RUNNING":
    pass
described = apprunner("describe-service", "--service-arn", arn)[1]["Service"]
h.same(described["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"], standin.ECR + "/shop:a",
       "describe-service after a rollback: the old image runs")
listed = apprunner("list-operations", "--service-arn", arn)[1]["OperationSummaryList"]
h.same([o["Status"] for o in listed], ["ROLLBACK_SUCCEEDED", "SUCCEEDED"], "list-operations: newest first")
group = f"/aws/apprunner/shop/{service['ServiceId']}/service"
status, events = aws.cli("logs", "get-log-events", "--log-group-name", group, "--log-stream-name",
                         "deployment/" + listed[0]["Id"].replace("-", ""))
h.has(str(events), "exec format error", "logs get-log-events: why")
h.has(aws.cli("logs", "describe-log-streams", "--log-group-name", "/none")[1], "The specified log group does not exist.",
      "logs describe-log-streams of no group")
aws.set(page=1)
aws.do({"seed": {"name": "other"}})
status, listed = apprunner("list-services", "--max-results", "5")
h.same((len(listed["ServiceSummaryList"]), bool(listed["NextToken"])), (1, True), "pages of one, whatever was asked for")

# --- refused ---

h.has(apprunner("list-services", env={**aws.env(), "AWS_SECRET_ACCESS_KEY": "wrong"})[1], "InvalidSignatureException",
      "another secret: the signature does not match")
h.has(apprunner("list-services", env=aws.env_session(seconds=-1))[1], "ExpiredTokenException", "expired credentials")
h.same(apprunner("list-services", env=aws.env_session())[0], 0, "a session token with + / = in it")
aws.fault("ListServices", "throttled")
before = len(aws.requests("ListServices"))
h.same(apprunner("list-services")[0], 0, "throttled once: the CLI tries again")
h.same([r["status"] for r in aws.requests("ListServices")[before:]][:2], [400, 200], "and that was seen")
h.same([r for r in aws.refused() if "Signature" not in r and "Expired" not in r], [],
       "the stand-in finds nothing wrong with the CLI's other requests")
h.same(aws.wrong(), [], "the stand-in made no mistake")
h.done()
