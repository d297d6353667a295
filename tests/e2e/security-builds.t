#!/usr/bin/env python3
"""docs/security.md, the rows about what a build may reach and where secrets end: 3, 6, 13, 18, 20."""
import base64
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(__file__))
import harness as h

ROW6 = "security 6: secrets or tokens in logs"
ROW13 = "security 13: credentials of the source leak"
ROW18 = "security 18: credentials at rest"
ROW20 = "security 20: blast radius"

# What a build tries; each attempt's outcome goes to the log as JSON. PATHS is filled in below.
PROBE = r'''
import ctypes, json, os, subprocess, sys
PATHS = json.loads(PATHS_HERE)
base, data = PATHS["base"], PATHS["data"]
out = {"fds": {fd: os.readlink("/proc/self/fd/" + fd) for fd in os.listdir("/proc/self/fd")
               if os.path.exists("/proc/self/fd/" + fd)},
       "env": dict(os.environ), "uid": os.getuid(), "tried": {}, "allowed": {}}

def attempt(kind, name, do):
    try:
        got = do()
        out[kind][name] = "done" if got is None else repr(got)[:80]
    except OSError as e:
        out[kind][name] = None
def read(path): return open(path, "rb").read(100)
def write(path): open(path, "ab").write(b"x")
def ran(*words): 
    if subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode: raise OSError
tried = lambda name, do: attempt("tried", name, do)
for path in PATHS["secret"]:
    tried("read " + path, lambda: read(path))
    tried("write " + path, lambda: write(path))
    tried("link " + path, lambda: os.link(path, "stolen"))
    tried("remove " + path, lambda: os.unlink(path))
    tried("rename " + path, lambda: os.rename(path, "stolen"))
    os.symlink(path, "pointer")
    tried("read by a link " + path, lambda: read("pointer"))
    os.unlink("pointer")
for path in (data, data + "/store", data + "/git", data + "/server", data + "/work", data + "/server/apps"):
    tried("make a file in " + path, lambda: write(path + "/planted"))
    tried("make a folder in " + path, lambda: os.mkdir(path + "/planted.d"))
tried("move the data folder", lambda: os.rename(data, base + "/moved"))
tried("move what it lies in", lambda: os.rename(base, base + ".moved"))
tried("a file beside the settings", lambda: write(base + "/planted"))
tried("mount over it", lambda: ran("unshare", "-rm", "mount", "--bind", "/tmp", data))
tried("look from a namespace", lambda: ran("unshare", "-rm", "cat", PATHS["secret"][0]))
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
def attach(pid):
    if libc.ptrace(16, pid, 0, 0): raise OSError
    os.waitpid(pid, 0); libc.ptrace(17, pid, 0, 0)
roles = {}
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        words = open("/proc/" + pid + "/cmdline").read().split("\0")
    except OSError:
        continue
    if PATHS["config"] in words and "confined" not in words:
        roles[words[words.index("--role") + 1] if "--role" in words else "supervisor"] = int(pid)
out["roles"] = sorted(roles)
for role, pid in roles.items():
    proc = "/proc/%d/" % pid
    for name in ("environ", "maps", "auxv"):
        tried(role + "'s " + name, lambda: read(proc + name))
    tried(role + "'s memory", lambda: os.close(os.open(proc + "mem", os.O_RDONLY)))
    tried(role + "'s memory, to write", lambda: os.close(os.open(proc + "mem", os.O_RDWR)))
    tried(role + "'s descriptors", lambda: [os.readlink(proc + "fd/" + fd) for fd in os.listdir(proc + "fd")])
    tried(role + "'s folder", lambda: os.listdir(proc + "cwd"))
    tried(role + "'s root", lambda: read(proc + "root" + PATHS["secret"][0]))
    tried("trace " + role, lambda: attach(pid))
allowed = lambda name, do: attempt("allowed", name, do)
allowed("write in its folder", lambda: write("made"))
allowed("write in TMPDIR", lambda: write(os.environ["TMPDIR"] + "/made"))
allowed("write in HOME", lambda: write(os.environ["HOME"] + "/made"))
allowed("read /etc/passwd", lambda: read("/etc/passwd"))
allowed("start a program", lambda: ran("true"))
out["git"] = [p for p, _, _ in os.walk(".") if "/.git" in p]
out["stdin"] = read("/dev/stdin").decode()
quiet = subprocess.DEVNULL
subprocess.Popen(["setsid", "sleep", "987"], stdin=quiet, stdout=quiet, stderr=quiet)
print("PROBE " + json.dumps(out), flush=True)
'''

SECRET = 'p@ss w/"quotes"&more+42'
LINES = "-----BEGIN KEY-----\nfirst line of the key\nsecond line of it\n-----END KEY-----"
LONG = "long-" + "0123456789abcdef" * 8
VALUES = {"DATABASE_URL": SECRET, "KEY": LINES, "LONG": LONG}


def forms(value):
    raw = value.encode()
    return {
        "plain": value, "base64": base64.b64encode(raw).decode(),
        "base64, one on": base64.b64encode(b"x" + raw).decode()[2:-4],
        "base64, two on": base64.b64encode(b"xy" + raw).decode()[3:-4],
        "base64 for URLs": base64.urlsafe_b64encode(raw).decode(),
        "in a URL": urllib.parse.quote(value, safe=""), "in a form": urllib.parse.quote_plus(value),
        "in JSON": json.dumps(value)[1:-1],
    }


# Prints each secret in each form, whole and in two pieces, on both streams.
PRINTER = r'''
import base64, json, os, sys, time, urllib.parse
for name in ("DATABASE_URL", "KEY", "LONG"):
    value = os.environ[name]
    raw = value.encode()
    for text in (value, base64.b64encode(raw).decode(), base64.b64encode(b"x" + raw).decode(),
                 base64.b64encode(b"xy" + raw).decode(), base64.urlsafe_b64encode(raw).decode(),
                 urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value), json.dumps(value),
                 json.dumps({"url": "postgres://u:" + value + "@host/db"}), base64.encodebytes(raw).decode()):
        print("<" + text + ">", file=sys.stderr, flush=True)
        half = len(text) // 2
        sys.stdout.write("<" + text[:half]); sys.stdout.flush()
        time.sleep(0.02)
        print(text[half:] + ">", flush=True)
print("name of the database:", os.environ["DATABASE_URL"], flush=True)
sys.exit(STATUS)
'''

APP = r'''
import http.server, os
print("app starts with", os.environ["DATABASE_URL"], flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "3"); self.end_headers(); self.wfile.write(b"hi\n")
if os.path.exists("broken"):
    raise SystemExit("can't connect to " + os.environ["DATABASE_URL"])
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''


def files(service, url, status=0, **more):
    paths = {
        "base": service.base, "data": service.data, "config": service.config,
        "secret": [os.path.join(service.base, n) for n in (
            "hook-secret", "ops-token", "database-url", "key", "git-password", "slipwayd.yml")]
        + [os.path.join(service.data, n) for n in ("store/slipway.db", "store/slipway.db-wal", "slipwayd.lock")],
    }
    project = {"version": 1, "services": {"shop": {
        "build": {"run": [h.PYTHON, "probe.py"]}, "release": {"run": [h.PYTHON, "printer.py"]},
        "start": [h.PYTHON, "app.py"], "health": {"path": "/", "timeout": "10s", "settle": "0s"},
        "secrets": list(VALUES), "environments": {"production": {"target": "server", "url": url}}}}}
    return {"slipway.yml": json.dumps(project), "app.py": APP,
            "probe.py": PROBE.replace("PATHS_HERE", repr(json.dumps(paths))),
            "printer.py": PRINTER.replace("STATUS", str(status)), **more}


def git_server(folder):
    server = subprocess.Popen([sys.executable, "tests/clouds/git_http.py", folder, "deployer", PASSWORD],
                              stdout=subprocess.PIPE, text=True)
    return server, int(server.stdout.readline().split()[0])


def everything(service):
    with sqlite3.connect(f"file:{service.data}/store/slipway.db?mode=ro", uri=True) as db:
        rows = []
        for table in ("deliveries", "deployments", "logs", "secrets", "live", "bodies", "meta"):
            rows += [v.decode(errors="replace") if isinstance(v, bytes) else str(v)
                     for row in db.execute(f"SELECT * FROM {table}") for v in row]
    return "\n".join(rows) + service.log_text()


class Unprivileged(h.Service):
    """The same as nobody, when we are root: what a service's user may do is what counts."""

    def start(self, wait=True):
        if os.getuid() != 0:
            return super().start(wait)
        subprocess.run(["chown", "-R", "nobody:nogroup", self.base], check=True)
        self.log = open(self.log_path, "a", encoding="utf-8")
        self.process = subprocess.Popen(
            ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
             os.path.join(h.BUILD, "slipwayd"), "--config", self.config],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True, umask=0, cwd="/")
        if not h.until(self.ready, 20):
            h.note(self.log_text())
            raise RuntimeError("slipwayd is not ready")
        return self


PASSWORD = "the-password-of-the-source-" + os.urandom(8).hex()
repos = h.folder()
os.chmod(repos, 0o755)
repo = h.Repo(os.path.join(repos, "shop.git"))
server, git_port = git_server(repos)


def make(kind):
    service = kind({"acme/shop": {
        "source": {"git": f"http://127.0.0.1:{git_port}/shop.git", "user": "deployer",
                   "password": {"file": "git-password"}},
        "deploy": [{"on": "push", "branches": ["main"], "environment": "production"}],
        "secrets": {"DATABASE_URL": {"file": "database-url"}, "KEY": {"file": "key"}, "LONG": {"file": "long"}}}})
    h.write(os.path.join(service.base, "database-url"), SECRET + "\n", 0o644)
    h.write(os.path.join(service.base, "key"), LINES + "\n", 0o600)
    h.write(os.path.join(service.base, "long"), LONG + "\n", 0o600)
    h.write(os.path.join(service.base, "git-password"), PASSWORD + "\n", 0o600)
    return service


seen = set()


def watch(stop):
    """Every command line and environment that shows up meanwhile."""
    while not stop.is_set():
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if PASSWORD.encode() in (words := f.read()) or SECRET.encode() in words:
                        if words.split(b"\0")[1:2] != [b"tests/clouds/git_http.py"]:
                            seen.add(words)
            except OSError:
                pass
        time.sleep(0.05)


def check_probe(service, log, who):
    found = re.search(r"^PROBE (.*)$", log, re.M)
    if not h.ok(found, f"{ROW20}: {who}: the build has run", log[-3000:]):
        return
    out = json.loads(found[1])
    h.same(out["roles"], ["listener", "router", "supervisor", "worker-1"], f"{ROW20}: {who}: it sees who runs")
    broken = {k: v for k, v in out["tried"].items() if v is not None}
    h.same(broken, {}, f"{ROW20}: {who}: {len(out['tried'])} attempts on secrets, the store, other processes all fail")
    h.same([k for k, v in out["allowed"].items() if v is None], [], f"{ROW20}: {who}: what a build needs works")
    fds = {fd: to for fd, to in out["fds"].items() if not to.startswith("/proc/")}
    h.ok(set(fds) == {"0", "1", "2"} and fds["0"] == "/dev/null" and all(fds[n].startswith("pipe:") for n in "12"),
         f"{ROW20}: {who}: it has three descriptors: nothing to read, and the log", fds)
    # Python sets LC_CTYPE itself in some locales.
    h.same(sorted(set(out["env"]) - {"LC_CTYPE"}),
           ["CI", "HOME", "LANG", "PATH", "SLIPWAY_COMMIT", "SLIPWAY_ENVIRONMENT", "SLIPWAY_JOB", "SLIPWAY_SERVICE", "TMPDIR"],
           f"{ROW6}: {who}: its environment holds no secret")
    h.ok(out["git"] == [] and PASSWORD not in found[1], f"{ROW13}: {who}: nor has it a .git folder, or the source's password")


def check_secrets(service, text, where):
    leaks = [f"{name} {form}" for name, value in VALUES.items()
             for form, shape in forms(value).items() if shape in text]
    leaks += [f"a line of KEY: {line}" for line in LINES.splitlines() if line in text]
    # base64 in lines of 76, as encodebytes and base64(1) print it
    leaks += [f"LONG in lines: {line}" for line in base64.encodebytes(LONG.encode()).decode().split() if line in text]
    h.same(leaks, [], f"{ROW6}: {where}: no secret in any form")


def check_modes(service, who):
    exposed, writable = [], []
    for folder, names, others in os.walk(service.data):
        for name in names + others:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
                continue
            if mode & 0o022:
                writable.append(f"{mode & 0o777:o} {path}")
            if mode & 0o044 and reachable(path, service.data):
                exposed.append(f"{mode & 0o777:o} {path}")
    h.same([p for p in writable if reachable(p.split(" ", 1)[1], service.data)], [],
           f"{ROW18}: {who}: nothing below data can be written by others")
    h.same([p for p in exposed if "/nginx/" not in p], [], f"{ROW18}: {who}: nothing can be read by others")
    h.same(stat.S_IMODE(os.stat(service.data).st_mode), 0o700, f"{ROW18}: {who}: data is 0700")
    scripts = [os.path.join(f, n) for f, _, names in os.walk(service.data + "/server") for n in names if n == "run"]
    h.ok(scripts and {stat.S_IMODE(os.stat(s).st_mode) for s in scripts} == {0o700},
         f"{ROW18}: {who}: run scripts are 0700", scripts)
    store = os.path.join(service.data, "store")
    h.same({stat.S_IMODE(os.stat(os.path.join(store, n)).st_mode) for n in os.listdir(store)}, {0o600},
           f"{ROW18}: {who}: the database's files are 0600, whatever the umask was")


def reachable(path, top):
    while path != top:
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & 0o011:
            return False
    return True


def deploy_and_check(kind, who):
    service = make(kind).start()
    url = f"http://shop.localhost:{h.free_port()}"
    gone = {"broken": None} if os.path.exists(os.path.join(repo.path, "broken")) else {}
    first = repo.commit(files(service, url, **gone))
    got = service.deploy("acme/shop", first)
    log = service.deployment_log(got.get("id", 1))
    h.same(got["state"], "succeeded", f"{who}: a deployment works", got, str(log)[-3000:])
    check_probe(service, log, who)
    left = subprocess.run(["pgrep", "-f", "^sleep 987$"], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    mine = [p for p in left if service.data in environment_of(p)]
    h.same(mine, [], f"{ROW20}: {who}: what the build left behind is ended")
    check_secrets(service, log, f"{who}: the log of a release command that prints them")
    h.ok(log.count("***") >= 40, f"{ROW6}: {who}: each is *** ({log.count('***')})", log[-4000:])
    check_modes(service, who)
    return service, url


def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ", encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def check_failures(service, url):
    """Messages that hold a secret: a command's last line, and the app's last words."""
    for what, change in (("a release command that fails", {"status": 1}),
                         ("an app that can't start", {"broken": "yes"})):
        got = service.deploy("acme/shop", repo.commit(files(service, url, **change)), seconds=60)
        text = json.dumps(got) + str(service.deployment_log(got.get("id", 1)))
        h.ok(got["state"] in ("failed", "rolled_back") and "***" in text, f"{ROW6}: {what}: the message has ***",
             text[-2000:])
        check_secrets(service, text, what)


def check_rest(service):
    text = everything(service)
    check_secrets(service, text, "all of the database and slipwayd's log")
    h.ok(not any(s in text for s in (service.secret, service.token, PASSWORD)),
         f"{ROW6}: nor the hook's secret, the token, the source's password")
    held = subprocess.run(["grep", "-rlF", "-f", "-", service.data], input=PASSWORD, stdout=subprocess.PIPE, text=True,
                          check=False).stdout
    h.same(held, "", f"{ROW13}: the source's password is in no file below data")
    h.same(seen, set(), f"{ROW13}: nor on any command line while it deployed")
    h.has(service.log_text(), "database-url is open to others than its owner; chmod 600",
          f"{ROW18}: a secret's file that others may read is warned about")
    done = subprocess.run([os.path.join(h.BUILD, "slipwayd"), "check", service.config], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    h.ok(done.returncode == 0 and "chmod 600" in done.stdout, f"{ROW18}: by slipwayd check as well", done.stdout)


def files_of(service, role):
    """What its descriptors are; a worker that has just ended is started again."""
    def look():
        try:
            folder = f"/proc/{service.roles()[role]}/fd"
            return {os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder)}
        except (KeyError, OSError):
            return None
    return h.until(look, 10)


def check_roles(service):
    """/proc says what the listener has given up, and who listens."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        listening = {f"socket:[{line.split()[9]}]" for line in f if line.split()[3] == "0A"}
    with open(f"/proc/{service.roles()['listener']}/status", encoding="ascii") as f:
        status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
    h.same((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), f"{ROW20}: the listener can start no program")
    for role in ("listener", "router", "worker-1"):
        files = files_of(service, role)
        h.same(len(files & listening), 1 if role == "listener" else 0, f"{ROW20}: {role}: listening sockets", files)


def check_unit():
    with open("packaging/slipwayd.service", encoding="utf-8") as f:
        unit = f.read()
    wanted = ("User=slipway", "NoNewPrivileges=true", "ProtectSystem=strict", "ProtectHome=true", "PrivateTmp=true",
              "UMask=0077", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "SystemCallFilter=", "RestrictNamespaces=true")
    h.same([w for w in wanted if f"\n{w}" not in unit], [], f"{ROW20}: the systemd unit takes away what isn't needed")
    if shutil.which("systemd-analyze"):
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", os.path.abspath("packaging/slipwayd.service")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        unknown = [line for line in done.stdout.splitlines() if "Unknown" in line or "Failed to parse" in line]
        h.same(unknown, [], f"{ROW20}: which systemd understands")


stop = threading.Event()
watcher = threading.Thread(target=watch, args=(stop,))
watcher.start()
try:
    service, url = deploy_and_check(Unprivileged, "as a user without rights")
    check_failures(service, url)
    check_roles(service)
    check_rest(service)
    warning = "running as root: whoever takes over an app or a build has this machine"
    h.ok(warning not in service.log_text(), f"{ROW20}: no warning for a user without rights")
    if os.getuid() == 0:
        other, _ = deploy_and_check(h.Service, "as root")
        h.has(other.log_text(), warning, f"{ROW20}: root is warned")
    check_unit()
finally:
    stop.set()
    watcher.join()
    server.terminate()
h.done()
