#!/usr/bin/python3
"""No dropped request: many deployments in a row under constant load on the gateway.

Half of the clients keep their connection, half make one per request; half of each POST, which a gateway may not send
again when the app's end fails. An answer takes some time, so that requests are always under way when traffic is
switched; for the last two deployments there are clients whose answer takes so long that the old version would be
stopped before, were it not drained. NODROP_DEPLOYMENTS sets how many (20).
"""

import http.client
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

DEPLOYMENTS = int(os.environ.get("NODROP_DEPLOYMENTS", "20"))
CLIENTS = 8
PAUSE = 0.02
PAGE_SECONDS = 0.02
SLOW_CLIENTS = 4
SLOW_SECONDS = 4


class Client(threading.Thread):
    """Asks for the page until it is told to end. answers: (begun, ended, version) of each good one."""

    def __init__(self, port, number, over, path="/"):
        super().__init__(daemon=True)
        self.keeps, self.method = number % 2 == 0, "POST" if number % 4 < 2 else "GET"
        self.port, self.over = port, over
        self.path = path
        self.answers, self.failures = [], []
        self.connections = 0

    def run(self):
        connection = None
        while not self.over.wait(PAUSE):
            if connection is None or connection.sock is None or not self.keeps:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                self.connections += 1
            if not self.ask(connection):
                connection = None

    def ask(self, connection):
        begun = time.monotonic()
        try:
            headers = {"Host": f"shop.localhost:{self.port}", **({} if self.keeps else {"Connection": "close"})}
            connection.request(self.method, self.path, b"x" * 1000 if self.method == "POST" else None, headers)
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as e:
            self.fail(begun, repr(e))
            return False
        if answer.status == 200 and body.isdigit():
            self.answers.append((begun, time.monotonic(), int(body)))
        else:
            self.fail(begun, f"status {answer.status}: {body[:200]!r}")
        if not self.keeps:
            connection.close()
        return True

    def fail(self, begun, what):
        self.failures.append((begun, f"{self.method}{' kept alive' if self.keeps else ''}: {what}"))


def steps_back(answers):
    """Answers older than one that had ended before they were begun."""
    found, newest, ended = [], 0, iter(sorted((end, version) for _, end, version in answers))
    next_end, next_version = next(ended, (float("inf"), 0))
    for begun, _, version in sorted(answers):
        while next_end < begun:
            newest = max(newest, next_version)
            next_end, next_version = next(ended, (float("inf"), 0))
        if version < newest:
            found.append(f"version {version} was answered to a request begun after {newest} had been seen")
    return found


def main():
    harness.same(len(steps_back([(0, 1, 1), (2, 5, 2), (3, 4, 1), (6, 7, 1)])), 1, "the check sees a step back, once")
    port = harness.free_port()
    repo = harness.Repo(os.path.join(harness.folder(), "shop"))
    service = harness.Service({"acme/shop": repo}).start()
    before = harness.ZERO

    def deploy(version):
        nonlocal before
        commit = repo.commit(harness.app(str(version), f"http://shop.localhost:{port}", page_seconds=PAGE_SECONDS,
                                         health="{path: /healthz, timeout: 10s, settle: 0s}"))
        ended = service.deploy("acme/shop", commit, before)
        before = commit
        return ended

    if not harness.same(deploy(1).get("state"), "succeeded", "the first version is live", service.log_text()[-3000:]):
        harness.done()
    over = threading.Event()
    clients = [Client(port, number, over) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    slow = [Client(port, number, over, f"/?seconds={SLOW_SECONDS}") for number in range(SLOW_CLIENTS)]
    begun = time.monotonic()
    states, took = [], []
    for version in range(2, DEPLOYMENTS + 2):
        if version == DEPLOYMENTS:
            for client in slow:
                client.start()
            clients += slow
        since = time.monotonic()
        ended = deploy(version)
        states.append(ended.get("state"))
        took.append(f"{time.monotonic() - since:.1f}")
        if states[-1] != "succeeded":
            harness.note(f"version {version}: {ended.get('error') or ended.get('reason')}")
            break
    seconds = time.monotonic() - begun
    time.sleep(0.5)
    over.set()
    for client in clients:
        client.join(30)

    harness.same(states, ["succeeded"] * DEPLOYMENTS, f"{DEPLOYMENTS} deployments in a row succeed under load")
    failures = sorted(failure for client in clients for failure in client.failures)
    harness.same(len(failures), 0, "no request failed", *(f"{at - begun:.3f} s: {what}" for at, what in failures[:20]))
    answers = [answer for client in clients for answer in client.answers]
    back = steps_back(answers)
    harness.same(len(back), 0, "no page went back to an older version", *back[:10])
    harness.same(sorted({version for _, _, version in answers}), list(range(1, DEPLOYMENTS + 2)),
                 "every version was seen")
    kept = [client for client in clients if client.keeps]
    harness.ok(all(len(client.answers) > (1 if client in slow else 10) for client in clients), "every client was served")
    harness.note(f"{len(answers)} requests in {seconds:.0f} s over {DEPLOYMENTS} deployments: "
                 f"{sum(len(c.answers) for c in kept)} on {sum(c.connections for c in kept)} kept connections, "
                 f"{sum(len(c.answers) for c in clients if not c.keeps)} on one each; "
                 f"the slowest took {max((end - start for c in clients if c not in slow for start, end, _ in c.answers)):.2f} s")
    harness.note(f"deployments took, in seconds: {' '.join(took)}")
    harness.done()


main()
