#!/usr/bin/python3
"""slipwayd's command line: its manual, what it refuses and how, two of them, and a broken file at SIGHUP."""

import os
import signal
import subprocess

import harness as h

SLIPWAYD = os.path.join(h.BUILD, "slipwayd")
BASE = h.folder()


def slipwayd(*words):
    return subprocess.run(
        [SLIPWAYD, *words], cwd=BASE, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        timeout=30,
    )


def put(name, text):
    h.write(os.path.join(BASE, name), text)
    return name


def says_itself():
    got = slipwayd("--help")
    h.same((got.returncode, got.stderr), (0, ""), "--help is no error")
    for section in ("NAME", "SYNOPSIS", "COMMANDS", "OPTIONS", "SIGNALS", "EXIT STATUS", "FILES", "EXAMPLE"):
        h.ok(section in got.stdout.splitlines(), f"the manual has {section}")
    h.ok(max(map(len, got.stdout.splitlines())) <= 80, "and fits a terminal")
    example = got.stdout.split("of one repository:\n")[1].split("SEE ALSO")[0]
    put("hook-secret", "0123456789abcdef")
    put("example.yml", example)
    h.same(slipwayd("check", "example.yml").returncode, 0, "the example in it is one that is accepted")
    h.has(slipwayd("--version").stdout, "slipwayd ", "--version")


def refuses():
    put("app.yml", "version: 1\nservices: {}\n")
    put("tokens.yml", "tokens: []\nhoks: []\n")
    cases = [
        ((), "the settings' file is missing: slipwayd --config FILE"),
        (("--config",), "slipwayd --config FILE"),
        (("check",), "slipwayd check FILE"),
        (("down",), "slipwayd down --config FILE"),
        (("chekc", "x"), "there is no command 'chekc'; did you mean 'check'?"),
        (("frobnicate",), "there is no command 'frobnicate'"),
        (("--confg", "x"), "there is no option '--confg'; did you mean '--config'?"),
        (("check", "a", "b"), "neither an option nor expected: 'b'"),
        (("--config", "nowhere.yml"), "read nowhere.yml: No such file or directory; docs/slipwayd.yml.md"),
        (("check", "app.yml"), "app.yml:2:1: this is an app's slipway.yml"),
        (("check", "tokens.yml"), "tokens.yml:2:1: no such setting 'hoks'; did you mean 'hooks'?"),
    ]
    for words, message in cases:
        got = slipwayd(*words)
        h.ok(got.returncode == 2 and message in got.stderr.replace(BASE + "/", "") and not got.stdout,
             f"refused: slipwayd {' '.join(words)}", got.returncode, got.stderr)


def minimal(data, port):
    return f"listen: 127.0.0.1:{port}\ndata: {data}\nhooks: [{{path: /hook, secrets: [{{file: hook-secret}}]}}]\n"


def cannot_start():
    put("odd.yml", minimal(f"{BASE}/with space", 1))
    got = slipwayd("check", "odd.yml")
    h.has(got.stderr, "warning: target server: data folder", "check warns of a data folder that apps can't be kept in")
    h.same((got.returncode, got.stdout), (0, "odd.yml: good\n"), "the file is good all the same")
    put("unmade.yml", minimal("/proc/slipway", h.free_port()))
    got = slipwayd("--config", "unmade.yml")
    h.ok(got.returncode == 1 and "data folder: make the folder /proc/slipway" in got.stderr
         and "give it to the user" in got.stderr, "a data folder that can't be made", got.stderr)


def two_of_them():
    service = h.Service({})
    service.start()
    got = slipwayd("--config", service.config)
    h.ok(got.returncode == 1 and "another slipwayd runs with data folder" in got.stderr,
         "a second one with the same data folder ends", got.stderr)
    put("second.yml", minimal(f"{BASE}/second", service.port))
    got = slipwayd("--config", "second.yml")
    h.ok(got.returncode == 1 and f"listen on 127.0.0.1:{service.port}: Address already in use: another program" in
         got.stderr, "so does one with the same port", got.stderr)
    h.write(service.config, service.settings + "worksers: 3\n", 0o600)
    service.process.send_signal(signal.SIGHUP)
    said = h.until(lambda: "settings not loaded" in service.log_text(), 10)
    h.ok(said, "SIGHUP with a broken file says so", service.log_text())
    h.has(service.log_text(), "no such setting 'worksers'; did you mean 'workers'?", "and what is wrong")
    h.same(service.request("GET", "/readyz")[0], 200, "and goes on as before")
    h.same(service.stop(), 0, "SIGTERM ends it with 0")


says_itself()
refuses()
cannot_start()
two_of_them()
h.done()
