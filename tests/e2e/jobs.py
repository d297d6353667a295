"""What the job-*.t tests share: the action in the emulator of GitHub's runner, an app to deploy, and what must be left after a job: nothing.

Everything lies in one temporary folder; containers and images are known by labels and names of this test's own, and removed at the end.
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../runner"))
import harness as t

from runner import Runner

SLIPWAY = os.path.join(t.BUILD, "slipway")
SOCKET = "unix:///var/run/docker.sock"
NAME = "job" + uuid.uuid4().hex[:8]  # of the service: its images and its host are named after it
ACTION = "acme/slipway@v1"
# Programs of busybox that the image has: the hostile app is written with them.
APPLETS = """awk base64 cat chmod chown cut dd df echo env find grep head hostname id kill ln ls mkdir mv nc nohup printf ps rm sed seq setsid sh sleep sort stat sync
    tail tar timeout touch tr true false wc wget xargs""".split()


def docker(*words):
    return subprocess.run(["docker", "-H", SOCKET, *words], capture_output=True, check=False, text=True).stdout.strip()


def need(*images):
    """Skip all unless there is an engine with these images."""
    answers = subprocess.run(["docker", "-H", SOCKET, "version"], capture_output=True, check=False).returncode == 0
    if os.geteuid() != 0 or not answers or not shutil.which("busybox"):
        t.skip_all("no Docker engine, no busybox, or not root")
    if b"libasan" in subprocess.run(["ldd", SLIPWAY], capture_output=True, check=False).stdout:
        t.skip_all("a sanitizer's program doesn't run in a container that has only its libraries")
    for image in images:
        if subprocess.run([os.path.join(t.TOP, "scripts/base-image"), image], capture_output=True, check=False).returncode:
            t.skip_all(f"no {image}")


def action_folder(base):
    """A folder with action.yml and an image of the built program: as the Dockerfile's, without its build."""
    root = os.path.join(base, "action")
    for part in ("bin", "usr/bin", "lib", "lib64", "etc", "tmp"):
        os.makedirs(os.path.join(root, "root", part))

    def copy(path, to):
        shutil.copy(os.path.realpath(path), os.path.join(root, "root", to))

    copy(SLIPWAY, "usr/bin/slipway")
    os.symlink("slipway", os.path.join(root, "root/usr/bin/slipway-post"))
    copy(shutil.which("busybox"), "bin/busybox")
    for name in APPLETS:
        os.symlink("busybox", os.path.join(root, "root/bin", name))
    for line in subprocess.run(["ldd", SLIPWAY], capture_output=True, check=True, text=True).stdout.splitlines():
        words = line.split()
        if "=> /" in line:
            copy(words[2], "lib/" + words[0])
        elif words[0].startswith("/"):
            copy(words[0], words[0].lstrip("/"))
    t.write(os.path.join(root, "root/etc/passwd"), "root:x:0:0:root:/github/home:/bin/sh\n")
    t.write(os.path.join(root, "Dockerfile"), 'FROM scratch\nCOPY root /\nRUN chmod 1777 /tmp\nENV PATH=/usr/bin:/bin\nENTRYPOINT ["/usr/bin/slipway"]\n')
    shutil.copy(os.path.join(t.TOP, "action.yml"), root)
    return root


class Place:
    """A runner, a data folder and a gateway's port of one test program."""

    def __init__(self, action=None):
        self.base = t.folder("slipway-job.")
        os.chmod(self.base, 0o755)
        self.data, self.port = os.path.join(self.base, "data"), t.free_port()
        self.url = f"http://{NAME}.localhost:{self.port}"
        self.runner = Runner(os.path.join(self.base, "runner"), back_off=(0, 0))
        self.action = action or action_folder(self.base)
        atexit.register(self.clear)

    # --- the app ---

    def project(self, version, more="", **changes):
        """The folder of a web app of busybox's httpd. test, build, release: scripts of its own; start: what the image runs."""
        at = {"test": "true", "build": None, "release": None, "start": '["sh", "-c", "exec httpd -f -p $PORT -h /www"]', "dockerfile": "", "health": "6s", **changes}
        folder = os.path.join(self.base, "source")
        shutil.rmtree(folder, ignore_errors=True)
        t.write(os.path.join(folder, "www/index.html"), version)
        t.write(os.path.join(folder, "www/healthz"), "ok")
        t.write(os.path.join(folder, "Dockerfile"), f"FROM busybox\nCOPY www /www\n{at['dockerfile']}\nCMD {at['start']}\n")
        release = f"\n    release: {{run: {json.dumps(at['release'])}}}" if at["release"] else ""
        t.write(os.path.join(folder, "slipway.yml"), f"""version: 1
services:
  {NAME}:
    build: {{dockerfile: Dockerfile}}
    test: {{run: {json.dumps(at['test'])}}}{release}
    health: {{path: /healthz, timeout: {at['health']}, settle: 1s}}
    environments:
      production: {{target: server, run: container, url: "{self.url}", drain: 2s}}
{more}""")
        return folder

    def workflow(self, inputs="", permissions="contents: read", env="", on="push", checkout=""):
        return f"""
on: {on}
jobs:
  deploy:
    runs-on: self-hosted
    permissions: {{{permissions}}}
    outputs: {{state: "${{{{ steps.slipway.outputs.state }}}}", url: "${{{{ steps.slipway.outputs.url }}}}"}}
    steps:
      - uses: actions/checkout@v7
        with: {{fetch-depth: 1{checkout}}}
      - uses: {ACTION}
        id: slipway
        with: {{environment: production, data: {self.data}, token: ""{inputs}}}
        env: {{API_KEY: "${{{{ secrets.KEY }}}}"{env}}}
"""

    def run(self, source, workflow=None, **more):
        return self.runner.run(workflow or self.workflow(), source=source, actions={ACTION: self.action}, secrets={"KEY": "very-s3cret-key"}, **more)

    def cancel_at(self, line, seconds=0):
        """An on_line: cancels once a line of the log has this in it."""
        done = threading.Event()

        def on_line(_stage, text):
            if line in text and not done.is_set():
                done.set()
                threading.Timer(seconds, self.runner.cancel).start()

        on_line.done = done
        return on_line

    # --- what is there ---

    def page(self, path="/", host=None):
        try:
            return t.fetch(self.port, host or f"{NAME}.localhost", path)[1]
        except OSError as e:
            return str(e)

    def apps(self):
        """The containers that serve: those whose slot lies in our data folder."""
        ids = docker("ps", "-aq", "--filter", "label=slipway.slot").split()
        return [c for c in json.loads(docker("inspect", *ids) if ids else "[]") if c["Config"]["Labels"]["slipway.slot"].startswith(self.data)]

    def strays(self):
        """Containers of the action's, but not those that serve."""
        run = self.runner.job.contexts["github"]["run_id"]
        ours = {c["Id"][:12] for c in self.apps()}
        return [line for line in docker("ps", "-a", "--format", "{{.ID}} {{.Image}} {{.Labels}}").splitlines() if line.split()[0] not in ours
                and (f"slipway.sibling={run}" in line or f"slipway.service={NAME}" in line)]

    def images(self):
        """The names of images of this test's services, but those that serve or did."""
        return sorted(docker("images", "--filter", f"reference=slipway/{NAME}*", "--format", "{{.Repository}}:{{.Tag}}").split())

    def processes(self, mark):
        """Processes of this machine that have the mark among their words."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().decode(errors="replace").split("\0")
            except OSError:
                continue
            if mark in words and int(pid) != os.getpid():
                found.append((int(pid), words))
        return found

    def work(self):
        """Checkouts and notes that are left of deployments."""
        found = []
        for top in (self.data, os.path.join(self.runner.work, "_temp")):
            for name in os.listdir(top) if os.path.isdir(top) else []:
                path = os.path.join(top, name)
                if name.startswith(("act_", "slipway_")) or name == "work" and any(os.scandir(path)):
                    found.append(path)
        return found

    def clean(self, r, what):
        t.same((r.foreign, r.stuck, r.containers, self.strays(), self.work()), ([], [], [], [], []),
               f"{what}: the workspace is its owner's, and no container and no notes are left", r.log)
        serving = [c["Config"]["Image"].split(":")[0] for c in self.apps()]
        t.same(len(serving), len(set(serving)), f"{what}: one container serves of an app", serving)

    def clear(self):
        """Take down what serves and remove what this test made."""
        if os.path.isdir(self.data):
            subprocess.run([SLIPWAY, "down", "--data", self.data], capture_output=True, check=False, timeout=120)
        for container in self.apps():
            docker("rm", "-f", container["Id"])
        self.runner.close()
        for image in self.images():
            docker("rmi", "-f", image)
        for name in (NAME, NAME + "-flask", NAME + "-go"):  # what serves stays with its data folder, also after `down`
            for image in docker("images", "-q", "--filter", f"label=slipway.service={name}").split():
                docker("rmi", "-f", image)


def kinds(annotations, kind="error"):
    return [a for a in annotations if a["type"] == kind]


def seconds(began):
    return time.monotonic() - began
