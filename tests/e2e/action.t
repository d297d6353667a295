#!/usr/bin/python3
"""Our action in the emulator of GitHub's runner: it deploys beside its own container, is cancelled, and keeps builds from what is the runner's.

The image is the built program and what it loads: as the Dockerfile's, without its build (that one is tested by image.t, runner-action.t).
"""

import os
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../runner"))
import harness as t

from runner import Runner

SLIPWAY = os.path.join(t.BUILD, "slipway")
DOCKER = ["docker", "-H", "unix:///var/run/docker.sock"]
ENGINE = subprocess.run([*DOCKER, "version"], capture_output=True, check=False).returncode == 0
BUSYBOX = shutil.which("busybox")
if os.geteuid() != 0 or not ENGINE or not BUSYBOX:
    t.skip_all("no Docker engine, no busybox, or not root")
if b"libasan" in subprocess.run(["ldd", SLIPWAY], capture_output=True, check=False).stdout:
    t.skip_all("a sanitizer's program doesn't run in a container that has only its libraries")
for image in ("busybox", "nginx:stable"):
    if subprocess.run([os.path.join(t.TOP, "scripts/base-image"), image], capture_output=True, check=False).returncode:
        t.skip_all(f"no {image}")
BASE = t.folder()
os.chmod(BASE, 0o755)
DATA = os.path.join(BASE, "data")
PORT = t.free_port()
URL = f"http://shop.localhost:{PORT}"


def make_action():
    """A folder with action.yml and an image of the built program."""
    root = os.path.join(BASE, "action")
    for part in ("bin", "usr/bin", "lib", "lib64", "etc", "tmp"):
        os.makedirs(os.path.join(root, "root", part))
    copy = lambda path, to: shutil.copy(os.path.realpath(path), os.path.join(root, "root", to))
    copy(SLIPWAY, "usr/bin/slipway")
    os.symlink("slipway", os.path.join(root, "root/usr/bin/slipway-post"))
    copy(BUSYBOX, "bin/busybox")
    for name in ("sh", "id", "ls", "cat", "echo", "env", "sleep", "touch", "mkdir", "chmod", "printf", "tr", "setsid", "true"):
        os.symlink("busybox", os.path.join(root, "root/bin", name))
    for line in subprocess.run(["ldd", SLIPWAY], capture_output=True, check=True, text=True).stdout.splitlines():
        if "=> /" in line:
            copy(line.split()[2], "lib/" + line.split()[0])
        elif line.split()[0].startswith("/"):
            copy(line.split()[0], line.split()[0].lstrip("/"))
    t.write(os.path.join(root, "root/etc/passwd"), "root:x:0:0:root:/github/home:/bin/sh\n")
    t.write(os.path.join(root, "Dockerfile"), "FROM scratch\nCOPY root /\nENV PATH=/usr/bin:/bin\nENTRYPOINT [\"/usr/bin/slipway\"]\n")
    shutil.copy(os.path.join(t.TOP, "action.yml"), root)
    return root


def project(version, test="true", release=None, start=None, more=""):
    """A web app of busybox's httpd."""
    folder = os.path.join(BASE, "source")
    shutil.rmtree(folder, ignore_errors=True)
    t.write(os.path.join(folder, "www/index.html"), version)
    t.write(os.path.join(folder, "www/healthz"), "ok")
    t.write(os.path.join(folder, "Dockerfile"),
            "FROM busybox\nCOPY www /www\n"
            + (f"CMD {start}\n" if start else 'CMD ["sh", "-c", "exec httpd -f -p $PORT -h /www"]\n'))
    t.write(os.path.join(folder, "slipway.yml"), f"""version: 1
services:
  shop:
    build: {{dockerfile: Dockerfile}}
    test: {{run: {test!r}}}
    health: {{path: /healthz, timeout: 6s, settle: 1s}}
{f'    release: {{run: {release!r}}}' if release else ''}
    environments:
      production: {{target: server, run: container, url: "{URL}"}}
{more}""")
    return folder


WORKFLOW = f"""
on: push
jobs:
  deploy:
    permissions: {{contents: read}}
    outputs: {{state: "${{{{ steps.slipway.outputs.state }}}}", url: "${{{{ steps.slipway.outputs.url }}}}"}}
    steps:
      - uses: actions/checkout@v6
      - uses: acme/slipway@v1
        id: slipway
        with: {{environment: production, data: {DATA}, token: ""}}
"""
RUNNER = Runner(os.path.join(BASE, "runner"), back_off=(0, 0))
ACTION = make_action()


def run(source, workflow=WORKFLOW, **more):
    return RUNNER.run(workflow, source=source, actions={"acme/slipway@v1": ACTION}, secrets={"KEY": "very-s3cret-key"}, **more)


def served():
    try:
        return t.fetch(PORT, "shop.localhost")[1]
    except OSError as e:
        return str(e)


def siblings():
    told = subprocess.run([*DOCKER, "ps", "-a", "--filter", "label=slipway.sibling", "--format", "{{.Labels}}"], capture_output=True, check=True, text=True)
    return [line for line in told.stdout.splitlines() if RUNNER.job.contexts["github"]["run_id"] in line]


def clean(r, what):
    t.same((r.foreign, r.containers, siblings()), ([], [], []), f"{what}: nothing of root's is left, and no container of the action's", r.log)


def down():
    subprocess.run([SLIPWAY, "down", "--data", DATA], capture_output=True, check=False)


def goes_live():
    r = run(project("one"))
    act = r.step("slipway")
    t.same((r.conclusion, act.code), ("success", 0), "a workflow job takes an app from checkout to live", r.log)
    t.same(served(), "one", "it is served after the job ended", r.log)
    t.same(r.outputs, {"state": "succeeded", "url": URL}, "the job's outputs")
    t.ok(act.outputs.get("commit") == RUNNER.job.sha and act.outputs["version"].startswith(RUNNER.job.sha[:12]), "the version names the commit", act.outputs)
    t.ok("## shop: ✅ live" in act.summary and URL in act.summary and "| build |" in act.summary, "the summary", act.summary)
    t.same([a for a in act.annotations if a["type"] == "error"], [], "no error is annotated")
    clean(r, "live")


def fails():
    r = run(project("two", test="echo 'www/index.html:1:1: error: not good'; echo '::error::forged'; echo '##[error]forged'; exit 3"))
    act = r.step("slipway")
    t.same((r.conclusion, act.code, act.outputs.get("state")), ("failure", 1, "failed"), "a test that fails ends it", r.log)
    t.same(served(), "one", "what was live still is")
    t.same([(a.get("file"), a.get("line")) for a in act.annotations if a.get("file")], [("www/index.html", "1")], "annotated where the test says", act.annotations)
    t.ok(not any(a["message"] == "forged" for a in act.annotations), "what the test prints isn't obeyed", act.annotations)
    t.ok("**Why:**" in act.summary and "ended with status 3" in act.summary, "the summary says why", act.summary)
    clean(r, "failed")
    r = run(project("three", start='["sleep", "100"]'))
    act = r.step("slipway")
    t.same((act.code, served()), (1, "one"), "an image that never serves isn't switched to", r.log)
    clean(r, "not healthy")


def cancel_at(line):
    """Cancel once a line of the log has this in it."""
    done = threading.Event()

    def on_line(_stage, text):
        if line in text and not done.is_set():
            done.set()
            threading.Thread(target=RUNNER.cancel, daemon=True).start()
    return on_line


def is_cancelled():
    r = run(project("four", test="echo in the test; sleep 60"), on_line=cancel_at("in the test"))
    act, post = r.step("slipway"), r.step("slipway", "post")
    t.same((r.conclusion, post.conclusion), ("cancelled", "success"), "cancelled in a test: the post step is green", r.log)
    t.ok(act.seconds < 12, "and it ended in time", act.seconds)
    t.same(served(), "one", "what was live still is")
    clean(r, "cancelled in a test")
    # The version never gets healthy, so the cancelling comes in the middle of publish.
    r = run(project("five", start='["sleep", "100"]'), on_line=cancel_at("##[group]publish"))
    t.same((r.conclusion, served()), ("cancelled", "one"), "cancelled in publish: what was live still is", r.log)
    clean(r, "cancelled in publish")
    # The engine kills both containers: nobody can undo anything but the post step.
    killed = threading.Event()

    def kill(_stage, text):
        if "starting version" in text and not killed.is_set():
            killed.set()
            names = subprocess.run([*DOCKER, "ps", "-q", "--filter", "label=slipway.sibling"], capture_output=True, check=True, text=True).stdout.split()
            run_id = RUNNER.job.contexts["github"]["run_id"]
            for name in names:
                labels = subprocess.run([*DOCKER, "inspect", "-f", "{{json .Config.Labels}}", name], capture_output=True, check=False, text=True).stdout
                if run_id in labels:
                    subprocess.run([*DOCKER, "kill", name, *RUNNER.left_over()], capture_output=True, check=False)
    r = run(project("killed", start='["sleep", "100"]'), on_line=kill)
    post = r.step("slipway", "post")
    t.same((r.conclusion, post.conclusion, served()), ("failure", "success", "one"), "killed in publish: what was live still is", r.log)
    t.ok(any("is undone" in a["message"] for a in post.annotations) and "##[group]rollback" in post.log, "the post step undid the rest", "\n".join(post.log))
    clean(r, "killed in publish")
    r = run(project("six"))
    t.same((r.conclusion, served()), ("success", "six"), "the next deployment goes live", r.log)
    clean(r, "live again")


def confined():
    """What a command of the project's sees, as user 1001 in a default container."""
    top = os.path.join(BASE, "confined")
    checkout = "/".join(["slipway_1", "work", "h1", "checkout"])
    for part in ("ws", "temp/" + checkout, "files"):
        os.makedirs(os.path.join(top, part))
    t.write(os.path.join(top, "temp/git-credentials-1.config"), "s3cret\n")
    t.write(os.path.join(top, "files/set_env_1"), "")
    subprocess.run(["chown", "-R", "1001:1001", top], check=True)
    subprocess.run(["chown", "-R", "0:0", os.path.join(top, "temp/slipway_1")], check=True)
    os.chmod(os.path.join(top, "temp/slipway_1"), 0o700)
    work = "/github/runner_temp/" + checkout
    script = ("id -u; id -G; touch here && echo wrote; touch /github/workspace/x && echo workspace; cat /github/runner_temp/git*; "
              "echo X=1 >>/github/file_commands/set_env_1; chmod 777 /github/runner_temp; env")
    image = RUNNER.images[0]
    told = subprocess.run(
        [*DOCKER, "run", "--rm", "-v", "/var/run/docker.sock:/var/run/docker.sock", "-v", f"{top}/ws:/github/workspace", "-v", f"{top}/temp:/github/runner_temp",
         "-v", f"{top}/files:/github/file_commands", "-w", work, "--entrypoint", "/usr/bin/slipway", image, "confined", "--user", "1001:1001", "--within",
         "/github/runner_temp/slipway_1", "--hide", "/github/runner_temp", "--hide", "/github/file_commands", "--hide", "/var/run/docker.sock", "--show", work, "--",
         "/bin/sh", "-c", script], capture_output=True, check=False, text=True).stdout
    t.same(told.splitlines()[:4], ["1001", "1001", "wrote", "workspace"], "a command is the workspace's owner, in no other group", told)
    t.ok("s3cret" not in told, "it can't read the credentials that checkout left", told)
    t.same(open(os.path.join(top, "files/set_env_1"), encoding="utf-8").read(), "", "nor write the runner's command files")


try:
    goes_live()
    fails()
    is_cancelled()
    confined()
finally:
    down()
    RUNNER.close()
t.done()
