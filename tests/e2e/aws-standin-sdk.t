#!/usr/bin/python3
"""The AWS stand-ins are true: AWS's own JavaScript SDK does to them what it does to AWS."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
sys.path.append("tests/clouds/aws")
import harness as h
import standin

if standin.absent():
    h.skip_all(standin.absent())
aws = standin.Aws(images="any")


class Sdk:
    """One node that holds the clients."""

    def __init__(self, env):
        self.process = subprocess.Popen(
            ["node", "--no-warnings", "tests/npm/aws.mjs"], env={"PATH": os.environ["PATH"], "HOME": aws.folder, **env},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, client, command, **given):
        self.process.stdin.write(json.dumps({"client": client, "command": command, "input": given}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


sdk = Sdk(aws.env())
ENV = {"GREETING": "grüß 'Gott' \"x\"\n🚀", "EMPTY": ""}


def source(image, **more):
    return {"ImageRepository": {"ImageIdentifier": f"{standin.ECR}/{image}", "ImageRepositoryType": "ECR",
                                "ImageConfiguration": {"Port": "8080", "RuntimeEnvironmentVariables": ENV, **more}},
            "AutoDeploymentsEnabled": False,
            "AuthenticationConfiguration": {"AccessRoleArn": standin.ROLE + "AppRunnerECRAccessRole"}}


# --- App Runner ---

made = sdk("apprunner", "CreateService", ServiceName="shop", SourceConfiguration=source("shop:a"),
           InstanceConfiguration={"Cpu": "0.25 vCPU", "Memory": "0.5 GB"}, Tags=[{"Key": "team", "Value": "web"}],
           NetworkConfiguration={"IpAddressType": "DUAL_STACK", "EgressConfiguration": {"EgressType": "DEFAULT"}},
           HealthCheckConfiguration={"Protocol": "HTTP", "Path": "/healthz"})
service = made.get("output", {}).get("Service", {})
arn = service.get("ServiceArn")
h.same(service.get("Status"), "OPERATION_IN_PROGRESS", "CreateService", made)
h.same(service["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"]["RuntimeEnvironmentVariables"], ENV,
       "with unicode, quotes, a newline and an empty value in its environment")
h.same(service["InstanceConfiguration"], {"Cpu": "256", "Memory": "512"}, "what was 0.25 vCPU and 0.5 GB comes back as numbers")
again = sdk("apprunner", "CreateService", ServiceName="shop", SourceConfiguration=source("shop:a"))
h.same((again["error"], again["status"], again["message"]),
       ("InvalidRequestException", 400, "Service with the provided name already exists: shop."), "CreateService again")
h.ok(again.get("requestId"), "an error has a request id")
busy = sdk("apprunner", "UpdateService", ServiceArn=arn, SourceConfiguration=source("shop:b"))
h.same(busy["error"], "InvalidStateException", "UpdateService meanwhile")
status = "?"
while status not in ("SUCCEEDED", "FAILED"):
    status = sdk("apprunner", "ListOperations", ServiceArn=arn)["output"]["OperationSummaryList"][0]["Status"]
described = sdk("apprunner", "DescribeService", ServiceArn=arn)["output"]["Service"]
h.same((status, described["Status"]), ("SUCCEEDED", "RUNNING"), "ListOperations and DescribeService until it runs")
h.has(described["CreatedAt"], "T", "its timestamps are read as dates")
updated = sdk("apprunner", "UpdateService", ServiceArn=arn, SourceConfiguration=source("shop:b"))["output"]
listed = sdk("apprunner", "ListOperations", ServiceArn=arn)["output"]["OperationSummaryList"]
h.same((listed[0]["Id"], listed[0]["Type"], listed[1]["Type"]), (updated["OperationId"], "UPDATE_SERVICE", "CREATE_SERVICE"),
       "UpdateService: its operation is the newest")
h.same(described["HealthCheckConfiguration"]["Path"],
       sdk("apprunner", "DescribeService", ServiceArn=arn)["output"]["Service"]["HealthCheckConfiguration"]["Path"],
       "what an update does not mention stays")
h.same(sdk("apprunner", "TagResource", ResourceArn=arn, Tags=[{"Key": "a", "Value": ""}])["output"], {}, "TagResource: {}")
h.same(sdk("apprunner", "ListTagsForResource", ResourceArn=arn)["output"]["Tags"],
       [{"Key": "team", "Value": "web"}, {"Key": "a", "Value": ""}], "ListTagsForResource")
while sdk("apprunner", "DescribeService", ServiceArn=arn)["output"]["Service"]["Status"] != "RUNNING":
    pass
paused = sdk("apprunner", "PauseService", ServiceArn=arn)["output"]
h.ok(paused["OperationId"], "PauseService")
while sdk("apprunner", "DescribeService", ServiceArn=arn)["output"]["Service"]["Status"] != "PAUSED":
    pass
h.ok("OperationId" not in sdk("apprunner", "PauseService", ServiceArn=arn)["output"], "once more: no operation")
h.same(sdk("apprunner", "StartDeployment", ServiceArn=arn)["error"], "InvalidRequestException", "StartDeployment while paused")
h.ok(sdk("apprunner", "DeleteService", ServiceArn=arn)["output"]["OperationId"], "DeleteService")
seen = [sdk("apprunner", "DescribeService", ServiceArn=arn) for _ in range(6)]
h.same([s["output"]["Service"]["Status"] if "output" in s else s["error"] for s in seen],
       ["OPERATION_IN_PROGRESS"] * 2 + ["DELETED"] * 2 + ["ResourceNotFoundException"] * 2, "deleted: described for a while")
connection = sdk("apprunner", "CreateConnection", ConnectionName="github", ProviderType="GITHUB")["output"]["Connection"]
code = {"CodeRepository": {"RepositoryUrl": "https://github.com/acme/shop", "SourceDirectory": "/app",
                           "SourceCodeVersion": {"Type": "BRANCH", "Value": "main"},
                           "CodeConfiguration": {"ConfigurationSource": "REPOSITORY"}},
        "AuthenticationConfiguration": {"ConnectionArn": connection["ConnectionArn"]}}
h.has(sdk("apprunner", "CreateService", ServiceName="code", SourceConfiguration=code)["message"], "PENDING_HANDSHAKE",
      "CreateService from source: the connection's handshake is missing")
aws.do({"connection": {"name": "github"}})
h.same(sdk("apprunner", "CreateService", ServiceName="code", SourceConfiguration=code)["output"]["Service"]["ServiceName"],
       "code", "and when it was made")
scaling = sdk("apprunner", "CreateAutoScalingConfiguration", AutoScalingConfigurationName="wide", MaxSize=30)["output"]
h.same(scaling["AutoScalingConfiguration"]["AutoScalingConfigurationRevision"], 1, "CreateAutoScalingConfiguration")

# --- logs ---

streams = sdk("logs", "DescribeLogStreams", logGroupName=f"/aws/apprunner/shop/{service['ServiceId']}/service",
              orderBy="LogStreamName")["output"]["logStreams"]
h.same([s["logStreamName"] for s in streams],
       sorted(["events"] + ["deployment/" + o["Id"].replace("-", "") for o in listed]), "DescribeLogStreams")
first = sdk("logs", "GetLogEvents", logGroupName=f"/aws/apprunner/shop/{service['ServiceId']}/service",
            logStreamName="events", limit=2, startFromHead=True)["output"]
tokens, messages = [], [e["message"] for e in first["events"]]
while first["nextForwardToken"] not in tokens:
    tokens.append(first["nextForwardToken"])
    first = sdk("logs", "GetLogEvents", logGroupName=f"/aws/apprunner/shop/{service['ServiceId']}/service",
                logStreamName="events", limit=2, startFromHead=True, nextToken=tokens[-1])["output"]
    messages += [e["message"] for e in first["events"]]
h.same((len(messages), len(set(tokens))), (4, len(tokens)), "GetLogEvents: page by page, and the last token repeats", messages)
h.same(len(sdk("logs", "FilterLogEvents", logGroupName=f"/aws/apprunner/shop/{service['ServiceId']}/application")
           ["output"]["events"]), 2, "FilterLogEvents")
gone = sdk("logs", "GetLogEvents", logGroupName="/none", logStreamName="x")
h.same((gone["error"], gone["message"]), ("ResourceNotFoundException", "The specified log group does not exist."),
       "GetLogEvents of no group")

# --- ECS Express ---


def container(image, **more):
    return {"image": f"{standin.ECR}/{image}", "containerPort": 8080, "environment": [{"name": "A", "value": "1"}], **more}


made = sdk("ecs", "CreateExpressGatewayService", serviceName="shop", executionRoleArn=standin.ROLE + "exec",
           infrastructureRoleArn=standin.ROLE + "infra", primaryContainer=container("shop:a"), cpu="1024", memory="2048",
           healthCheckPath="/", scalingTarget={"minTaskCount": 1, "maxTaskCount": 2}, tags=[{"key": "k", "value": "v"}])
express = made.get("output", {}).get("service", {})
arn = f"arn:aws:ecs:{standin.REGION}:{standin.ACCOUNT}:service/default/shop"
h.same((express.get("serviceArn"), express.get("status")), (arn, {"statusCode": "ACTIVE"}), "CreateExpressGatewayService", made)
h.same(express["activeConfigurations"][0]["ingressPaths"], [], "whose URL is not known yet")
h.has(sdk("ecs", "CreateExpressGatewayService", serviceName="shop", executionRoleArn=standin.ROLE + "exec",
          infrastructureRoleArn=standin.ROLE + "infra", primaryContainer=container("shop:a"))["message"], "not idempotent",
      "once more: it is there")


def follow(name="shop"):
    seen = []
    while seen[-1:] not in (["SUCCESSFUL"], ["ROLLBACK_SUCCESSFUL"], ["ROLLBACK_FAILED"]):
        newest = sdk("ecs", "ListServiceDeployments", service=name, cluster="default")["output"]["serviceDeployments"][0]
        seen.append(newest["status"])
    return seen, sdk("ecs", "DescribeServiceDeployments", serviceDeploymentArns=[newest["serviceDeploymentArn"]])[
        "output"]["serviceDeployments"][0]


states, deployment = follow()
h.same(states, ["PENDING", "IN_PROGRESS", "SUCCESSFUL"], "ListServiceDeployments: the states one after the other")
described = sdk("ecs", "DescribeExpressGatewayService", serviceArn=arn, include=["TAGS"])["output"]["service"]
active = described["activeConfigurations"]
h.same([(a["primaryContainer"]["image"], a["serviceRevisionArn"]) for a in active],
       [(standin.ECR + "/shop:a", deployment["targetServiceRevision"]["arn"])], "its revision is active with its image")
h.same((described["tags"], active[0]["ingressPaths"][0]["accessType"]), ([{"key": "k", "value": "v"}], "PUBLIC"),
       "with tags and a public URL")
revision = sdk("ecs", "DescribeServiceRevisions", serviceRevisionArns=[active[0]["serviceRevisionArn"]])
h.same(revision["output"]["serviceRevisions"][0]["containerImages"][0]["image"], standin.ECR + "/shop:a",
       "DescribeServiceRevisions")
h.same(sdk("ecs", "DescribeServices", services=["shop"])["output"]["services"][0]["runningCount"], 1, "DescribeServices")
h.same([c["clusterName"] for c in sdk("ecs", "DescribeClusters", clusters=["default", "none"])["output"]["clusters"]],
       ["default"], "DescribeClusters")
aws.ecs_outcome(end="ROLLBACK_SUCCESSFUL", polls=2, reason="alarm: 5xx", app_log=["boom"], stopped="OutOfMemory", exit=137)
updated = sdk("ecs", "UpdateExpressGatewayService", serviceArn=arn, primaryContainer=container("shop:b"))
h.same(updated["output"]["service"]["targetConfiguration"]["primaryContainer"]["image"], standin.ECR + "/shop:b",
       "UpdateExpressGatewayService", updated)
sdk("ecs", "ListServiceDeployments", service="shop")
h.same([a["primaryContainer"]["image"][-1] for a in sdk("ecs", "DescribeExpressGatewayService", serviceArn=arn)["output"][
    "service"]["activeConfigurations"]], ["b", "a"], "the canary: both are active meanwhile")
states, deployment = follow()
h.same((states[-1], deployment["rollback"]["reason"]), ("ROLLBACK_SUCCESSFUL", "alarm: 5xx"), "rolled back, and why", states)
described = sdk("ecs", "DescribeExpressGatewayService", serviceArn=arn)["output"]["service"]
h.same([a["primaryContainer"]["image"][-1] for a in described["activeConfigurations"]], ["a"], "the old image is active")
stopped = sdk("ecs", "ListTasks", serviceName="shop", desiredStatus="STOPPED")["output"]["taskArns"]
task = sdk("ecs", "DescribeTasks", tasks=stopped)["output"]["tasks"][0]
h.same((task["stoppedReason"], task["containers"][0]["exitCode"]), ("OutOfMemory", 137), "ListTasks, DescribeTasks: why it stopped")
where = active[0]["primaryContainer"]["awsLogsConfiguration"]
events = sdk("logs", "GetLogEvents", logGroupName=where["logGroup"],
             logStreamName=f"{where['logStreamPrefix']}/Main/{stopped[0].rpartition('/')[2]}")
h.same(events["output"]["events"][0]["message"], "boom", "its task's log")
h.same(sdk("ecs", "DescribeExpressGatewayService", serviceArn=arn + "x")["error"], "ResourceNotFoundException",
       "DescribeExpressGatewayService of none")
ours = sdk("ecs", "UpdateExpressGatewayService", serviceArn=arn, primaryContainer=container("shop:c"))["output"]["service"]
aws.do({"ecs-elsewhere": {"service": "shop", "image": standin.ECR + "/shop:x"}})
follow()
deployments = sdk("ecs", "ListServiceDeployments", service="shop")["output"]["serviceDeployments"]
h.same([(d["status"], d["targetServiceRevisionArn"] == ours["targetConfiguration"]["serviceRevisionArn"]) for d in
        deployments[:2]], [("SUCCESSFUL", False), ("STOPPED", True)], "somebody else's deployment takes the place of ours")
h.same(sdk("ecs", "ListServiceDeployments", service="shop", status=["STOPPED"])["output"]["serviceDeployments"],
       deployments[1:2], "deployments by their status")
aws.ecs_outcome(end="stall", hidden=1)
sdk("ecs", "UpdateExpressGatewayService", serviceArn=arn, cpu="512", memory="1024")
seen = [sdk("ecs", "ListServiceDeployments", service="shop")["output"]["serviceDeployments"][0] for _ in range(5)]
h.same([d["status"] for d in seen], ["SUCCESSFUL", "IN_PROGRESS", "IN_PROGRESS", "IN_PROGRESS", "IN_PROGRESS"],
       "one that the list shows late, and that stays")
h.has(sdk("ecs", "UpdateExpressGatewayService", serviceArn=arn, cpu="256", memory="8192")["message"], "256 CPU, 8192 memory",
      "cpu and memory that do not go together")
aws.set(images="checked", scheme=True)
new = {"executionRoleArn": standin.ROLE + "exec", "infrastructureRoleArn": standin.ROLE + "infra"}
lost = sdk("ecs", "CreateExpressGatewayService", serviceName="lost", primaryContainer=container("shop:none"), **new)
states, deployment = follow("lost")
h.same((states[-1], "CannotPullContainerError" in deployment["statusReason"]), ("ROLLBACK_FAILED", True),
       "an image that was never pushed")
h.same(sdk("ecs", "DescribeExpressGatewayService", serviceArn=lost["output"]["service"]["serviceArn"])["output"]["service"][
    "activeConfigurations"], [], "and nothing is active")
inner = aws.do({"ecs-seed": {"name": "inner", "config": {"networkConfiguration": {"subnets": ["subnet-private-1"]}}}})
paths = sdk("ecs", "DescribeExpressGatewayService", serviceArn=inner["arn"])["output"]["service"]["activeConfigurations"][0][
    "ingressPaths"]
h.same((paths[0]["accessType"], paths[0]["endpoint"][:11]), ("PRIVATE", "https://in-"), "a private one, with a scheme this time")
aws.do({"ecs-status": {"inner": "INACTIVE"}})
h.same(sdk("ecs", "UpdateExpressGatewayService", serviceArn=inner["arn"])["error"], "ServiceNotActiveException", "an inactive one")
h.same(sdk("ecs", "CreateExpressGatewayService", serviceName="far", cluster="far", primaryContainer=container("a"), **new)[
    "error"], "ClusterNotFoundException", "a cluster that there is not")
aws.fault("ecs.CreateExpressGatewayService", "passrole")
h.has(sdk("ecs", "CreateExpressGatewayService", serviceName="far", primaryContainer=container("a"), **new)["message"],
      "iam:PassRole", "a role that may not be passed")
h.same(sdk("ecs", "DeleteExpressGatewayService", serviceArn=arn)["output"]["service"]["status"]["statusCode"], "DRAINING",
       "DeleteExpressGatewayService")

# --- ECR, STS ---

h.same(sdk("ecr", "CreateRepository", repositoryName="acme/shop", imageTagMutability="IMMUTABLE")["output"]["repository"][
    "repositoryUri"], standin.ECR + "/acme/shop", "CreateRepository")
h.same(sdk("ecr", "CreateRepository", repositoryName="acme/shop")["error"], "RepositoryAlreadyExistsException", "once more")
h.same(sdk("ecr", "DescribeImages", repositoryName="acme/shop", imageIds=[{"imageTag": "x"}])["error"],
       "ImageNotFoundException", "DescribeImages of none")
h.same(sdk("ecr", "DescribeRepositories", repositoryNames=["none"])["error"], "RepositoryNotFoundException",
       "DescribeRepositories of none")
h.same(len(sdk("ecr", "GetAuthorizationToken")["output"]["authorizationData"]), 1, "GetAuthorizationToken")
who = sdk("sts", "GetCallerIdentity")["output"]
h.same((who["Account"], who["Arn"]), (standin.ACCOUNT, f"arn:aws:iam::{standin.ACCOUNT}:user/deploy"), "GetCallerIdentity")
env = aws.env_web_identity()
with open(env["AWS_WEB_IDENTITY_TOKEN_FILE"], encoding="utf-8") as f:
    jwt = f.read()
role = {"RoleArn": standin.ROLE + "deploy", "RoleSessionName": "GitHubActions", "WebIdentityToken": jwt}
assumed = sdk("sts", "AssumeRoleWithWebIdentity", **role, DurationSeconds=900)["output"]
h.has(assumed["Credentials"]["SessionToken"], "+", "AssumeRoleWithWebIdentity: entities in its XML are read")
h.has(assumed["AssumedRoleUser"]["Arn"], ":assumed-role/deploy/GitHubActions", "as the role")
bad = sdk("sts", "AssumeRoleWithWebIdentity", **{**role, "WebIdentityToken": jwt[:-3] + "abc"})
h.same((bad["error"], bad["status"]), ("InvalidIdentityTokenException", 400), "a token that somebody changed")
aws.fault("AssumeRoleWithWebIdentity", code="IDPCommunicationError", message="Identity Provider Certificate <retry>")
h.has(sdk("sts", "AssumeRoleWithWebIdentity", **role)["output"]["Credentials"]["AccessKeyId"], "ASIA",
      "IDPCommunicationError once: tried again")
h.has(sdk("sts", "AssumeRole", RoleArn=standin.ROLE + "next", RoleSessionName="chain", ExternalId="ext-1",
          Tags=[{"Key": "a", "Value": "b"}])["output"]["AssumedRoleUser"]["Arn"], "assumed-role/next/chain", "AssumeRole")
h.same(sdk("sts", "AssumeRole", RoleArn=standin.ROLE + "denied", RoleSessionName="chain")["error"], "AccessDenied",
       "AssumeRole where one may not")
sdk.close()

# --- where credentials come from ---

for name in ("session", "imds", "container", "web_identity"):
    other = Sdk(getattr(aws, "env_" + name)())
    who = other("sts", "GetCallerIdentity")
    h.has(who.get("output", {}).get("Arn"), "assumed-role", f"credentials from {name}", who)
    other.close()

h.same(aws.refused(), [], "the stand-in finds nothing wrong with what the SDK sends")
h.same(aws.wrong(), [], "the stand-in made no mistake")
h.done()
