"""The AWS stand-ins, for tests (Python 3 stdlib). In a test in tests/e2e:

    sys.path += ["tests/clouds/aws"]
    import standin
    aws = standin.Aws()                         # its own process; stopped at exit. standin.absent() says why it can't be
    env = {**os.environ, **aws.env()}           # AWS_ENDPOINT_URL, keys, region; for slipway, an SDK, the CLI (see cli())
    aws.reset(urls="loopback", polls=2)         # everything anew; settings: SETTINGS in cloud.py
    aws.do({"seed": {"name": "shop", "status": "PAUSED"}}, {"repository": {"name": "shop"}})     # actions.py
    aws.outcome(end="ROLLBACK_SUCCEEDED", polls=3, events=["exec format error"])    # of App Runner's next operation
    aws.ecs_outcome(end="ROLLBACK_FAILED", reason="…", app_log=["boom"])            # of ECS's next deployment
    aws.fault("UpdateService", "throttled", times=3)      # kinds and members: faults.py
    aws.fault("CreateService", cut="after")               # done, and the answer is lost
    aws.fault("ListServices", then=[{"elsewhere": {"service": "shop", "image": "…:x"}}])   # a race, on cue
    aws.fault("UpdateService", patch={"OperationId": None})
    aws.requests("UpdateService")               # [{"params", "headers", "status", …}]; aws.calls(): names in order
    aws.state(), aws.refused()                  # what is there; what clients did wrong (model, signature)
    assert aws.wrong() == []                    # the stand-in's own mistakes: assert that at the end of every test

A state advances with each look (DescribeService, ListServices, ListOperations; ECS: describes and lists) or by "seconds",
and then aws.do({"wait": 600}) lets ten minutes pass at once; {"clock": 900} instead moves the cloud's clock for Date headers and
signatures. {"expire": "all"} ends all temporary credentials; role_calls=N gives them N calls each.
URLs: with urls="loopback" a service's URL is http://127.0.0.1:PORT of its own, so a probe needs nothing. By default it is
what AWS gives (xyz.us-east-1.awsapprunner.com): then aws.env(proxy=True) sets HTTPS_PROXY and the authority's file
(AWS_CA_BUNDLE, SSL_CERT_FILE, CURL_CA_BUNDLE), and a verifying probe of https://HOST/ goes through the stand-in.
Images: push to aws.registry (127.0.0.1:PORT, what GetAuthorizationToken's proxyEndpoint says; user AWS); their names stay
ACCOUNT.dkr.ecr.REGION.amazonaws.com/…. An image that was not pushed fails to deploy, unless images="any".
Sources of credentials: aws.env_imds(), env_container(), env_oidc(), env_web_identity().
"""
import atexit
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.join(HERE, "..", "..", "npm", "node_modules", "@aws-sdk")
ACCOUNT = "123456789012"
REGION = "us-east-1"
KEY = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"
ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


def absent():
    """Why the stand-ins cannot run here; None when they can."""
    if not os.path.isdir(os.path.join(MODULES, "client-ecs")):
        return "tests/npm/node_modules is absent: (cd tests/npm && npm ci)"
    if not os.path.isdir("/usr/lib/python3/dist-packages/botocore/data"):
        return "python3-botocore is not installed"
    if not shutil.which("docker-registry"):
        return "docker-registry is not installed"
    return None


class Aws:
    def __init__(self, **settings):
        self.folder = tempfile.mkdtemp(prefix="slipway-standin.")
        self.wrong_path = os.path.join(self.folder, "wrong")
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-W", "ignore", os.path.join(HERE, "aws.py"), "--wrong", self.wrong_path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": self.folder})
        atexit.register(self.stop)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the stand-in did not start")
        self.port = int(line.split()[0])
        self.url = f"http://127.0.0.1:{self.port}"
        self.registry = f"127.0.0.1:{self.port}"
        if settings:
            self.reset(**settings)

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- the control endpoint ---

    def ask(self, what, value=None):
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.url}/_control/{what}", data)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            raise ValueError(e.read().decode()) from None

    def do(self, *actions):
        return self.ask("do", list(actions))

    def reset(self, **settings):
        return self.ask("reset", settings)

    def set(self, **settings):
        return self.do({"set": settings})

    def fault(self, operation, kind=None, **members):
        return self.do({"fault": {"op": operation, **({"kind": kind} if kind else {}), **members}})

    def outcome(self, **members):
        return self.do({"outcome": members})

    def ecs_outcome(self, **members):
        return self.do({"ecs-outcome": members})

    def requests(self, operation=None):
        return [r for r in self.ask("requests") if operation in (None, r["operation"], f"{r['service']}.{r['operation']}")]

    def calls(self):
        return [r["operation"] for r in self.ask("requests")]

    def state(self):
        return self.ask("state")

    def refused(self):
        return self.ask("refused")

    def apps(self):
        """Requests that the services' apps got."""
        return self.ask("apps")

    def wrong(self):
        """The stand-in's own mistakes since it was started."""
        try:
            with open(self.wrong_path, encoding="utf-8") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    # --- environments ---

    def base(self, proxy):
        env = {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
               "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE":
               "/nonexistent", "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        if proxy:
            authority = self.ask("certificate")
            env.update({"HTTPS_PROXY": self.url, "https_proxy": self.url, "AWS_CA_BUNDLE": authority, "SSL_CERT_FILE": authority,
                        "CURL_CA_BUNDLE": authority, "NODE_EXTRA_CA_CERTS": authority})
        return env

    def env(self, proxy=False):
        """Static keys."""
        return {**self.base(proxy), **KEY}

    def env_session(self, proxy=False, **limits):
        """Temporary keys from outside, which nobody can renew. limits: seconds=, calls="""
        issued = self.do({"credentials": limits})
        return {**self.base(proxy), "AWS_ACCESS_KEY_ID": issued["AccessKeyId"], "AWS_SECRET_ACCESS_KEY":
                issued["SecretAccessKey"], "AWS_SESSION_TOKEN": issued["Token"]}

    def env_imds(self, proxy=False):
        return {**self.base(proxy), "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url + "/"}

    def env_container(self, proxy=False):
        return {**self.base(proxy), "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url + "/container/credentials",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token"}

    def env_oidc(self, proxy=False):
        """As in a workflow with id-token: write; the role is an input of ours (ROLE + "deploy")."""
        return {**self.base(proxy), "ACTIONS_ID_TOKEN_REQUEST_URL": self.url + "/oidc/token?api-version=2.0",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "gh-oidc-request-token"}

    def env_web_identity(self, proxy=False):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(self.url + "/oidc/token?audience=sts.amazonaws.com",
                                         headers={"Authorization": "bearer gh-oidc-request-token"})
        with opener.open(request, timeout=60) as answer:
            token = json.load(answer)["value"]
        path = os.path.join(self.folder, "jwt")
        with open(path, "w", encoding="utf-8") as f:
            f.write(token)
        return {**self.base(proxy), "AWS_WEB_IDENTITY_TOKEN_FILE": path, "AWS_ROLE_ARN": ROLE + "deploy"}

    # --- the real CLI (Debian's does not read AWS_ENDPOINT_URL) ---

    def cli(self, *words, env=None):
        """(status, parsed output or text) of Debian's aws."""
        done = subprocess.run(
            ["/usr/bin/aws", "--endpoint-url", self.url, "--region", REGION, "--output", "json", "--no-cli-pager", *words],
            env={"PATH": "/usr/bin:/bin", "HOME": self.folder, **(env or self.env())}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        try:
            return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None
        except ValueError:
            return done.returncode, done.stdout
