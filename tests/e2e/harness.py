"""What the end-to-end tests share: TAP, temporary folders, git repositories, and a running slipwayd.

Everything lies in one temporary folder and is stopped by process id; loopback addresses only.
"""

import atexit
import hashlib
import hmac
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
PYTHON = "/usr/bin/python3"
ZERO = "0" * 40
ENDED = {"succeeded", "failed", "rolled_back", "superseded", "cancelled"}

# --- TAP ---

count = 0
failed = 0
printing = threading.RLock()


def ok(passed, name, *details):
    """One check, from any thread. The details are printed when it fails."""
    global count, failed
    with printing:
        count += 1
        name = name.replace("#", "\\#").replace("\n", " ")
        print(f"{'' if passed else 'not '}ok {count} - {name}", flush=True)
        if not passed:
            failed += 1
            frame = sys._getframe(1)
            while frame and frame.f_code.co_filename == __file__:
                frame = frame.f_back
            note(f"failed at {frame.f_code.co_filename}:{frame.f_lineno}")
            for detail in details:
                note(detail)
    return bool(passed)


def same(got, want, name, *details):
    return ok(got == want, name, f"got:  {got!r}", f"want: {want!r}", *details)


def has(text, part, name, *details):
    return ok(part in (text or ""), name, f"got:  {text!r}", f"wanted in it: {part!r}", *details)


def note(text):
    with printing:
        for line in str(text).splitlines() or [""]:
            print(f"#   {line}", flush=True)


def skip(name, why):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP {why}", flush=True)


def skip_all(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


def once():
    """For a test that runs none of $BUILD's programs: it's the same under a sanitizer, so it runs with the normal build only."""
    if os.path.basename(BUILD) != "build":
        skip_all("the same under any build")


def done():
    print(f"1..{count}", flush=True)
    sys.exit(1 if failed else 0)


# --- places ---


def folder(prefix="slipway-test."):
    """A temporary folder that is removed at the end."""
    path = tempfile.mkdtemp(prefix=prefix)
    atexit.register(_remove, path)
    return path


def _remove(path):
    subprocess.run(["chmod", "-R", "u+rwx", path], stderr=subprocess.DEVNULL, check=False)
    shutil.rmtree(path, ignore_errors=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def until(question, seconds=30, every=0.05):
    """Ask until the answer is true; the last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(every)


# --- repositories ---


class Repo:
    """A git repository on disk."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *words):
        env = {
            "PATH": os.environ["PATH"],
            "HOME": self.path,
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "t",
            "GIT_AUTHOR_EMAIL": "t@localhost",
            "GIT_COMMITTER_NAME": "t",
            "GIT_COMMITTER_EMAIL": "t@localhost",
        }
        return subprocess.run(
            ["git", "-C", self.path, *words], env=env, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()

    def commit(self, files, message="change"):
        """Write the files (None removes one) and commit; the commit's id."""
        for name, text in files.items():
            path = os.path.join(self.path, name)
            if text is None:
                os.unlink(path)
            else:
                write(path, text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


APP = '''\
"""A web app for tests: what it does stands in behaviour.json beside it."""
import http.server, json, os, sys, time

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "behaviour.json")) as f:
    behaviour = json.load(f)
print("app starts", behaviour.get("version"), flush=True)
begun = time.monotonic()
if "exit" in behaviour:
    print("app exits on purpose", flush=True)
    sys.exit(behaviour["exit"])
time.sleep(behaviour.get("start_seconds", 0))
while behaviour.get("never_listens"):
    time.sleep(1)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/healthz":
            time.sleep(behaviour.get("health_seconds", 0))
            status = behaviour.get("health", 200)
        else:
            status = 200
        time.sleep(float(self.path.partition("?seconds=")[2] or behaviour.get("page_seconds", 0)))
        body = behaviour.get("version", "?").encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if "exit_after" in behaviour and time.monotonic() - begun > behaviour["exit_after"]:
            os._exit(behaviour.get("exit_status", 4))

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''


def app(version, url, service="shop", environment="production", health="{path: /healthz, timeout: 10s, settle: 1s}",
        more="", start=f"[{PYTHON}, app.py]", **behaviour):
    """The files of an app whose page is its version. `more`: further lines of its slipway.yml."""
    indented = "".join(f"    {line}\n" for line in more.splitlines())
    return {
        "app.py": APP,
        "behaviour.json": json.dumps({"version": version, **behaviour}),
        "slipway.yml": f"version: 1\nservices:\n  {service}:\n    start: {start}\n    health: {health}\n{indented}"
        f"    environments:\n      {environment}:\n        target: server\n        url: {url}\n",
    }


# --- GitHub ---


def github_api(**options):
    """A stand-in for GitHub's API: see tests/clouds/github/github.py."""
    place = os.path.join(TOP, "tests/clouds/github")
    if place not in sys.path:
        sys.path.insert(0, place)
    import github

    return github.GitHub(**options)


# --- the service ---


class Service:
    """A slipwayd of its own. repositories: {"acme/shop": Repo or a dict of settings}."""

    def __init__(self, repositories, workers=1, more="", base=None):
        self.base = base or folder()
        self.data = os.path.join(self.base, "data")
        self.port = free_port()
        self.secret = os.urandom(16).hex()
        self.token = os.urandom(16).hex()
        self.config = os.path.join(self.base, "slipwayd.yml")
        self.log_path = os.path.join(self.base, "slipwayd.log")
        self.process = None
        write(os.path.join(self.base, "hook-secret"), self.secret, 0o600)
        write(os.path.join(self.base, "ops-token"), self.token + "\n", 0o600)
        entries = {
            name: {
                "source": {"git": value.path},
                "deploy": [{"on": "push", "branches": ["main"], "environment": "production"}],
            }
            if isinstance(value, Repo)
            else value
            for name, value in repositories.items()
        }
        self.settings = (
            f"listen: 127.0.0.1:{self.port}\ndata: {self.data}\nworkers: {workers}\n"
            "hooks:\n  - path: /hooks/github\n    secrets: [{file: hook-secret}]\n"
            "tokens:\n  - {name: ops, secret: {file: ops-token}, may: [read, metrics, redeploy, rollback]}\n"
            f"repositories: {json.dumps(entries)}\n{more}"
        )
        write(self.config, self.settings, 0o600)
        atexit.register(self.end)

    def start(self, wait=True):
        self.log = open(self.log_path, "a", encoding="utf-8")
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "slipwayd"), "--config", self.config],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True,
        )
        if wait and not until(self.ready if "listen: none" not in self.settings else lambda: "router" in self.roles(), 20):
            note(self.log_text())
            raise RuntimeError("slipwayd is not ready")
        return self

    def ready(self):
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def log_text(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()

    def roles(self):
        """{"listener": pid, "router": pid, "worker-1": pid, …}"""
        parents, names = {}, {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().decode(errors="replace").split("\0")
                if "--role" in words and self.config in words:
                    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                        parents[int(pid)] = int(f.read().rpartition(")")[2].split()[1])
                    names[int(pid)] = words[words.index("--role") + 1]
            except OSError:
                continue
        # A child of a role looks like the role until it has become its own program.
        return {name: pid for pid, name in names.items() if pid in parents and parents[pid] not in parents}

    def kill(self, role, how=signal.SIGKILL):
        """Send a signal to one role; was it there?"""
        pid = self.roles().get(role)
        try:
            if pid:
                os.kill(pid, how)
        except ProcessLookupError:
            pid = None
        return pid is not None

    def kill_all(self):
        """SIGKILL to the supervisor and every role, as a power cut would: apps and gateway stay."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
        for pid in self.roles().values():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        until(lambda: not self.roles(), 5)

    def stop(self, seconds=60):
        """SIGTERM; its exit status."""
        if not self.process:
            return None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.process = None
        return status

    def down(self):
        return subprocess.run(
            [os.path.join(BUILD, "slipwayd"), "down", "--config", self.config],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )

    def end(self):
        self.kill_all()
        if os.path.isdir(self.data):
            write(self.config, self.settings, 0o600)
            self.down()

    def request(self, method, path, body=None, headers=None, timeout=60):
        """(status, headers, body text) of one exchange."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def post(self, event, payload, guid=None, form=False, secret=None, headers=None, hook="/hooks/github"):
        """Deliver as GitHub does; (status, body, guid)."""
        guid = guid or str(uuid.uuid4())
        body = payload if isinstance(payload, bytes) else json.dumps(payload, separators=(",", ":")).encode()
        if form:
            body = urllib.parse.urlencode({"payload": body}).encode()
        digest = hmac.new((secret or self.secret).encode(), body, hashlib.sha256).hexdigest()
        all_headers = {
            "Content-Type": "application/x-www-form-urlencoded" if form else "application/json",
            "User-Agent": "GitHub-Hookshot/test",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": guid,
            "X-Hub-Signature-256": "sha256=" + digest,
            **(headers or {}),
        }
        status, _, text = self.request("POST", hook, body, {k: v for k, v in all_headers.items() if v is not None})
        return status, text, guid

    def push(self, repository, after, before=ZERO, ref="refs/heads/main", guid=None, **more):
        return self.post("push", push_payload(repository, after, before, ref, **more), guid)

    def api(self, method, path, body=None, token=None, headers=None, timeout=60):
        """(status, parsed JSON or text)."""
        all_headers = {"Authorization": f"Bearer {token or self.token}", **(headers or {})}
        if body is not None:
            all_headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        status, _, text = self.request(method, path, body, all_headers, timeout)
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def delivery(self, guid, seconds=30):
        """The delivery once it is routed."""
        return until(
            lambda: (lambda d: d if isinstance(d, dict) and d.get("state") != "received" else None)(
                self.api("GET", f"/v1/deliveries/{guid}")[1]
            ),
            seconds,
        )

    def deployment(self, number, seconds=60):
        """The deployment once it has ended."""
        return until(
            lambda: (lambda d: d if isinstance(d, dict) and d.get("state") in ENDED else None)(
                self.api("GET", f"/v1/deployments/{number}")[1]
            ),
            seconds,
            0.1,
        )

    def deploy(self, repository, after, before=ZERO, seconds=60, **more):
        """Push and wait; the ended deployment, or the delivery when it made none."""
        _, _, guid = self.push(repository, after, before, **more)
        delivery = self.delivery(guid)
        if not delivery or not delivery.get("deployments"):
            return delivery or {"state": None, "reason": "not routed in time: " + self.log_text()[-2000:]}
        first = delivery["deployments"][0]
        return self.deployment(first["id"] if isinstance(first, dict) else first, seconds)

    def deployment_log(self, number):
        return self.api("GET", f"/v1/deployments/{number}/log")[1]


def push_payload(repository, after, before=ZERO, ref="refs/heads/main", commits=(), forced=False, **more):
    """A push event with the fields that GitHub's has and we read."""
    owner, name = repository.split("/")
    return {
        "ref": ref, "before": before, "after": after, "created": before == ZERO, "deleted": after == ZERO,
        "forced": forced, "base_ref": None, "compare": f"https://github.com/{repository}/compare/x",
        "commits": list(commits),
        "head_commit": None if after == ZERO else {"id": after, "message": "change", "timestamp": "2026-11-24T13:45:00Z"},
        "repository": {"id": 1, "name": name, "full_name": repository, "private": False, "default_branch": "main",
                       "owner": {"login": owner, "name": owner}},
        "pusher": {"name": "someone"}, "sender": {"login": "someone", "type": "User"}, **more,
    }


def fetch(port, host, path="/", timeout=10):
    """(status, body, headers) through the gateway; status None when there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": f"{host}:{port}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace"), answer.headers
    except OSError as e:
        return None, str(e), {}
    finally:
        connection.close()
