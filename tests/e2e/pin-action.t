#!/usr/bin/python3
"""A release's action.yml names the image by its digest, and differs in nothing else."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../runner"))
import harness as t

import workflow as files

t.once()

BASE = t.folder()
IMAGE = "ghcr.io/acme/slipway@sha256:" + "0123456789abcdef" * 4
with open(os.path.join(t.TOP, "action.yml"), encoding="utf-8") as f:
    ours = f.read()


def pin(image, text=ours):
    path = os.path.join(BASE, "action.yml")
    t.write(path, text)
    ran = subprocess.run([os.path.join(t.TOP, "scripts/pin-action"), image, path], capture_output=True, check=False, text=True)
    with open(path, encoding="utf-8") as f:
        return ran.returncode, f.read(), ran.stderr


code, pinned, _ = pin(IMAGE)
changed = [(a, b) for a, b in zip(ours.splitlines(), pinned.splitlines()) if a != b]
t.same((code, changed), (0, [("  image: Dockerfile", f"  image: docker://{IMAGE}")]), "one line changes")
t.same(files.Action(BASE).dockerfile(), None, "the runner pulls it")
other = IMAGE.replace("0123", "fedc")
t.same(pin(other, pinned)[:2], (0, pinned.replace(IMAGE, other)), "a pinned one can be pinned anew")
for wrong in ("ghcr.io/acme/slipway:v1", "ghcr.io/Acme/slipway@sha256:" + "0" * 64, IMAGE[:-1], IMAGE + " x"):
    code, text, why = pin(wrong)
    t.same((code, text), (2, ours), f"refused: {wrong}")
t.same(pin(IMAGE, "runs:\n  using: docker\n")[0], 1, "an action without an image is refused")
t.done()
