#!/usr/bin/env python3
"""A push becomes a live app with GitHub's API as the source: an App's login, contents, tarball, compare.

GitHub is a stand-in on loopback. It answers as the API does: a redirect to another host for the tarball,
tokens of 520 characters, a 502 now and then, and 404 to whoever has no token.
"""

import base64
import http.server
import io
import re
import tarfile
import threading

from harness import *

TOKEN = "ghs_12345_" + "eyJhbGciOi.JSUzI1NiJ9-" * 23 + "abcd"
commits = {}  # id: {name: text}
order = []
seen = []  # (method, path, Authorization)
trouble = {"/repos/acme/shop/contents/slipway.yml": 502}  # once each


def tarball(commit):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in commits[commit].items():
            info = tarfile.TarInfo(f"acme-shop-{commit[:7]}/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Codeload(http.server.BaseHTTPRequestHandler):
    """Another host: nothing of the login may come here."""

    def do_GET(self):
        seen.append(("codeload", self.path, self.headers["Authorization"]))
        commit = re.match(r"/acme/shop/(\w+)\?token=once$", self.path)
        body = tarball(commit.group(1)) if commit else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Api(http.server.BaseHTTPRequestHandler):
    def answer(self, status, value, **headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def login(self):
        """App calls carry a JWT; POST gives a token."""
        if not re.match(r"Bearer [\w-]+\.[\w-]+\.[\w-]+$", self.headers["Authorization"] or ""):
            return self.answer(401, {"message": "A JSON web token could not be decoded"})
        if self.command == "GET":
            return self.answer(200, {"id": 77})
        size = int(self.headers["Content-Length"])
        seen.append(("asked", self.rfile.read(size).decode(), None))
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return self.answer(201, {"token": TOKEN, "expires_at": expires})

    def do_POST(self):
        seen.append(("POST", self.path, self.headers["Authorization"]))
        self.login()

    def do_GET(self):
        seen.append(("GET", self.path, self.headers["Authorization"]))
        path, _, query = self.path.partition("?")
        if path == "/repos/acme/shop/installation":
            return self.login()
        if self.headers["Authorization"] != "Bearer " + TOKEN:
            return self.answer(404, {"message": "Not Found"})
        if path in trouble:
            return self.answer(trouble.pop(path), b"<html>unicorn</html>")
        what, _, rest = path.removeprefix("/repos/acme/shop/").partition("/")
        if what == "contents":
            text = commits.get(query.removeprefix("ref="), {}).get(rest)
            if text is None:
                return self.answer(404, {"message": "Not Found"})
            content = base64.encodebytes(text.encode()).decode()
            return self.answer(200, {"type": "file", "encoding": "base64", "content": content})
        if what == "tarball":
            return self.answer(302, b"", Location=f"http://localhost:{codeload.server_port}/acme/shop/{rest}?token=once")
        if what == "compare":
            base, head = rest.split("...")
            if base not in commits or head not in commits:
                return self.answer(404, {"message": "Not Found"})
            status = "ahead" if order.index(head) > order.index(base) else "behind"
            names = [{"filename": name} for name in commits[head] if commits[head][name] != commits[base].get(name)]
            return self.answer(200, {"status": status, "files": names})
        if what == "commits":
            if self.headers["Accept"] == "application/vnd.github.sha":
                return self.answer(200, order[-1].encode()) if rest in ("heads/main", "tags/v1") else self.answer(422, {})
            return self.answer(200, {"files": [{"filename": "app.py"}]})
        return self.answer(404, {"message": "Not Found"})

    def log_message(self, *args):
        pass


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def commit(files):
    number = hashlib.sha1(json.dumps([files, len(order)]).encode()).hexdigest()
    commits[number] = files
    order.append(number)
    return number


codeload = serve(Codeload)
api = serve(Api)
base = folder()
gateway = free_port()
url = f"http://shop.localhost:{gateway}"
subprocess.run(["openssl", "genrsa", "-traditional", "-out", os.path.join(base, "app.pem"), "2048"],
               check=True, stderr=subprocess.DEVNULL)
os.chmod(os.path.join(base, "app.pem"), 0o600)
rules = [
    {"on": "push", "branches": ["main"], "environment": "production"},
    {"on": "release", "environment": "production"},
]
service = Service(
    {"acme/shop": {"source": "github", "deploy": rules}},
    more=f"github: {{api: 'http://127.0.0.1:{api.server_port}', app: {{id: Iv1.slipway, key: {{file: app.pem}}}}, report: none, deliveries: none}}\n",
    base=base,
).start()

one = commit(app("one", url))
deployed = service.deploy("acme/shop", one)
same(deployed.get("state"), "succeeded", "the first push is live", deployed, service.log_text()[-3000:])
same(fetch(gateway, "shop.localhost")[1], "one", "and serves what was pushed")
ok(not trouble, "after a 502 of the API")
same([a for kind, _, a in seen if kind == "codeload"], [None], "the tarball's host gets no Authorization")
same({b for kind, b, _ in seen if kind == "asked"}, {'{"repositories":["shop"]}'}, "the token is asked for this repository alone")
router = [path for kind, path, _ in seen if kind == "POST"]
ok(len(router) <= 2, "one login per role", router)

two = commit(app("two", url))
deployed = service.deploy("acme/shop", two, one)
same(deployed.get("state"), "succeeded", "the second push is live", deployed)
same(fetch(gateway, "shop.localhost")[1], "two", "and serves what was pushed")
ok(any("/compare/" in path for _, path, _ in seen), "what changed was asked of the compare API")

_, _, guid = service.push("acme/shop", one, "1" * 40)
delivery = service.delivery(guid)
same(delivery["state"], "ignored", "an older commit is not deployed", delivery)

_, _, guid = service.push("acme/shop", commit({"README": "no project"}), two)
has(service.delivery(guid)["reason"], "there is no slipway.yml", "a commit without slipway.yml: why nothing deploys")

three = commit(app("three", url))
release = {"action": "published", "release": {"tag_name": "v1", "draft": False, "prerelease": False},
           "repository": {"full_name": "acme/shop"}}
_, _, guid = service.post("release", release)
delivery = service.delivery(guid)
same(delivery["state"], "deployed", "a release deploys its tag's commit", delivery)
number = delivery["deployments"][0]
deployed = service.deployment(number["id"] if isinstance(number, dict) else number)
same((deployed["state"], deployed["commit"]), ("succeeded", three), "and is live", deployed)
same(fetch(gateway, "shop.localhost")[1], "three", "and serves what the tag names")

release["release"]["tag_name"] = "v2"
_, _, guid = service.post("release", release)
has(service.delivery(guid)["reason"], "refs/tags/v2 isn't there now", "a release whose tag is gone: why nothing deploys")

text = service.log_text()
ok(TOKEN not in text and "BEGIN RSA" not in text, "no credential in the log")
found = subprocess.run(["grep", "-rlF", TOKEN, service.data], stdout=subprocess.PIPE, check=False).stdout
same(found, b"", "nor anywhere in the data folder")
same(service.stop(), 0, "slipwayd ends in order")
done()
