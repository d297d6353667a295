#!/usr/bin/python3
"""The slipway command: what it says, what it refuses, and deployments by hand from start to end."""

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import harness as t

SLIPWAY = os.path.join(t.BUILD, "slipway")
BASE = t.folder()
DATA = os.path.join(BASE, "data")
PORT = t.free_port()


def environment(**more):
    return {"PATH": os.environ["PATH"], "HOME": BASE, "LANG": "C.UTF-8", **more}


def slipway(*words, cwd=BASE, **env):
    return subprocess.run(
        [SLIPWAY, *words], cwd=cwd, env=environment(**env), text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
    )


def deploy(folder, *words, **env):
    return slipway("deploy", "--config", os.path.join(folder, "slipway.yml"), "--data", DATA, *words, **env)


def page(host="shop.localhost"):
    return t.fetch(PORT, host)


def put(name, files):
    folder = os.path.join(BASE, name)
    for path, text in files.items():
        t.write(os.path.join(folder, path), text)
    return folder


def down():
    """Stop the apps and the gateway of this test's data folder: whatever names or works in it."""
    for _ in range(50):
        mine = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read()
                if BASE.encode() in words or os.readlink(f"/proc/{pid}/cwd").startswith(BASE):
                    mine[int(pid)] = b"runsv" in words
            except OSError:
                pass
        mine.pop(os.getpid(), None)
        if not mine:
            return
        # runsv first: it starts again what ends below it.
        first = any(mine.values())
        for pid, supervises in mine.items():
            if supervises or not first:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        time.sleep(0.1)


atexit.register(down)


def url(host="shop.localhost"):
    return f"http://{host}:{PORT}"


def an_app(name, version, more="", status=200):
    """An app that gives its version; `status` is what its health path answers."""
    files = t.app(version, url(), more=more, health="{path: /healthz, timeout: 5s, settle: 0s}")
    files["behaviour.json"] = json.dumps({"version": version, "health": status})
    return put(name, files)


def says_itself():
    got = slipway("--help")
    t.same(got.returncode, 0, "--help is no error")
    for section in ("NAME", "SYNOPSIS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES"):
        t.has(got.stdout, f"\n{section}\n" if section != "NAME" else "NAME\n", f"the manual has {section}")
    t.ok(max(map(len, got.stdout.splitlines())) <= 80, "and fits a terminal")
    for command in ("deploy", "plan", "check", "rollback", "down", "schema", "action"):
        t.has(slipway("--help").stdout, f"\n       {command} ", f"it names {command}")
        own = slipway(command, "--help")
        t.ok(own.returncode == 0 and "EXAMPLES" in own.stdout and "EXIT STATUS" in own.stdout,
             f"{command} has a manual of its own", own.stdout, own.stderr)
        t.ok(max(map(len, own.stdout.splitlines())) <= 80, f"which fits a terminal: {command}")
        t.same(slipway("help", command).stdout, own.stdout, f"help {command} is the same")
    t.has(slipway("--version").stdout, "slipway ", "--version")


def refuses():
    app = an_app("refused", "1")
    cases = [
        ((), "say what to do"),
        (("deplyo",), "there is no command 'deplyo'; did you mean 'deploy'?"),
        (("help", "plam"), "did you mean 'plan'?"),
        (("deploy", "--servce", "x"), "there is no option '--servce'; did you mean '--service'?"),
        (("deploy", "--config"), "--config needs a value: --config FILE"),
        (("deploy", "-c", "x"), "options are written --name"),
        (("deploy", "now"), "'now' is neither an option nor expected"),
        (("deploy", "--config", "nowhere.yml"), "there is no project file 'nowhere.yml'"),
        (("deploy", "--config", f"{app}/slipway.yml", "--service", "shp"), "did you mean 'shop'?"),
        (("deploy", "--config", f"{app}/slipway.yml", "--environment", "prodction"), "did you mean production"),
        (("deploy", "--config", f"{app}/slipway.yml", "--data", f"{app}/data"), "lies in the folder that is deployed"),
        (("check", "a", "b"), "one file at a time"),
    ]
    for words, message in cases:
        got = slipway(*words)
        t.ok(got.returncode == 2 and message in got.stderr and not got.stdout, f"refused: slipway {' '.join(words)}"
             .replace(BASE, ""), got.returncode, got.stderr)
    t.ok(not os.path.exists(DATA), "and nothing was touched")


def checks():
    app = an_app("checked", "1")
    got = slipway("check", cwd=app)
    t.same((got.returncode, got.stdout, got.stderr),
           (0, "slipway.yml: good\n  shop in production: target server\n", ""), "a good file")
    put("wrong", {"slipway.yml": "version: 1\nservices:\n  shop:\n    strat: [x]\n    helth: {}\n"})
    got = slipway("check", "wrong/slipway.yml")
    t.same(got.returncode, 2, "a wrong one")
    t.has(got.stderr, "wrong/slipway.yml:4:5:", "with the line and column of a mistake")
    t.has(got.stderr, "wrong/slipway.yml:5:5:", "and of the next one")
    t.has(got.stderr, "did you mean 'start'", "and what was probably meant")
    put("server", {"slipwayd.yml": "listen: 127.0.0.1:1\nhooks: []\n"})
    got = slipway("check", "server/slipwayd.yml")
    t.ok(got.returncode == 2 and "slipwayd check server/slipwayd.yml" in got.stderr, "a server's file is recognised",
         got.stderr)
    schema = json.loads(slipway("schema").stdout)
    t.ok("services" in schema.get("properties", {}), "schema prints a JSON Schema")


def plans():
    several = put("several", {"slipway.yml": "version: 1\nservices:\n" + "".join(
        f"  {name}:\n    start: [x]\n    {more}\n    environments:\n"
        f"      staging: {{target: server, url: 'http://{name}.localhost:1'}}\n"
        f"      production: {{target: server, url: 'http://{name}.localhost:2'}}\n"
        for name, more in (("web", "needs: [api]"), ("api", "needs: [db]"), ("db", "secrets: [PASSWORD]")))})
    config = ("--config", f"{several}/slipway.yml")
    got = slipway("plan", *config)
    t.ok(got.returncode == 2 and "say which environment" in got.stderr and "staging, production" in got.stderr,
         "an environment must be named when there are two", got.stderr)
    got = slipway("plan", *config, "--environment", "staging")
    t.ok(got.returncode == 2 and "secret PASSWORD" in got.stderr, "a secret without a value is refused", got.stderr)
    got = slipway("plan", *config, "--environment", "staging", PASSWORD="hunter2secret")
    t.same(got.returncode, 0, "a plan", got.stderr)
    t.has(got.stderr, "in this order: db api web", "what others need comes first")
    t.ok(0 < got.stdout.find("db.localhost") < got.stdout.find("api.localhost") < got.stdout.find("web.localhost"),
         "also in the plan", got.stdout)
    for step in ("fetch", "build", "test", "release", "publish", "shift", "verify"):
        t.has(got.stdout, f"\n{step} ", f"it tells {step}")
    t.ok("hunter2" not in got.stdout + got.stderr, "and no secret")
    t.ok(not os.path.exists(os.path.join(BASE, ".local")), "a plan writes nothing")


def flask():
    folder = os.path.join(BASE, "flask")
    shutil.copytree(os.path.join(t.TOP, "examples/flask"), folder)
    config = os.path.join(folder, "slipway.yml")
    with open(config, encoding="utf-8") as f:
        text = f.read().replace("http://shop.localhost:8080", url("flask.localhost"))
    t.write(config, text.replace("timeout: 30s", "timeout: 10s, settle: 1s"))
    repository = t.Repo(folder)
    commit = repository.commit({})
    got = deploy(folder)
    t.same(got.returncode, 0, "the Flask example is deployed", got.stderr)
    t.has(got.stdout, f"shop is live in production: {url('flask.localhost')}\nversion {commit[:12]}-",
          "with its address and version")
    t.has(got.stderr, "4 passed", "its tests ran")
    t.ok("note:" not in got.stderr, "a clean checkout needs no note", got.stderr)
    t.has(page("flask.localhost")[1], "Hello from Slipway", "and its page is there")
    t.write(os.path.join(folder, "shop.py"), open(os.path.join(folder, "shop.py")).read().replace('"ok"', '"bad"'))
    got = deploy(folder)
    t.same(got.returncode, 1, "a failing test is not live")
    t.has(got.stderr, f"differs from commit {commit[:12]}", "a changed folder is told")
    t.has(got.stderr, "shop is not live in production: test: `python3 -m pytest", "the message says what failed")
    t.has(page("flask.localhost")[1], "Hello from Slipway", "the version before goes on serving")


def golang():
    folder = os.path.join(BASE, "go")
    shutil.copytree(os.path.join(t.TOP, "examples/go"), folder)
    config = os.path.join(folder, "slipway.yml")
    with open(config, encoding="utf-8") as f:
        text = f.read().replace("http://hello.localhost:8080", url("go.localhost"))
    t.write(config, text.replace("timeout: 30s", "timeout: 10s, settle: 1s"))
    got = deploy(folder)
    t.same(got.returncode, 0, "the Go example is deployed", got.stderr)
    t.same(t.fetch(PORT, "go.localhost", "/?name=Ada")[1], "Hello, Ada!\n", "and its page is there")


def by_hand():
    first = deploy(an_app("shop", "one"))
    t.same((first.returncode, page()[1]), (0, "one"), "the first version", first.stderr)
    t.has(first.stderr, "is not a git checkout", "no git: a note")
    version = first.stdout.split("version ")[1].split()[0].strip(",")
    second = deploy(an_app("shop", "two"))
    t.same((second.returncode, page()[1]), (0, "two"), "the second", second.stderr)
    t.has(second.stdout, f"before: {version}", "names the one before")
    got = deploy(an_app("shop", "three", status=500))
    t.same((got.returncode, page()[1]), (1, "two"), "one that isn't healthy leaves the second", got.stderr)
    t.has(got.stderr, "app starts three", "the app's log is shown")
    words = ("--config", f"{BASE}/shop/slipway.yml", "--data", DATA)
    an_app("shop", "two")
    got = slipway("rollback", *words)
    t.same((got.returncode, page()[1]), (0, "one"), "a rollback brings the first back", got.stderr)
    got = slipway("rollback", *words, "--to", "abcdefabcdef-h0")
    t.same((got.returncode, page()[1]), (1, "one"), "one to a version that isn't there changes nothing", got.stderr)
    t.has(got.stderr, "no good version 'abcdefabcdef-h0'", "and says so")
    t.same(os.listdir(os.path.join(DATA, "work")), [], "no work folder is left")


def secrets():
    folder = an_app("shop", "s", more="secrets: [TOKEN]\n"
                    "build: {run: 'echo \"build: ${TOKEN:-none}\"'}\nrelease: {run: 'echo \"release: $TOKEN\"'}")
    got = deploy(folder)
    t.ok(got.returncode == 2 and "secret TOKEN" in got.stderr and "nothing was touched" in got.stderr,
         "a secret without a value: nothing is touched", got.stderr)
    got = deploy(folder, TOKEN="hunter2secret")
    t.same(got.returncode, 0, "with a value it is deployed", got.stderr)
    t.has(got.stderr, "build    | build: none", "the build doesn't get it")
    t.has(got.stderr, "release  | release: ***", "the release command does, and the log doesn't")
    t.ok("hunter2secret" not in got.stdout + got.stderr, "it is nowhere in the output")
    t.write(os.path.join(BASE, "token"), "from-a-file\n", 0o600)
    got = deploy(folder, TOKEN_FILE=os.path.join(BASE, "token"))
    t.same(got.returncode, 0, "a secret may be a file", got.stderr)


def start(folder, *more):
    return subprocess.Popen(
        [SLIPWAY, "deploy", "--config", f"{folder}/slipway.yml", "--data", DATA, *more], env=environment(),
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )


def slow(pid_file):
    return an_app("slow", "slow", more=f"test: {{run: 'echo $$ >{pid_file}; exec sleep 300'}}")


def gone(pid_file):
    pid = int(open(pid_file, encoding="utf-8").read())
    return t.until(lambda: not os.path.exists(f"/proc/{pid}"), seconds=5)


def stops():
    pid_file = os.path.join(BASE, "test.pid")
    before = page()[1]
    running = start(slow(pid_file))
    t.until(lambda: os.path.exists(pid_file) and os.path.getsize(pid_file) > 0)
    got = deploy(os.path.join(BASE, "slow"))
    t.ok(got.returncode == 1 and "another slipway works" in got.stderr, "two at once: the second waits for nobody",
         got.stderr)
    running.send_signal(signal.SIGINT)
    _, text = running.communicate(timeout=30)
    t.same(running.returncode, 4, "Ctrl-C cancels", text)
    t.has(text, "test: cancelled", "and the message says where")
    t.ok(gone(pid_file), "the test's process is gone")
    os.unlink(pid_file)

    running = start(slow(pid_file))
    t.until(lambda: os.path.exists(pid_file) and os.path.getsize(pid_file) > 0)
    running.send_signal(signal.SIGTERM)
    running.send_signal(signal.SIGINT)
    begun = time.monotonic()
    _, text = running.communicate(timeout=30)
    t.ok(running.returncode in (3, 4), "two signals end it at once", running.returncode, text)
    t.ok(time.monotonic() - begun < 5 and gone(pid_file), "with its children")
    t.same(page()[1], before, "what was live still is")


def ends():
    got = slipway("down", "--data", f"{BASE}/nowhere")
    t.ok(got.returncode == 2 and "there is no data folder" in got.stderr, "down: nothing there", got.stderr)
    got = slipway("down", "--data", DATA)
    t.same((got.returncode, got.stdout), (0, f"apps and gateway of {DATA} stopped\n"), "down stops it all", got.stderr)
    with socket.socket() as s:
        t.ok(s.connect_ex(("127.0.0.1", PORT)) != 0, "nobody listens any more")
    got = deploy(an_app("shop", "again"))
    t.same((got.returncode, page()[1]), (0, "again"), "a deploy after it is live", got.stderr)


def as_action():
    folder = an_app("shop", "action")
    out = os.path.join(BASE, "outputs")
    given = {"INPUT_CONFIG": f"{folder}/slipway.yml", "INPUT_SERVICE": "", "INPUT_ENVIRONMENT": "production",
             "INPUT_DRY-RUN": "", "GITHUB_OUTPUT": out, "GITHUB_SHA": "1" * 40, "XDG_STATE_HOME": f"{BASE}/state"}
    inside = {**given, "GITHUB_WORKSPACE": "/github/workspace"}
    got = slipway("action", **inside)
    t.same(got.returncode, 2, "in the action's container target server is refused")
    t.has(got.stdout, "::error title=Slipway deployed nothing::", "with an annotation")
    got = slipway("action", **{**inside, "INPUT_DRY-RUN": "true"})
    t.same(got.returncode, 0, "a dry run is fine there", got.stdout)
    t.has(got.stdout, "\npublish ", "and says what would be done")
    t.ok(not os.path.exists(f"{BASE}/state"), "nothing was touched")
    got = slipway("action", **{**given, "INPUT_DRY-RUN": "maybe"})
    t.ok(got.returncode == 2 and "'dry-run': expected true or false, found 'maybe'" in got.stdout, "a wrong input",
         got.stdout)
    open(out, "w", encoding="utf-8").close()
    port = t.free_port()
    path = f"{folder}/slipway.yml"
    t.write(path, open(path, encoding="utf-8").read().replace(url(), f"http://shop.localhost:{port}"))
    got = slipway("action", **given)
    t.same((got.returncode, t.fetch(port, "shop.localhost")[1]), (0, "action"), "outside it deploys", got.stdout)
    outputs = {}
    lines = open(out, encoding="utf-8").read().splitlines()
    while lines:
        name, end = lines.pop(0).split("<<")
        outputs[name] = lines[:lines.index(end)]
        lines = lines[lines.index(end) + 1:]
    t.ok(outputs.pop("version")[0].startswith("1" * 12 + "-"), "the version is of GITHUB_SHA")
    t.ok(outputs.pop("summary")[0].startswith("shop is live in production: "), "a line about it all")
    t.same(outputs, {"state": ["succeeded"], "url": [f"http://shop.localhost:{port}"], "previous-version": [""],
                     "commit": ["1" * 40], "image": [""], "deployment-id": [""]}, "the outputs")
    t.same(slipway("down", "--data", f"{BASE}/state/slipway").returncode, 0, "and it is stopped")


def first_fails():
    data = os.path.join(BASE, "data2")
    folder = an_app("first", "first", status=500)
    text = open(f"{folder}/slipway.yml", encoding="utf-8").read()
    t.write(f"{folder}/slipway.yml", text.replace(url(), f"http://shop.localhost:{t.free_port()}"))
    got = slipway("deploy", "--config", f"{folder}/slipway.yml", "--data", data)
    t.same(got.returncode, 1, "a first version that isn't healthy", got.stderr)
    gone_soon = t.until(lambda: not os.path.exists(f"{data}/server/nginx/nginx.pid"), seconds=5)
    t.ok(gone_soon, "leaves no gateway behind")
    port = socket.create_server(("127.0.0.1", 0))
    taken = port.getsockname()[1]
    t.write(f"{folder}/slipway.yml", text.replace(url(), f"http://shop.localhost:{taken}"))
    got = slipway("deploy", "--config", f"{folder}/slipway.yml", "--data", data)
    t.has(got.stderr, "another program has that port: stop it, or give the app another", "a port that is taken")
    t.same(got.returncode, 1, "is not live")
    port.close()


says_itself()
refuses()
checks()
plans()
if shutil.which("nginx", path="/usr/sbin:/usr/bin") and shutil.which("runsv", path="/usr/sbin:/usr/bin"):
    by_hand()
    secrets()
    stops()
    flask()
    golang()
    ends()
    as_action()
    first_fails()
else:
    t.skip("deployments by hand", "nginx and runit aren't installed")
t.done()
