#!/usr/bin/python3
"""The build context against the docker program's: what it would send for a folder and its .dockerignore, and what ours sends.

A stand-in for the engine takes what the docker program sends; then the same folder is built by both with a real engine and
the images are compared.
"""

import io
import os
import random
import shutil
import socket
import stat
import subprocess
import tarfile
import threading

import harness as t

TOOL = os.path.join(t.BUILD, "tests/tools/engine")
BASE = t.folder("slipway-context.")
SOCKET = "/var/run/docker.sock"


class Listener(threading.Thread):
    """A socket that answers as much of the engine's interface as `docker build` asks for, and keeps the context."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        self.context = None

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        stream = connection.makefile("rwb")
        while True:
            line = stream.readline().decode()
            if not line:
                return
            headers = {}
            while (header := stream.readline().strip()):
                name, value = header.decode().split(":", 1)
                headers[name.lower()] = value.strip()
            body = self.body(stream, headers)
            answer = b"OK"
            if "/build" in line:
                self.context = body
                answer = b'{"aux":{"ID":"sha256:' + b"0" * 64 + b'"}}\r\n'
            stream.write(b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nContent-Length: %d\r\n\r\n" % len(answer))
            if not line.startswith("HEAD"):
                stream.write(answer)
            stream.flush()

    @staticmethod
    def body(stream, headers):
        if headers.get("transfer-encoding") != "chunked":
            return stream.read(int(headers.get("content-length", 0)))
        parts = []
        while (size := int(stream.readline(), 16)):
            parts.append(stream.read(size))
            stream.readline()
        stream.readline()
        return b"".join(parts)


def entries(archive):
    """{name: (type, mode, link, content)} and the order of names."""
    found, order = {}, []
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            name = member.name.rstrip("/")
            order.append(name)
            content = tar.extractfile(member).read() if member.isreg() else b""
            found[name] = (member.type, oct(member.mode & 0o7777), member.linkname, content, member.uid, member.gid,
                           int(member.mtime))
    return found, order


def make(folder, files, ignore, dockerfile="Dockerfile"):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name in files:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(name)
    os.makedirs(os.path.dirname(os.path.join(folder, dockerfile)), exist_ok=True)
    with open(os.path.join(folder, dockerfile), "w") as out:
        out.write("FROM scratch\nCOPY . /\n")
    if ignore is not None:
        with open(os.path.join(folder, ".dockerignore"), "wb") as out:
            out.write(ignore.encode() if isinstance(ignore, str) else ignore)


def theirs(folder, dockerfile="Dockerfile"):
    listener.context = None
    got = subprocess.run(["docker", "-H", f"unix://{BASE}/engine.sock", "build", "-f", f"{folder}/{dockerfile}", folder],
                         env={"PATH": "/usr/bin:/bin", "HOME": BASE, "DOCKER_BUILDKIT": "0"}, capture_output=True, text=True)
    return listener.context, got.stderr


def ours(folder, dockerfile="Dockerfile"):
    got = subprocess.run([TOOL, SOCKET, "context", folder, dockerfile], capture_output=True)
    return (got.stdout if got.returncode == 0 else None), got.stdout.decode(errors="replace")[-300:]


def compare(folder, name, dockerfile="Dockerfile"):
    docker, complaint = theirs(folder, dockerfile)
    slipway, error = ours(folder, dockerfile)
    if docker is None or slipway is None:
        return t.ok((docker is None) == (slipway is None), name, "docker: " + complaint, "ours: " + error)
    want, order = entries(docker)
    got, our_order = entries(slipway)
    extra, missing = sorted(set(got) - set(want)), sorted(set(want) - set(got))
    differ = [n for n in got if n in want and got[n] != want[n]]
    return t.ok(not extra and not missing and not differ and our_order == order, name, f"sent too much: {extra}",
                f"not sent: {missing}", *[f"{n}: {got[n]} for {want[n]}" for n in differ[:3]],
                f"{our_order} for {order}" if our_order != order else "",
                open(os.path.join(folder, ".dockerignore"), errors="replace").read() if os.path.exists(
                    os.path.join(folder, ".dockerignore")) else "")


FILES = ["a", "b.txt", "dir/a", "dir/b.txt", "dir/sub/a", "dir/sub/c.txt", "dir/sub/deep/a", "other/a", "other/x.py", ".git/config",
         ".git/HEAD", "node_modules/x/index.js", "sp ace/f", "ümlaut/ä", "README.md", "README-secret.md", "temp1", "tempa/x", "[x]"]
PATTERNS = ["a", "*.txt", "*/a", "*/*/a", "**/a", "**/*.txt", "dir", "dir/", "/dir", "./dir", "dir/**", "**", "*", "dir/*", "dir/sub",
            "!dir/sub", "!dir/sub/a", "!**/a", "!*.txt", "!README.md", "README*.md", "!README-secret.md", "temp?", "temp[0-9]",
            "temp[^0-9]", "dir/../other", "# comment", "", "   ", "  b.txt  ", "!  b.txt", ".git", "**/deep", "dir**", "d*r/s?b", "\\[x\\]",
            "ümlaut", "?mlaut/?", "sp ace", "!dir", "other/./x.py", ".dockerignore", "Dockerfile", ".*", "!.git/HEAD", "..", "/", ".",
            "//dir//sub", "**/sub/**", "!**/sub/**", "node_modules/", "dir/**/a", "**/**/a"]

CASES = [
    ("no file", None), ("an empty one", ""), ("comments and blanks", "# x\n\n  \n#y"), ("a byte-order mark", b"\xef\xbb\xbfa\n"),
    ("no end of line", "a"), ("CRLF", "a\r\ndir\r\n"), ("all but one", "*\n!README.md\n"), ("all but a folder's file", "*\n!dir/sub/a\n"),
    ("all but a folder", "**\n!dir\n"), ("all but a pattern", "*\n!**/*.py\n"), ("taken back and away again", "*.md\n!README*.md\nREADME-secret.md\n"),
    ("order matters", "*.md\nREADME-secret.md\n!README*.md\n"), ("the Dockerfile itself", "Dockerfile\n.dockerignore\n"), ("everything", "**\n"),
    ("a lone !", "!\n"), ("a set without an end", "[a\n"), ("a backslash at the end", "a\\\n"), ("an empty set", "[]a\n"), ("a range", "temp[a-z]\n"),
    ("a turned range", "temp[z-a]\n"), ("bytes that are no UTF-8", b"\xff*\na\n"), ("a leading slash", "/a\n/dir/sub\n"), ("up and down", "../x\ndir/../a\n"),
    ("! with a slash", "*\n!/dir/a\n"), ("a folder's content", "dir/*\n!dir/b.txt\n"), ("a space within", "sp ace\n"), ("stars in a row", "***/a\n"),
]


def by_hand():
    for name, ignore in CASES:
        make(f"{BASE}/case", FILES, ignore)
        compare(f"{BASE}/case", f"as docker sends it: {name}")
    make(f"{BASE}/case", FILES, "*\n", "build/Docker file")
    compare(f"{BASE}/case", "as docker sends it: a Dockerfile in a folder that is left out", "build/Docker file")


def at_random():
    source = random.Random(os.environ.get("SEED", "slipway"))
    for number in range(int(os.environ.get("CONTEXTS", "60"))):
        ignore = "\n".join(source.choice(PATTERNS) for _ in range(source.randint(1, 6))) + "\n"
        make(f"{BASE}/case", FILES, ignore)
        if not compare(f"{BASE}/case", f"as docker sends it: patterns {number}"):
            t.note(ignore)


def odd_things():
    folder = f"{BASE}/odd"
    make(folder, FILES, None)
    long = "/".join(["a-long-name-of-a-folder"] * 7)
    os.makedirs(f"{folder}/{long}")
    for name in ("x" * 99, "y" * 100, "z" * 101, "ä" * 60, "w" * 255, f"{long}/" + "v" * 200):
        with open(f"{folder}/{name}", "w") as out:
            out.write("x" * 511)
    os.symlink("a", f"{folder}/link")
    os.symlink("/etc/passwd", f"{folder}/link-out")
    os.symlink("l" * 150, f"{folder}/link-long")
    os.symlink("dir", f"{folder}/link-folder")
    os.makedirs(f"{folder}/empty")
    with open(f"{folder}/program", "w") as out:
        out.write("#!/bin/sh\n")
    os.chmod(f"{folder}/program", 0o755)
    os.chmod(f"{folder}/a", 0o600)
    os.chmod(f"{folder}/dir", 0o700)
    open(f"{folder}/nothing", "w").close()
    with open(f"{folder}/large", "wb") as out:
        out.write(os.urandom(300_000))
    os.utime(f"{folder}/a", (1, 1))
    compare(folder, "long names, links, modes, an empty folder and an empty file")
    first, _ = ours(folder)
    second, _ = ours(folder)
    t.ok(first and first == second, "the same folder gives the same bytes")


def left_out():
    folder = f"{BASE}/sockets"
    make(folder, ["a"], None)
    os.mkfifo(f"{folder}/pipe")
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(f"{folder}/socket")
        got = subprocess.run([TOOL, SOCKET, "context", folder], capture_output=True)
    names, _ = entries(got.stdout)
    t.same(sorted(names), ["Dockerfile", "a"], "a pipe and a socket aren't sent")
    t.has(got.stderr.decode(), "left out of the build context: pipe and others", "and it says so")
    subprocess.run(["truncate", "-s", "9G", f"{folder}/huge"], check=True)
    os.unlink(f"{folder}/pipe")
    head = subprocess.Popen([TOOL, SOCKET, "context", folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with tarfile.open(fileobj=head.stdout, mode="r|") as tar:
        sizes = {}
        for member in tar:
            sizes[member.name] = member.size
            if member.name == "huge":
                break
    head.kill()
    head.wait()
    t.same(sizes.get("huge"), 9 << 30, "a file over 8 GiB has its size")


def refused():
    folder = f"{BASE}/refused"
    make(folder, ["a"], None)
    _, said = ours(folder, "Nofile")
    t.has(said, "usage: there is no file 'Nofile' in", "no Dockerfile")
    os.symlink("/etc/passwd", f"{folder}/Outfile")
    _, said = ours(folder, "Outfile")
    t.has(said, "leads out of", "a Dockerfile that is a link out")
    os.symlink("/etc/passwd", f"{folder}/.dockerignore")
    _, said = ours(folder)
    t.has(said, "leads out of", "a .dockerignore that is a link out")
    make(folder, ["a", "b"], "a\n\n[b\n")
    _, said = ours(folder)
    t.has(said, "usage: .dockerignore: line 3: '[b' is no pattern", "a mistake has its line")
    make(folder, ["a", "b"], "a\n")
    with open(f"{folder}/Dockerfile.dockerignore", "w") as out:
        out.write("b\n")
    got, _ = ours(folder)
    t.same(sorted(entries(got)[0]), [".dockerignore", "Dockerfile", "Dockerfile.dockerignore", "a"],
           "a Dockerfile's own .dockerignore comes before the folder's")
    if os.getuid() == 0:
        t.skip("a file that can't be read", "root reads everything")
        return
    os.chmod(f"{folder}/a", 0)
    _, said = ours(folder)
    t.has(said, "auth: read 'a' for the build context", "a file that can't be read")


def listing(image):
    """What is in an image: {path: (type, mode, link, content)}."""
    made = subprocess.run(["docker", "create", image, "x"], capture_output=True, text=True, check=True).stdout.strip()
    try:
        archive = subprocess.run(["docker", "export", made], capture_output=True, check=True).stdout
    finally:
        subprocess.run(["docker", "rm", "-f", made], capture_output=True, check=False)
    found, _ = entries(archive)
    machine = {".dockerenv", "dev", "proc", "sys", "etc", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"}
    return {name: entry for name, entry in found.items() if name not in machine and not name.startswith("dev/")}


def for_real():
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode != 0:
        t.skip("images of both are the same", "no Docker engine answers")
        return
    for number, ignore in enumerate((None, "**/a\nDockerfile\n!dir/sub/a\n", "*\n!dir\n")):
        folder = f"{BASE}/real"
        make(folder, FILES, ignore)
        tags = [f"slipway-context-{os.getpid()}-{number}-{who}" for who in ("docker", "slipway")]
        try:
            subprocess.run(["docker", "build", "-q", "--no-cache", "-t", tags[0], folder], check=True, capture_output=True,
                           env={**os.environ, "DOCKER_BUILDKIT": "0"})
            subprocess.run([TOOL, SOCKET, "build", folder, f"tag={tags[1]}"], check=True, capture_output=True)
            want, got = listing(tags[0]), listing(tags[1])
            t.ok(want == got, f"images of both are the same: {ignore!r}", f"theirs: {sorted(want)}", f"ours: {sorted(got)}")
        finally:
            subprocess.run(["docker", "rmi", "-f", *tags], capture_output=True, check=False)


if not shutil.which("docker"):
    t.skip_all("no docker program")
listener = Listener(f"{BASE}/engine.sock")
listener.start()
by_hand()
at_random()
odd_things()
left_out()
refused()
for_real()
t.done()
