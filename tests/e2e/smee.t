#!/usr/bin/env python3
"""smee-client brings deliveries from a channel (here a server of the test's own, in the form of smee.io's) to slipwayd."""
import hashlib
import hmac
import http.server
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.dirname(__file__))
import harness as h

if not os.path.isdir("tests/npm/node_modules"):
    h.skip_all("tests/npm/node_modules is absent: (cd tests/npm && npm ci)")

events = queue.Queue()


class Channel(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"event: ready\ndata: {}\n\n")
        number = 0
        while (event := events.get()) is not None:
            number += 1
            self.wfile.write(f"id: {number}\ndata: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()

    def log_message(self, *args):
        pass


channel = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Channel)
channel.daemon_threads = True
threading.Thread(target=channel.serve_forever, daemon=True).start()

repo = h.Repo(os.path.join(h.folder(), "repo"))
head = repo.commit({
    "slipway.yml": "version: 1\nservices:\n  shop:\n    test: {run: [/bin/false]}\n    start: [/bin/true]\n"
    "    health: {path: /}\n    environments:\n      production: {target: server, url: http://shop.localhost:8080}\n"})
service = h.Service({"acme/shop": repo}).start()
client = subprocess.Popen(
    ["node", "-r", "./tests/tools/node18.cjs", "tests/npm/node_modules/smee-client/bin/smee.js",
     "-u", f"http://127.0.0.1:{channel.server_port}/chan",
     "-t", f"http://127.0.0.1:{service.port}/hooks/github"],
    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    env={"PATH": os.environ["PATH"], "NO_PROXY": "*"})
said = queue.Queue()
threading.Thread(target=lambda: [said.put(line) for line in client.stdout], daemon=True).start()


def send(event, payload, guid=None, secret=None):
    """Put it into the channel as smee.io does; (the status that the client was answered, the delivery's id)."""
    guid = guid or str(uuid.uuid4())
    # What the client posts is the payload in JavaScript's way to write JSON; so that is what is signed.
    body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
    digest = hmac.new((secret or service.secret).encode(), body, hashlib.sha256).hexdigest()
    events.put({
        "host": "smee.io", "user-agent": "GitHub-Hookshot/044aadd", "content-length": str(len(body)), "accept": "*/*",
        "x-github-delivery": guid, "x-github-event": event, "x-github-hook-id": "1", "x-forwarded-for": "192.0.2.1",
        "x-github-hook-installation-target-type": "repository", "content-type": "application/json",
        "x-hub-signature-256": "sha256=" + digest, "body": payload, "query": {}, "timestamp": int(time.time() * 1000),
    })
    while True:
        try:
            line = said.get(timeout=20)
        except queue.Empty:
            return None, guid
        if "/hooks/github - " in line:
            return int(line.rsplit(" ", 1)[1]), guid


status, _ = send("ping", {"zen": "Keep it logically awesome.", "hook_id": 1, "hook": {"type": "Repository"}})
h.same(status, 200, "a ping arrives")
push = h.push_payload("acme/shop", head, commits=[
    {"id": head, "message": "prix: 5 € 🚀\n\n\"quoted\" \\ <b>", "added": ["slipway.yml"], "removed": [], "modified": []}])
status, guid = send("push", push)
h.same(status, 202, "a signed push arrives, with text beyond ASCII")
delivery = service.delivery(guid)
h.same(delivery["state"], "deployed", "the push deploys", delivery)
h.same(service.api("GET", f"/v1/deployments/{delivery['deployments'][0]}")[1]["commit"], head, "at its commit")
h.same(send("push", push, guid)[0], 200, "sent again from the channel, it is a duplicate")
status, guid = send("push", push, secret="of somebody else")
h.same(status, 401, "whoever knows the channel's address, but not the secret, is refused")
h.same(service.api("GET", f"/v1/deliveries/{guid}")[0], 404, "and nothing is recorded")
h.same(len(service.api("GET", "/v1/deployments")[1]["deployments"]), 1, "one deployment")

events.put(None)
client.terminate()
client.wait(10)
channel.shutdown()
channel.server_close()
h.done()
