#!/usr/bin/env python3
"""docs/security.md, the rows about names, paths and archives that came from outside: 7, 8, 9, 10, 12, 17, 19."""
import base64
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
ROW10 = "security 10: requests where they don't belong"
ROW12 = "security 12: code of forks"
ROW17 = "security 17: replays"

base = h.folder()
target = os.path.join(base, "target")  # where an attack would leave something
os.mkdir(target)
h.write(os.path.join(target, "authorized_keys"), "mine\n")
canary = os.path.join(target, "canary")


def untouched(name, *details):
    with open(os.path.join(target, "authorized_keys"), encoding="utf-8") as f:
        text = f.read()
    h.ok(sorted(os.listdir(target)) == ["authorized_keys"] and text == "mine\n", name, os.listdir(target), text, *details)


PROJECT = {"version": 1, "services": {"shop": {
    "test": {"run": ["/bin/false"]}, "start": ["/bin/true"], "health": {"path": "/"},
    "environments": {"production": {"target": "server", "url": "http://shop.localhost:8080"}}}}}
RULES = [{"on": event, "environment": "production"} for event in ("push", "release", "workflow_run", "registry_package")]
RULES.append({"on": "deployment"})

# --- repositories ---

names = h.Repo(os.path.join(base, "names"))
head = names.commit({"slipway.yml": json.dumps(PROJECT)}, f"$(touch {canary}) `touch {canary}`\n\n; touch {canary}")
BRANCHES = [f"$(touch${{IFS}}{canary})", f"`touch${{IFS}}{canary}`", f"a;touch${{IFS}}{canary}", f"a|touch${{IFS}}{canary}",
            f"a&&touch${{IFS}}{canary}", f"'touch${{IFS}}{canary}'", "a--upload-pack=touch", "%s%n%x", "a\u202eb"]
for branch in BRANCHES:
    names.git("update-ref", f"refs/heads/{branch}", head)


def tree(repo, entries):
    """A tree object as git would not make one: (mode, name, id) as they are; its id."""
    raw = b"".join(f"{mode} ".encode() + name + b"\0" + bytes.fromhex(number) for mode, name, number in entries)
    return pipe(repo, raw, "hash-object", "-t", "tree", "-w", "--literally", "--stdin")


def pipe(repo, data, *words):
    return subprocess.run(["git", "-C", repo.path, *words], input=data, stdout=subprocess.PIPE, check=True).stdout.decode().strip()


trees = {}


def hostile_tree(name, *entries):
    """A repository whose main has slipway.yml and these entries; {name: (repository, commit)}."""
    repo = h.Repo(os.path.join(base, f"tree-{len(trees)}"))
    yml = pipe(repo, json.dumps(PROJECT).encode(), "hash-object", "-w", "--stdin")
    made = [e(repo) if callable(e) else e for e in entries]
    commit = repo.git("-c", "user.name=t", "commit-tree", "-m", "hostile", tree(repo, [
        *made, *([] if any(n == b"slipway.yml" for _, n, _ in made) else [("100644", b"slipway.yml", yml)])]))
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
hostile_tree("a link that climbs, then a file", link("../" * 12 + target[1:])(b"out"), below(b"out", [pwned(b"canary")]))
hostile_tree("a link out of the checkout", link(target)(b"out"))
hostile_tree("a link to /", link("/")(b"root"))
hostile_tree("a folder named ..", below(b"..", [below(b"..", [pwned(b"canary")])]))
hostile_tree("a slash in a name", pwned(b"../../canary"))
hostile_tree("an absolute name", pwned(canary.encode()))
hostile_tree("slipway.yml as a link", link("/etc/passwd")(b"slipway.yml"))
hostile_tree("slipway.yml as a folder", below(b"slipway.yml", [pwned(b"x")]))
hostile_tree("hooks of git", below(b".git", [below(b"hooks", [blob(f"#!/bin/sh\ntouch {canary}\n", "100755")(b"post-checkout")])]))
hostile_tree("a filter of git", blob(f"* filter=x\n")(b".gitattributes"),
             blob(f"[filter \"x\"]\n\tsmudge = touch {canary}\n")(b".gitconfig"))
hostile_tree("a submodule that is a command", blob(
    f"[submodule \"x\"]\n\tpath = x\n\turl = ext::touch {canary}\n\tupdate = !touch {canary}\n")(b".gitmodules"),
    lambda repo: ("160000", b"x", head))
hostile_tree("names that a shell would run", pwned(f"; touch {canary.replace('/', ':')}".encode()), pwned(b"-rf"), pwned(b"a\nb"),
             pwned(b"$(touch canary)"))

# --- GitHub, with tarballs ---

tars = {}


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
            info.type = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE, "device": tarfile.CHRTYPE,
                         "setuid": tarfile.REGTYPE}[kind]
            info.linkname = value if kind in ("link", "hard") else ""
            info.mode = 0o4755 if kind == "setuid" else 0o644
            tar.addfile(info)
    tars[name] = (commit, out.getvalue())


hostile_tar("a link, then a file through it (Dokku's)", ("top/out", "link", target), ("top/out/authorized_keys", "file", "pwned\n"))
hostile_tar("a link that climbs, then a file", ("top/out", "link", "../../../../../../../.." + target), ("top/out/canary", "file", "x"))
hostile_tar("two links, then a file", ("top/a", "link", "."), ("top/a/b", "link", ".."), ("top/b/canary", "file", "x"))
hostile_tar("a hard link, then a file", ("top/out", "hard", f"{target}/authorized_keys"), ("top/out", "file", "pwned\n"))
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
                body = tar if "/tarball/" in self.path else json.dumps({
                    "type": "file", "encoding": "base64", "content": base64.b64encode(json.dumps(PROJECT).encode()).decode(),
                    "status": "diverged", "files": [{"filename": "slipway.yml"}]}).encode()
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

ARGUMENTS = [f"$(touch {canary})", f"`touch {canary}`", f"; touch {canary}", f"'; touch {canary}; '", f'"; touch {canary}; "',
             f"\ntouch {canary}\n", "-c", "--", "\\", "a\\'b", "*", "~", "$HOME", "", "é 🚀", "#"]
ECHO = '''
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps([sys.argv[1:], [os.environ[f"A{i}"] for i in range(len(sys.argv) - 1)]]).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
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

repositories = {"acme/names": {"source": {"git": names.path}, "deploy": RULES}, "acme/live": {"source": {"git": live.path}, "deploy": RULES}}
for number, (repo, _) in enumerate(trees.values()):
    repositories[f"trees/t{number}"] = {"source": {"git": repo.path}, "deploy": RULES}
for number in range(len(tars)):
    repositories[f"tars/t{number}"] = {"source": "github", "deploy": RULES}
service = h.Service(repositories, workers=3, more=f"github: {{api: 'http://127.0.0.1:{api.server_port}'}}\n").start()

# All of them first, so that workers are busy with them while the rest is tried.
sent = [(ROW9, f"a git tree with {name}", service.push(f"trees/t{i}", commit)[2])
        for i, (name, (_, commit)) in enumerate(trees.items())]
sent += [(ROW9, f"a tarball with {name}", service.push(f"tars/t{i}", commit)[2]) for i, (name, (commit, _)) in enumerate(tars.items())]
first_live = service.push("acme/live", first)[2]

# --- row 7: names, refs and texts in payloads ---

INJECTIONS = [
    f"$(touch {canary})", f"`touch {canary}`", f"; touch {canary};", f"| touch {canary}", f"x\ntouch {canary}\n", f"'; touch {canary}; '",
    f'"; touch {canary}; "', f"--upload-pack=touch {canary}", f"--output={canary}", f"-o{canary}", f"-ccore.sshCommand=touch {canary}",
    f"ext::sh -c touch% {canary}", f"../../../../../..{canary}", canary, "..", ".", "", "-", "--help", "@{-1}", "HEAD", "x\0y", "%00", "x" * 300,
    "x" * 100000, "\x1b[31mred", "\u202egnihton", "\ud800", {"a": 1}, [canary], 42, None, True, -1, 1e308,
]


def fill(payload, path, value):
    at = payload
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return payload


def payloads(value):
    """Every field that we read, with this in it."""
    repository = {"full_name": "acme/names", "name": "names", "owner": {"login": "acme"}, "default_branch": "main", "clone_url": value}
    commit = {"id": head, "message": "m", "added": ["a"], "removed": [], "modified": []}
    push = lambda: {**h.push_payload("acme/names", head, "1" * 40, commits=[dict(commit)]), "repository": dict(repository)}
    yield from (("push", fill(push(), path, value)) for path in (
        ["ref"], ["after"], ["before"], ["base_ref"], ["compare"], ["commits"], ["commits", 0], ["commits", 0, "id"],
        ["commits", 0, "message"], ["commits", 0, "added"], ["head_commit"], ["head_commit", "message"], ["repository"],
        ["repository", "full_name"], ["repository", "owner"], ["pusher", "name"], ["deleted"], ["forced"], ["created"]))
    if isinstance(value, str):
        for ref in (f"refs/heads/{value}", f"refs/tags/{value}", f"refs/heads/x/{value}"):
            yield "push", fill(push(), ["ref"], ref)
        yield "push", fill(push(), ["commits", 0, "added"], [value])
    for path in (["release", "tag_name"], ["release", "target_commitish"], ["release", "name"], ["action"]):
        yield "release", fill({"action": "published", "repository": repository, "release": {
            "tag_name": "v1", "target_commitish": "main", "draft": False, "prerelease": False}}, path, value)
    for key in ("head_branch", "head_sha", "name", "conclusion", "event", "head_repository"):
        yield "workflow_run", fill({"action": "completed", "repository": repository, "workflow_run": {
            "head_branch": "main", "head_sha": head, "name": "ci", "status": "completed", "conclusion": "success", "event": "push",
            "head_repository": {"full_name": "acme/names"}}}, ["workflow_run", key], value)
    for key in ("ref", "sha", "environment", "task", "payload"):
        yield "deployment", fill({"action": "created", "repository": repository, "deployment": {
            "ref": "main", "sha": head, "environment": "production", "task": "deploy", "payload": {}}}, ["deployment", key], value)
    for path in (["name"], ["package_version", "version"], ["package_version", "container_metadata", "tag", "name"],
                 ["package_version", "container_metadata", "labels"]):
        yield "registry_package", fill({"action": "published", "repository": repository, "registry_package": {
            "name": "shop", "package_version": {"version": "1", "container_metadata": {
                "tag": {"name": "v1"}, "labels": {"all_labels": {"org.opencontainers.image.revision": head}}}}}},
            ["registry_package", *path], value)


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
    guid = service.push("acme/names", head, ref=f"refs/heads/{branch}", commits=[{"id": head, "message": f"$(touch {canary})"}])[2]
    delivery = service.delivery(guid)
    h.ok(delivery["state"] in ("deployed", "ignored") and delivery["reason"].startswith(f"pushed to {branch}"),
         f"{ROW7}: a branch that git allows, {branch.replace(base, '')}", delivery)
untouched(f"{ROW7}: none of it ran anything")
h.ok(not re.search("[\0-\x09\x0b-\x1f\x7f]", service.log_text()), f"{ROW7}: nor wrote a control character to the log")

# --- rows 7 and 8: the project file ---


def check(change, name):
    """slipway check refuses it, and says where."""
    project = json.loads(json.dumps(PROJECT))
    change(project["services"]["shop"], project)
    path = os.path.join(base, "check", "slipway.yml")
    h.write(path, json.dumps(project))
    done = subprocess.run([os.path.join(h.BUILD, "slipway"), "check", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    h.ok(done.returncode == 2 and path in done.stdout, name, done.returncode, done.stdout)


for url in ("http://shop.localhost:8080; include /etc/passwd;", "http://shop.localhost:8080/};", "http://a\nb.localhost:8080",
            "http://$(touch x).localhost", "http://*.localhost:80", "http://~^.*$", "http://a b", "ftp://shop",
            "http://shop.localhost:99999", "http://u:p@shop.localhost", "http://shop.localhost/?x;", "http://\"x\".localhost", "//x"):
    check(lambda s, p: s["environments"]["production"].update(url=url), f"{ROW7}: no url for a gateway: {url!r}")
for listen in ("127.0.0.1:80; x", "unix:/tmp/x", "127.0.0.1:0x50", "127.0.0.1"):
    check(lambda s, p: s["environments"]["production"].update(listen=[listen]), f"{ROW7}: no listen for a gateway: {listen!r}")
check(lambda s, p: s["environments"]["production"].update({"max-body": "1m; x"}), f"{ROW7}: no size for a gateway: '1m; x'")
for name in ("$(touch x)", "a b", "../x", "-x", "a/b", "", "x" * 64, "a;b", ".."):
    check(lambda s, p: p.update(services={name: s}), f"{ROW7}: no name of a service: {name[:20]!r}")
    check(lambda s, p: s.update(environments={name: s["environments"]["production"]}), f"{ROW7}: nor of an environment")
for name in ("A=B", "A B", "1A", "", "A;B", "PORT", "SLIPWAY_SLOT", "A\nB", "A\n"):
    check(lambda s, p: s.update(env={name: "x"}), f"{ROW7}: no variable of an app: {name!r}")
check(lambda s, p: s.update(env={"A": "x\0y"}), f"{ROW7}: no value with a NUL")
for path in ("/etc", "../x", "x/../../y", "..", "a\nb"):
    check(lambda s, p: s.update(path=path), f"{ROW8}: no path of a service: {path!r}")
for path in ("../../etc/passwd", "/etc/passwd"):
    check(lambda s, p: s.update(build={"dockerfile": path}), f"{ROW8}: no Dockerfile: {path!r}")
for path in ("x", "/a b", "/a\nb", "http://x/", "/a#b"):
    check(lambda s, p: s.update(health={"path": path}), f"{ROW7}: no path of a health check: {path!r}")
untouched(f"{ROW7}: checking ran nothing")

# --- row 9 ---

unpacked = {"a git tree with hooks of git", "a git tree with a filter of git", "a git tree with a submodule that is a command",
            "a git tree with names that a shell would run"}
for row, name, guid in sent:
    delivery = service.delivery(guid)
    ended = [service.deployment(n) for n in delivery["deployments"]]
    errors = [d["error"] or "" for d in ended]
    if name in unpacked:
        h.ok([d["state"] for d in ended] in ([], ["failed"]) and (not errors or "/bin/false" in errors[0] or "check out" in errors[0]),
             f"{row}: {name}: only files, or refused", delivery, errors)
    else:
        h.ok([d["state"] for d in ended] in ([], ["failed"]) and not any("/bin/false" in e for e in errors), f"{row}: {name}: refused",
             delivery, errors)
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
RELEASE = {"action": "published", "release": {"tag_name": "v1", "draft": False, "prerelease": False}, "repository": {"full_name": "acme/live"}}
RUN = {"head_branch": "main", "head_sha": first, "name": "ci", "status": "completed", "conclusion": "success",
       "event": "push", "head_repository": {"full_name": "acme/live"}}
for event, payload in (
        ("release", RELEASE), ("workflow_run", {"action": "completed", "repository": {"full_name": "acme/live"}, "workflow_run": RUN}),
        ("push", h.push_payload("acme/live", first, "0" * 40, ref="refs/heads/other"))):
    delivery = service.delivery(service.post(event, payload)[2])
    h.ok(delivery["state"] == "ignored" and ("newer already" in delivery["reason"] or "for this commit already" in delivery["reason"]),
         f"{ROW17}: a {event} for an ancestor of what is live deploys nothing", delivery)
FORK = {"full_name": "mallory/live", "fork": True}
HERE = {"full_name": "acme/live"}


def pull(repo, **more):
    return {"number": 1, "repository": HERE, "pull_request": {
        "head": {"sha": second, "ref": "main", "repo": repo}, "base": {"ref": "main", "repo": HERE}}, **more}


def a_run(**change):
    return {"action": "completed", "repository": HERE, "workflow_run": {**RUN, "head_sha": "3" * 40, **change}}


for name, reason, event, payload in (
        ("a pull request of a fork", "from a fork never deploys", "pull_request", pull(FORK, action="opened")),
        ("a pull request of a fork that is gone", "from a fork never deploys", "pull_request", pull(None, action="closed")),
        ("a run for a fork's main", "another repository's code", "workflow_run", a_run(head_repository=FORK)),
        ("a run for a pull request", "not by a push", "workflow_run", a_run(event="pull_request")),
        ("a run by pull_request_target", "not by a push", "workflow_run", a_run(event="pull_request_target")),
        ("a push to a fork", "isn't one of this server's", "push", h.push_payload("mallory/live", second)),
        ("a push to another's repository", "isn't one of this server's", "push", h.push_payload("mallory/acme", second))):
    status, _, guid = service.post(event, payload)
    delivery = service.delivery(guid)
    h.ok(status in (200, 202) and delivery["state"] == "ignored" and reason in delivery["reason"] and delivery["deployments"] == [],
         f"{ROW12}: {name}: {delivery['reason']}", delivery)
h.same(json.loads(h.fetch(gateway, "shop.localhost")[1])[0], ARGUMENTS, f"{ROW12}: the app goes on")
status, order = service.api("POST", "/v1/redeploy?wait=60", {
    "repository": "acme/live", "service": "shop", "environment": "production", "commit": first})
h.ok(status in (200, 202) and service.deployment(order["id"])["state"] == "succeeded", f"{ROW17}: but a person may go back", order)

# --- row 10: where we connect to ---

for what, good in (("source: {git: 'ext::sh -c id'}", False), ("source: {git: '--upload-pack=x'}", False), ("source: {git: 'http://u:p@h/x'}", False),
                   ("source: {git: 'file://host/x'}", False), (f"source: {{git: '{live.path}'}}", True)):
    text = re.sub(r"repositories: .*\n", f"repositories: {{'acme/x': {{{what}, deploy: [{{on: push, environment: production}}]}}}}\n", service.settings)
    path = os.path.join(service.base, "try.yml")
    h.write(path, text, 0o600)
    done = subprocess.run([os.path.join(h.BUILD, "slipwayd"), "check", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    h.same(done.returncode, 0 if good else 2, f"{ROW10}: {what.replace(base, '')}: {'taken' if good else 'refused'}", done.stdout)
for url, good in (("http://169.254.169.254/latest", False), ("http://api.example.com", False), ("file:///etc/passwd", False),
                  ("https://u:p@api.example.com", False), ("https://github.example.com/api/v3", True)):
    h.write(path, service.settings.replace(f"http://127.0.0.1:{api.server_port}", url), 0o600)
    done = subprocess.run([os.path.join(h.BUILD, "slipwayd"), "check", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    h.same(done.returncode, 0 if good else 2, f"{ROW10}: GitHub's API at {url}: {'taken' if good else 'refused'}", done.stdout)
untouched("and at the end, still nothing outside was written")
api.shutdown()
h.done()
