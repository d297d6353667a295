"""Deployments by `slipway action` to the stand-ins, as a workflow makes them (Python 3 stdlib)."""
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback

sys.path += [os.path.join(os.path.dirname(__file__), "..", "..", "e2e")]
import harness as h
import standin

SLIPWAY = os.path.abspath(os.path.join(h.BUILD, "slipway"))
IMAGE = standin.ECR + "/shop:new"
OLD = standin.ECR + "/shop:old"


class Run:
    """How one ended: status, state, outputs, text (all that was said), calls (what AWS was asked), seconds."""

    def __init__(self, status, text, outputs, calls, seconds):
        self.status, self.raw, self.outputs, self.calls, self.seconds = status, text, outputs, calls, seconds
        self.state = outputs.get("state", "")
        self.text = re.sub("^::.*\n", "", text, flags=re.M)

    def __str__(self):
        return f"exit {self.status}, state {self.state}, {self.seconds:.1f} s, {' '.join(self.calls)}\n{self.text}"


def read_outputs(path):
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as f:
        return {m[0]: m[2] for m in re.findall(r"^([\w-]+)<<(\S+)\n(.*?)\n\2$", f.read(), re.M | re.S)}


class App:
    """A project with one service, `shop`, for one target."""

    def __init__(self, aws, target, settings, **service):
        self.aws = aws
        self.base = h.folder()
        self.target, self.settings = target, settings
        self.service = {"health": {"path": "/", "timeout": "1s", "settle": "0s"}, **service}
        self.number = 0

    def write(self, settings=None, **service):
        """slipway.yml; JSON is YAML."""
        merged = {"target": self.target, **self.settings, **(settings or {})}
        merged = {k: v for k, v in merged.items() if v is not None}
        project = {"version": 1, "services": {"shop": {
            **self.service, **service, "environments": {"production": merged}}}}
        h.write(os.path.join(self.base, "app", "slipway.yml"), json.dumps(project, indent=1, ensure_ascii=False))

    def environment(self, env=None, **more):
        self.number += 1
        return {
            "PATH": os.environ["PATH"], "HOME": self.base, "LANG": "C.UTF-8", "XDG_STATE_HOME": self.base + "/state",
            "GITHUB_OUTPUT": f"{self.base}/output{self.number}", "GITHUB_SHA": f"{self.number:040d}".replace("0", "a"),
            "INPUT_CONFIG": self.base + "/app/slipway.yml", "INPUT_ENVIRONMENT": "production",
            **(env or self.aws.env()), **more}

    def start(self, *words, env=None, **more):
        given = self.environment(env, **more)
        h.write(given["GITHUB_OUTPUT"], "")
        process = subprocess.Popen(
            [SLIPWAY, *(words or ["action"])], cwd=self.base + "/app", env=given, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
        process.output, process.began, process.before = given["GITHUB_OUTPUT"], time.monotonic(), len(self.aws.calls())
        return process

    def end(self, process, seconds=60):
        try:
            text, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            text = process.communicate()[0] + "\nKILLED: took too long"
        return Run(process.returncode, text, read_outputs(process.output), self.aws.calls()[process.before:],
                   time.monotonic() - process.began)

    def deploy(self, settings=None, env=None, service=None, **more):
        self.write(settings, **(service or {}))
        return self.end(self.start(env=env, **more))

    def plan(self, settings=None, env=None, service=None):
        self.write(settings, **(service or {}))
        return self.end(self.start("plan", "--config", "slipway.yml", env=env))

    def check(self, settings=None, service=None):
        self.write(settings, **(service or {}))
        return self.end(self.start("check", "slipway.yml"))


def lanes(work, count=3):
    """Do all of `work`, functions of a stand-in, in a few lanes at once. Each lane has a stand-in of its own."""
    queue = list(work)

    def lane():
        aws = standin.Aws()
        while queue:
            try:
                one = queue.pop(0)
            except IndexError:
                break
            try:
                one(aws)
            except Exception:
                h.ok(False, getattr(one, "__name__", "a test"), traceback.format_exc())
        h.same(aws.wrong(), [], "the stand-in made no mistake")
        aws.stop()

    threads = [threading.Thread(target=lane) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def verdict(run, status, state, text, name):
    """One test: it ended so, and says why."""
    h.ok((run.status, run.state) == (status, state) and text in run.text, name,
         f"wanted exit {status}, state {state}, and: {text}", str(run))
