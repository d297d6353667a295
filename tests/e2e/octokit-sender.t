#!/usr/bin/env python3
"""octokit signs and posts to slipwayd; and octokit's own receiver and slipwayd accept and refuse the same requests."""
import hashlib
import hmac
import http.client
import json
import os
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.dirname(__file__))
import harness as h

if not os.path.isdir("tests/npm/node_modules"):
    h.skip_all("tests/npm/node_modules is absent: (cd tests/npm && npm ci)")
with open("tests/npm/node_modules/@octokit/webhooks-examples/api.github.com/index.json", encoding="utf-8") as f:
    examples = [(e["name"], x) for e in json.load(f) for x in e["examples"]]

service = h.Service({"acme/shop": h.Repo(os.path.join(h.folder(), "repo"))})
SECRETS = [service.secret, "ключ 🔑 of old"]
h.write(os.path.join(service.base, "hook-secret.old"), SECRETS[1], 0o600)
service.settings = service.settings.replace("[{file: hook-secret}]", "[{file: hook-secret}, {file: hook-secret.old}]")
h.write(service.config, service.settings, 0o600)
service.start()

# --- octokit sends ---

BODIES = ["{}", '{"zen":"é ключ 🔑 \\ud83d\\ude80"}', ' { "a" : [ 1.5e3 , null ] }\n', json.dumps({"x": "y" * 300000})]
URL = f"http://127.0.0.1:{service.port}/hooks/github"
sends = [
    {"url": URL, "secret": secret, "event": event, "guid": str(uuid.uuid4()), "body": body, "want": want}
    for secret, want in ((SECRETS[0], 200), (SECRETS[1], 200), (SECRETS[0] + "x", 401), ("another", 401))
    for event, body in [("ping", b) for b in BODIES] + [(e, json.dumps(x, ensure_ascii=False)) for e, x in examples[::29]]
]
lines = "".join(json.dumps(send) + "\n" for send in sends)
answers = [json.loads(line) for line in subprocess.run(
    ["node", "tests/npm/sender.mjs"], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout.splitlines()]
h.same(len(answers), len(sends), f"octokit has sent {len(sends)}")
wrong = [(s["event"], s["secret"], s["want"], a) for s, a in zip(sends, answers)
         if a["status"] not in ((200, 202) if s["want"] == 200 else (s["want"],))]
h.same(wrong, [], "what octokit signs with a secret of ours is accepted, anything else is not")
known = [service.delivery(s["guid"]) for s in sends if s["want"] == 200]
h.same([d["secret"] for d in known], [0] * (len(known) // 2) + [1] * (len(known) // 2),
       "each delivery says which of the secrets it was")
h.same({service.api("GET", f"/v1/deliveries/{s['guid']}")[0] for s in sends if s["want"] == 401}, {404},
       "nothing is known of the others")

# --- octokit receives ---

receiver = subprocess.Popen(["node", "tests/npm/receiver.mjs", *SECRETS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
theirs = int(receiver.stdout.readline())
BODY = json.dumps(examples[0][1]).encode()


def signed(body, secret=None, prefix="sha256=", hash=hashlib.sha256):
    return prefix + hmac.new((secret or SECRETS[0]).encode(), body, hash).hexdigest()


def ask(port, method, path, headers, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value.encode())
        connection.endheaders(body)
        return connection.getresponse().status
    finally:
        connection.close()


def request(body=BODY, method="POST", path="/hooks/github", drop=(), more=(), **change):
    """A good request, changed: (method, path, headers, body)."""
    headers = {
        "Content-Type": "application/json", "Content-Length": str(len(body)), "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(uuid.uuid4()), "X-Hub-Signature-256": signed(body),
        **{name.replace("_", "-"): value for name, value in change.items()},
    }
    return method, path, [(k, v) for k, v in headers.items() if k not in drop] + list(more), body


def signature(value, **more):
    return request(**{"X-Hub-Signature-256": value}, **more)


good = signed(BODY)
SAME = {
    "as it is": (True, request()),
    "signed with the other secret": (True, signature(signed(BODY, SECRETS[1]))),
    "header names in lower case": (True, request(drop=["X-Hub-Signature-256"], more=[("x-hub-signature-256", good)])),
    "a charset in the content type": (True, request(Content_Type="application/json; charset=utf-8")),
    "a sha1 signature as well": (True, request(more=[("X-Hub-Signature", signed(BODY, prefix="sha1=", hash=hashlib.sha1))])),
    "a wrong sha1 signature as well": (True, request(more=[("X-Hub-Signature", "sha1=00")])),
    "an event without a rule": (True, request(X_GitHub_Event="star")),
    "white space around the JSON": (True, request(b" \n{}\t")),
    "no signature": (False, request(drop=["X-Hub-Signature-256"])),
    "only a sha1 signature": (False, request(
        drop=["X-Hub-Signature-256"], more=[("X-Hub-Signature", signed(BODY, prefix="sha1=", hash=hashlib.sha1))])),
    "sha1 in the place of sha256": (False, signature(signed(BODY, prefix="sha1=", hash=hashlib.sha1))),
    "an empty signature": (False, signature("")),
    "the prefix alone": (False, signature("sha256=")),
    "no prefix": (False, signature(good[7:])),
    "another prefix": (False, signature("sha512=" + good[7:])),
    "the prefix in upper case": (False, signature("SHA256=" + good[7:])),
    "digits in upper case": (False, signature("sha256=" + good[7:].upper())),
    "a digit less": (False, signature(good[:-1])),
    "a digit more": (False, signature(good + "0")),
    "the signature twice in one": (False, signature(good + ", " + good)),
    "the signature in two headers": (False, request(more=[("X-Hub-Signature-256", good)])),
    "a wrong and a right signature": (False, request(
        drop=["X-Hub-Signature-256"], more=[("X-Hub-Signature-256", "sha256=" + "0" * 64), ("X-Hub-Signature-256", good)])),
    "all zero": (False, signature("sha256=" + "0" * 64)),
    "signed with an unknown secret": (False, signature(signed(BODY, "unknown"))),
    "signed with no secret": (False, signature("sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest())),
    "another body": (False, signature(good, body=BODY + b" ")),
    "an empty body, unsigned": (False, request(b"", drop=["X-Hub-Signature-256"])),
    "no event": (False, request(drop=["X-GitHub-Event"])),
    "no delivery id": (False, request(drop=["X-GitHub-Delivery"])),
    "no content type": (False, request(drop=["Content-Type"])),
    "text": (False, request(Content_Type="text/plain")),
    "signed, but half of it": (False, request(BODY[:-2])),
    "signed, but no JSON": (False, request(b"hello")),
    "signed, but empty": (False, request(b"")),
    "signed, two values": (False, request(b"{} {}")),
    "signed, not quite JSON": (False, request(b"{'a': 1}")),
    "by GET": (False, request(method="GET")),
    "by PUT": (False, request(method="PUT")),
    "another path": (False, request(path="/hooks/gitlab")),
}
# Where we differ, and mean to: (octokit accepts, we accept).
DIFFERENT = {
    "a form": (False, True, request(
        b"payload=%7B%7D", **{"Content_Type": "application/x-www-form-urlencoded"})),
    "JSON, but no object": (True, False, request(b"[]")),
    "a NUL in the text": (True, False, request(b'{"a": "\\u0000"}')),
    "no UTF-8": (False, False, request(b'{"a": "\xff"}')),
    "a delivery id with a blank": (True, False, request(X_GitHub_Delivery="a b")),
    "a delivery id like a path": (True, False, request(X_GitHub_Delivery="../../etc/passwd")),
    "an event like a path": (True, False, request(X_GitHub_Event="../push")),
}
for name, (want, case) in SAME.items():
    got = [ask(port, *case) for port in (theirs, service.port)]
    h.ok(want == (got[0] < 300) == (got[1] < 300) and max(got) < 500,
         f"{name}: both {'accept' if want else 'refuse'}", f"octokit {got[0]}, slipwayd {got[1]}")
for name, (they, we, case) in DIFFERENT.items():
    got = [ask(port, *case) for port in (theirs, service.port)]
    h.ok((got[0] < 300, got[1] < 300) == (they, we) and max(got) < 500,
         f"{name}: octokit {'accepts' if they else 'refuses'}, we {'accept' if we else 'refuse'}",
         f"octokit {got[0]}, slipwayd {got[1]}")
receiver.stdin.close()
receiver.wait(10)
h.done()
