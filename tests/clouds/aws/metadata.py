"""Where credentials come from: IMDSv2, the container endpoint, GitHub's endpoint for OIDC tokens."""
import json
import time
import urllib.parse

from sts import REQUEST_TOKEN

CONTAINER_TOKEN = "container-token"
ROLE = "slipway-role"


def operation(method, path):
    """The service and operation of a path that is one of ours; None otherwise."""
    path = path.partition("?")[0]
    if path == "/latest/api/token":
        return "imds", "token"
    if path.startswith("/latest/"):
        return "imds", "credentials" if path.endswith("/" + ROLE) else "region" if "/placement/" in path else "role"
    if path == "/container/credentials":
        return "container", "credentials"
    if path == "/oidc/token":
        return "oidc", "token"
    return None


class Metadata:
    def __init__(self, cloud, sts):
        self.cloud, self.sts = cloud, sts
        self.reset()

    def reset(self):
        self.sessions = set()

    def credentials(self, arn):
        issued = self.cloud.issue(arn)
        return {"AccessKeyId": issued["AccessKeyId"], "SecretAccessKey": issued["SecretAccessKey"], "Token": issued["Token"],
                "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(issued["Expires"]))}

    def answer(self, what, method, path, headers):
        """(status, headers, body)"""
        service, name = what
        answer = getattr(self, service)(name, method, path, headers)
        if isinstance(answer[1], (dict, list)):
            return answer[0], {"Content-Type": "application/json"}, json.dumps(answer[1])
        return answer[0], {"Content-Type": "text/plain"}, answer[1]

    def imds(self, name, method, path, headers):
        if not self.cloud["imds"]:
            return 404, ""
        if name == "token":
            ttl = headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
            if method != "PUT" or "X-Forwarded-For" in headers:
                return 403, ""
            if not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
                return 400, ""
            token = "AQAEA" + self.cloud.hex(40) + "=="
            self.sessions.add(token)
            return 200, token
        if headers.get("X-aws-ec2-metadata-token") not in self.sessions:
            return 401, ""
        if path == "/latest/meta-data/placement/region":
            return 200, self.cloud["region"]
        if path.rstrip("/") == "/latest/meta-data/iam/security-credentials":
            return 200, ROLE
        if name == "credentials":
            role = f"arn:aws:sts::{self.cloud['account']}:assumed-role/{ROLE}/i-0123"
            return 200, {"Code": "Success", "LastUpdated": "2026-11-24T00:00:00Z", "Type": "AWS-HMAC",
                         **self.credentials(role)}
        return 404, ""

    def container(self, _, method, path, headers):
        if headers.get("Authorization") != CONTAINER_TOKEN:
            return 401, {"code": "Unauthorized", "message": "bad token"}
        role = f"arn:aws:iam::{self.cloud['account']}:role/task"
        return 200, {"RoleArn": role, **self.credentials(f"arn:aws:sts::{self.cloud['account']}:assumed-role/task/t")}

    def oidc(self, _, method, path, headers):
        kind, _, token = headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or token != REQUEST_TOKEN:
            return 401, {"message": "not authorized"}
        audience = urllib.parse.parse_qs(path.partition("?")[2]).get("audience", ["https://github.com/acme"])[0]
        return 200, {"count": 1, "value": self.sts.jwt(audience)}
