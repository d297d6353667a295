#!/usr/bin/python3
"""lib/cloud/aws over real sockets: every source of credentials, and each fault, against the stand-ins, which check each
signature and each request's shape."""
import http.server
import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
sys.path.append("tests/clouds/aws")
import harness as h
import standin

if standin.absent():
    h.skip_all(standin.absent())
TOOL = os.path.join(h.BUILD, "tests/tools/aws")
ROLE = "role=" + standin.ROLE + "deploy"
aws = standin.Aws(images="any", urls="loopback")


def call(*words, env=None):
    """(status, stdout, stderr)"""
    done = subprocess.run([TOOL, *words], env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **(env or aws.env())},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          timeout=60)
    return done.returncode, done.stdout.strip(), done.stderr


def listed(*words, env=None):
    return call("apprunner", "ListServices", *words, env=env)


def clean(name):
    h.same((aws.refused(), aws.wrong()), ([], []), f"{name}: the stand-in found nothing wrong with what was sent")
    aws.reset(images="any", urls="loopback")


# --- who we are, from each source ---

h.has(call("sts", "who")[1], standin.ACCOUNT + " arn:aws:iam::", "keys of the environment")
env = aws.env_session(seconds=3600)
h.has(call("sts", "who", env=env)[1], standin.ACCOUNT, "a session token")
for name in ("imds", "container", "web_identity"):
    env = getattr(aws, "env_" + name)()
    status, out, err = call("sts", "who", env=env)
    h.has(out, ":assumed-role/", f"{name}", err)
    h.ok(err.count("mask: ") >= 2, f"{name}: secret and token are masked", err)
status, out, err = call("sts", "who", ROLE, env=aws.env_oidc())
h.has(out, ":assumed-role/deploy/GitHubActions", "GitHub's OIDC token", err)
status, out, err = call("sts", "who", ROLE, "external-id=a/b")
h.has(out, ":assumed-role/deploy/", "a role assumed with keys", err)
clean("sources")

# --- refused ---

status, out, err = call("sts", "who", ROLE.replace("deploy", "denied"), "deadline=2500", env=aws.env_oidc())
h.has(out, "auth: log in to aws: act as", "a trust policy that says no", err)
h.has(err, "repo:OWNER@OWNER_ID/REPO@REPO_ID", "with what it must say")
status, out, err = listed("accounts=999999999999")
h.has(out, "allowed-account-ids", "another account than allowed")
h.same([c for c in aws.calls() if c == "ListServices"], [], "nothing was sent to it")
aws.reset(images="any", urls="loopback")
bad = {**aws.env(), "AWS_SECRET_ACCESS_KEY": "wrong"}
status, out, err = listed(env=bad)
h.has(out, "auth: apprunner: ListServices: InvalidSignatureException", "a wrong secret", err)
aws.reset(images="any", urls="loopback")
for kind, want in (("denied", "auth: apprunner: ListServices: AccessDenied"), ("redirect", "status 307")):
    aws.fault("ListServices", kind)
    h.has(listed()[1], want, f"refused: {kind}")
clean("refused")

# --- faults that pass ---

for kind in ("throttled", "429", "html", "500", "502", "504", "cut", "cut-after", "truncated", "broken-json"):
    aws.fault("ListServices", kind)
    status, out, err = listed()
    h.same((status, json.loads(out or "{}").get("ServiceSummaryList")), (0, []), f"aws edge 18, 19, 20: {kind}, then well", out, err)
clean("faults")
aws.fault("ListServices", "throttled", times=0)
start = time.monotonic()
status, out, err = listed("deadline=3000")
h.has(out, "transient: apprunner: ListServices: ", "aws edge 18: throttled throughout")
h.ok(time.monotonic() - start < 4.5, "aws edge 18: the deadline holds", time.monotonic() - start)
aws.reset(images="any", urls="loopback")
aws.fault("ListServices", delay=30, times=0)  # a second try within the deadline would find it gone otherwise
start = time.monotonic()
status, out, err = listed("deadline=2000")
h.has(out, "transient: ", "a call that hangs")
h.ok(time.monotonic() - start < 4, "the deadline holds", time.monotonic() - start)
aws.reset(images="any", urls="loopback")

# --- a creation is not sent twice ---

SERVICE = json.dumps({"ServiceName": "shop", "SourceConfiguration": {
    "AutoDeploymentsEnabled": False, "AuthenticationConfiguration": {"AccessRoleArn": standin.ROLE + "access"},
    "ImageRepository": {"ImageIdentifier": standin.ECR + "/shop:a", "ImageRepositoryType": "ECR"}}})
aws.fault("CreateService", "cut-after")
status, out, err = call("apprunner", "CreateService", SERVICE, "once=1")
h.same((status, out.split(":")[0]), (2, "UNKNOWN"), "aws edge 2: the answer to a creation is lost", out, err)
h.same(aws.calls().count("CreateService"), 1, "aws edge 2: it was sent once")
clean("once")

# --- expiry ---

aws.set(role_calls=3)
status, out, err = listed(ROLE, "repeat=7", env=aws.env_oidc())
h.same((status, len(out.splitlines())), (0, 7), "aws edge 23: tokens that end after three calls are renewed", out, err)
aws.reset(images="any", urls="loopback")
env = aws.env_session(calls=2)
status, out, err = listed("repeat=4", env=env)
h.same(status, 1, "aws edge 23: keys that nobody renews")
h.has(out, "have expired, and we can't renew them", "aws edge 23: said clearly")
aws.reset(images="any", urls="loopback")

# --- IMDS that hangs ---


class Silent(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        time.sleep(5)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
env = {**aws.env_imds(), "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
start = time.monotonic()
status, out, err = call("sts", "who", env=env)
h.has(out, "no AWS credentials", "aws edge 52: an instance service that hangs")
h.ok(time.monotonic() - start < 2.5, "aws edge 52: costs a second", time.monotonic() - start)
server.shutdown()
h.same(aws.wrong(), [], "the stand-in made no mistake")
h.done()
