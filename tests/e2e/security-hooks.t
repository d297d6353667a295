#!/usr/bin/env python3
"""docs/security.md, the rows about what faces the internet: 1, 2, 4, 5, 11, 14, 15, 16, 17."""
import base64
import hashlib
import hmac
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.dirname(__file__))
import harness as h

REPOSITORY = "acme/shop"
repo = h.Repo(os.path.join(h.folder(), "repo"))
head = repo.commit({
    "slipway.yml": "version: 1\nservices:\n  shop:\n    test: {run: [/bin/false]}\n    start: [/bin/true]\n"
    "    health: {path: /}\n    environments:\n      production: {target: server, url: http://shop.localhost:8080}\n"})

service = h.Service({REPOSITORY: repo})
OLD, OTHER, READER = "the hook's secret of before", "another hook's secret", "a token that may only read"
for name, text in (("hook-secret.old", OLD), ("other-secret", OTHER), ("read-token", READER)):
    h.write(os.path.join(service.base, name), text, 0o600)
service.settings = service.settings.replace(
    "[{file: hook-secret}]", "[{file: hook-secret}, {file: hook-secret.old}]\n"
    "  - path: /hooks/other\n    secrets: [{file: other-secret}]").replace(
    "tokens:\n", "tokens:\n  - {name: reader, secret: {file: read-token}, may: [read]}\n")
h.write(service.config, service.settings, 0o600)
service.start()
listener = service.roles()["listener"]


def dump():
    """Everything in the database, as text."""
    with sqlite3.connect(f"file:{service.data}/store/slipway.db?mode=ro", uri=True) as db:
        return "\n".join(db.iterdump())


def state():
    """All that a delivery could change; not meta, where /readyz leaves its mark."""
    return re.sub(r"INSERT INTO \"?meta\"? .*", "", dump())


def raw(data, pause=0.0, seconds=20, port=None):
    """Send the pieces as they are; what was answered, b"" when cut."""
    with socket.create_connection(("127.0.0.1", port or service.port), timeout=seconds) as s:
        try:
            for piece in [data] if isinstance(data, bytes) else data:
                s.sendall(piece)
                time.sleep(pause)
        except OSError:
            pass
        answer = b""
        try:
            while piece := s.recv(65536):
                answer += piece
        except OSError:
            pass
        return answer


def status_of(answer):
    found = re.match(rb"HTTP/1\.[01] (\d+) ", answer)
    return int(found[1]) if found else None


def signed(body, secret=None):
    return "sha256=" + hmac.new((secret or service.secret).encode(), body, hashlib.sha256).hexdigest()


def alive(name):
    h.ok(service.request("GET", "/healthz")[0] == 200 and service.roles().get("listener") == listener, name,
         service.log_text()[-2000:])


def start_with(hooks, name, secret=None):
    """Does it refuse to start, with this below `hooks:`?"""
    other = h.Service({REPOSITORY: repo})
    text = re.sub(r"hooks:\n(  .*\n)+", hooks, other.settings)
    h.write(other.config, text, 0o600)
    if secret is not None:
        h.write(os.path.join(other.base, "hook-secret"), secret, 0o600)
    done = subprocess.run([os.path.join(h.BUILD, "slipwayd"), "--config", other.config], timeout=20,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    h.ok(done.returncode == 2 and "secret" in done.stdout and not os.path.exists(other.data),
         f"{name}: {done.stdout.strip().replace(other.base, '')[:150]}", done.returncode, done.stdout)


ROW1 = "security 1: unsigned accepted when no secret or no header"
FILE = "hooks:\n  - path: /hooks/github\n    secrets: [{file: hook-secret}]\n"
start_with("hooks:\n  - path: /hooks/github\n", f"{ROW1}: no secrets, no start")
start_with("hooks:\n  - path: /hooks/github\n    secrets: []\n", f"{ROW1}: an empty list, no start")
start_with("hooks:\n  - path: /hooks/github\n    secrets: ['']\n", f"{ROW1}: an empty secret, no start")
start_with(FILE, f"{ROW1}: an empty file, no start", "")
start_with(FILE, f"{ROW1}: a file with a line end only, no start", "\n")
start_with(FILE, f"{ROW1}: a short secret, no start", "secret")
start_with(FILE.replace("hook-secret", "absent"), f"{ROW1}: a missing file, no start")
start_with(FILE + "  - path: /hooks/more\n", f"{ROW1}: one of two hooks without a secret, no start")

before = state()
body = json.dumps(h.push_payload(REPOSITORY, head)).encode()
good = signed(body)
sha1 = "sha1=" + hmac.new(service.secret.encode(), body, hashlib.sha1).hexdigest()
FORGED = {
    "no header": None, "an empty one": "", "the prefix alone": "sha256=", "no prefix": good[7:], "sha1 in it": sha1,
    "another prefix": "sha512=" + good[7:], "a prefix in upper case": "SHA256=" + good[7:],
    "digits in upper case": "sha256=" + good[7:].upper(), "a digit less": good[:-1], "a digit more": good + "a",
    "a blank in it": good[:7] + " " + good[8:], "two in one": good + "," + good, "all zero": "sha256=" + "0" * 64,
    "signed with nothing": "sha256=" + hmac.new(b"", body, hashlib.sha256).hexdigest(),
    "signed with 'null'": signed(body, "null"), "the last digit wrong": good[:-1] + ("0" if good[-1] != "0" else "1"),
    "of another hook's secret": signed(body, OTHER), "of the body with a blank": signed(body + b" "),
    "a hash without a key": "sha256=" + hashlib.sha256(body).hexdigest(),
}
bodies = set()
for name, value in FORGED.items():
    status, text, _ = service.post("push", body, headers={"X-Hub-Signature-256": value})
    bodies.add(text)
    h.same(status, 401, f"{ROW1}: {name}")
status, text, _ = service.post("push", body, headers={"X-Hub-Signature-256": None, "X-Hub-Signature": sha1})
bodies.add(text)
h.same(status, 401, f"{ROW1}: only a sha1 signature, which is right")
lines = (f"POST /hooks/github HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
         f"Content-Length: {len(body)}\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: {uuid.uuid4()}\r\n")
for name, values in (("right and right", (good, good)), ("wrong and right", ("sha256=" + "0" * 64, good)),
                     ("right and wrong", (good, "sha256=" + "0" * 64))):
    two = "".join(f"X-Hub-Signature-256: {value}\r\n" for value in values)
    answer = raw(f"{lines}{two}\r\n".encode() + body)
    bodies.add(answer.split(b"\r\n\r\n", 1)[1].decode())
    h.same(status_of(answer), 401, f"{ROW1}: two headers, {name}", answer)

ROW2 = "security 2: state changed before verification"
h.same(state(), before, f"{ROW2}: all of those left the database as it was")
h.same([f for f in os.listdir(service.data) if f.startswith("spool")], [], f"{ROW2}: and no file")
h.same(service.post("push", b"{", secret="wrong but long")[0], 401, f"{ROW2}: no JSON, and forged: 401, not 400")
h.same(service.post("push", b"[" * 10000, secret="wrong but long")[0], 401, f"{ROW2}: deep JSON, and forged: 401")
h.same(service.post("push", body, guid="a b", secret="wrong but long")[0], 401, f"{ROW2}: no delivery id, and forged: 401")
h.same(service.post("push", body, hook="/hooks/other")[0], 401,
       f"{ROW2}: the path chooses the secret, not the repository in the body")
h.same(service.post("push", body, secret=OTHER)[0], 401, f"{ROW2}: nor does another hook's secret open this one")
h.same(state(), before, f"{ROW2}: the database is as it was")

ROW4 = "security 4: the expected MAC disclosed"
h.same(len(bodies), 1, f"{ROW4}: one answer for whatever was wrong with the signature", *bodies)
h.ok(not re.search("[0-9a-f]{32}", "".join(bodies)), f"{ROW4}: which holds no digest", *bodies)
log = service.log_text()
h.ok("signature is missing or wrong" in log, f"{ROW4}: the log tells of it")
h.ok(not any(digest in log for digest in (good[7:], good[7:].upper(), signed(body, OTHER)[7:], sha1[5:])),
     f"{ROW4}: but holds neither the right nor a received digest")

ROW5 = "security 5: secrets leak through GitHub itself"
LEAK = {"X-GitHub-Encoded-Secret": base64.b64encode(service.secret.encode()).decode(),
        "X-GitHub-Hook-ID": "hook-id-canary", "X-Custom": "custom-header-canary",
        "Authorization": "Bearer canary-token"}
status, _, guid = service.post("ping", {"zen": "x"}, headers=LEAK)
h.same(status, 200, f"{ROW5}: a delivery with X-GitHub-Encoded-Secret is taken")
h.has(service.log_text(), "rotate the secret now", f"{ROW5}: the log says to rotate")
everything = dump() + service.log_text() + json.dumps(service.delivery(guid))
h.ok(not any(value in everything for value in (*LEAK.values(), service.secret)),
     f"{ROW5}: neither its value nor any other header is kept or logged")
h.same(service.post("ping", {"zen": "y"}, secret=OLD)[0], 200, f"{ROW5}: while rotating, the old secret works too")
metrics = service.api("GET", "/metrics")[1]
used = dict(re.findall(r'^slipway\w*secret\w*\{hook="(/hooks/\w+",secret="\d)"\} (\S+)', metrics, re.M))
h.ok(float(used.get('/hooks/github",secret="1', 0)) > time.time() - 60
     and float(used.get('/hooks/other",secret="0', 0)) == -1, f"{ROW5}: /metrics says when each was used last", metrics)

ROW11 = "security 11: Host header and proxy trust"
FORWARDED = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-For": "203.0.113.7",
             "Forwarded": "for=203.0.113.7;host=evil.example", "X-Forwarded-Proto": "https", "X-Real-IP": "203.0.113.7"}
service.post("push", body)
status, headers, text = service.request("GET", "/v1/deployments", headers={
    "Authorization": f"Bearer {service.token}", **FORWARDED})
h.ok(status == 200 and "evil" not in text + str(headers), f"{ROW11}: links don't depend on the Host header", text)
time.sleep(1.1)  # the log tells of one forged delivery a second
service.post("push", body, headers={**FORWARDED, "X-Hub-Signature-256": None})
h.ok("203.0.113.7" not in service.log_text() and "peer=127.0.0.1" in service.log_text(),
     f"{ROW11}: the peer is who connected, not who a header names")

ROW14 = "security 14: XSS through commit messages"
_, headers, _ = service.request("GET", "/v1/deliveries", headers={"Authorization": f"Bearer {service.token}"})
h.same((headers["Content-Type"].split(";")[0], headers["X-Content-Type-Options"]), ("application/json", "nosniff"),
       f"{ROW14}: lists are JSON, and not to be sniffed")
_, headers, _ = service.request("GET", "/v1/deployments/1/log", headers={"Authorization": f"Bearer {service.token}"})
h.same((headers["Content-Type"].split(";")[0], headers["X-Content-Type-Options"]), ("text/plain", "nosniff"),
       f"{ROW14}: logs are plain text, and not to be sniffed")
_, headers, text = service.request("GET", "/v1/%3Cscript%3E", headers={"Authorization": f"Bearer {service.token}"})
h.ok("script" not in text and "html" not in headers["Content-Type"],
     f"{ROW14}: an error shows nothing of the path", text)

ROW15 = "security 15: broken access control"
ROUTES = [("GET", "/v1/deployments"), ("GET", "/v1/deployments/1"), ("GET", "/v1/deployments/1/log"),
          ("GET", "/v1/deliveries"), ("GET", f"/v1/deliveries/{guid}"), ("POST", "/v1/redeploy"),
          ("POST", "/v1/rollback"), ("GET", "/metrics"), ("HEAD", "/v1/deployments"), ("HEAD", "/metrics")]
ORDER = json.dumps({"repository": REPOSITORY, "service": "shop", "environment": "production"})
BAD = {
    "no token": None, "an empty one": "", "Bearer alone": "Bearer", "Bearer and a blank": "Bearer ",
    "an unknown one": "Bearer " + "x" * 32, "the right one as Basic": f"Basic {service.token}",
    "the right one without Bearer": service.token, "one byte less": f"Bearer {service.token[:-1]}",
    "one byte more": f"Bearer {service.token}x", "the hook's secret": f"Bearer {service.secret}",
    "in upper case": f"Bearer {service.token.upper()}", "2,000 bytes": "Bearer " + service.token * 63,
    "two tokens": f"Bearer {READER}, Bearer {service.token}",
}
before = state()
for name, value in BAD.items():
    sent = {} if value is None else {"Authorization": value}
    got = {service.request(m, p, ORDER if m == "POST" else None, {**sent, "Content-Type": "application/json"})[0]
           for m, p in ROUTES}
    h.same(got, {401}, f"{ROW15}: {name}: 401 everywhere but for health")
h.same({service.request(m, p)[0] for m, p in (("GET", "/healthz"), ("GET", "/readyz"))}, {200},
       f"{ROW15}: the health paths are open")
h.same({service.api("POST", p, json.loads(ORDER), token=READER)[0] for p in ("/v1/redeploy", "/v1/rollback")}, {403},
       f"{ROW15}: who may read may not deploy or roll back")
h.same(service.api("GET", "/metrics", token=READER)[0], 403, f"{ROW15}: nor see the metrics")
h.same({service.request("GET", f"/v1/deployments?token={service.token}&access_token={service.token}")[0],
        service.request("GET", "/v1/deployments", headers={"Cookie": f"token={service.token}",
                                                           "X-Remote-User": "ops", "X-Forwarded-User": "ops"})[0]},
       {401}, f"{ROW15}: no token in the address, no cookie, no name in a header")
got = {path: service.request("GET", path)[0] for path in (
    "/healthz/../v1/deployments", "/healthz/%2e%2e/v1/deployments", "//v1/deployments", "/v1//deployments",
    "/./v1/deployments", "/%76%31/deployments", "/v1%2fdeployments", "/v1/deployments/", "/V1/deployments",
    "/v1/deployments;x", "/v1/deployments%00", "/healthz%2f..%2fv1/deployments", "/hooks/github/../../v1/deployments",
    "http://127.0.0.1/v1/deployments", "/v1/deliveries/../../../etc/passwd",
    "/v1/deliveries/%2e%2e%2f%2e%2e%2fetc%2fpasswd")}
h.ok(set(got.values()) <= {400, 401, 404}, f"{ROW15}: no way of writing a path goes round it", got)
h.same(service.api("GET", "/v1/deliveries/%2e%2e%2f%2e%2e%2fslipwayd.yml")[0] // 100, 4,
       f"{ROW15}: a delivery's id is no path, not even for who may read")
h.same(state(), before, f"{ROW15}: none of it changed anything")
status, order = service.api("POST", "/v1/redeploy", {
    **json.loads(ORDER), "token": "mallory", "cause": {"token": "mallory"}})
h.ok(status >= 400 or "mallory" not in json.dumps(service.api("GET", f"/v1/deployments/{order['id']}")),
     f"{ROW15}: who asked is who the token says, whatever the body says", order)

ROW16 = "security 16: denial of service before a signature"
LIMIT = 25 * 1024 * 1024
started = time.monotonic()
POST = ("POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"X-Hub-Signature-256: {good}\r\n")
answer = raw(f"{POST}Content-Length: {LIMIT + 1}\r\n\r\n".encode())
h.ok(status_of(answer) == 413 and time.monotonic() - started < 5,
     f"{ROW16}: a length of 25 MiB and a byte is 413 before any of it is read", answer[:200])
chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
answer = raw([f"{POST}Transfer-Encoding: chunked\r\n\r\n".encode()] + [chunk] * 26 + [b"0\r\n\r\n"])
h.same(status_of(answer), 413, f"{ROW16}: in chunks as well, once it is over", answer[:200])
big = b'{"zen":"' + b"x" * (LIMIT - 10) + b'"}'
h.same((len(big), service.post("ping", big)[0]), (LIMIT, 200), f"{ROW16}: 25 MiB to the byte, signed, are taken")
h.same(service.post("ping", big, secret="wrong but long")[0], 401, f"{ROW16}: and forged are not")


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return {k: int(v) for k, v in re.findall(r"^(VmHWM|VmRSS):\s+(\d+) kB", f.read(), re.M)}


slow = [threading.Thread(target=service.post, args=("ping", big), kwargs={"secret": "wrong but long"})
        for _ in range(6)]
for thread in slow:
    thread.start()
for thread in slow:
    thread.join()
h.ok(memory(listener)["VmHWM"] < 96 * 1024,
     f"{ROW16}: six at once of 25 MiB don't lie in memory ({memory(listener)['VmHWM'] // 1024} MiB at most)")
for deep in (b"[" * 10000 + b"]" * 10000, b'{"a":' * 10000 + b"1" + b"}" * 10000, b"[" * 5000000):
    h.same(service.post("push", deep)[0], 400, f"{ROW16}: signed JSON {len(deep)} bytes deep is 400")
alive(f"{ROW16}: and the listener is the same process")
deep = b'{"a":' * 4 + b"1" + b"}" * 4
h.same(service.post("ping", deep)[0], 200, f"{ROW16}: nesting as such is fine")

START = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
for name, data in {
    "a header of 1 MiB": START + b"X-A: " + b"a" * 1048576 + b"\r\n\r\n",
    "100,000 headers": START + b"X-A: a\r\n" * 100000 + b"\r\n",
    "an address of 1 MiB": b"GET /" + b"a" * 1048576 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header without an end": START + b"X-A: " + b"a" * 65536,
    "a method of 1 MiB": b"G" * 1048576,
    "bytes that are no HTTP": bytes(range(256)) * 256,
    "TLS": bytes.fromhex("16030100a5010000a10303") + os.urandom(165),
    "two lengths": START + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    "a length and chunks": START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": START + b"Content-Length: -1\r\n\r\n",
    "an endless length": START + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "a chunk of nonsense": START.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a folded header": START + b"X-A: b\r\n c\r\n\r\n",
    "a NUL in a header": START + b"X-A: b\0c\r\n\r\n",
}.items():
    got = status_of(raw(data, seconds=15))
    h.ok(got is None or 400 <= got < 500 or got in (501, 505), f"{ROW16}: {name}: refused", got)
alive(f"{ROW16}: after which it answers, and is the same process")

idle = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(200)]
for s in idle:
    s.sendall(b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nX-Slow: ")
started = time.monotonic()
status = service.post("ping", {"zen": "while others are slow"})[0]
h.ok(status == 200 and time.monotonic() - started < 3, f"{ROW16}: 200 slow clients don't hold up a delivery", status)
for _ in range(140):
    idle.append(socket.create_connection(("127.0.0.1", service.port)))
idle[-1].settimeout(5)
try:
    answer = idle[-1].recv(4096)
except OSError as e:
    answer = str(e).encode()
h.ok(answer == b"" or status_of(answer) == 503, f"{ROW16}: beyond 256 connections one is told to come later", answer)
for s in idle[:200]:
    s.settimeout(25)


def cut(s):
    try:
        while s.recv(4096):
            pass
    except socket.timeout:
        return False
    except OSError:
        pass
    return True


h.ok(all(cut(s) for s in idle[:200]) and 5 < time.monotonic() - started < 25,
     f"{ROW16}: slow clients are cut after 10 s ({time.monotonic() - started:.0f})")
for s in idle:
    s.close()
h.ok(h.until(lambda: service.ready(), 5), f"{ROW16}: and then there is room again")
alive(f"{ROW16}: still the same process")

ROW17 = "security 17: replays"
service.delivery(service.post("push", body)[2])
first = service.api("GET", "/v1/deployments")[1]["deployments"]
guid = str(uuid.uuid4())
for _ in range(2):
    service.post("push", body + b" ", guid)
h.same(service.post("push", body + b" ", guid)[0], 200, f"{ROW17}: the same delivery again is a duplicate")
h.same(sum(d["guid"] == guid for d in service.api("GET", "/v1/deliveries?limit=100")[1]["deliveries"]), 1,
       f"{ROW17}: and there once")
status, _, again = service.post("push", body + b" ", str(uuid.uuid4()))
delivery = service.delivery(again)
h.ok(status == 202 and delivery["state"] == "ignored"
     and f"the same body came before, as delivery {guid}" in delivery["reason"],
     f"{ROW17}: the same body under another id is recorded, and deploys nothing", delivery)
h.same(service.post("release", body + b" ", guid)[0], 200, f"{ROW17}: nor does another event's name make it new")
h.same(service.api("GET", "/v1/deployments")[1]["deployments"], first, f"{ROW17}: no deployment more")
h.same(service.stop(), 0, "it ends as it should")
h.done()
