#!/usr/bin/python3
"""Target server with `run: container`: live, switched without a dropped request, rolled back, kept alive; also where nginx isn't installed."""

import atexit
import json
import os
import shutil
import subprocess
import threading

import harness as t

SLIPWAY = os.path.abspath(os.path.join(t.BUILD, "slipway"))
BUSYBOX = "/bin/busybox"
if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
    t.skip_all("no Docker engine answers: scripts/docker-engine starts one")
if not os.path.exists(BUSYBOX):
    t.skip_all("busybox-static isn't installed")
BASE = t.folder("slipway-container.")
PORT = t.free_port()
DOCKERFILE = """FROM scratch
COPY busybox /bin/busybox
COPY www /www
{more}
CMD {command}
"""
SERVE = '["/bin/busybox", "httpd", "-f", "-p", "0.0.0.0:8080", "-h", "/www"]'


def docker(*words):
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False).stdout.strip()


def put(version, command=SERVE, health=True, settings="", port=PORT, host="box"):
    app = os.path.join(BASE, "app")
    shutil.rmtree(app, ignore_errors=True)
    t.write(os.path.join(app, "www/index.html"), f"version {version}\n")
    if health:
        t.write(os.path.join(app, "www/healthz"), "fine\n")
    shutil.copy(BUSYBOX, os.path.join(app, "busybox"))
    t.write(os.path.join(app, "Dockerfile"), DOCKERFILE.format(more="", command=command))
    t.write(os.path.join(app, "slipway.yml"), f"""version: 1
services:
  {host}:
    build: {{dockerfile: Dockerfile}}
    test: {{run: [/bin/busybox, test, -d, /www]}}
    health: {{path: /healthz, timeout: 6s, settle: 1s}}
    env: {{COLOUR: "bl'ue $HOME"}}
    environments:
      production:
        target: server
        run: container
        url: http://{host}.localhost:{port}
        drain: 5s
        keep: 2
        {settings}
""")
    return app


def run(*words, data="data", hide=False):
    command = [SLIPWAY, *words]
    if hide:  # a machine without nginx
        command = ["unshare", "-m", "sh", "-c", "for f in /usr/sbin/nginx /usr/bin/nginx; do test ! -e $f || mount --bind /dev/null $f; done; "
                   "exec \"$@\"", "sh", *command]
    return subprocess.run([*command, "--data", os.path.join(BASE, data)], capture_output=True, text=True, check=False, timeout=180,
                          env={"PATH": os.environ["PATH"], "HOME": BASE})


def deploy(app, **more):
    return run("deploy", "--config", os.path.join(app, "slipway.yml"), **more)


def page(host="box.localhost", port=PORT):
    try:
        return t.fetch(port, host)
    except OSError as error:
        return (None, str(error))


def ours():
    """Containers of this test: their label names the slot's folder, which is below BASE."""
    ids = docker("ps", "-aq", "--filter", "label=slipway.slot").split()
    return [c for c in json.loads(docker("inspect", *ids) if ids else "[]") if c["Config"]["Labels"]["slipway.slot"].startswith(BASE)]


def clear():
    for data in ("data", "data2"):
        if os.path.exists(os.path.join(BASE, data)):
            run("down", data=data)
    for container in ours():
        docker("rm", "-f", container["Id"])
    for line in docker("images", "--format", "{{.Repository}}:{{.Tag}}").split():
        if line.startswith(("slipway/box:", "slipway/bare:", *(k.split(":")[0] + ":" for k in kept))):
            docker("rmi", "-f", line)


kept = set()
atexit.register(clear)

# --- live ---

done = deploy(put("one", settings="memory: 64m\n        cpus: \"0.5\"\n        pids: 40"))
t.same(done.returncode, 0, "an image is deployed as a container", done.stdout + done.stderr)
t.same(page()[:2], (200, "version one\n"), "and serves behind the gateway")
(box,) = ours()
kept.add(box["Config"]["Image"])
t.same((box["HostConfig"]["Memory"], box["HostConfig"]["NanoCpus"], box["HostConfig"]["PidsLimit"]), (64 << 20, 500000000, 40),
       "its limits are the settings'")
t.same((box["HostConfig"]["CapDrop"], box["HostConfig"]["SecurityOpt"], box["HostConfig"]["RestartPolicy"]["Name"]),
       (["ALL"], ["no-new-privileges"], "unless-stopped"), "it has no capabilities, and the engine starts it again")
t.ok("COLOUR=bl'ue $HOME" in box["Config"]["Env"] and "PORT=8080" in box["Config"]["Env"], "its environment is the app's and PORT")
t.same([b[0]["HostIp"] for b in box["NetworkSettings"]["Ports"].values() if b], ["127.0.0.1"], "it is published on loopback only")

# --- the next one, under load ---

stop, answers = threading.Event(), []


def ask():
    while not stop.is_set():
        answers.append(page()[:2])


askers = [threading.Thread(target=ask) for _ in range(3)]
for asker in askers:
    asker.start()
done = deploy(put("two"))
stop.set()
for asker in askers:
    asker.join()
t.same(done.returncode, 0, "a second version", done.stdout + done.stderr)
t.same(page()[:2], (200, "version two\n"), "serves")
t.same({a for a in answers} - {(200, "version one\n"), (200, "version two\n")}, set(), f"none of {len(answers)} requests was dropped")
t.same(len(ours()), 1, "the container before is gone")
kept |= {c["Config"]["Image"] for c in ours()}

# --- bad ones ---

FAILS = '["/bin/busybox", "sh", "-c", "echo no good; exit 3"]'
for name, more, why in [
    ("ends at once", {"command": FAILS}, "status 3"),
    ("has no health", {"health": False}, "404"),
    ("listens on its own loopback", {"command": SERVE.replace("0.0.0.0", "127.0.0.1")}, "0.0.0.0"),
]:
    done = deploy(put("bad", **more))
    t.same(done.returncode, 1, f"one that {name} isn't live")
    t.has(done.stderr, why, "the message says why")
    t.same(page()[:2], (200, "version two\n"), "the one before goes on")
    t.same(len(ours()), 1, "and nothing is left of the bad one")
t.has(deploy(put("six", command=FAILS)).stderr, "no good", "what it logged is shown")

# --- back, and kept alive ---

done = run("rollback", "--config", os.path.join(put("two"), "slipway.yml"))
t.same(done.returncode, 0, "roll back", done.stdout + done.stderr)
t.same(page()[:2], (200, "version one\n"), "to the first version")
(box,) = ours()
docker("exec", box["Id"], "/bin/busybox", "kill", "-KILL", "-1")
t.ok(t.until(lambda: page()[:2] == (200, "version one\n"), 20), "killed from within: the engine starts it again")

# --- mistakes ---

done = deploy(put("x", settings="port: 8080\n        memory: lots\n        cpus: -1"))
t.same(done.returncode, 2, "wrong limits: exit 2")
t.ok("lots" in done.stderr and "-1" in done.stderr, "all of them are named", done.stderr)
app = put("x")
t.write(os.path.join(app, "slipway.yml"), open(os.path.join(app, "slipway.yml"), encoding="utf-8").read()
        .replace("build: {dockerfile: Dockerfile}", "build: {run: [true]}"))
done = deploy(app)
t.same(done.returncode, 2, "run: container without an image: exit 2", done.stderr)
t.has(done.stderr, "dockerfile", "and what to do")

run("down")
t.same((ours(), page()[0]), ([], None), "down: nothing is left")

# --- no nginx on this machine ---

if os.geteuid() != 0:
    t.skip("a gateway in a container", "hiding nginx needs root")
else:
    subprocess.run(["scripts/base-image", "nginx:stable"], check=True, stdout=subprocess.DEVNULL)
    other = t.free_port()
    done = deploy(put("seven", port=other, host="bare"), data="data2", hide=True)
    t.same(done.returncode, 0, "without nginx here, the gateway is a container", done.stdout + done.stderr)
    t.same(page("bare.localhost", other)[:2], (200, "version seven\n"), "and serves")
    gateway = [c for c in docker("ps", "--format", "{{.Names}}").split() if c.startswith("slipway-gateway-")]
    t.ok(gateway, "it is there")
    done = deploy(put("eight", port=other, host="bare"), data="data2", hide=True)
    t.same((done.returncode, page("bare.localhost", other)[:2]), (0, (200, "version eight\n")), "a second version", done.stderr)
    kept |= {c["Config"]["Image"] for c in ours()}
    run("down", data="data2", hide=True)
    t.same(page("bare.localhost", other)[0], None, "down stops it too")
t.done()
