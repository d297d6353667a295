#!/usr/bin/python3
"""The action's image: how it is built, how large it is, what is in it, that it starts; also for arm64."""

import gzip
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness as t

t.once()

DISK, COMPRESSED = 30e6, 12e6
NAME = f"slipway-image-test-{uuid.uuid4().hex[:8]}"


def docker(*words, **more):
    return subprocess.run(["docker", *words], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)


if os.geteuid() != 0 or docker("-H", "unix:///var/run/docker.sock", "version").returncode:
    t.skip_all("no Docker engine, or not root")
os.chdir(t.TOP)
base = subprocess.run(["scripts/base-image", "debian:bookworm-slim"], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
if base.returncode:
    t.note(base.stdout.decode(errors="replace"))
    t.skip_all("no debian:bookworm-slim to build from")


def built(name, *options):
    """Build as GitHub's runner does; the files of the image as {path: tarfile member}, and the tar of the image's content."""
    made = docker("build", "-t", name, *options, "-f", os.path.join(t.TOP, "Dockerfile"), t.TOP)
    if not t.ok(made.returncode == 0, f"docker build {' '.join(options)}", made.stdout.decode(errors="replace")[-3000:]):
        return {}, b""
    container = docker("create", name).stdout.decode().split()[-1]
    content = subprocess.run(["docker", "export", container], check=True, stdout=subprocess.PIPE).stdout
    docker("rm", container)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {"/" + m.name: m for m in tar.getmembers()}, content


# What the engine puts into every container.
ENGINE = re.compile(r"^/(\.dockerenv|dev|proc|sys|etc/(hostname|hosts|mtab|resolv\.conf))($|/)")
ALLOWED = [
    r"/usr/bin/slipway(-post)?", r"/bin/busybox", r"/usr/bin/env", r"/lib(64)?/ld-linux-[a-z0-9-]+\.so\.\d", r"/lib/lib[A-Za-z0-9_+.-]+\.so(\.\d+)*", r"/tmp",
    r"/etc/(passwd|group|nsswitch\.conf)", r"/etc/ssl/certs/ca-certificates\.crt", r"/bin/[a-z]+",
]
NEEDED = {"/bin/" + n for n in ("sh", "tail", "env", "mv", "tar", "find")} | {"/usr/bin/slipway", "/bin/busybox", "/etc/ssl/certs/ca-certificates.crt"}


def content_is_right(files, which):
    strange = [p for p, m in files.items() if not m.isdir() and not ENGINE.match(p) and not any(re.fullmatch(a, p) for a in ALLOWED)]
    t.same(strange, [], f"{which}: nothing is in it but what is named")
    applets = [p for p, m in files.items() if re.fullmatch("/bin/[a-z]+", p) and p != "/bin/busybox" and not (m.issym() and m.linkname == "busybox")]
    t.same(applets, [], f"{which}: every program but two is busybox")
    t.same(sorted(NEEDED - set(files)), [], f"{which}: it has what a runner in Kubernetes mode needs")
    t.same([p for p in files if re.search(r"libxml2|libicu|libstdc|libarchive", p)], [], f"{which}: neither libxml2 nor ICU")
    t.same([p for p, m in files.items() if m.mode & 0o6000 or (m.mode & 0o002 and not m.issym() and not ENGINE.match(p) and p != "/tmp")], [],
           f"{which}: nothing set-uid, nothing that everyone may write")


files, _ = built(NAME)
if files:
    content_is_right(files, "the image")
    size = int(docker("inspect", "-f", "{{.Size}}", NAME).stdout)
    layers = subprocess.run(["docker", "save", NAME], check=True, stdout=subprocess.PIPE).stdout
    compressed = len(gzip.compress(layers, 6))
    t.note(f"{size / 1e6:.1f} MB on disk, {compressed / 1e6:.1f} MB compressed")
    t.ok(size < DISK, f"less than {DISK / 1e6:.0f} MB on disk", size)
    t.ok(compressed < COMPRESSED, f"less than {COMPRESSED / 1e6:.0f} MB compressed", compressed)
    t.has(docker("run", "--rm", NAME, "--version").stdout.decode(), "slipway ", "it starts")
    t.same(docker("run", "--rm", "--user", "12345:12345", "--network", "none", NAME, "--version").returncode, 0, "also as another user, without a network")
    # As the runner's Kubernetes hooks use it: files come by tar, then a script sets the environment and starts the entry point.
    script = "set -e; mkdir /w; tar cf - -C /etc passwd | tar xf - --no-same-owner -C /w; find /w -name passwd | tail -n 1; mv /w/passwd /w/p; " \
             "exec env -i 'A-B=c d' env"
    ran = docker("run", "--rm", "--entrypoint", "/bin/sh", NAME, "-ec", script)
    t.same((ran.returncode, ran.stdout.decode().splitlines()), (0, ["/w/passwd", "A-B=c d"]), "sh, tail, env, mv, tar and find work", ran.stdout)
    t.same(docker("run", "--rm", "--entrypoint", "/usr/bin/env", NAME, "true").returncode, 0, "/usr/bin/env is there")
    docker("rmi", NAME)

# --- arm64 ---

if not shutil.which("qemu-aarch64-static") or os.uname().machine != "x86_64":
    t.skip("arm64", "no qemu-aarch64-static, or not on amd64")
else:
    files, content = built(NAME + ":arm64", "--build-arg", "ARCH=arm64")
    if files:
        content_is_right(files, "arm64")
        root = t.folder()
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            tar.extractall(root, [m for m in tar.getmembers() if not ENGINE.match("/" + m.name)])
        with open(os.path.join(root, "usr/bin/slipway"), "rb") as f:
            t.same(f.read(20)[18:20], b"\xb7\x00", "its program is AArch64")
        ran = subprocess.run(["qemu-aarch64-static", "-L", root, os.path.join(root, "usr/bin/slipway"), "--version"], check=False, stdout=subprocess.PIPE)
        t.same((ran.returncode, ran.stdout.split()[:1]), (0, [b"slipway"]), "it starts under qemu")
        shell = subprocess.run(["qemu-aarch64-static", os.path.join(root, "bin/busybox"), "echo", "hi"], check=False, stdout=subprocess.PIPE)
        t.same(shell.stdout, b"hi\n", "so does its busybox")
        docker("rmi", NAME + ":arm64")
t.done()
