#!/usr/bin/env python3
"""The port while the listener goes away: asked to at SIGHUP, killed, and at the end."""
import http.client
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Service, done, ok, same, until, write

service = Service({"acme/shop": {"source": {"git": "/nowhere"},
                                 "deploy": [{"on": "push", "branches": ["main"], "environment": "production"}]}})
service.start()


class Load:
    """New connections one after the other, on two threads, and how each ended."""

    def __init__(self):
        self.ended = {}
        self.stop = False
        self.threads = [threading.Thread(target=self.run) for _ in range(2)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stop:
            try:
                how = service.request("GET", "/healthz", timeout=30)[0]
            except (OSError, http.client.HTTPException) as e:
                how = type(e).__name__
            self.ended[how] = self.ended.get(how, 0) + 1

    def end(self):
        self.stop = True
        for thread in self.threads:
            thread.join()
        return self.ended


def listener():
    return service.roles().get("listener")


def replaced(before):
    return until(lambda: listener() not in (None, before), 20)


load = Load()
for _ in range(4):
    before = listener()
    service.process.send_signal(signal.SIGHUP)
    ok(replaced(before), "SIGHUP starts another listener")
    time.sleep(0.3)
ended = load.end()
same(set(ended), {200}, "no request failed meanwhile", ended)

# Killed, it takes along what it was answering, but nobody is refused.
load = Load()
for _ in range(3):
    before = listener()
    service.kill("listener")
    ok(replaced(before), "a killed listener is started again")
    until(service.ready, 10)
ended = load.end()
ok("ConnectionRefusedError" not in ended and ended.get(200, 0) > 20, "and no connection was refused", ended)

# Rotation: the new secret is added first, then the old one taken away.
old = service.secret
new = os.urandom(16).hex()
write(os.path.join(service.base, "hook-secret-new"), new, 0o600)
write(service.config, service.settings.replace("{file: hook-secret}", "{file: hook-secret-new}, {file: hook-secret}"), 0o600)
before = listener()
service.process.send_signal(signal.SIGHUP)
replaced(before)
same([service.post("ping", {}, secret=s)[0] for s in (old, new)], [200, 200], "two secrets live")
write(service.config, service.settings.replace("{file: hook-secret}", "{file: hook-secret-new}"), 0o600)
before = listener()
service.process.send_signal(signal.SIGHUP)
replaced(before)
same([service.post("ping", {}, secret=s)[0] for s in (old, new)], [401, 200], "then only the new one")

log = service.log_text()
ok(old not in log and new not in log and service.token not in log, "no secret is logged")
service.post("ping", {}, secret=new, headers={"X-GitHub-Encoded-Secret": "c2VjcmV0"})
ok(until(lambda: "rotate the secret now" in service.log_text(), 5), "a secret that came along is warned about")
ok("c2VjcmV0" not in service.log_text(), "and not repeated")

# Whoever waits or follows is answered when it ends.
answers = []


def wait():
    answers.append(service.api("POST", "/v1/redeploy?wait=600",
                               {"repository": "acme/shop", "service": "shop", "environment": "production",
                                "commit": "1" * 40})[0])


service.kill("worker-1", signal.SIGSTOP)
thread = threading.Thread(target=wait)
thread.start()
time.sleep(0.7)
began = time.monotonic()
os.kill(listener(), signal.SIGTERM)
thread.join(20)
same(answers, [202], "who waits is told how far it is")
ok(time.monotonic() - began < 5, "at once", time.monotonic() - began)
service.kill("worker-1", signal.SIGCONT)
same(service.stop(), 0, "SIGTERM ends it in order")
try:
    service.request("GET", "/healthz")
    ok(False, "the port is closed")
except OSError:
    ok(True, "the port is closed")
done()
