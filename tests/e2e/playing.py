"""Play the rows of scenarios.TABLE, each lane one after the other; and docs/scenarios.md, which is made from them."""

import contextlib
import os
import queue
import re
import threading
import time

import harness as t
from lanes import Hand, Watch, text_of
from scenarios import TABLE, rollback_to_broken, rollback_twice, simply

DOCUMENT = os.path.join(t.TOP, "docs", "scenarios.md")


def recover(lane, name, old=None):
    """A good version comes through, and is the one before from now on."""
    version = lane.version()
    ended = simply(lane, lane.files(version, **(old or {})))
    passed = ended.how in (0, "succeeded") and lane.page() == version
    t.ok(passed, name, f"ended: {ended.how}", f"serves: {lane.page()}", ended.why, ended.log[-3000:])
    lane.serving = version
    return passed


def play(lane, row):
    label = f"{row.name} {lane.how}"
    lane.turn += 1
    if row.first:
        lane.fresh()
    if (row.old is not None or not (lane.serving or row.first)) and not recover(
            lane, f"{label}: the version before", row.old):
        return
    before, version = lane.serving, lane.version()
    files = lane.files(version, **row.files)
    begun = time.monotonic()
    ended = (row.play or simply)(lane, files)
    over = time.monotonic()
    if row.play in (rollback_to_broken, rollback_twice):
        before = lane.serving
    details = (f"message: {ended.why}", *ended.log[-4000:].splitlines())
    want = row.hand if isinstance(lane, Hand) else row.push
    t.same(ended.how, want, f"{label}: {'exit' if isinstance(lane, Hand) else 'state'} {want}", *details)
    said = ended.log if want in (0, "succeeded") else ended.why
    t.ok(re.search(row.pattern(), said, re.S), f"{label}: it says: {row.message}", *details)
    serves = {"before": before, "new": version, "nothing": ""}[row.serves]
    t.same(lane.page(), serves, f"{label}: {row.serves} serves", *details)
    allowed = {before, version} if row.meanwhile == "new" else {before}
    if row.meanwhile != "gap":
        seen = lane.watch.between(begun, over)
        t.ok(seen <= allowed, f"{label}: meanwhile too", f"seen: {seen}", f"allowed: {allowed}", *details)
    lane.serving = serves
    if not row.half:
        t.until(lambda: not lane.leftovers(ended.number), 20, 0.5)
        t.same(lane.leftovers(ended.number), [], f"{label}: it leaves nothing behind", *details)
    recover(lane, f"{label}: then a good version is deployed")
    if row.half:
        # A checkout that was never published is swept after a day.
        left = [what for what in lane.leftovers() if not what.startswith("releases: ")]
        t.same(left, [], f"{label}: which tidies up", *details)


def work_through(lanes, rows):
    """Each lane takes the next row as long as there are any."""
    left = queue.Queue()
    for row in rows:
        left.put(row)

    def work(lane):
        lane.watch = Watch(lane)
        lane.watch.start()
        with contextlib.suppress(queue.Empty):
            while True:
                row = left.get_nowait()
                began = time.monotonic()
                try:
                    play(lane, row)
                except Exception as e:  # pylint: disable=broad-except
                    t.ok(False, f"{row.name} {lane.how}: {e!r}")
                    lane.fresh()
                t.note(f"{row.name} {lane.how}: {time.monotonic() - began:.1f} s")
        lane.watch.over.set()
        lane.watch.join()

    threads = [threading.Thread(target=work, args=(lane,)) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def chosen(wanted):
    """SCENARIOS="name name" plays only these."""
    names = os.environ.get("SCENARIOS", "").split()
    return [row for row in TABLE if wanted(row) and (not names or row.name in names)]


def check_programs():
    for path in ("/usr/sbin/nginx", "/usr/bin/runsv"):
        if not os.access(path, os.X_OK):
            t.skip_all(f"{path} isn't there")


# --- the page ---


def code(text):
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def document():
    serving = {"before": "the version before", "new": "the new version", "nothing": "nothing (503)"}
    out = [
        "# Scenarios",
        "",
        "What may go wrong with a deployment, and how it ends then. Made from the table in `tests/e2e/scenarios.py`, "
        "whose rows are tests (`make check T=scenarios`): by hand (`slipway deploy`: the exit status) and by a push to "
        "a running `slipwayd` (the deployment's state), where there is no dash. Each test also asks the gateway for "
        "the page all the while, looks for processes and files left behind, and deploys a good version afterwards.",
        "",
        "`…` stands for any text, `N` for a number. `UPDATE_DOCS=1 tests/e2e/scenarios-hand.t` writes this page.",
        "",
        "| what happens | exit | state | what serves | message |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in TABLE:
        state = "–" if row.push is None else f"answer {row.push}" if isinstance(row.push, int) else row.push
        status = "–" if row.hand is None else "killed" if row.hand < 0 else row.hand
        message = code(row.message.replace("|", "\\|")) if row.message else ""
        out.append(f"| {row.what} | {status} | {state} | {serving[row.serves]} | {message} |")
    return "\n".join(out) + "\n"


def check_document():
    if os.environ.get("UPDATE_DOCS"):
        t.write(DOCUMENT, document())
    t.ok(text_of(DOCUMENT) == document(), "docs/scenarios.md is up to date", "UPDATE_DOCS=1 writes it")
