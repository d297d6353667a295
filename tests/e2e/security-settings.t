#!/usr/bin/env python3
"""docs/security.md, rows 7, 8 and 10: what slipway.yml and slipwayd.yml may not say."""
import copy
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import harness as h

ROW7 = "security 7: command injection through names, refs, options"
ROW8 = "security 8: path traversal"
ROW10 = "security 10: requests where they don't belong"

base = h.folder()
ENVIRONMENT = {"target": "server", "url": "http://shop.localhost:8080"}
SHOP = {"start": ["/bin/true"], "health": {"path": "/"}, "environments": {"production": ENVIRONMENT}}


def run(program, text, name):
    path = os.path.join(base, name)
    h.write(path, text, 0o600)
    done = subprocess.run([os.path.join(h.BUILD, program), "check", path], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done, path


def refused(name, project):
    done, path = run("slipway", json.dumps(project), "slipway.yml")
    h.ok(done.returncode == 2 and f"{path}:1:" in done.stdout, name, done.returncode, done.stdout)


def shop(**change):
    return {"version": 1, "services": {"shop": {**copy.deepcopy(SHOP), **change}}}


def server(**change):
    return shop(environments={"production": {**ENVIRONMENT, **change}})


done, _ = run("slipway", json.dumps(shop()), "slipway.yml")
h.same(done.returncode, 0, "the project without anything wrong is good", done.stdout)
for url in ("http://shop.localhost:8080; include /etc/passwd;", "http://shop.localhost:8080/};",
            "http://a\nb.localhost:8080", "http://$(touch x).localhost", "http://*.localhost:80", "http://~^.*$",
            "http://a b", "ftp://shop", "//x", "http://shop.localhost:99999", "http://u:p@shop.localhost", "http://shop.localhost/?x;",
            'http://"x".localhost'):
    refused(f"{ROW7}: no url for a gateway: {url!r}", server(url=url))
for listen in ("127.0.0.1:80; x", "unix:/tmp/x", "127.0.0.1:0x50", "127.0.0.1"):
    refused(f"{ROW7}: no listen for a gateway: {listen!r}", server(listen=[listen]))
refused(f"{ROW7}: no size for a gateway: '1m; x'", server(**{"max-body": "1m; x"}))
for name in ("$(touch x)", "a b", "../x", "-x", "a/b", "", "x" * 64, "a;b", ".."):
    refused(f"{ROW7}: no name of a service: {name[:20]!r}", {"version": 1, "services": {name: SHOP}})
    refused(f"{ROW7}: nor of an environment: {name[:20]!r}", shop(environments={name: ENVIRONMENT}))
for name in ("A=B", "A B", "1A", "", "A;B", "PORT", "SLIPWAY_SLOT", "A\nB", "A\n"):
    refused(f"{ROW7}: no variable of an app: {name!r}", shop(env={name: "x"}))
refused(f"{ROW7}: no value with a NUL", shop(env={"A": "x\0y"}))
for path in ("x", "/a b", "/a\nb", "http://x/", "/a#b"):
    refused(f"{ROW7}: no path of a health check: {path!r}", shop(health={"path": path}))
for path in ("/etc", "../x", "x/../../y", "..", "a\nb"):
    refused(f"{ROW8}: no path of a service: {path!r}", shop(path=path))
for path in ("../../etc/passwd", "/etc/passwd"):
    refused(f"{ROW8}: no Dockerfile: {path!r}", shop(build={"dockerfile": path}))

# --- where slipwayd connects to ---

h.write(os.path.join(base, "hook-secret"), "a secret of the webhook", 0o600)


def settings(source="github", api="https://api.github.com"):
    return json.dumps({
        "listen": "127.0.0.1:8080", "data": os.path.join(base, "data"), "github": {"api": api},
        "hooks": [{"path": "/hooks/github", "secrets": [{"file": "hook-secret"}]}],
        "repositories": {"acme/x": {"source": source, "deploy": [{"on": "push", "environment": "production"}]}}})


for source, good in (
        ("ext::sh -c id", False), ("--upload-pack=x", False), ("http://u:p@host/x", False), ("file://host/x", False),
        ("a\nb", False), ("fd::17", False), ("https://host/x.git", True), ("ssh://git@host/x.git", True),
        ("/srv/x.git", True)):
    done, _ = run("slipwayd", settings(source={"git": source}), "slipwayd.yml")
    name = f"{ROW10}: git: {source!r}: {'taken' if good else 'refused'}"
    h.same(done.returncode, 0 if good else 2, name, done.stdout)
for api, good in (
        ("http://169.254.169.254/latest", False), ("http://api.example.com", False), ("file:///etc/passwd", False),
        ("https://u:p@api.example.com", False), ("gopher://x", False), ("https://github.example.com/api/v3", True)):
    done, _ = run("slipwayd", settings(api=api), "slipwayd.yml")
    name = f"{ROW10}: GitHub's API at {api}: {'taken' if good else 'refused'}"
    h.same(done.returncode, 0 if good else 2, name, done.stdout)
h.done()
