#!/usr/bin/python3
"""A worker that stands still for longer than its lease: another takes its deployment, and the first changes nothing any
more when it is to wake. Once in a build, once between the switch and the end."""

import json
import os
import signal
import sqlite3
import threading
import time
import traceback

import harness
from harness import PYTHON, Repo, Service, app, fetch, folder, until

LEASE = 60  # LEASE of service/worker.c
lock = threading.Lock()
# Notes when it begins and when it ends, with its process id; the first of a commit takes long.
BUILD = """\
import os, sys, time
def note(what):
    with open(sys.argv[1], "a") as f:
        f.write("%s %d %s\\n" % (what, os.getpid(), os.environ["SLIPWAY_COMMIT"]))
first = os.environ["SLIPWAY_COMMIT"] not in open(sys.argv[1]).read()
note("begin")
if first and "slow" in open("behaviour.json").read():
    time.sleep(600)
note("end")
"""


def ok(*words):
    with lock:
        return harness.ok(*words)


def same(*words):
    with lock:
        return harness.same(*words)


class Case:
    """A service with two workers, one of which is stopped in the middle of a deployment."""

    def __init__(self, version, settle):
        self.base = folder()
        self.noted = os.path.join(self.base, "outside", "noted")
        harness.write(self.noted, "")
        self.port = harness.free_port()
        self.repo = Repo(os.path.join(self.base, "shop"))
        self.files = app(
            "first", f"http://shop.localhost:{self.port}", health=f"{{path: /healthz, timeout: 20s, settle: {settle}s}}",
            more=f"build: {{run: [{PYTHON}, build.py, {self.noted}]}}",
        )
        self.first = self.repo.commit({**self.files, "build.py": BUILD})
        self.service = Service({"acme/shop": self.repo}, workers=2, base=self.base)
        self.service.start()
        self.service.deploy("acme/shop", self.first)
        self.second = self.repo.commit({"behaviour.json": json.dumps({"version": version})})
        _, _, guid = self.service.push("acme/shop", self.second, self.first)
        made = self.service.delivery(guid)["deployments"][0]
        self.number = made["id"] if isinstance(made, dict) else made
        self.db = sqlite3.connect(os.path.join(self.service.data, "store", "slipway.db"), timeout=20)

    def row(self):
        return self.db.execute("SELECT step, worker, tries, fence, state FROM deployments WHERE id = ?", (self.number,)).fetchone()

    def stop_at(self, step):
        """SIGSTOP for its worker when it is at that step; the process id."""
        until(lambda: self.row()[0] == step and self.row()[4] == "running", 30, 0.02)
        pid = self.service.roles()[self.row()[1]]
        os.kill(pid, signal.SIGSTOP)
        return pid

    def builds(self):
        with open(self.noted, encoding="utf-8") as f:
            return [line.split() for line in f if self.second in line]


def wake(pid):
    try:
        os.kill(pid, signal.SIGCONT)
        return True
    except ProcessLookupError:
        return False


def taken_over(case, pid, name):
    """What is common to both: the other worker ends it, and waking the first changes nothing."""
    began = time.monotonic()
    ok(until(lambda: case.row()[2] > 1, LEASE + 20), f"{name}: another worker takes it")
    ok(time.monotonic() - began > LEASE - 12, f"{name}: but not before the lease ran out")
    ended = case.service.deployment(case.number, 60) or {}
    same(ended.get("state"), "succeeded", f"{name}: and ends it", ended, case.service.log_text()[-2000:])
    same(case.row()[2], 2, f"{name}: as the second try")
    before, noted = case.db.execute("SELECT * FROM deployments").fetchall(), case.builds()
    log = case.service.deployment_log(case.number)
    ok(not wake(pid), f"{name}: the one that stood still was killed before that")
    time.sleep(3)
    same(case.db.execute("SELECT * FROM deployments").fetchall(), before, f"{name}: no deployment is changed any more")
    same(case.service.deployment_log(case.number), log, f"{name}: nor its log")
    same(case.builds(), noted, f"{name}: nor builds anything")
    same(fetch(case.port, "shop.localhost")[1].split()[0], "second", f"{name}: and the new version serves")
    ok(until(lambda: len([r for r in case.service.roles() if r.startswith("worker")]) == 2, 20), f"{name}: two workers run")
    third = case.repo.commit({"behaviour.json": json.dumps({"version": "third"})})
    same(case.service.deploy("acme/shop", third, case.second)["state"], "succeeded", f"{name}: the next one is deployed")
    same(fetch(case.port, "shop.localhost")[1], "third", f"{name}: and serves")
    case.service.stop()


def in_build():
    case = Case("second slow", 0)
    until(case.builds, 30)
    pid = case.stop_at("build")
    child = int(case.builds()[0][1])
    taken_over(case, pid, "stopped in build")
    ok(not os.path.exists(f"/proc/{child}"), "stopped in build: its child is gone")
    same([words[0] for words in case.builds()], ["begin", "begin", "end"], "stopped in build: the build ran again, to its end")


def in_verify():
    case = Case("second", 4)
    pid = case.stop_at("verify")
    same(fetch(case.port, "shop.localhost")[1], "second", "stopped in verify: the new version has the traffic")
    taken_over(case, pid, "stopped in verify")
    same([words[0] for words in case.builds()], ["begin", "end"], "stopped in verify: nothing is built again")


def play(case):
    try:
        case()
    except Exception as e:  # the other one still tells something
        ok(False, f"{case.__name__}: {type(e).__name__}: {e}", traceback.format_exc())


# The two wait for their leases at the same time.
cases = [threading.Thread(target=play, args=(case,)) for case in (in_build, in_verify)]
for case in cases:
    case.start()
for case in cases:
    case.join()
harness.done()
