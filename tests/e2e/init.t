#!/usr/bin/env python3
"""slipway init: what it finds, what it writes, and that nothing is overwritten."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import harness as h

SLIPWAY = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "slipway"))
base = h.folder()


def run(*args, cwd=base):
    done = subprocess.run([SLIPWAY, *args], cwd=cwd, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def make(name, **files):
    folder = os.path.join(base, name)
    os.makedirs(folder)
    for path, text in files.items():
        path = os.path.join(folder, path.replace("__", "/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        h.write(path, text)
    return folder


def text(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return f.read()


FLASK = 'from flask import Flask\n\napplication = Flask(__name__)\n\n@application.get("/health")\ndef h():\n    return "ok"\n'
PRODUCTS = ["slipway.yml", "Dockerfile", ".dockerignore", ".github/workflows/deploy.yml"]

flask = make("My Shop", **{"wsgi.py": FLASK, "other.py": "x = Flask(1)\n", "requirements.txt": "flask\n", "tests__test_a.py": ""})
status, out, err = run("init", flask)
h.same((status, err), (0, ""), "a Flask app is found")
h.has(out, "wsgi:application", "wsgi.py wins over another file, and its own variable is named")
h.same([p for p in PRODUCTS if not os.path.isfile(os.path.join(flask, p))], [], "all four files are written")
h.has(text(flask, "slipway.yml"), "\n  my-shop:\n", "the service is called like the folder")
h.has(text(flask, "slipway.yml"), "path: /health,", "the health path is the one that the code has")
h.has(text(flask, "slipway.yml"), "pytest", "there are tests, so they are run")
h.has(text(flask, "Dockerfile"), "-r requirements.txt", "requirements.txt is used")
status, out, err = run("check", "slipway.yml", cwd=flask)
h.same((status, err), (0, ""), "slipway check accepts it", out)

before = {p: text(flask, p) for p in PRODUCTS}
os.unlink(os.path.join(flask, "Dockerfile"))
h.write(os.path.join(flask, "slipway.yml"), "mine\n")
status, out, err = run("init", flask)
h.same(status, 0, "a second run")
h.same((text(flask, "slipway.yml"), text(flask, "Dockerfile")), ("mine\n", before["Dockerfile"]),
       "writes what is missing and keeps what is there")
h.has(out, "kept     slipway.yml", "and says so")

outside = make("outside")
linked = make("linked", **{"app.py": FLASK})
os.symlink(os.path.join(outside, "stolen"), os.path.join(linked, "Dockerfile"))
run("init", linked)
h.same(os.listdir(outside), [], "nothing is written through a link")

factory = make("factory", **{"app.py": "from flask import Flask\ndef create_app():\n    return Flask(__name__)\n"})
h.has(run("init", factory)[1], "app:create_app()", "an app factory is found")
h.has(text(factory, "Dockerfile"), "'app:create_app()'", "and quoted for the shell")

go = make("svc", **{"go.mod": "module example.com/acme/Big_Tool\n\ngo 1.22\n", "cmd__tool__main.go": "package main\n\nfunc main() {}\n",
                    "lib.go": "package lib\n", "lib_test.go": "package lib\n"})
h.has(run("init", go)[1], "./cmd/tool", "a Go program below cmd/ is found")
h.has(text(go, "slipway.yml"), "\n  big-tool:\n", "the service is called like the module")
h.has(text(go, "Dockerfile"), "go test ./...", "its tests run in the build")
h.same(run("check", "slipway.yml", cwd=go)[0], 0, "slipway check accepts it")

own = make("own", **{"Dockerfile": "FROM scratch\n"})
h.same(run("init", own)[0], 0, "a Dockerfile alone is enough")
h.same(text(own, "Dockerfile"), "FROM scratch\n", "and is kept")

status, out, err = run("init", make("nothing"))
h.same((status, out), (2, ""), "an empty folder: exit 2")
h.has(err, "expected a Python file", "and what was looked for")
h.same(os.listdir(os.path.join(base, "nothing")), [], "and nothing is written")
h.same(run("init", "absent")[0], 2, "no such folder: exit 2")
h.done()
