#!/usr/bin/python3
"""lib/image against a real Docker engine: builds, runs, pushes. Skipped where no engine answers."""

import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
import warnings

import harness as t

TOOL = os.path.join(t.BUILD, "tests/tools/engine")
BASE = t.folder("slipway-engine.")
SOCKET = "/var/run/docker.sock"
NAME = f"slipway-engine-{os.getpid()}"
BUSYBOX = "/bin/busybox"
STATIC = """FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "mkdir", "-p", "/tmp", "/etc"]
RUN ["/bin/busybox", "--install", "-s", "/bin"]
"""


def call(*words, stdin=None):
    return subprocess.run([TOOL, SOCKET, *words], capture_output=True, text=True, stdin=stdin, timeout=120)


def context(name, dockerfile, files=()):
    folder = os.path.join(BASE, name)
    os.makedirs(folder, exist_ok=True)
    shutil.copy(BUSYBOX, folder)
    for path, text in {"Dockerfile": dockerfile, **dict(files)}.items():
        with open(os.path.join(folder, path), "w") as out:
            out.write(text)
    return folder


def inspect(image):
    return json.loads(call("image", image).stdout)


def containers(label):
    return json.loads(call("list", label).stdout)


def builds():
    folder = context("app", STATIC + "ARG WHO=nobody\nRUN echo hello $WHO; printf 'half a line'\nRUN mkdir /stage\n"
                     "FROM base AS last\nCMD [\"sleep\", \"60\"]\n", {"file": "1\n"})
    got = call("build", folder, f"tag={NAME}:1", f"label=slipway.test={NAME}", f"arg=WHO={NAME}", "target=base")
    t.ok(got.returncode == 0 and got.stdout.startswith("sha256:") and len(got.stdout) == 72, "a build gives the image's whole id",
         got.stdout, got.stderr)
    t.has(got.stderr, f"\nhello {NAME}\nhalf a line", "its log comes by line, with the build argument")
    image = inspect(got.stdout.strip())
    t.same(image["Config"]["Labels"], {"slipway.test": NAME}, "it has its label")
    t.same(image["RepoTags"], [f"{NAME}:1"], "and its tag")
    t.ok("sleep" not in str(image["Config"]["Cmd"]), "the stage that was asked for")
    again = call("build", folder, f"tag={NAME}:1")
    t.ok("Using cache" in again.stderr and "sleep" in str(inspect(f"{NAME}:1")["Config"]["Cmd"]), "the last stage otherwise, from cache")
    here = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}.get(os.uname().machine)
    got = call("build", folder, f"platform={here}")
    t.same(got.returncode, 0, "a platform", got.stdout)
    got = call("build", folder, "platform=nonsense")
    t.has(got.stdout, "nonsense", "one that isn't known is an error")
    got = call("build", folder, "target=none")
    t.ok(got.returncode == 1 and "none" in got.stdout, "a stage that isn't there", got.stdout)


def failing_builds():
    folder = context("bad", STATIC + "RUN echo before; exit 7\n")
    got = call("build", folder)
    t.ok(got.returncode == 1 and got.stdout.startswith("remote: ") and "returned a non-zero code: 7" in got.stdout,
         "a step that fails is an error, though the answer is a 200", got.stdout)
    t.has(got.stderr, "\nbefore\n", "its output is told")
    got = call("build", context("syntax", "FROM scratch\nNONSENSE x\n"))
    t.ok(got.returncode == 1 and "NONSENSE" in got.stdout, "an instruction that there isn't", got.stdout)
    got = call("build", context("buildkit", STATIC + "RUN --mount=type=cache,target=/x echo\n"))
    t.has(got.stdout, "the engine's own builder is used", "what only BuildKit has is explained")
    got = call("build", context("base", f"FROM {NAME}.invalid/none:1\n"))
    t.same(got.stdout.split(":")[0], "remote", "a base image that can't be had", got.stdout)


def stopped_builds():
    folder = context("slow", STATIC + "RUN echo slow; sleep 50\n")
    begun = time.monotonic()
    got = call("build", folder, "timeout=3")
    t.ok(got.stdout == "limit: it took longer than 3 s\n" and time.monotonic() - begun < 15, "a build that takes too long", got.stdout)
    begun = time.monotonic()
    got = call("build", folder, "ticks=4")
    t.ok(got.stdout == "cancelled: cancelled\n" and time.monotonic() - begun < 15, "a build that is cancelled", got.stdout)
    for _ in range(100):
        running = subprocess.run(["docker", "ps", "-q", "--no-trunc"], capture_output=True, text=True).stdout.split()
        held = [c for c in running if "echo slow; sleep 50" in subprocess.run(["docker", "inspect", c], capture_output=True, text=True).stdout]
        if not held:
            break
        time.sleep(0.1)
    t.same(held, [], "the engine has stopped what it ran for them")


def runs():
    image = f"{NAME}:1"
    got = call("run", image, "env=A=b c", "label=slipway.run=1", "--", "sh", "-c", 'echo "$A"; echo err >&2; printf tail; exit 3')
    t.same((got.returncode, got.stdout), (0, "3\n"), "the status of a container", got.stderr)
    t.same(sorted(got.stderr.split("\n")), ["", "b c", "err", "tail"], "both streams by line, the last one too")
    got = call("run", image, "--", "sh", "-c", "seq 1 50000; exit 9")
    t.ok(got.stdout == "9\n" and got.stderr.split() == [str(n) for n in range(1, 50001)], "much output, all of it", got.stdout)
    got = call("run", image, "--", "printf", "quick")
    t.same((got.stdout, got.stderr), ("0\n", "quick\n"), "one that ends at once is heard")
    folder = os.path.join(BASE, "mounted")
    os.makedirs(folder)
    os.chmod(folder, 0o777)
    got = call("run", image, f"mount={folder}:/mnt", "user=1234:5678", "--", "sh", "-c", "id -u; id -g; echo x >/mnt/made")
    t.same(got.stderr, "1234\n5678\n", "as the user who was named")
    made = os.stat(os.path.join(folder, "made"))
    t.same((made.st_uid, made.st_gid), (1234, 5678), "in the folder that was mounted")
    got = call("run", image, "mount=/nowhere/at/all:/x", "--", "true")
    t.has(got.stdout, "bind source path does not exist", "a folder that isn't there is not made")
    got = call("run", image, "confined=1", "--", "sh", "-c", "grep -E 'CapEff|NoNewPrivs' /proc/self/status")
    t.ok("CapEff:\t0000000000000000" in got.stderr and "NoNewPrivs:\t1" in got.stderr, "confined", got.stderr)
    got = call("run", image, "--", "/none")
    t.ok(got.returncode == 1 and "/none" in got.stdout, "a program that isn't in the image", got.stdout)
    got = call("run", f"{NAME}-none:1", "--", "true")
    t.ok(got.stdout.startswith("absent: "), "an image that isn't there", got.stdout)
    begun = time.monotonic()
    got = call("run", image, "timeout=2", "--", "sh", "-c", "echo begun; sleep 60")
    t.ok(got.stdout == "limit: it took longer than 2 s\n" and got.stderr == "begun\n" and time.monotonic() - begun < 12,
         "a time-out", got.stdout)
    begun = time.monotonic()
    got = call("run", image, "ticks=4", "--", "sleep", "60")
    t.ok(got.stdout == "cancelled: cancelled\n" and time.monotonic() - begun < 7, "cancelled within seven seconds", got.stdout,
         time.monotonic() - begun)


def lives():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = call("create", f"{NAME}:1", f"name={NAME}-one", f"label=slipway.test={NAME}", "port=80", f"host-port={port}").stdout.strip()
        got = call("start", one)
        t.ok(got.stdout.startswith("conflict: "), "a port that another has", got.stdout)
    t.has(call("create", f"{NAME}:1", f"name={NAME}-one").stdout, "conflict: ", "a name that is taken")
    call("remove", one)
    two = call("create", f"{NAME}:1", f"label=slipway.test={NAME}", "port=80", "restart=unless-stopped").stdout.strip()
    t.same((call("start", two).returncode, call("start", two).returncode), (0, 0), "started, and again")
    state = json.loads(call("container", two).stdout)
    t.ok(state["State"]["Running"], "it runs")
    host = state["HostConfig"]
    t.same((host["Memory"], host["NanoCpus"], host["PidsLimit"], host["RestartPolicy"]["Name"]), (64 << 20, 500_000_000, 50, "unless-stopped"),
           "with its limits")
    published = state["NetworkSettings"]["Ports"]["80/tcp"][0]
    t.ok(published["HostIp"] == "127.0.0.1" and int(published["HostPort"]) > 0, "its port is on loopback alone", published)
    t.same([c["Id"] for c in containers(f"slipway.test={NAME}")], [two], "it is in the list of its label")
    got = call("exec", two, "sh", "-c", "echo in; echo it >&2; exit 4")
    t.same(sorted(got.stdout.split()), ["4", "in", "it"], "a command in it")
    call("exec", two, "sh", "-c", "echo logged >/proc/1/fd/1")
    t.same(call("logs", two).stdout, "logged\n", "its log")
    t.same(call("signal", two, "HUP").returncode, 0, "a signal")
    t.same((call("stop", two).returncode, call("stop", two).returncode), (0, 0), "stopped, and again")
    t.ok(call("signal", two, "HUP").stdout.startswith("conflict: "), "a signal to one that is stopped")
    t.same((call("remove", two).returncode, call("remove", two).returncode), (0, 0), "removed, and again")
    t.ok(call("container", two).stdout.startswith("absent: "), "then it is gone")
    t.same(call("stop", two).returncode, 0, "and stopping it is fine")


def saved():
    path = os.path.join(BASE, "saved.tar")
    with open(path, "wb") as out:
        subprocess.run([TOOL, SOCKET, "save", f"{NAME}:1"], stdout=out, check=True)
    with tarfile.open(path) as tar:
        t.ok("manifest.json" in tar.getnames(), "an image as a tar")


def wait_for(port):
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)


def pushes():
    if not shutil.which("docker-registry"):
        t.skip("pushes", "no docker-registry")
        return
    port = t.free_port()
    warnings.simplefilter("ignore", DeprecationWarning)
    import crypt  # its bcrypt is what htpasswd writes
    password = "p+a/s=s:w"
    with open(f"{BASE}/htpasswd", "w") as out:
        out.write("AWS:" + crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH)).replace("$2b$", "$2y$", 1) + "\n")
    with open(f"{BASE}/registry.yml", "w") as out:
        out.write(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {BASE}/registry}}}}\nhttp: {{addr: 127.0.0.1:{port}}}\n"
                  f"auth: {{htpasswd: {{realm: test, path: {BASE}/htpasswd}}}}\n")
    registry = subprocess.Popen(["docker-registry", "serve", f"{BASE}/registry.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    name = f"127.0.0.1:{port}/team/{NAME}:v1"
    try:
        wait_for(port)
        t.same(call("tag", f"{NAME}:1", name).returncode, 0, "named for a registry")
        got = call("push", name, "user=AWS", f"password={password}", f"server=127.0.0.1:{port}")
        t.ok(got.returncode == 0 and got.stdout.startswith("sha256:"), "pushed: the digest", got.stdout, got.stderr)
        t.ok(any(d.endswith(got.stdout.strip()) for d in inspect(name)["RepoDigests"]), "which is what the engine says of it")
        got = call("push", name, "user=AWS", "password=wrong", f"server=127.0.0.1:{port}")
        t.ok(got.returncode == 1 and got.stdout.startswith("auth: push"), "an error within a 200 is an error", got.stdout)
        got = call("push", name)
        t.ok(got.stdout.startswith("auth: "), "without a login", got.stdout)
        got = call("push", f"127.0.0.1:{port}/team/{NAME}:none", "user=AWS", f"password={password}")
        t.ok(got.stdout.startswith("absent: "), "a tag that isn't there", got.stdout)
    finally:
        registry.terminate()
        registry.wait()
        call("untag", name)


def old_names():
    old = f"{NAME}-old"
    for tag in ("1", "2", "3"):
        call("tag", f"{NAME}:1", f"{old}:{tag}")
    tags = lambda: subprocess.run(["docker", "images", "--format", "{{.Tag}}", old], capture_output=True, text=True).stdout.split()
    t.same(call("untag-old", old, "0", f"{old}:2").returncode, 0, "names of old images are asked for")
    t.same(sorted(tags()), ["1", "2", "3"], "none is older than that")
    t.same(call("untag-old", old, str(2**40), f"{old}:2").returncode, 0, "and again")
    t.same(tags(), ["2"], "all are, but for the one that is to stay")
    call("untag", f"{old}:2")
    t.ok(inspect(f"{NAME}:1"), "the image has its other name still")


def places():
    got = subprocess.run([TOOL, "/nowhere/docker.sock", "ping"], capture_output=True, text=True)
    t.has(got.stdout, "absent: there is no Docker engine at /nowhere/docker.sock", "no socket")
    path = os.path.join(BASE, "dead.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    got = subprocess.run([TOOL, path, "ping"], capture_output=True, text=True)
    t.has(got.stdout, f"absent: nobody answers at Docker's socket {path}", "nobody behind it")
    if os.getuid() == 0:
        shut = os.path.join(BASE, "shut.sock")
        with socket.socket(socket.AF_UNIX) as shut_socket:
            shut_socket.bind(shut)
            shut_socket.listen()
            os.chmod(shut, 0o600)
            os.chmod(BASE, 0o755)
            tool = os.path.join(BASE, "tool")
            shutil.copy(TOOL, tool)
            got = subprocess.run([tool, shut, "ping"], capture_output=True, text=True, user=65534, group=65534, extra_groups=[])
        t.has(got.stdout, f"auth: user 65534 may not use Docker's socket {shut}", "one that we may not use")
    else:
        t.skip("one that we may not use", "not root")
    t.same(call("self").stdout, "none\n", "outside of a container there is no self") if not os.path.exists("/.dockerenv") else \
        t.skip("outside of a container there is no self", "this is one")


def inside():
    """The same from within a container: who it is, and what its folders are called outside."""
    tool = os.path.realpath(TOOL)
    for name, more in (("with a host name of its own", ["--hostname", "web"]), ("as it is", []), ("in the host's network", ["--network", "host"])):
        got = subprocess.run(["docker", "run", "--rm", "--name", f"{NAME}-in", *more, "-v", f"{SOCKET}:{SOCKET}",
                              "-v", f"{BASE}:/github/workspace", "-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro",
                              "-v", f"{os.path.dirname(tool)}:/tools:ro", f"{NAME}:1", "/bin/busybox", "sh", "-c",
                              f"/tools/engine {SOCKET} self; /tools/engine {SOCKET} host-path /github/workspace/a/b;"
                              f" /tools/engine {SOCKET} host-path /etc/nothing"], capture_output=True, text=True)
        lines = got.stdout.split("\n")
        t.ok(len(lines) > 2 and len(lines[0]) >= 12 and lines[0] != "none", f"a container knows itself: {name}", got.stdout, got.stderr)
        t.same(lines[1:3], [f"{BASE}/a/b", "none"], "and where its folders are outside")


if subprocess.run([TOOL, SOCKET, "ping"], capture_output=True).returncode != 0:
    t.skip_all("no Docker engine answers")
if not os.path.exists(BUSYBOX) or "not a dynamic" not in subprocess.run(["ldd", BUSYBOX], capture_output=True, text=True).stderr:
    t.skip_all("no static busybox")
try:
    builds()
    failing_builds()
    stopped_builds()
    runs()
    lives()
    saved()
    pushes()
    old_names()
    places()
    inside()
finally:
    subprocess.run(f"docker rmi -f {NAME}:1; docker images -q --filter label=slipway.test={NAME} | xargs -r docker rmi -f",
                   shell=True, capture_output=True)
t.done()
