#!/usr/bin/python3
"""What the machine can do to a running slipwayd: a full disk, a folder that can't be written, a damaged store, a power
cut, a clock that jumps. Nothing that was acknowledged is lost, and what can't be done is said."""

import atexit
import ctypes
import errno
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import traceback

import harness
from harness import PYTHON, Repo, Service, ZERO, app, fetch, folder, has, note, ok, same, until

MOUNTS = False
DAY = 86400


def own_mounts():
    """Mounts that nobody else sees and that end with this process. False when we may not."""
    if os.geteuid() != 0 or ctypes.CDLL(None).unshare(0x20000) != 0:
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], check=False).returncode == 0


def mount(where, *options):
    return subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "slipway-test", where], check=False).returncode == 0


def new_service(base=None, **more):
    """A service with one repository, and its first commit."""
    base = base or folder()
    port = harness.free_port()
    repo = Repo(os.path.join(base, "shop"))
    first = repo.commit(app("one", f"http://shop.localhost:{port}", health="{path: /healthz, timeout: 20s, settle: 0s}"))
    service = Service({"acme/shop": repo}, base=base, **more)
    service.gateway = port
    return service, repo, first


def change(repo, version, **behaviour):
    return repo.commit({"behaviour.json": json.dumps({"version": version, **behaviour})})


def page(service):
    return fetch(service.gateway, "shop.localhost")[1]


def ping(service, number):
    """A delivery that deploys nothing: (status, headers, guid)."""
    guid = f"ping-{number}-{os.urandom(4).hex()}"
    body = json.dumps({"zen": "x" * 3000, "number": number}).encode()
    digest = harness.hmac.new(service.secret.encode(), body, hashlib.sha256).hexdigest()
    status, headers, _ = service.request("POST", "/hooks/github", body, {
        "Content-Type": "application/json", "X-GitHub-Event": "ping", "X-GitHub-Delivery": guid,
        "X-Hub-Signature-256": "sha256=" + digest,
    })
    return status, headers, guid


def is_kept(service, guid):
    return service.api("GET", f"/v1/deliveries/{guid}")[0] == 200


def all_kept(service, guids, name):
    missing = [guid for guid in guids if not is_kept(service, guid)]
    return ok(guids and not missing, name, f"{len(missing)} of {len(guids)} are missing: {missing[:3]}")


def store_path(service):
    return os.path.join(service.data, "store", "slipway.db")


def start_and_fail(service):
    """Start slipwayd, which is expected to end by itself: (status, what it said)."""
    done = subprocess.run(
        [os.path.join(harness.BUILD, "slipwayd"), "--config", service.config],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False,
    )
    return done.returncode, done.stdout


# --- a full disk ---


def fill(service):
    """Leave not a byte."""
    with open(os.path.join(service.data, "filler"), "wb", buffering=0) as f:
        for size in (65536, 512, 1):
            try:
                while True:
                    f.write(b"x" * size)
            except OSError:
                pass


def refused(service, number):
    """Post until it is refused: what fits into pages that the store has already is still taken."""
    kept = []
    for i in range(200):
        status, headers, guid = ping(service, number + i)
        if status == 503:
            return kept, headers
        if status == 200:
            kept.append(guid)
    return kept, None


def disk_full():
    base = folder()
    data = os.path.join(base, "data")
    os.mkdir(data)
    if not MOUNTS or not mount(data, "size=24m", "mode=0700"):
        harness.skip("disk full", "needs root, to mount a small file system")
        return
    atexit.register(subprocess.run, ["umount", "-l", data])
    service, repo, first = new_service(base)
    service.start()
    same(service.deploy("acme/shop", first)["state"], "succeeded", "disk full: with room, a push is deployed")
    kept = [ping(service, i)[2] for i in range(3)]
    second = change(repo, "two")
    fill(service)
    more, headers = refused(service, 100)
    kept += more
    ok(headers is not None, "disk full: a delivery is answered with 503")
    ok(headers and int(headers.get("Retry-After", 0)) > 0, "disk full: and with when to try again")
    ok(until(lambda: not service.ready(), 10), "disk full: it isn't ready")
    same(service.request("GET", "/healthz")[0], 200, "disk full: but alive")
    has(service.log_text(), "free some space", "disk full: the log says what to do")
    same(page(service), "one", "disk full: the app goes on")
    all_kept(service, kept, "disk full: what was acknowledged can be read")
    same(service.push("acme/shop", second, first)[0], 503, "disk full: a push is refused, too")
    service.kill("listener")
    os.unlink(os.path.join(data, "filler"))
    ok(until(service.ready, 20), "disk full: with room again it is ready, without a restart by hand")
    same(ping(service, 500)[0], 200, "disk full: and takes deliveries")
    same(service.deploy("acme/shop", second, first)["state"], "succeeded", "disk full: and deploys the push that is sent again")
    same(page(service), "two", "disk full: which serves")
    all_kept(service, kept, "disk full: nothing acknowledged is lost")
    service.stop()
    said = list(sqlite3.connect(store_path(service)).execute("PRAGMA integrity_check"))
    same(said, [("ok",)], "disk full: the store is whole")
    service.end()


# --- read-only ---


def read_only():
    base = folder()
    data = os.path.join(base, "data")
    os.mkdir(data)
    if not MOUNTS or not mount(data, "size=32m", "mode=0700"):
        harness.skip("read-only", "needs root, to mount a file system read-only")
        return
    atexit.register(subprocess.run, ["umount", "-l", data])
    service, _, _ = new_service(base)
    service.start()
    kept = [ping(service, i)[2] for i in range(3)]
    service.stop()
    subprocess.run(["mount", "-o", "remount,ro", data], check=True)
    status, said = start_and_fail(service)
    same(status, 1, "read-only: it doesn't start on such a folder")
    has(said, "Read-only file system", "read-only: and says why")
    has(said, data, "read-only: and where")
    subprocess.run(["mount", "-o", "remount,rw", data], check=True)
    service.start()
    all_kept(service, kept, "read-only: and starts when that is mended")
    service.end()


# --- a damaged store ---


def digest(*paths):
    return [hashlib.sha256(open(path, "rb").read()).hexdigest() if os.path.exists(path) else None for path in paths]


class Damage:
    """A store with deliveries in the database and others in the write-ahead log only, as a power cut would leave it."""

    def __init__(self):
        self.service, _, _ = new_service()
        self.service.start()
        self.checkpointed = [ping(self.service, i)[2] for i in range(12)]
        self.service.stop()
        db = sqlite3.connect(store_path(self.service))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        self.service.start()
        self.logged = [ping(self.service, 100 + i)[2] for i in range(6)]
        self.service.kill_all()
        self.copy = os.path.join(self.service.base, "copy")
        shutil.copytree(os.path.join(self.service.data, "store"), self.copy)
        self.db, self.wal = store_path(self.service), store_path(self.service) + "-wal"

    def again(self):
        """The store as it was."""
        self.service.kill_all()
        shutil.rmtree(os.path.dirname(self.db))
        shutil.copytree(self.copy, os.path.dirname(self.db))
        if os.path.exists(self.db + "-shm"):
            os.unlink(self.db + "-shm")  # a reboot leaves none

    def overwrite(self, path, at, size):
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(os.urandom(size))

    def another_boot(self):
        """Let the store think that the machine was started again, so that it is checked."""
        db = sqlite3.connect(self.db)
        db.execute("UPDATE meta SET boot = 'another'")
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()


def torn_log(damage):
    service = damage.service
    ok(os.path.getsize(damage.wal) > 4096 * 6, "torn log: the last deliveries are in the write-ahead log only")
    with open(damage.wal, "ab") as f:
        f.write(os.urandom(4096 + 24 + 1000))
    service.start()
    all_kept(service, damage.checkpointed + damage.logged, "torn log: half a write at its end costs nothing that was acknowledged")
    same(ping(service, 200)[0], 200, "torn log: and it goes on")

    damage.again()
    damage.overwrite(damage.wal, os.path.getsize(damage.wal) - 2000, 2000)
    service.start()
    all_kept(service, damage.checkpointed + damage.logged[:-2], "torn log: a damaged last page costs the last commits alone")
    guid = ping(service, 201)[2]
    service.kill_all()
    service.start()
    ok(is_kept(service, guid), "torn log: what comes after that is kept")

    damage.again()
    os.truncate(damage.wal, 0)
    service.start()
    all_kept(service, damage.checkpointed, "torn log: without any log, what the database has is there")


def corrupt(damage):
    service = damage.service
    damage.again()
    damage.another_boot()
    damage.overwrite(damage.db, os.path.getsize(damage.db) - 4096, 4096)
    before = digest(damage.db)
    status, said = start_and_fail(service)
    same(status, 1, "corrupt last page: it doesn't start on it")
    has(said, "the database is damaged", "corrupt last page: and says what is wrong")
    has(said, damage.db, "corrupt last page: with which file")
    has(said, ".recover", "corrupt last page: and what to do")
    same(len(said.strip().splitlines()), 1, "corrupt last page: in one line", said)
    same(digest(damage.db), before, "corrupt last page: nothing is overwritten")

    damage.again()
    damage.overwrite(damage.db, 0, 4096)
    os.truncate(damage.wal, 0)
    before = digest(damage.db)
    status, said = start_and_fail(service)
    same(status, 1, "no database at all: it doesn't start on it")
    has(said, "the database is damaged or isn't one", "no database at all: and says so")
    same(digest(damage.db), before, "no database at all: nothing is overwritten")

    damage.again()
    os.unlink(damage.db)
    os.unlink(damage.wal)
    with open(damage.db, "w", encoding="utf-8") as f:
        f.write("precious notes of somebody else\n" * 200)
    before = digest(damage.db)
    same(start_and_fail(service)[0], 1, "another kind of file: it doesn't start on it")
    same(digest(damage.db), before, "another kind of file: nothing is overwritten")


def corrupt_while_running(damage):
    """Damage that shows only when the page is used: never a 2xx for what can't be read again."""
    service = damage.service
    damage.again()
    db = sqlite3.connect(damage.db)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'deliveries'").fetchone()[0]
    db.close()
    damage.overwrite(damage.db, (root - 1) * 4096, 4096)
    service.start(wait=False)
    until(lambda: "database is damaged" in service.log_text() or service.ready(), 15)
    try:
        answers = [ping(service, 300 + i) for i in range(5)]
    except OSError:
        answers = []
    lost = [guid for status, _, guid in answers if status in (200, 202) and not is_kept(service, guid)]
    same(lost, [], "damage under way: nothing is acknowledged that can't be read again")
    has(service.log_text(), "damaged", "damage under way: and the log says what is wrong")
    service.kill_all()


def damaged_store():
    damage = Damage()
    torn_log(damage)
    corrupt(damage)
    corrupt_while_running(damage)
    damage.service.kill_all()


# --- a disk that fails ---


def disk_fails(shim):
    """Writes fail for a while, with the error of a broken disk and with that of one that was made read-only."""
    base = folder()
    fault = os.path.join(base, "fault")
    harness.write(fault, "0")
    service, _, _ = new_service(base)
    start_with(service, shim, SHIM_FAIL=fault)
    kept = [ping(service, i)[2] for i in range(3)]
    for code in (errno.EIO, errno.EROFS):
        name = errno.errorcode[code]
        harness.write(fault, str(code))
        more, headers = refused(service, code * 100)
        kept += more
        ok(headers and headers.get("Retry-After"), f"{name}: a delivery is answered with 503, and when to try again")
        ok(until(lambda: not service.ready(), 10), f"{name}: it isn't ready")
        all_kept(service, kept, f"{name}: what was acknowledged can be read")
        harness.write(fault, "0")
        ok(until(lambda: ping(service, 50)[0] == 200, 20), f"{name}: when it is over, deliveries are taken")
        all_kept(service, kept, f"{name}: nothing acknowledged is lost")
    has(service.log_text(), os.strerror(errno.EIO), "EIO: the log names it")
    service.end()


# --- a power cut ---


def power_cut(shim):
    """After each sync the shim copies the file: what would be on the disk. All that was acknowledged must be in there."""
    service, _, _ = new_service()
    store = os.path.join(service.data, "store")
    os.makedirs(os.path.join(store, "durable"), 0o700)
    start_with(service, shim, SHIM_DURABLE=os.path.realpath(store))
    durable = os.path.join(service.base, "durable")
    good = True
    kept = []
    for i in range(60):
        status, _, guid = ping(service, i)
        if status != 200:
            continue
        kept.append(guid)
        if i % 6 == 5:  # cut the power right after an answer
            good = good and is_all_there(store, durable, kept)
    ok(kept and good, "power cut: what was acknowledged had been synced before the answer")
    service.kill_all()
    shutil.rmtree(store)
    shutil.copytree(durable, store)
    service.start()
    all_kept(service, kept, "power cut: and slipwayd starts with what the disk has")
    service.end()


def is_all_there(store, durable, guids):
    shutil.rmtree(durable, ignore_errors=True)
    shutil.copytree(os.path.join(store, "durable"), durable)
    look = durable + ".look"
    shutil.rmtree(look, ignore_errors=True)
    shutil.copytree(durable, look)
    db = sqlite3.connect(os.path.join(look, "slipway.db"))
    found = {row[0] for row in db.execute("SELECT guid FROM deliveries")}
    db.close()
    missing = [guid for guid in guids if guid not in found]
    if missing:
        note(f"not on the disk: {missing}")
    return not missing


# --- the clock ---


def build_shim():
    path = os.path.join(folder(), "shim.so")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim.c")
    subprocess.run(
        [os.environ.get("CC", "cc"), "-O1", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", path, source, "-ldl"], check=True
    )
    return path


def start_with(service, shim, **env):
    more = {"LD_PRELOAD": shim, "ASAN_OPTIONS": "verify_asan_link_order=0", **env}
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        service.start()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def started_at(service, number):
    return service.api("GET", f"/v1/deployments/{number}")[1]["started_at"]


def slow(version):
    """A build that takes two seconds, so that others queue up behind it."""
    return {"behaviour.json": json.dumps({"version": version}), "wait": "2"}


def ids(service, guid):
    delivery = service.delivery(guid) or {}
    return [d["id"] if isinstance(d, dict) else d for d in delivery.get("deployments", [])]


def clock_jumps(shim):
    base = folder()
    clock = os.path.join(base, "clock")
    harness.write(clock, "0")
    port = harness.free_port()
    repo = Repo(os.path.join(base, "shop"))
    build = f"build: {{run: [{PYTHON}, -c, \"import time; time.sleep(float(open('wait').read()))\"]}}"
    files = app("one", f"http://shop.localhost:{port}", health="{path: /healthz, timeout: 20s, settle: 1s}", more=build)
    commits = [repo.commit({**files, "wait": "0"})]
    service = Service({"acme/shop": repo}, workers=2, base=base)
    service.gateway = port
    start_with(service, shim, SHIM_CLOCK=clock)
    one = service.deploy("acme/shop", commits[0])
    same(one["state"], "succeeded", "clock: at first")

    for jump, name in ((DAY, "a day ahead"), (-DAY, "a day back"), (0, "right again")):
        commits.append(repo.commit(slow(name)))
        guid = service.push("acme/shop", commits[-1], commits[-2])[2]
        running = ids(service, guid)[0]
        until(lambda: service.api("GET", f"/v1/deployments/{running}")[1]["state"] == "running", 20)
        harness.write(clock, str(jump))  # under the deployment
        commits.append(repo.commit({"behaviour.json": json.dumps({"version": "never"}), "wait": "0"}))
        middle = ids(service, service.push("acme/shop", commits[-1], commits[-2])[2])[0]
        commits.append(repo.commit({"behaviour.json": json.dumps({"version": f"after {name}"})}))
        last = ids(service, service.push("acme/shop", commits[-1], commits[-2])[2])[0]
        first = service.deployment(running)
        same(first["state"], "succeeded", f"clock: {name}, the running deployment goes on", first)
        same(service.api("GET", f"/v1/deployments/{middle}")[1]["state"], "superseded", f"clock: {name}, newer supersedes older")
        same(service.deployment(last)["state"], "succeeded", f"clock: {name}, and is deployed")
        same(page(service), f"after {name}", f"clock: {name}, and serves")
        tries = sqlite3.connect(store_path(service)).execute("SELECT max(tries) FROM deployments").fetchone()[0]
        same(tries, 1, f"clock: {name}, no lease was lost")

    listed = [d["id"] for d in service.api("GET", "/v1/deployments")[1]["deployments"]]
    same(listed, sorted(listed, reverse=True), "clock: the list has the newest first, whatever the clock said")
    times = [d["created_at"] for d in service.api("GET", "/v1/deployments")[1]["deployments"]]
    ok(times != sorted(times, reverse=True), "clock: which it did say")
    paged, before = [], None
    while True:
        answer = service.api("GET", "/v1/deployments?limit=3" + (f"&before={before}" if before else ""))[1]
        paged += [d["id"] for d in answer["deployments"]]
        before = answer.get("next")
        if not before:
            break
    same(paged, listed, "clock: and its pages fit together")
    resumed(service, repo, commits, clock)
    service.end()


def resumed(service, repo, commits, clock):
    """A worker dies, the clock goes back: its deployment is taken over at once all the same."""
    commits.append(repo.commit(slow("resumed")))
    running = ids(service, service.push("acme/shop", commits[-1], commits[-2])[2])[0]
    until(lambda: service.api("GET", f"/v1/deployments/{running}")[1]["state"] == "running", 20)
    harness.write(clock, str(-DAY))
    db = sqlite3.connect(store_path(service))
    service.kill(db.execute("SELECT worker FROM deployments WHERE id = ?", (running,)).fetchone()[0])
    same((service.deployment(running, 20) or {}).get("state"), "succeeded", "clock: a killed worker's deployment goes on")
    same(page(service), "resumed", "clock: and serves")


MOUNTS = own_mounts()
shim = build_shim()
for part, words in (
    (disk_full, ()), (read_only, ()), (disk_fails, (shim,)), (damaged_store, ()), (power_cut, (shim,)), (clock_jumps, (shim,)),
):
    try:
        part(*words)
    except Exception as e:  # the other parts still tell something
        ok(False, f"{part.__name__}: {type(e).__name__}: {e}")
        note("".join(traceback.format_exc()))
harness.done()
