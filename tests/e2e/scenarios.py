"""Never green unless live: what may go wrong with a deployment, and how each case must end.

TABLE is the one list of them: the tests scenarios-*.t play it (see playing.py), and docs/scenarios.md is made from it.
A row is played by hand (`slipway deploy`), through a running slipwayd (a push), or both. After each, a good version
must come through.
"""

import json
import os
import re
import signal
import threading
import time

import harness as t
from lanes import LONG, Ended, Stranger, holding, kill_below, lines_of, processes, text_of


class Row:
    """One scenario.

    hand, push: how it ends by hand (exit status) and through slipwayd (state); None: not played so.
    serves: "before", "new" or "nothing" (afterwards). meanwhile: what else may be seen while it goes on: "" only the
    version before, "new" the new one too, "gap" also no answer. message: a part that a person needs; `…` stands for
    anything, `N` for a number. files: what makes the new version so. play: a function for what must be done meanwhile.
    old: what makes the version before it special. alone: not beside others in one slipwayd. half: leftovers may stay
    until the next deployment. first: an app of which nothing was deployed yet. disk: on a disk of its own.
    """

    def __init__(self, name, what, hand, push, serves, message, play=None, meanwhile=None, first=False, alone=False,
                 half=False, old=None, disk=False, **files):
        self.name, self.what, self.hand, self.push = name, what, hand, push
        self.serves, self.message, self.play, self.files = serves, message, play, files
        self.meanwhile = ("new" if serves == "new" else "") if meanwhile is None else meanwhile
        self.first, self.alone, self.half, self.old, self.disk = first, alone, half, old, disk

    def pattern(self):
        text = re.escape(self.message).replace("…", ".*")
        return re.sub(r"\bN\b", r"\\d+", text)


# --- what is done meanwhile ---


def simply(lane, files):
    return lane.end(lane.begin(files))


def until_step(lane, running, step):
    """A short step may be over before it is seen: then what is done comes a little later."""
    return t.until(lambda: lane.step(running) == step or lane.over(running), LONG, 0.02)


def open_gate(path):
    t.write(path, "")


def cancel_at(step, ready=None, times=1):
    """SIGINT while the step is under way. ready: a file that tells so."""

    def play(lane, files):
        running = lane.begin(files)
        until_step(lane, running, step)
        if ready:
            t.until(lambda: os.path.exists(lane.path(ready)), LONG)
        # Both at once, however slow the machine is: it sees them when it goes on.
        for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM)[:1 + times] + (signal.SIGCONT,):
            running.send_signal(number)
        return lane.end(running)

    return play


def cancelled_early(lane, files):
    running = lane.begin(files)
    t.until(lambda: "begins" in text_of(lane.output), LONG, 0.01)
    running.send_signal(signal.SIGINT)
    return lane.end(running)


def held_at_shift(act):
    """Begin, have the app's lock when the switch comes, do something, let go."""

    def play(lane, files):
        running = lane.begin(files)
        until_step(lane, running, "publish")
        t.until(lambda: (lane.state().get("next") or {}).get("version"), LONG)
        time.sleep(0.5)
        with holding(os.path.join(lane.app, "lock")):
            open_gate(lane.path("gate"))
            until_step(lane, running, "shift")
            act(lane, running)
            time.sleep(0.3)
        return lane.end(running)

    return play


def with_open_request(act, step):
    """While somebody waits for an answer of the version before: it can't be let go yet."""

    def play(lane, files):
        path = lane.path("answer")
        asking = threading.Thread(target=t.fetch, args=(lane.port, lane.host, f"/wait{path}", LONG))
        asking.start()
        time.sleep(0.5)
        running = lane.begin(files)
        until_step(lane, running, step)
        act(lane, running)
        time.sleep(0.5)
        open_gate(path)
        ended = lane.end(running)
        asking.join()
        return ended

    return play


def interrupt(lane, running):
    running.send_signal(signal.SIGINT)


def kill_worker(lane, running):
    lane.slipwayd.kill("worker-1")


def killed_at(step, ready=None, gate=None):
    """The worker is killed while the step is under way. ready: a file that tells so; gate: what it waits for."""

    def play(lane, files):
        running = lane.begin(files)
        until_step(lane, running, step)
        if ready:
            t.until(lambda: lines_of(lane.path(ready)) > 0, LONG)
        kill_worker(lane, running)
        if gate:
            open_gate(lane.path(gate))
        return lane.end(running)

    return play


def killed_at_fetch(lane, files):
    lane.slipwayd.kill("worker-1", signal.SIGSTOP)
    running = lane.begin(files)
    with holding(os.path.join(lane.data, "git", lane.repository, "lock")):
        lane.slipwayd.kill("worker-1", signal.SIGCONT)
        until_step(lane, running, "fetch")
        time.sleep(0.5)
        kill_worker(lane, running)
        time.sleep(0.5)
    return lane.end(running)


def killed_each_time(lane, files):
    running = lane.begin(files)
    ended = threading.Event()

    def kill():
        killed = 0
        while not ended.wait(0.1):
            if lines_of(lane.path("ran")) > killed:
                killed = lines_of(lane.path("ran"))
                kill_worker(lane, running)

    killer = threading.Thread(target=kill)
    killer.start()
    result = lane.end(running)
    ended.set()
    killer.join()
    return result


def until_started(lane, running):
    """The new version's process is there, and waits at its gate."""
    until_step(lane, running, "publish")
    t.until(lambda: processes(f"SLIPWAY_SLOT={lane.app}/slots/{lane.free_slot()}"), LONG, 0.2)


def all_killed(apps):
    def play(lane, files):
        running = lane.begin(files)
        until_started(lane, running)
        lane.slipwayd.kill_all()
        if apps:
            kill_below(lane.data)
        open_gate(lane.path("gate"))
        lane.slipwayd.start()
        return lane.end(running)

    return play


def stranger_before(lane, files):
    with Stranger(lane.state()["ports"][lane.free_slot()]):
        return simply(lane, files)


def stranger_meanwhile(lane, files):
    running = lane.begin(files)
    t.until(lambda: text_of(lane.path("port")).strip(), LONG)
    with Stranger(int(text_of(lane.path("port")))):
        open_gate(lane.path("taken"))
        return lane.end(running)


def stranger_has_url(lane, files):
    with Stranger(t.free_port()) as stranger:
        files["slipway.yml"] = files["slipway.yml"].replace(f":{lane.port}", f":{stranger.server.server_port}")
        return simply(lane, files)


def other_apps_url(lane, files):
    """The url of the app that this lane had before."""
    host = lane.host
    lane.fresh()
    lane.host = host
    new = lane.files(lane.version())
    ended = simply(lane, new)
    t.same(lane.leftovers(ended.number), [], f"url-taken {lane.how}: the other app leaves nothing behind")
    lane.service = host.split(".")[0]
    return ended


def gateway_killed(lane, files):
    running = lane.begin(files)
    until_started(lane, running)
    os.kill(int(text_of(os.path.join(lane.data, "server/nginx/nginx.pid"))), signal.SIGKILL)
    open_gate(lane.path("gate"))
    return lane.end(running)


def slipway_killed(lane, files):
    running = lane.begin(files)
    until_started(lane, running)
    running.kill()
    return lane.end(running)


def slipway_killed_test(lane, files):
    running = lane.begin(files)
    t.until(lambda: lines_of(lane.path("ran")) > 0, LONG)
    running.kill()
    return lane.end(running)


def absent_commit(lane, files):
    del files
    _, _, guid = lane.slipwayd.push(lane.repository, "0123456789" * 4, lane.before)
    delivery = lane.slipwayd.delivery(guid, LONG) or {}
    first = (delivery.get("deployments") or [Ended(delivery.get("state"), delivery.get("reason"), "")])[0]
    return lane.end(first)


def superseded(lane, files):
    running = lane.begin(files)
    until_step(lane, running, "build")
    waiting = lane.begin(lane.files("never"))
    newest = lane.begin(lane.files("also-never", more="test: {run: 'exit 1'}"))
    ended = lane.end(waiting)
    open_gate(lane.path("gate"))
    lane.end(running)
    lane.end(newest)
    return ended


def needed_fails(lane, files):
    """What becomes of the service that needs the failing one."""
    made = lane.begin(files)
    found = lane.slipwayd.api("GET", f"/v1/deployments?repository={lane.repository}&service={lane.service}&limit=1")[1]
    lane.end(made)
    return lane.end(found["deployments"][0]["id"])


def rollback_to(*words):
    def play(lane, files):
        del files
        return lane.rollback(*words)

    return play


def good_ones(lane, *all_files):
    """Good versions, one after the other; the last serves."""
    for files in all_files:
        ended = simply(lane, files)
        t.ok(ended.how in (0, "succeeded"), f"{lane.name}: a good version first", ended.why, ended.log[-2000:])
    lane.serving = json.loads(all_files[-1]["behaviour.json"])["version"]


def rollback_to_broken(lane, files):
    open_gate(lane.path("needed"))
    good_ones(lane, files, lane.files(lane.version()))
    os.unlink(lane.path("needed"))
    return lane.rollback()


def rollback_twice(lane, files):
    """Of three versions; then there is nothing to go back to, and a new one has the right one before it."""
    oldest = lane.serving
    good_ones(lane, lane.files(lane.version()), files)
    first = lane.rollback()
    t.ok(first.how in (0, "succeeded"), f"rollback-twice {lane.how}: the first", first.why)
    ended = lane.rollback()
    third = lane.rollback()
    t.ok(third.how in (1, 409), f"rollback-twice {lane.how}: there is no third", third.how, third.why, lane.page())
    lane.serving = oldest
    return ended


def runs_once(play):
    """The release command counts its runs outside."""

    def then(lane, files):
        ended = play(lane, files)
        t.same(lines_of(lane.path("release")), 1, f"{lane.name}: the release command ran once", ended.log[-2000:])
        return ended

    return then


# --- the table ---

UNHEALTHY = "{path: /healthz, timeout: 8s, settle: 0s}"
PATIENT = "{path: /healthz, timeout: 120s, settle: 0s}"
SETTLING = "{path: /healthz, timeout: 90s, settle: 4s}"
WATCHED = "{path: /healthz, timeout: 90s, settle: 60s}"
WAIT = "echo x >>{path-ran}; until test -e {path-gate}; do sleep 0.1; done"
COUNTED = "release: {run: 'echo x >>{path-release}'}"
TWO = """version: 1
services:
  SERVICE-api:
    start: [/usr/bin/false]
    health: {path: /, timeout: 8s, settle: 0s}
    environments: {production: {target: server, url: 'http://api-HOST'}}
  SERVICE:
    needs: [SERVICE-api]
    start: [/usr/bin/python3, app.py]
    health: {path: /healthz, timeout: 60s, settle: 0s}
    environments: {production: {target: server, url: 'http://HOST'}}
"""
MISSPELT = """version: 1
services:
  SERVICE:
    strat: [/usr/bin/python3, app.py]
    environments: {production: {target: server, url: 'http://HOST'}}
"""

TABLE = [
    # Slow ones first: they are played side by side.
    Row("first-unhealthy-behind-gateway",
        "The first version of an app is healthy by itself, but not through the gateway",
        1, "rolled_back", "nothing", "verify: /healthz didn't answer 200 from the new version within N s; last: "
        "through the gateway at …: /healthz answers 500", first=True, meanwhile="gap", health=UNHEALTHY,
        through_gateway=500),
    Row("unhealthy-behind-gateway", "The version is healthy by itself, but not through the gateway",
        1, "rolled_back", "before", "verify: /healthz didn't answer 200 from the new version within N s; last: "
        "through the gateway at …: /healthz answers 500", meanwhile="new", health=UNHEALTHY, through_gateway=500),
    Row("old-ignores-sigterm", "The version before ignores SIGTERM: it is killed after ten seconds",
        0, "succeeded", "new", "", old={"ignores_sigterm": True}),
    Row("unhealthy-ignores-sigterm", "Health answers 500, and the app ignores SIGTERM",
        1, "failed", "before", "/healthz answers 500, expected 200", health=UNHEALTHY, status=500,
        ignores_sigterm=True),
    Row("first-unhealthy", "The first version of an app never becomes healthy",
        1, "failed", "nothing", "publish: not healthy after 8 s: /healthz answers 500, expected 200", first=True,
        health=UNHEALTHY, status=500),
    Row("slow-start", "The app takes five seconds until it listens, and may",
        0, "succeeded", "new", "is healthy", start_seconds=5, health=PATIENT),
    Row("too-slow", "The app takes longer to start than health's timeout",
        1, "failed", "before", "publish: not healthy after 8 s: nothing listens on 127.0.0.1:N yet",
        start_seconds=600, health=UNHEALTHY),
    Row("health-500", "Health answers 500",
        1, "failed", "before", "publish: not healthy after 8 s: /healthz answers 500, expected 200",
        health=UNHEALTHY, status=500),
    Row("health-404", "Health answers 404",
        1, "failed", "before", "publish: not healthy after 8 s: /healthz answers 404, expected 200",
        health=UNHEALTHY, status=404),
    Row("health-redirects", "Health answers with a redirect to a page that would be fine",
        1, "failed", "before", "publish: not healthy after 8 s: /healthz answers 302, expected 200",
        health=UNHEALTHY, status=302),
    Row("health-hangs", "Health takes the request and never answers",
        1, "failed", "before", "publish: not healthy after 8 s: … Operation timed out", health=UNHEALTHY, health_seconds=600),
    Row("never-listens", "The app runs but never listens",
        1, "failed", "before", "publish: not healthy after 8 s: nothing listens on 127.0.0.1:N yet (the PORT in its "
        "environment)", health=UNHEALTHY, start="'echo warming up; exec sleep 600'"),
    Row("listens-elsewhere", "The app listens, but on another port than PORT",
        1, "failed", "before", "it listens on port N instead", health=UNHEALTHY,
        start="'PORT={port-own} exec /usr/bin/python3 app.py'"),
    Row("stranger-answers", "A stranger listens on the app's port and answers 200; the app doesn't listen",
        1, "failed", "before", "is not the new version's: … (pid N) listens there", stranger_meanwhile,
        health=UNHEALTHY, start="'echo $PORT >{path-port}; exec sleep 600'"),
    Row("port-taken-meanwhile", "A stranger takes the app's port before the app can",
        1, "failed", "before", "Address already in use; port N belongs to … (pid N)", stranger_meanwhile,
        health=PATIENT, start="'echo $PORT >{path-port}; until test -e {path-taken}; do sleep 0.1; done; "
        "exec /usr/bin/python3 app.py'"),
    Row("port-taken", "A stranger has the app's port already: the app gets another one",
        0, "succeeded", "new", "is healthy", stranger_before),
    Row("start-missing", "The start program isn't there",
        1, "failed", "before", "publish: the app exited with status 127; its last lines: … /nonexistent/server",
        start="[/nonexistent/server]"),
    Row("start-exits", "The app ends at once",
        1, "failed", "before", "publish: the app exited with status 3; its last lines: no database",
        start="'echo no database; exit 3'"),
    Row("start-killed", "The app is killed by a signal while it starts, as when memory runs out",
        1, "failed", "before", "publish: the app was killed by signal 9", start="'sleep 0.5; kill -9 $$'"),
    Row("start-ends-well", "The app ends with status 0 instead of serving",
        1, "failed", "before", "publish: the app exited with status 0", start="'echo done'"),
    Row("exits-before-health", "The app ends after a while, before it was healthy",
        1, "failed", "before", "publish: the app exited with status 5; its last lines: gave up", health=PATIENT,
        start="'sleep 2; echo gave up; exit 5'"),
    Row("exits-after-switch", "The app ends once it has the traffic, while it is still watched",
        1, "rolled_back", "before", "verify: the app exited with status 4; its last lines: …app exits on purpose",
        meanwhile="gap", health=WATCHED, exits_through_gateway=2),
    Row("first-exits-after-switch", "The first version of an app ends once it has the traffic",
        1, "rolled_back", "nothing", "verify: the app exited with status 4", first=True, meanwhile="gap",
        health=WATCHED, exits_through_gateway=2),
    Row("test-fails", "A test fails",
        1, "failed", "before", "test: `echo 2 of 7 failed; exit 1` ended with status 1: 2 of 7 failed",
        more="test: {run: 'echo 2 of 7 failed; exit 1'}"),
    Row("test-hangs", "The tests hang until their time is up",
        1, "failed", "before", "test: `echo connecting; sleep 600` took longer than 2 s: connecting",
        more="test: {run: 'echo connecting; sleep 600', timeout: 2s}"),
    Row("test-killed", "The tests are killed by a signal",
        1, "failed", "before", "was ended by signal 9", more="test: {run: 'kill -9 $$'}"),
    Row("test-missing", "The test program isn't there",
        1, "failed", "before", "test: `pytset -q`…pytset", more="test: {run: [pytset, -q]}"),
    Row("build-fails", "The build fails",
        1, "failed", "before", "build: `echo main.c:3: oops; exit 2` ended with status 2: main.c:3: oops",
        more="build: {run: 'echo main.c:3: oops; exit 2'}"),
    Row("build-hangs", "The build hangs until its time is up, and ignores SIGTERM",
        1, "failed", "before", "build: `trap : TERM; while :; do sleep 1; done` took longer than 2 s",
        more="build: {run: 'trap : TERM; while :; do sleep 1; done', timeout: 2s}"),
    Row("build-leaves-daemon", "The build leaves a daemon behind that holds its output: it is killed",
        0, "succeeded", "new", "is healthy", more="build: {run: 'setsid sleep 600 & echo built'}"),
    Row("build-fills-disk", "The build fills the disk that the data folder is on",
        1, None, "before", "No space left on device", disk=True,
        more="build: {run: 'head -c 100000000 /dev/zero >big'}"),
    Row("release-fails", "The release command fails",
        1, "failed", "before", "release: `echo no such column; exit 7` ended with status 7: no such column",
        more="release: {run: 'echo no such column; exit 7'}"),
    Row("settings-wrong", "slipway.yml has a mistake at this commit",
        2, None, "before", "slipway.yml has 1 mistake; nothing was touched", raw=MISSPELT),
    Row("settings-wrong-pushed", "The same, by a push: it becomes no deployment, and the delivery says why",
        None, "failed", "before", "slipway.yml:4:5: … 'strat'", raw=MISSPELT),
    Row("secret-missing", "A secret that the service names has no value",
        2, "failed", "before", "names the secret TOKEN in …slipway.yml, and no value was given",
        more="secrets: [TOKEN]"),
    Row("commit-missing", "A push tells of a commit that the repository doesn't have",
        None, "ignored", "before", "the repository has no commit 0123456789…", absent_commit),
    Row("address-not-ours", "The gateway is to listen on an address that this machine doesn't have",
        1, "failed", "before", "publish: the gateway can't listen on 192.0.2.1:8: Cannot assign requested address",
        target={"listen": "192.0.2.1:8"}),
    Row("url-port-taken", "A stranger has the port of the url",
        1, "failed", "before", "publish: the gateway can't listen on 127.0.0.1:N: Address already in use, by …",
        stranger_has_url),
    Row("url-taken", "Another app has the host and port of the url",
        1, "failed", "before", "publish: url '…': app '…' has this host and port already; give this one another",
        other_apps_url),
    Row("gateway-killed", "The gateway is killed during the deployment: it is started again",
        0, "succeeded", "new", "is healthy", gateway_killed, meanwhile="gap", alone=True, health=PATIENT,
        gate="{path-gate}"),
    Row("needed-fails", "Of two services the one that the other needs fails: the other is left as it is",
        1, None, "before", "the services after it were left as they are", raw=TWO),
    Row("needed-fails-pushed", "The same, by a push: what becomes of the other",
        None, "cancelled", "before", "needs …-api, which failed", needed_fails, raw=TWO),
    Row("rollback-gone", "A rollback to a version that isn't kept",
        1, None, "before", "no good version '0123456789ab-1'", rollback_to("--to", "0123456789ab-1")),
    Row("rollback-gone-pushed", "The same, through the API",
        None, 404, "before", "no version '0123456789ab-1' of … was ever live",
        rollback_to("--to", "0123456789ab-1")),
    Row("rollback-broken", "A rollback to a version that doesn't work any more",
        1, "failed", "before", "publish: the app exited with status 1; its last lines: …the file that this version "
        "needs is gone", rollback_to_broken, meanwhile="gap", needs_file="{path-needed}"),
    Row("rollback-twice", "Two rollbacks in a row: the second goes back further",
        0, "succeeded", "before", "is healthy", rollback_twice, meanwhile="gap", first=True, old={}),
    Row("good", "Nothing goes wrong", 0, "succeeded", "new", "is healthy"),
    Row("first-good", "The first version of an app, and nothing goes wrong", 0, "succeeded", "new", "is healthy",
        first=True, meanwhile="gap"),

    Row("cancelled-early", "Cancelled (SIGINT) right at the start",
        4, None, "before", "cancelled", cancelled_early, start_seconds=5),
    Row("cancelled-build", "Cancelled during the build",
        4, None, "before", "build: cancelled", cancel_at("build", "ran"), more="build: {run: '" + WAIT + "'}"),
    Row("cancelled-test", "Cancelled during tests that ignore SIGTERM and left a daemon behind",
        4, None, "before", "test: cancelled", cancel_at("test", "ran"),
        more="test: {run: 'trap "" TERM; setsid sleep 600 & " + WAIT + "'}"),
    Row("cancelled-release", "Cancelled during the release command",
        4, None, "before", "release: cancelled", cancel_at("release", "ran"), more="release: {run: '" + WAIT + "'}"),
    Row("cancelled-publish", "Cancelled while the new version isn't healthy yet",
        4, None, "before", "publish: cancelled", cancel_at("publish"), health=PATIENT, start="[sleep, '600']"),
    Row("cancelled-shift", "Cancelled while the traffic is switched",
        4, None, "before", "cancelled", held_at_shift(interrupt), meanwhile="new", health=WATCHED,
        gate="{path-gate}"),
    Row("cancelled-verify", "Cancelled while the new version is watched: the version before gets the traffic back",
        4, None, "before", "verify: cancelled", cancel_at("verify"), meanwhile="new", health=WATCHED),
    Row("cancelled-retire", "Cancelled when the new version was found good already: it stays",
        0, None, "new", "is live in production", with_open_request(interrupt, "retire")),
    Row("interrupted-twice", "SIGINT twice: it stops at once, without a rollback; the next deployment tidies up",
        3, None, "before", "what serves now is unknown; look, then deploy or roll back",
        cancel_at("publish", times=2), half=True, health=PATIENT, start="[sleep, '600']"),
    Row("slipway-killed", "`slipway` itself is killed while the new version starts; the next deployment tidies up",
        -9, None, "before", "", slipway_killed, half=True, health=PATIENT, gate="{path-gate}"),
    Row("slipway-killed-test", "`slipway` itself is killed during the tests; the next deployment tidies up",
        -9, None, "before", "", slipway_killed_test, half=True, more="test: {run: '" + WAIT + "'}"),

    Row("worker-killed-each-time", "The worker dies each time it comes to the build",
        None, "failed", "before", "build: its worker died 5 times in a row at this step, so it isn't tried again",
        killed_each_time, alone=True, more="build: {run: '" + WAIT + "'}"),
    Row("worker-killed-fetch", "The worker is killed while it fetches",
        None, "succeeded", "new", "is healthy", killed_at_fetch, alone=True),
    Row("worker-killed-build", "The worker is killed during the build, which is begun again",
        None, "succeeded", "new", "is healthy", killed_at("build", "ran", "gate"), alone=True,
        more="build: {run: '" + WAIT + "'}"),
    Row("worker-killed-test", "The worker is killed during the tests, which are begun again",
        None, "succeeded", "new", "is healthy", killed_at("test", "ran", "gate"), alone=True,
        more="test: {run: '" + WAIT + "'}"),
    Row("worker-killed-release", "The worker is killed during the release command: that isn't run a second time",
        None, "failed", "before", "release: the worker died while `…` ran; it isn't started a second time: look at "
        "what it left behind, then deploy again", runs_once(killed_at("release", "release")), alone=True,
        more="release: {run: 'echo x >>{path-release}; until test -e {path-gate}; do sleep 0.1; done'}"),
    Row("worker-killed-publish", "The worker is killed while the new version starts; the release command isn't run "
        "again", None, "succeeded", "new", "is healthy",
        runs_once(killed_at("publish", None, "gate")), alone=True, more=COUNTED, health=PATIENT,
        gate="{path-gate}"),
    Row("worker-killed-shift", "The worker is killed while it switches the traffic",
        None, "succeeded", "new", "is healthy", held_at_shift(kill_worker), alone=True, gate="{path-gate}"),
    Row("worker-killed-verify", "The worker is killed while it watches the new version",
        None, "succeeded", "new", "is healthy", killed_at("verify"), alone=True, health=SETTLING),
    Row("worker-killed-retire", "The worker is killed while the version before ends its last requests",
        None, "succeeded", "new", "is healthy", with_open_request(kill_worker, "retire"), alone=True),
    Row("worker-killed-rollback", "The new version ends once it has the traffic, and the worker is killed while it "
        "gives the traffic back", None, "rolled_back", "before", "verify: the app exited with status 4",
        killed_at("rollback"), meanwhile="gap", alone=True, health=WATCHED, exits_through_gateway=2),
    Row("service-killed", "slipwayd is killed with all its processes, and started again",
        None, "succeeded", "new", "is healthy", all_killed(False), alone=True, health=PATIENT, gate="{path-gate}"),
    Row("everything-killed", "slipwayd, the apps and the gateway are killed, as by a power cut, and slipwayd is "
        "started again", None, "succeeded", "new", "is healthy", all_killed(True), meanwhile="gap", alone=True,
        health=PATIENT, gate="{path-gate}"),
    Row("superseded", "A newer push arrives while this one waits for the one before it",
        None, "superseded", "new", "", superseded, alone=True, more="build: {run: '" + WAIT + "'}"),
]
