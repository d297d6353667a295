"""A stand-in for GitHub's REST API, on loopback, for the tests.

    github = GitHub()                                 # github.url is its API
    github.repository("acme/shop", repo.path)         # its commits, contents, tarballs come from a git repository
    github.app("Iv1.slipway", public_key_file)        # log in as an App …
    github.token("ghp_x", {"deployments": "write"})   # … or with a token, which may do just that (None: anything)
    hook = github.hook("repos/acme/shop", url, secret)  # a webhook; "app" and "orgs/acme" too
    github.deliver("push", payload, hook)             # tries to deliver, as GitHub does, and remembers it

    github.fault(r"POST .*/deployments$", status=502)                   # the next one fails
    github.fault(r"POST .*/deployments$", status=502, after=True)       # … after it was done
    github.fault(r"GET .*", times=3, cut=True)                          # the connection is cut
    github.fault(r".*", status=403, headers={"Retry-After": "2"}, body={"message": "… secondary rate limit …"})

What it did is in github.calls [(time, method, path, status)], and what it knows in github.deployments, .statuses (of
deployments, by id), .commit_statuses (by sha), .checks. Where npm's @octokit/openapi is there, every request's body and
query and every answer is held against GitHub's own description: github.wrong lists what didn't fit.
"""

import base64
import email.utils
import hashlib
import hmac
import http.client
import http.server
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import openapi

JSON = "application/vnd.github+json"
WEB = "https://github.com"
DEPLOYMENT_STATES = {"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}


def stamp(seconds=None):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() if seconds is None else seconds))


class Answer(Exception):
    """An answer that ends the handling of a call."""

    def __init__(self, status, body=None, headers=None):
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers or {}


class GitHub:
    def __init__(self, checked=True, port=0):
        self.lock = threading.RLock()
        self.description = openapi.Description() if checked and openapi.available() else None
        self.repositories, self.apps, self.tokens, self.hooks = {}, {}, {}, {}
        self.deployments, self.statuses, self.commit_statuses, self.checks = [], {}, {}, []
        self.calls, self.wrong, self.faults = [], [], []
        self.ids = itertools.count(1001)
        self.remaining, self.limit = 4999, 5000
        handler = type("Handler", (Handler,), {"github": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    # --- what there is ---

    def repository(self, name, path=None):
        self.repositories[name] = {"id": next(self.ids), "path": path}

    def app(self, client_id, public_key=None, permissions=None):
        """Log in with JWTs of that issuer, signed with that key (a PEM file; None: not looked at)."""
        self.apps[client_id] = {"id": next(self.ids), "key": public_key, "permissions": permissions}

    def token(self, text, permissions=None, kind="pat", until=None):
        self.tokens[text] = {"permissions": permissions, "kind": kind, "until": until}

    def hook(self, owner, url=None, secret="secret", events=("push", "release", "workflow_run", "deployment")):
        """owner: "app", "repos/acme/shop" or "orgs/acme"."""
        hook = {"id": next(self.ids), "owner": owner, "url": url, "secret": secret, "events": events, "deliveries": []}
        self.hooks[hook["id"]] = hook
        return hook

    def fault(self, match, times=1, status=None, body=None, headers=None, cut=False, after=False, delay=0):
        fault = {"match": re.compile(match), "times": times, "status": status, "body": body,
                 "headers": headers or {}, "cut": cut, "after": after, "delay": delay}
        with self.lock:
            self.faults.append(fault)
        return fault

    def asked(self, match):
        """The calls whose "METHOD /path" begins so."""
        with self.lock:
            return [call for call in self.calls if re.match(match, f"{call[1]} {call[2]}")]

    # --- deliveries ---

    def deliver(self, event, payload, hook, guid=None, redelivery=False, age=0):
        """Try to deliver; what became of it is remembered, as GitHub remembers it. The guid."""
        guid = guid or str(uuid.uuid4())
        body = json.dumps(payload, separators=(",", ":")).encode()
        digest = hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "User-Agent": "GitHub-Hookshot/stand-in", "X-GitHub-Event": event,
                   "X-GitHub-Delivery": guid, "X-GitHub-Hook-ID": str(hook["id"]), "X-Hub-Signature-256": "sha256=" + digest}
        delivery = {"id": next(self.ids), "guid": guid, "event": event, "action": payload.get("action"), "redelivery": redelivery,
                    "delivered_at": stamp(time.time() - age), "duration": 0.27, "headers": headers, "payload": payload}
        delivery["status_code"], delivery["answer"] = self.post(hook["url"], body, headers)
        delivery["status"] = ("OK" if delivery["status_code"] < 400 else "failed to connect to host"
                              if delivery["answer"] is None else f"Invalid HTTP Response: {delivery['status_code']}")
        with self.lock:
            hook["deliveries"].append(delivery)
        return guid

    @staticmethod
    def post(url, body, headers):
        """(status, headers); 502 and None when nobody is there."""
        if not url:
            return 502, None
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        try:
            connection.request("POST", parts.path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status, dict(answer.headers)
        except (OSError, http.client.HTTPException):
            return 502, None
        finally:
            connection.close()

    # --- forms ---

    def user(self, login="slipway[bot]"):
        base = f"{self.url}/users/{login}"
        rest = {f"{name}_url": f"{base}/{name}" for name in (
            "events", "followers", "following", "gists", "organizations", "received_events", "repos", "starred",
            "subscriptions")}
        return {"login": login, "id": 1, "node_id": "MDQ6", "avatar_url": f"{WEB}/a.png", "gravatar_id": "", "url": base,
                "html_url": f"{WEB}/{login}", "type": "Bot" if login.endswith("[bot]") else "User", "site_admin": False, **rest}

    def deployment_form(self, deployment):
        base = f"{self.url}/repos/{deployment['repository']}"
        url = f"{base}/deployments/{deployment['id']}"
        shown = {key: deployment[key] for key in (
            "id", "sha", "ref", "task", "environment", "payload", "description", "transient_environment",
            "production_environment", "created_at", "updated_at")}
        return {**shown, "node_id": "DE_", "original_environment": deployment["environment"], "url": url,
                "creator": self.user(deployment["creator"]), "statuses_url": f"{url}/statuses", "repository_url": base}

    def status_form(self, deployment, status):
        base = f"{self.url}/repos/{deployment['repository']}"
        url = f"{base}/deployments/{deployment['id']}"
        return {**status, "node_id": "DES_", "url": f"{url}/statuses/{status['id']}", "deployment_url": url,
                "creator": self.user(), "repository_url": base}

    def delivery_form(self, hook, delivery, whole=False):
        form = {key: delivery[key] for key in (
            "id", "guid", "delivered_at", "redelivery", "duration", "status", "status_code", "event", "action")}
        form |= {"installation_id": None, "repository_id": None, "throttled_at": None}
        if whole:
            form |= {"url": hook["url"] or "", "request": {"headers": delivery["headers"], "payload": delivery["payload"]},
                     "response": {"headers": delivery["answer"], "payload": None}}
        return form

    def check_form(self, check):
        url = f"{self.url}/repos/{check['repository']}/check-runs/{check['id']}"
        shown = {key: check.get(key) for key in (
            "id", "head_sha", "name", "external_id", "details_url", "status", "conclusion", "started_at", "completed_at")}
        output = {"title": None, "summary": None, "text": None} | {
            k: v for k, v in check["output"].items() if k in ("title", "summary", "text")}
        output |= {"annotations_count": len(check["annotations"]), "annotations_url": f"{url}/annotations"}
        return {**shown, "node_id": "CR_", "url": url, "html_url": f"{WEB}/{check['repository']}/runs/{check['id']}",
                "check_suite": {"id": 5}, "app": None, "pull_requests": [], "output": output}

    # --- git ---

    def git(self, name, *words):
        path = (self.repositories.get(name) or {}).get("path")
        if not path:
            raise Answer(404, {"message": "Not Found"})
        done = subprocess.run(["git", "-C", path, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise Answer(404, {"message": "Not Found"})
        return done.stdout

    def commit_of(self, name, ref):
        path = (self.repositories.get(name) or {}).get("path")
        if not path:
            return ref if re.fullmatch(r"[0-9a-f]{40}", ref) else None
        for form in (f"refs/{ref}", f"refs/heads/{ref}", f"refs/tags/{ref}", ref):
            done = subprocess.run(["git", "-C", path, "rev-parse", "--verify", "-q", form + "^{commit}"],
                                  stdout=subprocess.PIPE, check=False)
            if done.returncode == 0:
                return done.stdout.decode().strip()
        return None


ROUTES = []


def route(pattern, **needs):
    """needs: permission={"deployments": "write"}, app=True (a JWT), any_login=True."""

    def add(function):
        method, path = pattern.split(" ", 1)
        path = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
        ROUTES.append((method, re.compile(path + "$"), needs, function))
        return function

    return add


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    github = None

    def log_message(self, *args):
        pass

    # --- one exchange ---

    def handle_call(self):
        github = self.github
        size = int(self.headers.get("Content-Length") or 0)
        self.raw = self.rfile.read(size)
        self.route_path, _, query = self.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.body = None
        with github.lock:
            fault = next((f for f in github.faults if f["times"] and f["match"].match(f"{self.command} {self.path}")), None)
            if fault:
                fault["times"] -= 1
        if fault and fault["delay"]:
            time.sleep(fault["delay"])
        answer = None if fault and not fault["after"] and (fault["cut"] or fault["status"]) else self.answer_of()
        if fault and fault["cut"]:
            self.note("cut")
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault and fault["status"]:
            answer = Answer(fault["status"], fault["body"], fault["headers"])
        try:
            self.send(answer)
        except OSError:  # whoever asked is gone
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_call

    def note(self, status):
        with self.github.lock:
            self.github.calls.append((time.time(), self.command, self.path, status))

    def answer_of(self):
        try:
            with self.github.lock:
                return self.dispatch()
        except Answer as answer:
            return answer

    def dispatch(self):
        for method, pattern, needs, function in ROUTES:
            match = pattern.match(urllib.parse.unquote(self.route_path))
            if method == self.command and match:
                self.login(needs, match.groupdict())
                self.read_body()
                return function(self, **match.groupdict())
        raise Answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})

    def read_body(self):
        github = self.github
        if self.raw:
            try:
                self.body = json.loads(self.raw)
            except ValueError:
                raise Answer(400, {"message": "Problems parsing JSON"}) from None
        if not self.headers.get("User-Agent"):
            raise Answer(403, {"message": "Request forbidden by administrative rules."})
        if not github.description:
            return
        path = urllib.parse.unquote(self.route_path)
        for complaint in (github.description.query_complaint(self.command, path, self.query),
                          github.description.body_complaint(self.command, path, self.body)):
            if complaint and complaint != "no such operation":
                github.wrong.append(f"{self.command} {self.path}: {complaint}")
                raise Answer(422, {"message": f"Invalid request. {complaint}", "documentation_url": "", "errors": []})

    def send(self, answer):
        github = self.github
        body = answer.body if isinstance(answer.body, bytes) else b"" if answer.body is None else json.dumps(answer.body).encode()
        status, etag = answer.status, None
        if status == 200 and self.command == "GET":
            etag = 'W/"' + hashlib.sha256(body + str(answer.headers).encode()).hexdigest() + '"'
            if self.headers.get("If-None-Match") == etag:
                status, body = 304, b""
        if github.description and status != 304 and not isinstance(answer.body, bytes):
            complaint = github.description.answer_complaint(
                self.command, urllib.parse.unquote(self.route_path), status, answer.body)
            if complaint and complaint != "no such operation":
                github.wrong.append(f"answer of {self.command} {self.path}: {status}: {complaint}")
        self.note(status)
        if status != 304:
            github.remaining -= 1
        self.send_response(status)
        headers = {"Content-Type": "application/json; charset=utf-8", "X-GitHub-Media-Type": "github.v3; format=json",
                   "X-RateLimit-Limit": github.limit, "X-RateLimit-Remaining": github.remaining, "X-RateLimit-Resource": "core",
                   "X-RateLimit-Reset": int(time.time()) + 3600, "Date": email.utils.formatdate(usegmt=True),
                   **({"ETag": etag} if etag else {}), **answer.headers}
        for name, value in headers.items():
            self.send_header(name, str(value))
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status not in (204, 304):
            self.wfile.write(body)

    # --- who is asking ---

    def credential(self):
        kind, _, text = (self.headers.get("Authorization") or "").partition(" ")
        return text if kind.lower() in ("bearer", "token") else None

    def app_of(self, text):
        """The App that a JWT is of; an Answer (401) when it is of none."""
        try:
            head, claims, signature = text.split(".")
            claims = json.loads(base64.urlsafe_b64decode(claims + "==="))
            app = self.github.apps[claims["iss"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Answer(401, {"message": "A JSON web token could not be decoded"}) from None
        now = time.time()
        if claims["exp"] - now > 600 or claims["exp"] < now or claims["iat"] > now:
            raise Answer(401, {"message": "'Expiration time' claim ('exp') is too far in the future"})
        if app["key"] and not verified(f"{head}.{text.split('.')[1]}".encode(), signature, app["key"]):
            raise Answer(401, {"message": "A JSON web token could not be decoded"})
        return app

    def login(self, needs, names):
        text = self.credential()
        if needs.get("app"):
            self.app_of(text)
            return
        found = self.github.tokens.get(text)
        if text and (not found or (found["until"] and found["until"] < time.time())):
            raise Answer(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"})
        name = f"{names['owner']}/{names['repo']}" if "repo" in names else None
        if name and (not found or name not in self.github.repositories):
            raise Answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"})
        for permission, level in needs.get("permission", {}).items():
            has = "write" if not found or found["permissions"] is None else found["permissions"].get(permission)
            if has is None or (level == "write" and has != "write"):
                raise Answer(403, {"message": "Resource not accessible by integration", "status": "403"})
        if needs.get("integration") and found["kind"] == "pat":
            raise Answer(403, {"message": "You must authenticate via a GitHub App."})

    def page(self, items, most=100):
        """A page of a list, with its Link header."""
        size = min(int(self.query.get("per_page", 30)), most)
        number = int(self.query.get("page", 1))
        part = items[(number - 1) * size:number * size]
        headers = {}
        if number * size < len(items):
            query = urllib.parse.urlencode({**self.query, "page": number + 1})
            headers["Link"] = f'<{self.github.url}{self.route_path}?{query}>; rel="next"'
        return part, headers


def verified(text, signature, key):
    with tempfile.TemporaryDirectory() as place:
        for name, content in (("text", text), ("signature", base64.urlsafe_b64decode(signature + "==="))):
            with open(os.path.join(place, name), "wb") as f:
                f.write(content)
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-verify", key, "-signature", f"{place}/signature", f"{place}/text"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0


import routes  # noqa: E402  pylint: disable=wrong-import-position,unused-import

if __name__ == "__main__":
    alone = GitHub(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(alone.url, flush=True)
    threading.Event().wait()
