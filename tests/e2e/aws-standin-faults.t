#!/usr/bin/python3
"""The AWS stand-ins refuse what AWS refuses, and fail as they are told. The client is Debian's botocore."""
import datetime
import email.utils
import hashlib
import http.client
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
sys.path.append("tests/clouds/aws")
import harness as h
import standin

if standin.absent():
    h.skip_all(standin.absent())
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.session

aws = standin.Aws()
IMAGE = standin.ECR + "/shop:a"


def client(service, key=None, secret=None, token=None, region=standin.REGION):
    session = botocore.session.Session()
    session.set_config_variable("config_file", "/nonexistent")
    return session.create_client(
        service, region_name=region, endpoint_url=aws.url, aws_access_key_id=key or standin.KEY["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or standin.KEY["AWS_SECRET_ACCESS_KEY"], aws_session_token=token,
        config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=10, parameter_validation=False,
                                      proxies={}))


apprunner, ecr, logs = client("apprunner"), client("ecr"), client("logs")


def refusal(call, **given):
    """"Code: message" of what is refused; the exception's name when it wasn't an answer; "" when it went well."""
    try:
        call(**given)
        return ""
    except botocore.exceptions.ClientError as e:
        return f"{e.response['Error']['Code']}: {e.response['Error']['Message']}"
    except Exception as e:
        return type(e).__name__


def code(call, **given):
    return refusal(call, **given).partition(":")[0]


def source(image=IMAGE, kind="ECR", settings=None, **more):
    found = {"ImageRepository": {"ImageIdentifier": image, "ImageRepositoryType": kind},
             "AutoDeploymentsEnabled": False,
             "AuthenticationConfiguration": {"AccessRoleArn": standin.ROLE + "AppRunnerECRAccessRole"}, **more}
    if settings is not None:
        found["ImageRepository"]["ImageConfiguration"] = settings
    return {k: v for k, v in found.items() if v is not None}


def create(name="shop", **given):
    return {"ServiceName": name, "SourceConfiguration": source(), **given}


def follow(arn, image=None):
    """The states that its newest operation goes through."""
    seen = []
    while len(seen) < 20 and seen[-1:] not in [["SUCCEEDED"], ["FAILED"], ["ROLLBACK_SUCCEEDED"], ["ROLLBACK_FAILED"]]:
        seen.append(apprunner.list_operations(ServiceArn=arn)["OperationSummaryList"][0]["Status"])
    return seen


def status(arn):
    return apprunner.describe_service(ServiceArn=arn)["Service"]["Status"]


# --- the model ---

aws.reset(images="any")
long_name = "a" * 41
for what, given, want in [
    ("a name that is too long", create(long_name), "ServiceName: at most 40"),
    ("a name that is too short", create("abc"), "ServiceName: at least 4"),
    ("a name with a dot", create("shop.x"), "ServiceName: pattern"),
    ("an image that isn't ECR's", create(SourceConfiguration=source("docker.io/x:y")), "ImageIdentifier: pattern"),
    ("an enum's value", create(SourceConfiguration=source(kind="DOCKER")), "ImageRepositoryType: one of"),
    ("a cpu", create(InstanceConfiguration={"Cpu": "3 vCPU"}), "Cpu: pattern"),
    ("an interval", create(HealthCheckConfiguration={"Interval": 99}), "Interval: at most 20"),
    ("a tag of aws", create(Tags=[{"Key": "aws:x", "Value": ""}]), "Key: pattern"),
    ("a required member", {"ServiceName": "shop"}, "SourceConfiguration: required, and absent"),
    ("a command with a newline", create(SourceConfiguration=source(settings={"StartCommand": "a\nb"})), "StartCommand: pattern"),
]:
    said = refusal(apprunner.create_service, **given)
    h.ok(said.startswith("InvalidRequestException") and want in said, f"refused by the model: {what}", said)
for what, given, want in [
    ("cpu and memory that do not go together", create(InstanceConfiguration={"Cpu": "1 vCPU", "Memory": "12 GB"}), "combination"),
    ("automatic deployments of a public image", create(SourceConfiguration=source(
        "public.ecr.aws/x/y:z", "ECR_PUBLIC", AutoDeploymentsEnabled=True, AuthenticationConfiguration=None)),
     "App Runner doesn't support automatic deployments for an image in an ECR Public repository."),
    ("no access role", create(SourceConfiguration=source(AuthenticationConfiguration=None)), "access role"),
    ("an access role for a public image", create(SourceConfiguration=source("public.ecr.aws/x/y:z", "ECR_PUBLIC")), "not supported"),
    ("port 0", create(SourceConfiguration=source(settings={"Port": "0"})), "Invalid port"),
    ("egress VPC without its connector", create(NetworkConfiguration={"EgressConfiguration": {"EgressType": "VPC"}}), "VpcConnectorArn"),
    ("an auto-scaling configuration that is not there", create(
        AutoScalingConfigurationArn="arn:aws:apprunner:us-east-1:123456789012:autoscalingconfiguration/none"), "isn't valid"),
]:
    h.has(refusal(apprunner.create_service, **given), want, f"refused: {what}")
h.same(aws.state()["apprunner"], [], "and none of them made a service")

# --- signatures ---


def signed(change=None, body=b"{}", when=None, key=None, headers=None, operation="ListServices"):
    """(status, error code, headers, answer) of an operation, signed by botocore and then changed."""
    request = botocore.awsrequest.AWSRequest("POST", aws.url + "/", headers={
        "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AppRunner." + operation, **(headers or {})}, data=body)
    keys = key or (standin.KEY["AWS_ACCESS_KEY_ID"], standin.KEY["AWS_SECRET_ACCESS_KEY"], None)
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(*keys), "apprunner", standin.REGION)
    real = botocore.auth.datetime

    class Clock(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return datetime.datetime.utcnow() + datetime.timedelta(seconds=when)

    if when:
        botocore.auth.datetime = type("m", (), {"datetime": Clock, "timedelta": datetime.timedelta})
    try:
        signer.add_auth(request)
    finally:
        botocore.auth.datetime = real
    ready = request.prepare()
    sent = {"method": "POST", "path": "/", "headers": dict(ready.headers.items()), "body": body}
    if change:
        change(sent)
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=20)
    connection.request(sent["method"], sent["path"], sent["body"], sent["headers"])
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    try:
        found = json.loads(text)
    except ValueError:
        found = {}
    return answer.status, found.get("__type", "").rpartition("#")[2], answer.headers, found


aws.reset()
h.same(signed()[:2], (200, ""), "a good signature")
h.same(signed(headers={"X-Spaces": "  a   b  ", "x-amz-a": "1"})[:2], (200, ""), "with more headers, spaces and all")
for what, change in [
    ("the body", lambda s: s.update(body=b'{"MaxResults":2}')),
    ("a signed header", lambda s: s["headers"].update({"X-Amz-Target": "AppRunner.ListConnections"})),
    ("one letter of the signature", lambda s: s["headers"].update(Authorization=s["headers"]["Authorization"][:-1] + (
        "0" if s["headers"]["Authorization"][-1] != "0" else "1"))),
    ("the method", lambda s: s.update(method="PUT")),
    ("the query", lambda s: s.update(path="/?a=b")),
    ("the region in the scope", lambda s: s["headers"].update(Authorization=s["headers"]["Authorization"].replace(
        "us-east-1", "eu-west-1"))),
]:
    h.same(signed(change)[:2], (403, "InvalidSignatureException"), f"{what} was changed: refused")
h.same(signed(lambda s: s["headers"].pop("Authorization"))[1], "MissingAuthenticationTokenException", "not signed")
h.same(signed(lambda s: s["headers"].update(Authorization="AWS4 x"))[1], "IncompleteSignatureException", "malformed")
h.same(signed(key=("AKIAOTHER", "x", None))[:2], (400, "UnrecognizedClientException"), "a key that nobody knows")
h.same(signed(key=(standin.KEY["AWS_ACCESS_KEY_ID"], standin.KEY["AWS_SECRET_ACCESS_KEY"], "x"))[1],
       "UnrecognizedClientException", "a token that does not belong to the key")
for when, want in ((-900, "Signature expired"), (900, "Signature not yet current")):
    answer = signed(when=when)
    h.ok(answer[0] == 403 and want in answer[3]["message"], f"signed {when} s off: {want}", answer)
secret = create(SourceConfiguration=source(settings={"RuntimeEnvironmentSecrets": {"A": "arn:aws:ssm:us-east-1:1:parameter/a"}}))
for what, body, want in [
    ("a secret without a role", json.dumps(secret), "instance role"),
    ("a member that there is not", json.dumps({**create(), "Port": 1}), "no such member"),
    ("a port that is no string", json.dumps(create(SourceConfiguration=source(settings={"Port": 8080}))), "Port: expected string"),
    ("a name twice", '{"ServiceName": "a", "ServiceName": "b"}', "comes twice"),
    ("no JSON", "{", "body:"),
]:
    h.has(str(signed(operation="CreateService", body=body.encode())[3]), want, f"refused: {what}")
h.has(str(signed(headers={"Content-Type": "application/json"})[3]), "expected application/x-amz-json-1.0", "refused: another type")
aws.do({"clock": 900})
answer = signed()
ahead = email.utils.parsedate_to_datetime(answer[2]["Date"]).timestamp() - time.time()
h.ok(answer[1] == "InvalidSignatureException" and 880 < ahead < 910, "the cloud's clock is ahead: its Date says so", ahead)
h.same(signed(when=900)[:2], (200, ""), "and who follows it is let in")
h.same(refusal(client("apprunner", region="eu-west-1").list_services).partition(":")[0], "InvalidSignatureException",
       "signed for another region")

# --- credentials that end ---

aws.reset()
keys = aws.do({"credentials": {"calls": 2}})
short = client("apprunner", keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
h.same([code(short.list_services) for _ in range(3)], ["", "", "ExpiredTokenException"], "credentials that last for two calls")
keys = aws.do({"credentials": {}})
short = client("apprunner", keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
h.same(code(short.list_services), "", "temporary credentials")
aws.do({"expire": "all"})
h.same((code(short.list_services), code(apprunner.list_services)), ("ExpiredTokenException", ""),
       "until they are expired; keys of a user are not")


def assume(fresh=True, **change):
    if fresh or not hasattr(assume, "jwt"):
        asked = urllib.request.Request(aws.url + "/oidc/token?audience=" + change.pop("audience", "sts.amazonaws.com"),
                                       headers={"Authorization": "bearer gh-oidc-request-token"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            assume.jwt = json.load(answer)["value"]
    fields = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": standin.ROLE + "deploy",
              "RoleSessionName": "GitHubActions", "WebIdentityToken": assume.jwt, "DurationSeconds": "3600", **change}
    request = urllib.request.Request(aws.url + "/", urllib.parse.urlencode(fields).encode())
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


h.has(assume()[1], "<Expiration>20", "AssumeRoleWithWebIdentity, unsigned")
h.has(assume(audience="other")[1], "<Code>InvalidIdentityToken</Code>", "for another audience")
h.same(assume(RoleArn=standin.ROLE + "denied")[0], 403, "for a role that does not trust it")
h.has(assume(DurationSeconds="60")[1], "<Code>ValidationError</Code>", "for too short a time")
h.has(assume(RoleSessionName="a b")[1], "<Code>ValidationError</Code>", "with a session's name that isn't one")
aws.set(jwt_once=True)
assume()
h.has(assume(fresh=False)[1], "InvalidIdentityToken", "a token a second time, where that is not to be")
aws.set(jwt_seconds=-1)
h.has(assume()[1], "ExpiredTokenException", "a token that is too old")
aws.fault("AssumeRoleWithWebIdentity", "html")
h.same(assume()[0], 503, "a load balancer's page")
for path, headers, want in [
    ("/latest/meta-data/iam/security-credentials/", {}, 401),
    ("/container/credentials", {}, 401),
    ("/oidc/token", {"Authorization": "bearer x"}, 401),
]:
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=20)
    connection.request("GET", path, headers=headers)
    h.same(connection.getresponse().status, want, f"{path} without its token")
    connection.close()

# --- faults ---

aws.reset(images="any")
for kind, want in [
    ("throttled", "ThrottlingException"), ("429", "TooManyRequestsException"), ("html", "503"), ("500", "InternalServiceErrorException"),
    ("502", "502"), ("504", "504"), ("cut", "ConnectionClosedError"), ("cut-after", "ConnectionClosedError"),
("expired", "ExpiredTokenException"), ("denied", "AccessDeniedException"),
    ("closed", "AccessDeniedException"), ("role", "InvalidRequestException"),
]:
    aws.fault("ListServices", kind)
    got = code(apprunner.list_services)
    h.ok(got and got in want, f"{kind}: {want}", got)
    h.same(code(apprunner.list_services), "", f"{kind}: once")
aws.fault("ListServices", "truncated")
try:
    signed()
    h.ok(False, "truncated: the body ends too early")
except http.client.IncompleteRead as e:
    h.same(len(e.partial), 20, "truncated: the body ends too early")
aws.fault("ListServices", "broken-json")
h.same(signed()[3], {}, "broken-json: the body is whole, and no JSON")
aws.fault("ListServices", "empty")
h.same((signed()[0], signed()[3]), (200, {"ServiceSummaryList": []}), "empty: 200 with nothing, once")
aws.fault("ListServices", "redirect")
h.has(signed()[2]["Location"], "http://", "redirect: it sends one elsewhere")
aws.fault("apprunner.*", "throttled", times=2, skip=1)
h.same([code(apprunner.list_services) for _ in range(4)], ["", "ThrottlingException", "ThrottlingException", ""],
       "a fault after one request, twice")
aws.fault("CreateService", "cut-after")
h.same((code(apprunner.create_service, **create()), len(aws.state()["apprunner"])), ("ConnectionClosedError", 1),
       "cut after: it was done")
aws.fault("CreateService", "cut")
h.same((code(apprunner.create_service, **create("other")), len(aws.state()["apprunner"])), ("ConnectionClosedError", 1),
       "cut before: it was not")
begun = time.monotonic()
aws.fault("ListServices", delay=0.4)
apprunner.list_services()
h.ok(time.monotonic() - begun > 0.4, "a delay")
arn = apprunner.list_services()["ServiceSummaryList"][0]["ServiceArn"]
aws.fault("ListOperations", patch={"OperationSummaryList": {"0": {"Status": "NEW_STATE", "Extra": 1}}, "More": {"a": 1}})
h.same(apprunner.list_operations(ServiceArn=arn)["OperationSummaryList"][0]["Status"], "NEW_STATE", "a patched answer")
aws.fault("ListServices", "closed", headers={"Retry-After": "3"})
h.same(code(apprunner.list_services), "AccessDeniedException", "a header of a fault")
aws.set(closed=True)
h.has(refusal(apprunner.create_service, **create("third")), "no longer available to new customers", "closed to new customers")
aws.set(closed=False)
aws.fault("CreateService", "role", times=2)
h.same([code(apprunner.create_service, **create("fourth")) for _ in range(3)], ["InvalidRequestException"] * 2 + [""],
       "a role that is not known yet, twice")
h.has(aws.requests("ListServices")[0]["headers"]["x-amz-target"], "AppRunner.ListServices", "requests are kept, with their headers")
try:
    aws.fault("ListServices", "no such kind")
    h.ok(False, "a fault that isn't one is an error")
except ValueError as e:
    h.has(str(e), "no such kind", "a fault that isn't one is an error")

# --- endings ---

aws.reset(images="any")
made = apprunner.create_service(**create())
arn = made["Service"]["ServiceArn"]
h.same((follow(arn), status(arn)), (["PENDING", "IN_PROGRESS", "SUCCEEDED"], "RUNNING"), "created")
for end, states, after in [
    ("FAILED", ["PENDING", "IN_PROGRESS", "FAILED"], "a"),
    ("ROLLBACK_SUCCEEDED", ["PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCEEDED"], "a"),
    ("ROLLBACK_FAILED", ["PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"], "a"),
    ("SUCCEEDED", ["PENDING", "IN_PROGRESS", "SUCCEEDED"], "b"),
]:
    aws.outcome(end=end)
    apprunner.update_service(ServiceArn=arn, SourceConfiguration=source(standin.ECR + "/shop:b"))
    during = apprunner.describe_service(ServiceArn=arn)["Service"]
    got = follow(arn)
    image = apprunner.describe_service(ServiceArn=arn)["Service"]["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"]
    h.same((during["Status"], got[-len(states) + 1:], status(arn), image[-1]),
           ("OPERATION_IN_PROGRESS", states[1:], "RUNNING", after), f"an update that ends {end}")
aws.outcome(seconds=0.2)
apprunner.start_deployment(ServiceArn=arn)
begun = time.monotonic()
while status(arn) != "RUNNING":
    time.sleep(0.02)
h.ok(time.monotonic() - begun >= 0.19, "states by time")
aws.outcome(seconds=3600)
apprunner.start_deployment(ServiceArn=arn)
h.same([status(arn) for _ in range(3)], ["OPERATION_IN_PROGRESS"] * 3, "for an hour")
aws.do({"wait": 3600})
h.same(status(arn), "RUNNING", "which may pass at once")
aws.do({"remove": "shop"})
h.same(code(apprunner.describe_service, ServiceArn=arn), "ResourceNotFoundException", "deleted meanwhile")
aws.outcome(unlisted=2)
apprunner.create_service(**create("late"))
h.same([len(apprunner.list_services()["ServiceSummaryList"]) for _ in range(3)], [0, 0, 1], "a service that the list shows late")
aws.do({"remove": "late"})
aws.outcome(end="FAILED", events=["no such command"], app_log=["boom"])
made = apprunner.create_service(**create())
arn, number = made["Service"]["ServiceArn"], made["Service"]["ServiceId"]
h.same((follow(arn)[-1], status(arn)), ("FAILED", "CREATE_FAILED"), "a creation that fails")
texts = [e["message"] for e in logs.filter_log_events(logGroupName=f"/aws/apprunner/shop/{number}/service")["events"]]
h.has(str(texts), "no such command", "its events")
texts = [e["message"] for e in logs.filter_log_events(logGroupName=f"/aws/apprunner/shop/{number}/application")["events"]]
h.same(texts, ["boom"], "its application's log")
aws.set(rebuild=False)
h.has(refusal(apprunner.update_service, ServiceArn=arn), "current state: CREATE_FAILED", "which an old account cannot rebuild")
aws.set(rebuild=True)
aws.outcome(end="FAILED", logs=False)
apprunner.update_service(ServiceArn=arn)
h.same((follow(arn)[-1], status(arn)), ("FAILED", "CREATE_FAILED"), "rebuilt, and failed again")
aws.do({"logs-gone": "/aws/apprunner/"})
h.same(code(logs.get_log_events, logGroupName=f"/aws/apprunner/shop/{number}/service", logStreamName="events"),
       "ResourceNotFoundException", "without logs")
aws.outcome(op="DELETE_SERVICE", end="FAILED")
apprunner.delete_service(ServiceArn=arn)
h.same((follow(arn)[-1], status(arn)), ("FAILED", "DELETE_FAILED"), "that cannot be deleted")
aws.outcome(end="stall")
apprunner.delete_service(ServiceArn=arn)
h.same([status(arn) for _ in range(9)], ["OPERATION_IN_PROGRESS"] * 9, "stuck")
aws.reset(images="any", page=1)
made = aws.do({"seed": {"name": "dead", "status": "DELETED"}}, {"seed": {"name": "rest", "status": "PAUSED"}},
              {"seed": {"name": "shop"}})
pages, token = [], {}
while token is not None:
    answer = apprunner.list_services(**token)
    pages.append([(s["ServiceName"], s["Status"]) for s in answer["ServiceSummaryList"]])
    token = {"NextToken": answer["NextToken"]} if "NextToken" in answer else None
h.same(pages, [[("shop", "RUNNING")], [("rest", "PAUSED")], [("dead", "DELETED")]], "seeded; pages of one")
arn = made["arn"]
aws.do({"maintenance": {"service": "shop", "polls": 2}})
h.same(([status(arn) for _ in range(3)], apprunner.list_operations(ServiceArn=arn)["OperationSummaryList"]),
       (["OPERATION_IN_PROGRESS"] * 2 + ["RUNNING"], []), "maintenance: busy, with no operation")
aws.outcome(hidden=2, operation_id=False)
answer = apprunner.update_service(ServiceArn=arn, SourceConfiguration=source(standin.ECR + "/shop:b"))
h.same(("OperationId" in answer, [len(apprunner.list_operations(ServiceArn=arn)["OperationSummaryList"]) for _ in range(3)]),
       (False, [0, 0, 1]), "no operation id, and the list shows it late")
follow(arn)
aws.outcome(then=[{"elsewhere": {"service": "shop", "image": standin.ECR + "/shop:x", "polls": 0}}])
ours = apprunner.update_service(ServiceArn=arn, SourceConfiguration=source(standin.ECR + "/shop:c"))["OperationId"]
while status(arn) != "RUNNING":
    pass
aws.set(page=None)
listed = apprunner.list_operations(ServiceArn=arn)["OperationSummaryList"]
image = apprunner.describe_service(ServiceArn=arn)["Service"]["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"]
h.same(([o["Id"] == ours for o in listed[:2]], listed[1]["Status"], image[-1]), ([False, True], "SUCCEEDED", "x"),
       "superseded: ours succeeded, and somebody else's image runs")
aws.fault("UpdateService", do=[{"elsewhere": {"service": "shop"}}])
h.has(refusal(apprunner.update_service, ServiceArn=arn), "OPERATION_IN_PROGRESS", "a race: busy just before our update")

# --- images, and the registry ---

aws.reset()
h.has(str(follow(apprunner.create_service(**create())["Service"]["ServiceArn"])), "FAILED", "an image that was never pushed: FAILED")
ecr.create_repository(repositoryName="shop", imageTagMutability="IMMUTABLE")
login = ecr.get_authorization_token()["authorizationData"][0]
h.same(login["proxyEndpoint"], aws.url, "the data plane's address")


def registry(method, path, body=None, auth=True, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=30)
    if auth:
        headers["Authorization"] = "Basic " + (auth if isinstance(auth, str) else login["authorizationToken"])
    path = path.removeprefix(aws.url)
    connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, answer.headers, text


def push(repository, tag, architecture="amd64", layer=b"x" * 200000):
    """Push an image of one layer; the last answer's status and body."""
    found = []
    for blob in (layer, json.dumps({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()):
        digest = "sha256:" + hashlib.sha256(blob).hexdigest()
        begun = registry("POST", f"/v2/{repository}/blobs/uploads/", b"")
        if begun[0] != 202:
            return begun[0], begun[2].decode()
        where = begun[1]["Location"]
        put = registry("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}", blob, Content_Type="application/octet-stream")
        if put[0] != 201:
            return put[0], put[2].decode()
        found.append({"digest": digest, "size": len(blob)})
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": kind,
                "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **found[1]},
                "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", **found[0]}]}
    put = registry("PUT", f"/v2/{repository}/manifests/{tag}", json.dumps(manifest), Content_Type=kind)
    return put[0], put[2].decode() or put[1]["Docker-Content-Digest"]


h.same(registry("GET", "/v2/", auth=False)[0], 401, "the registry wants a login")
h.same(registry("GET", "/v2/", auth="QVdTOng=")[0], 403, "and the right one")
h.has(push("none", "a")[1], "NAME_UNKNOWN", "a repository that nobody created")
pushed = push("shop", "a")
h.ok(pushed[0] == 201 and pushed[1].startswith("sha256:"), "an image is pushed", pushed)
described = ecr.describe_images(repositoryName="shop", imageIds=[{"imageTag": "a"}])["imageDetails"]
h.same([(d["imageDigest"], d["imageTags"]) for d in described], [(pushed[1], ["a"])], "DescribeImages: its digest")
h.has(push("shop", "a", layer=b"y")[1], "immutable", "another under an immutable tag")
aws.fault("registry.blob-put", status=429, code="TOOMANYREQUESTS")
h.same(push("shop", "b", layer=b"z")[0], 429, "the registry is throttled")
aws.fault("registry.blob-put", truncate=100)
try:
    push("shop", "b", layer=b"z" * 100000)
    h.ok(False, "an upload whose connection is lost")
except (OSError, http.client.HTTPException) as e:
    h.ok(True, "an upload whose connection is lost", e)
h.same(push("shop", "b", "arm64", b"z")[0], 201, "and then it goes on")
aws.do({"seed": {"name": "auto", "image": standin.ECR + "/shop:c", "config": {"SourceConfiguration": source(
    standin.ECR + "/shop:c", AutoDeploymentsEnabled=True)}}})
push("shop", "c", layer=b"c")
h.same([o["type"] for o in aws.state()["apprunner"][0]["operations"]], ["START_DEPLOYMENT"], "an automatic deployment begins")
aws.do({"remove": "shop"})
h.same(follow(apprunner.create_service(**create())["Service"]["ServiceArn"])[-1], "SUCCEEDED", "an image that is there: SUCCEEDED")
arm = apprunner.create_service(**create("arm64", SourceConfiguration=source(standin.ECR + "/shop:b")))["Service"]
h.same(follow(arm["ServiceArn"])[-1], "FAILED", "an arm64 image: FAILED")
by_digest = apprunner.create_service(**create("digest", SourceConfiguration=source(f"{standin.ECR}/shop@{pushed[1]}")))["Service"]
h.same(follow(by_digest["ServiceArn"])[-1], "SUCCEEDED", "an image by its digest: SUCCEEDED")
aws.do({"registry-password": ":+/="})
h.same(registry("GET", "/v2/")[0], 403, "a login that is expired")
login = ecr.get_authorization_token()["authorizationData"][0]
h.same(registry("GET", "/v2/")[0], 200, "and a new one, with a colon in the password")
h.same(aws.state()["repositories"], {"shop": ["a", "b", "c"]}, "what is in it")
h.has(registry("POST", "/v2/shop/blobs/uploads/", b"")[1]["Location"], f"http://127.0.0.1:{aws.port}/v2/shop/", "an upload's place")
aws.set(registry_location="relative")
h.has(registry("POST", "/v2/shop/blobs/uploads/", b"")[1]["Location"][:10], "/v2/shop/", "an upload's place, relative")

# --- the apps ---

authority = aws.ask("certificate")
host = apprunner.describe_service(ServiceArn=by_digest["ServiceArn"])["Service"]["ServiceUrl"]
h.has(host, ".us-east-1.awsapprunner.com", "a service's URL has no scheme")
opener = urllib.request.build_opener(urllib.request.ProxyHandler({"https": aws.url}), urllib.request.HTTPSHandler(
    context=ssl.create_default_context(cafile=authority)))
with opener.open(f"https://{host}/healthz", timeout=20) as answer:
    h.has(answer.read().decode(), pushed[1], "https://HOST/ is verified and answers, through the proxy")
try:
    urllib.request.build_opener(urllib.request.ProxyHandler({"https": aws.url})).open(f"https://{host}/", timeout=20)
    h.ok(False, "without the authority it is refused")
except OSError as e:
    h.has(str(e), "certificate verify failed", "without the authority it is refused")
try:
    opener.open("https://other.invalid/", timeout=20)
    h.ok(False, "no other host")
except OSError as e:
    h.has(str(e), "502", "no other host")
aws.reset(urls="loopback", images="any")
ecr.create_repository(repositoryName="shop")
h.same(aws.state()["repositories"], {"shop": []}, "everything anew: no images")
url = aws.do({"seed": {"name": "shop", "image": standin.ECR + "/shop:z"}})["url"]
aws.do({"app": {"service": "shop", "status": 503, "body": "warming up", "times": 2}})


def visit():
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


h.same([visit() for _ in range(3)], [(503, "warming up")] * 2 + [(200, standin.ECR + "/shop:z")], "a loopback URL, scripted")
h.same(len(aws.apps()), 3, "the app's requests are kept")
aws.do({"seed": {"name": "inner", "config": {"NetworkConfiguration": {"IngressConfiguration": {"IsPubliclyAccessible": False}}}}})
h.ok("ServiceUrl" not in apprunner.list_services()["ServiceSummaryList"][0], "a private service has no URL")
h.same([t for t in aws.refused() if "Ingress" in t], [], "and that is as it should be")

# --- the stand-in's own mistakes ---

h.same(aws.wrong(), [], "the stand-in made no mistake")
aws.do({"status": {"shop": "NONSENSE"}})
apprunner.describe_service(ServiceArn=apprunner.list_services()["ServiceSummaryList"][1]["ServiceArn"])
h.has(str(aws.wrong()), "NONSENSE", "and would say so")
h.done()
