"""An app that is deployed again and again, by hand or by pushes, and watched from outside: see scenarios.py."""

import contextlib
import fcntl
import http.server
import json
import os
import re
import signal
import subprocess
import threading
import time

import harness as t

SLIPWAY = os.path.join(t.BUILD, "slipway")
LONG = 150  # seconds that a thing may take on a loaded machine

APP = '''\
"""A web app for tests: what it does stands in behaviour.json beside it."""
import http.server, json, os, signal, sys, time

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "behaviour.json")) as f:
    behaviour = json.load(f)
print("app starts", behaviour["version"], flush=True)
if behaviour.get("ignores_sigterm"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "needs_file" in behaviour and not os.path.exists(behaviour["needs_file"]):
    sys.exit("the file that this version needs is gone")
time.sleep(behaviour.get("start_seconds", 0))
through = 0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global through
        status = 200
        if self.path.startswith("/wait/"):
            while not os.path.exists(self.path[len("/wait"):]):
                time.sleep(0.05)
        if self.path == "/healthz":
            status = behaviour.get("health", 200)
            time.sleep(behaviour.get("health_seconds", 0))
            if "gate" in behaviour and not os.path.exists(behaviour["gate"]):
                status = 503
            if "X-Forwarded-For" in self.headers:
                through += 1
                status = behaviour.get("through_gateway", status)
                if through == behaviour.get("exits_through_gateway"):
                    print("app exits on purpose", flush=True)
                    os._exit(4)
        body = behaviour["version"].encode()
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''


# --- ports, locks, files ---


class Stranger:
    """Somebody else's web server on a port, which says 200 to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "8")
            self.end_headers()
            self.wfile.write(b"stranger")

        def log_message(self, *args):
            pass

    def __init__(self, port):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self.Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def holding(path):
    """Have a lock of Slipway's, so that who wants it waits."""
    with open(path, "a", encoding="utf-8") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def text_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def lines_of(path):
    return len(text_of(path).splitlines())


def processes(entry):
    """Those of processes (pid, command) whose environment has an entry that begins so."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                marked = any(e.startswith(entry.encode()) for e in f.read().split(b"\0"))
            if marked:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    found.append((int(pid), f.read().replace(b"\0", b" ").decode(errors="replace")))
        except OSError:
            pass
    return found


# --- watching from outside ---


class Watch(threading.Thread):
    """Asks the gateway for the page, on and on. answers: (begun, ended, what), what "" for none."""

    def __init__(self, lane):
        super().__init__(daemon=True)
        self.lane, self.over, self.answers = lane, threading.Event(), []

    def run(self):
        while not self.over.wait(0.1):
            begun = time.monotonic()
            where = (self.lane.port, self.lane.host)
            what = self.lane.page()
            if where == (self.lane.port, self.lane.host):
                self.answers.append((begun, time.monotonic(), what))

    def between(self, begun, ended):
        return {what for since, until, what in list(self.answers) if since >= begun and until <= ended}


# --- lanes ---


class Ended:
    """How a deployment ended: `how` an exit status or a state, `why` the message, `log` all that was said."""

    def __init__(self, how, why, log, number=None):
        self.how, self.why, self.log, self.number = how, why or "", log or "", number


class Lane:
    """One app, deployed again and again: the version that serves is what the next row begins with."""

    def __init__(self, name, port):
        self.name, self.port, self.service = name, port, name
        self.outside = t.folder("slipway-outside.")
        self.number = self.turn = 0
        self.serving = ""
        self.host = f"{self.service}.localhost"
        self.watch = None

    def page(self):
        status, body, _ = t.fetch(self.port, self.host, timeout=60)
        return body if status == 200 else ""

    def fresh(self):
        """Another app, of which nothing was deployed yet."""
        self.number += 1
        self.service = f"{self.name}-{self.number}"
        self.host = f"{self.service}.localhost"
        self.serving = ""

    def version(self):
        self.number += 1
        return f"{self.service}.{self.number}"

    def path(self, name):
        """A file outside of all that Slipway has, new for each row."""
        return os.path.join(self.outside, f"{self.turn}-{name}")

    def files(self, version, more="", raw=None, target=None, **behaviour):
        """A version's files. {path-x} in a text is self.path("x"), {port-x} a free port."""
        behaviour.setdefault("health", "{path: /healthz, timeout: 90s, settle: 0s}")
        health = behaviour.pop("health")
        start = behaviour.pop("start", f"[{t.PYTHON}, app.py]")
        status = behaviour.pop("status", 200)
        files = t.app(version, f"http://{self.host}:{self.port}", service=self.service, health=health,
                      more=more, start=start, **behaviour)
        files["behaviour.json"] = json.dumps({"version": version, "health": status, **behaviour})
        files["app.py"] = APP
        if raw:
            files["slipway.yml"] = raw.replace("SERVICE", self.service).replace("HOST", f"{self.host}:{self.port}")
        for key, value in (target or {}).items():
            files["slipway.yml"] += f"        {key}: {json.dumps(value)}\n"
        for name in ("slipway.yml", "behaviour.json"):
            text = re.sub(r"\{path-(\w+)\}", lambda match: self.path(match.group(1)), files[name])
            files[name] = re.sub(r"\{port-\w+\}", lambda match: str(t.free_port()), text)
        return files

    def state(self):
        return json.loads(text_of(os.path.join(self.app, "app.json")) or "{}")

    def free_slot(self):
        live = self.state().get("live") or {}
        return "b" if live.get("slot") == "a" else "a"

    def leftovers(self, number=None):
        """What an ended deployment must not leave behind; [] when there is nothing."""
        found = [f"process {pid}: {line}" for pid, line in processes(self.job(number))]
        state = self.state()
        if os.path.isdir(self.app):
            found += [f"{key}: {state[key]}" for key in ("next", "previous", "leaving", "next_site") if state.get(key)]
            free = os.path.join(self.app, "slots", self.free_slot())
            found += [f"in the free slot {pid}: {line}" for pid, line in processes(f"SLIPWAY_SLOT={free}")]
            good = set(state.get("good", []))
            for kind in ("releases", "runs"):
                names = set(os.listdir(os.path.join(self.app, kind)))
                found += [f"{kind}: {name}" for name in sorted(names ^ good)]
        work = os.path.join(self.data, "work")
        names = os.listdir(work) if os.path.isdir(work) else []
        found += [f"work: {name}" for name in names if self.alone or name.split(".")[0] == str(number)]
        return found


class Hand(Lane):
    """`slipway deploy` with a data folder of the lane's own."""

    how = "by hand"
    alone = True

    def __init__(self, name, data=None):
        super().__init__(name, t.free_port())
        self.base = t.folder()
        self.data = data or os.path.join(self.base, "data")
        self.output = os.path.join(self.base, "output")

    @property
    def app(self):
        return os.path.join(self.data, "server", "apps", f"{self.service}+production")

    def job(self, number):
        return f"SLIPWAY_JOB={self.data}#"

    def begin(self, files=None, command="deploy", words=()):
        folder = os.path.join(self.base, self.service)
        for name, text in (files or {}).items():
            t.write(os.path.join(folder, name), text)
        with open(self.output, "w", encoding="utf-8") as f:
            return subprocess.Popen(
                [SLIPWAY, command, "--config", f"{folder}/slipway.yml", "--data", self.data, *words],
                env={"PATH": os.environ["PATH"], "HOME": self.base, "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL, stdout=f, stderr=f,
            )

    def end(self, running):
        try:
            status = running.wait(LONG)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            status = "no end"
        log = text_of(self.output)
        said = [line for line in log.splitlines() if line.startswith("slipway: ")]
        return Ended(status, "\n".join(said), log)

    def step(self, running):
        """The step that it is at."""
        begun = re.findall(r"^(\w+) +begins$", text_of(self.output), re.M)
        return begun[-1] if begun and running.poll() is None else None

    def over(self, running):
        return running.poll() is not None

    def rollback(self, *words):
        return self.end(self.begin(command="rollback", words=words))


class Pushed(Lane):
    """Pushes to a repository of the lane's own, in a slipwayd that other lanes may share."""

    how = "by a push"
    alone = False

    def __init__(self, name, port=None):
        super().__init__(name, port or t.free_port())
        self.repository = f"acme/{name}"
        self.repo = t.Repo(os.path.join(self.outside, "repo"))
        self.before = t.ZERO
        self.slipwayd = None

    @property
    def data(self):
        return self.slipwayd.data

    @property
    def app(self):
        return os.path.join(self.data, "server", "apps", f"acme+{self.name}+{self.service}+production")

    def job(self, number):
        return f"SLIPWAY_JOB={self.data}#{number}"

    def begin(self, files):
        """Push, and wait until that has become a deployment; its number, or why there is none."""
        commit = self.repo.commit(files)
        _, _, guid = self.slipwayd.push(self.repository, commit, self.before)
        self.before = commit
        delivery = self.slipwayd.delivery(guid, LONG) or {}
        made = delivery.get("deployments") or []
        return made[0] if made else Ended(delivery.get("state"), delivery.get("reason"), "")

    def end(self, number):
        if isinstance(number, Ended):
            return number
        ended = self.slipwayd.deployment(number, LONG) or {}
        return Ended(ended.get("state"), ended.get("error"), self.slipwayd.deployment_log(number), number)

    def step(self, number):
        found = self.slipwayd.api("GET", f"/v1/deployments/{number}")[1]
        return found["step"] if isinstance(found, dict) and found.get("state") == "running" else None

    def over(self, number):
        found = self.slipwayd.api("GET", f"/v1/deployments/{number}")[1]
        return not isinstance(found, dict) or found.get("state") in t.ENDED

    def rollback(self, *words):
        named = {"version": words[1]} if words else {}
        status, found = self.slipwayd.api("POST", "/v1/rollback", {
            "repository": self.repository, "service": self.service, "environment": "production", **named})
        if status != 202:
            return Ended(status, found.get("detail"), "")
        return self.end(found["id"])


# --- cleaning ---


def kill_below(data):
    """SIGKILL for all that works in or for the data folder: apps, their runsv, the gateway."""

    def mine():
        found = dict(processes(f"SLIPWAY_SLOT={data}/"))
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    line = f.read().replace(b"\0", b" ").decode(errors="replace")
                if f"{data}/" in line or os.readlink(f"/proc/{pid}/cwd").startswith(f"{data}/"):
                    found[int(pid)] = line
        return found

    for _ in range(100):
        found = mine()
        if not found:
            return
        # runsv first: it starts again what ends below it.
        for pid in [pid for pid, line in found.items() if "runsv" in line] or found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
