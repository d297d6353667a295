#!/usr/bin/env python3
"""docs/security.md, the rows about names, paths and archives that came from outside: 7, 8, 9, 12, 17."""
import base64
import copy
import http.server
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading

sys.path.insert(0, os.path.dirname(__file__))
import harness as h

ROW7 = "security 7: command injection through names, refs, options"
ROW8 = "security 8: path traversal"
ROW9 = "security 9: archive extraction"
ROW12 = "security 12: code of forks"
ROW17 = "security 17: replays"

base = h.folder()
target = os.path.join(base, "target")  # where an attack would leave something
os.mkdir(target)
h.write(os.path.join(target, "authorized_keys"), "mine\n")
canary = os.path.join(target, "canary")


def untouched(name):
    with open(os.path.join(target, "authorized_keys"), encoding="utf-8") as f:
        text = f.read()
    h.ok(os.listdir(target) == ["authorized_keys"] and text == "mine\n", name, os.listdir(target), text)


PROJECT = {"version": 1, "services": {"shop": {
    "test": {"run": ["/bin/false"]}, "start": ["/bin/true"], "health": {"path": "/"},
    "environments": {"production": {"target": "server", "url": "http://shop.localhost:8080"}}}}}
RULES = [{"on": "deployment"}, *({"on": event, "environment": "production"} for event in (
    "push", "release", "workflow_run", "registry_package"))]

# --- repositories ---

names = h.Repo(os.path.join(base, "names"))
head = names.commit({"slipway.yml": json.dumps(PROJECT)}, f"$(touch {canary}) `touch {canary}`\n\n; touch {canary}")
TOUCH = f"touch${{IFS}}{canary}"
BRANCHES = [f"$({TOUCH})", f"`{TOUCH}`", f"a;{TOUCH}", f"a|{TOUCH}", f"a&&{TOUCH}", f"'{TOUCH}'",
            "a--upload-pack=touch", "%s%n%x", "a\u202eb"]
for branch in BRANCHES:
    names.git("update-ref", f"refs/heads/{branch}", head)


def tree(repo, entries):
    """A tree object as git would not make one: (mode, name, id) as they are; its id."""
    raw = b"".join(f"{mode} ".encode() + name + b"\0" + bytes.fromhex(number) for mode, name, number in entries)
    return pipe(repo, raw, "hash-object", "-t", "tree", "-w", "--literally", "--stdin")


def pipe(repo, data, *words):
    done = subprocess.run(["git", "-C", repo.path, *words], input=data, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().strip()


trees = {}


def hostile_tree(name, *entries):
    """A repository whose main has slipway.yml and these entries; {name: (repository, commit)}."""
    repo = h.Repo(os.path.join(base, f"tree-{len(trees)}"))
    yml = pipe(repo, json.dumps(PROJECT).encode(), "hash-object", "-w", "--stdin")
    made = [e(repo) if callable(e) else e for e in entries]
    if not any(entry[1] == b"slipway.yml" for entry in made):
        made.append(("100644", b"slipway.yml", yml))
    made.sort(key=lambda entry: entry[1])
    commit = repo.git("-c", "user.name=t", "commit-tree", "-m", "hostile", tree(repo, made))
    repo.git("update-ref", "refs/heads/main", commit)
    trees[name] = (repo, commit)


def blob(text, mode="100644"):
    return lambda name: lambda repo: (mode, name, pipe(repo, text.encode(), "hash-object", "-w", "--stdin"))


def link(to):
    return blob(to, "120000")


def below(name, inner):
    return lambda repo: ("40000", name, tree(repo, [e(repo) for e in inner]))


pwned = blob("pwned\n")
hostile_tree("a link, then a file through it", link(target)(b"out"), below(b"out", [pwned(b"authorized_keys")]))
hostile_tree("a link that climbs, then a file", link("../" * 12 + target[1:])(b"out"),
             below(b"out", [pwned(b"canary")]))
hostile_tree("a link out of the checkout", link(target)(b"out"))
hostile_tree("a link to /", link("/")(b"root"))
hostile_tree("a folder named ..", below(b"..", [below(b"..", [pwned(b"canary")])]))
hostile_tree("a slash in a name", pwned(b"../../canary"))
hostile_tree("an absolute name", pwned(canary.encode()))
hostile_tree("slipway.yml as a link", link("/etc/passwd")(b"slipway.yml"))
hostile_tree("slipway.yml as a folder", below(b"slipway.yml", [pwned(b"x")]))
hook = blob(f"#!/bin/sh\ntouch {canary}\n", "100755")
hostile_tree("hooks of git", below(b".git", [below(b"hooks", [hook(b"post-checkout")])]))
hostile_tree("a filter of git", blob(f"* filter=x\n")(b".gitattributes"),
             blob(f"[filter \"x\"]\n\tsmudge = touch {canary}\n")(b".gitconfig"))
hostile_tree("a submodule that is a command", blob(
    f"[submodule \"x\"]\n\tpath = x\n\turl = ext::touch {canary}\n\tupdate = !touch {canary}\n")(b".gitmodules"),
    lambda repo: ("160000", b"x", head))
hostile_tree("names that a shell would run", pwned(b"; touch canary"), pwned(b"-rf"), pwned(b"a\nb"),
             pwned(b"$(touch canary)"))

# --- GitHub, with tarballs ---

tars = {}
CONTENTS = json.dumps({
    "type": "file", "encoding": "base64", "content": base64.b64encode(json.dumps(PROJECT).encode()).decode(),
    "status": "diverged", "files": [{"filename": "slipway.yml"}]}).encode()


def hostile_tar(name, *members):
    commit = f"{len(tars) + 1:040x}"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for member, kind, value in [("top/slipway.yml", "file", json.dumps(PROJECT)), *members]:
            info = tarfile.TarInfo(member)
            if kind == "file":
                info.size = len(value)
                tar.addfile(info, io.BytesIO(value.encode() if isinstance(value, str) else value))
                continue
            info.type = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE,
                         "device": tarfile.CHRTYPE, "setuid": tarfile.REGTYPE}[kind]
            info.linkname = value if kind in ("link", "hard") else ""
            info.mode = 0o4755 if kind == "setuid" else 0o644
            tar.addfile(info)
    tars[name] = (commit, out.getvalue())


hostile_tar("a link, then a file through it (Dokku's)", ("top/out", "link", target),
            ("top/out/authorized_keys", "file", "pwned\n"))
hostile_tar("a link that climbs, then a file", ("top/out", "link", "../" * 8 + target[1:]),
            ("top/out/canary", "file", "x"))
hostile_tar("two links, then a file", ("top/a", "link", "."), ("top/a/b", "link", ".."), ("top/b/canary", "file", "x"))
hostile_tar("a hard link, then a file", ("top/out", "hard", f"{target}/authorized_keys"),
            ("top/out", "file", "pwned\n"))
hostile_tar("..", ("top/../../../canary", "file", "x"))
hostile_tar("an absolute name", (canary, "file", "x"))
hostile_tar("a device", ("top/null", "device", ""))
hostile_tar("a pipe", ("top/pipe", "fifo", ""))
hostile_tar("a setuid file", ("top/su", "setuid", ""))
hostile_tar("32 MiB of nothing", ("top/zero", "file", bytes(32 << 20)))
tars["no tar at all"] = ("e" * 40, b"<html>unicorn</html>" * 100)
tars["half a tar"] = ("f" * 40, tars["a device"][1][: len(tars["a device"][1]) // 2])


class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body, status = b"{}", 404
        for commit, tar in tars.values():
            if commit in self.path:
                status = 200
                body = tar if "/tarball/" in self.path else CONTENTS
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
api.daemon_threads = True
threading.Thread(target=api.serve_forever, daemon=True).start()

# --- a live app, whose own file attacks the script that starts it ---

ARGUMENTS = [f"$(touch {canary})", f"`touch {canary}`", f"; touch {canary}", f"'; touch {canary}; '",
             f'"; touch {canary}; "', f"\ntouch {canary}\n", "-c", "--", "\\", "a\\'b", "*", "~", "$HOME", "",
             "é 🚀", "#"]
ECHO = '''
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps([sys.argv[1:], [os.environ[f"A{i}"] for i in range(len(sys.argv) - 1)]]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''
gateway = h.free_port()
LIVE = {"version": 1, "services": {"shop": {
    "start": [h.PYTHON, "echo.py", *ARGUMENTS], "env": {f"A{i}": text for i, text in enumerate(ARGUMENTS)},
    "health": {"path": "/", "timeout": "10s", "settle": "0s"},
    "environments": {"production": {"target": "server", "url": f"http://shop.localhost:{gateway}"}}}}}
live = h.Repo(os.path.join(base, "live"))
first = live.commit({"slipway.yml": json.dumps(LIVE, ensure_ascii=False), "echo.py": ECHO})
live.git("tag", "v1")

sources = {"acme/names": {"git": names.path}, "acme/live": {"git": live.path},
           **{f"trees/t{number}": {"git": repo.path} for number, (repo, _) in enumerate(trees.values())},
           **{f"tars/t{number}": "github" for number in range(len(tars))}}
repositories = {name: {"source": source, "deploy": RULES} for name, source in sources.items()}
service = h.Service(repositories, workers=3, more=f"github: {{api: 'http://127.0.0.1:{api.server_port}'}}\n").start()

# All of them first, so that workers are busy with them while the rest is tried.
sent = [(f"a git tree with {name}", service.push(f"trees/t{i}", commit)[2])
        for i, (name, (_, commit)) in enumerate(trees.items())]
sent += [(f"a tarball with {name}", service.push(f"tars/t{i}", commit)[2])
         for i, (name, (commit, _)) in enumerate(tars.items())]
first_live = service.push("acme/live", first)[2]

# --- row 7: names, refs and texts in payloads ---

INJECTIONS = [
    f"$(touch {canary})", f"`touch {canary}`", f"; touch {canary};", f"| touch {canary}", f"x\ntouch {canary}\n",
    f"'; touch {canary}; '", f'"; touch {canary}; "', f"--upload-pack=touch {canary}", f"--output={canary}",
    f"-o{canary}", f"-ccore.sshCommand=touch {canary}", f"ext::sh -c touch% {canary}", f"../../../../../..{canary}",
    canary, "..", ".", "", "-", "--help", "@{-1}", "HEAD", "x\0y", "x" * 300, "\x1b[31mred", "\u202egnihton",
    "\ud800", {"a": 1}, [canary], 42, None, True,
]


def fill(event, path, value):
    payload = copy.deepcopy(GOOD[event])
    at = payload
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return payload


REPOSITORY = {"full_name": "acme/names", "name": "names", "owner": {"login": "acme"}, "default_branch": "main"}
COMMIT = {"id": head, "message": "m", "added": ["a"], "removed": [], "modified": []}
GOOD = {
    "push": {**h.push_payload("acme/names", head, "1" * 40, commits=[COMMIT]), "repository": REPOSITORY},
    "release": {"action": "published", "repository": REPOSITORY, "release": {
        "tag_name": "v1", "target_commitish": "main", "draft": False, "prerelease": False}},
    "workflow_run": {"action": "completed", "repository": REPOSITORY, "workflow_run": {
        "head_branch": "main", "head_sha": head, "name": "ci", "status": "completed", "conclusion": "success",
        "event": "push", "head_repository": {"full_name": "acme/names"}}},
    "deployment": {"action": "created", "repository": REPOSITORY, "deployment": {
        "ref": "main", "sha": head, "environment": "production", "task": "deploy", "payload": {}}},
    "registry_package": {"action": "published", "repository": REPOSITORY, "registry_package": {
        "name": "shop", "package_version": {"version": "1", "container_metadata": {
            "tag": {"name": "v1"}, "labels": {"all_labels": {"org.opencontainers.image.revision": head}}}}}},
}
FIELDS = {
    "push": [["ref"], ["after"], ["before"], ["commits"], ["commits", 0], ["commits", 0, "added"], ["head_commit", "id"],
             ["head_commit", "message"], ["repository"], ["repository", "full_name"], ["deleted"]],
    "release": [["action"], ["release", "tag_name"]],
    "workflow_run": [["workflow_run", key] for key in (
        "head_branch", "head_sha", "name", "conclusion", "event", "head_repository")],
    "deployment": [["deployment", key] for key in ("ref", "sha", "environment", "payload")],
    "registry_package": [["registry_package", *path] for path in (
        ["name"], ["package_version", "container_metadata", "tag", "name"],
        ["package_version", "container_metadata", "labels"])],
}


def payloads(value):
    """Every field that we read, with this in it."""
    for event, paths in FIELDS.items():
        for path in paths:
            yield event, fill(event, path, value)
    if isinstance(value, str):
        for ref in (f"refs/heads/{value}", f"refs/tags/{value}", f"refs/heads/x/{value}"):
            yield "push", fill("push", ["ref"], ref)
        yield "push", fill("push", ["commits", 0, "added"], [value])


posts = [(event, payload) for value in INJECTIONS for event, payload in payloads(value)]
guids, odd = [], []
for event, payload in posts:
    status, text, guid = service.post(event, payload)
    if status not in (200, 202, 400):
        odd.append((status, text, event))
    if status == 202:
        guids.append((event, guid))
h.same(odd, [], f"{ROW7}: {len(posts)} payloads with hostile texts are answered")
settled = {guid: service.delivery(guid, 60) for _, guid in guids}
h.same([(e, g) for e, g in guids if not settled[g]], [], f"{ROW7}: {len(guids)} of them recorded, and all settled")
for branch in BRANCHES:
    commit = {"id": head, "message": f"$(touch {canary})"}
    delivery = service.delivery(service.push("acme/names", head, ref=f"refs/heads/{branch}", commits=[commit])[2])
    h.ok(delivery["state"] in ("deployed", "ignored") and delivery["reason"].startswith(f"pushed to {branch}"),
         f"{ROW7}: a branch that git allows, {branch.replace(base, '')}", delivery)
untouched(f"{ROW7}: none of it ran anything")
h.ok(not re.search("[\0-\x09\x0b-\x1f\x7f]", service.log_text()), f"{ROW7}: nor wrote a control character to the log")

# --- row 9 ---

# Trees that are only files: they get as far as the test of the app, or are refused.
HARMLESS = ["hooks of git", "a filter of git", "a submodule that is a command", "names that a shell would run"]
for name, guid in sent:
    delivery = service.delivery(guid)
    ended = [service.deployment(number) for number in delivery["deployments"]]
    tested = ["/bin/false" in (deployment["error"] or "") for deployment in ended]
    h.ok(all(deployment["state"] == "failed" for deployment in ended)
         and (not any(tested) or name.removeprefix("a git tree with ") in HARMLESS),
         f"{ROW9}: {name}: {'only files' if any(tested) else 'refused'}", delivery, ended)
untouched(f"{ROW9}: nothing outside was written")
h.same([n for n in os.listdir(os.path.join(service.data, "work")) if not n.isdigit()], [],
       f"{ROW8}: work folders are named by our own numbers")

# --- row 7: the script that starts an app ---

delivery = service.delivery(first_live)
got = service.deployment(delivery["deployments"][0]) if delivery["deployments"] else delivery
h.same(got["state"], "succeeded", f"{ROW7}: an app with hostile words in its start and env is live", got)
page = h.fetch(gateway, "shop.localhost")[1]
h.same(json.loads(page), [ARGUMENTS, ARGUMENTS], f"{ROW7}: each reaches it to the byte")
untouched(f"{ROW7}: and none was run")

# --- rows 12, 17 ---

second = live.commit({"more": "x"})
got = service.deploy("acme/live", second, first)
h.same((got["state"], got["commit"]), ("succeeded", second), f"{ROW17}: a second commit is live", got)
HERE = {"full_name": "acme/live"}
RELEASE = {"action": "published", "repository": HERE, "release": {
    "tag_name": "v1", "draft": False, "prerelease": False}}
RUN = {"head_branch": "main", "head_sha": first, "name": "ci", "status": "completed", "conclusion": "success",
       "event": "push", "head_repository": HERE}
for event, payload in (
        ("release", RELEASE), ("workflow_run", {"action": "completed", "repository": HERE, "workflow_run": RUN}),
        ("push", h.push_payload("acme/live", first, "0" * 40, ref="refs/heads/other"))):
    delivery = service.delivery(service.post(event, payload)[2])
    h.ok(delivery["state"] == "ignored" and re.search("newer already|for this commit already", delivery["reason"]),
         f"{ROW17}: a {event} for an ancestor of what is live deploys nothing", delivery)
FORK = {"full_name": "mallory/live", "fork": True}


def pull(repo, **more):
    return {"number": 1, "repository": HERE, "pull_request": {
        "head": {"sha": second, "ref": "main", "repo": repo}, "base": {"ref": "main", "repo": HERE}}, **more}


def a_run(**change):
    return {"action": "completed", "repository": HERE, "workflow_run": {**RUN, "head_sha": "3" * 40, **change}}


for name, reason, event, payload in (
        ("a pull request of a fork", "from a fork never deploys", "pull_request", pull(FORK, action="opened")),
        ("a pull request of a gone fork", "from a fork never deploys", "pull_request", pull(None, action="closed")),
        ("a run for a fork's main", "another repository's code", "workflow_run", a_run(head_repository=FORK)),
        ("a run for a pull request", "not by a push", "workflow_run", a_run(event="pull_request")),
        ("a run by pull_request_target", "not by a push", "workflow_run", a_run(event="pull_request_target")),
        ("a push to a fork", "isn't one of this server's", "push", h.push_payload("mallory/live", second)),
        ("a push elsewhere", "isn't one of this server's", "push", h.push_payload("mallory/acme", second))):
    status, _, guid = service.post(event, payload)
    delivery = service.delivery(guid)
    h.ok(status in (200, 202) and delivery["state"] == "ignored" and reason in delivery["reason"]
         and delivery["deployments"] == [], f"{ROW12}: {name}: {delivery['reason']}", delivery)
h.same(json.loads(h.fetch(gateway, "shop.localhost")[1])[0], ARGUMENTS, f"{ROW12}: the app goes on")
status, order = service.api("POST", "/v1/redeploy?wait=60", {
    "repository": "acme/live", "service": "shop", "environment": "production", "commit": first})
h.ok(status in (200, 202) and service.deployment(order["id"])["state"] == "succeeded",
     f"{ROW17}: but a person may go back", order)

untouched("and at the end, still nothing outside was written")
api.shutdown()
h.done()
