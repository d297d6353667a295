#!/usr/bin/python3
"""The emulator of GitHub's runner with a Docker engine: what a container action gets, and what becomes of what it leaves."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../runner"))
import harness as t

import docker_cli
from runner import Runner

t.once()

ENGINE = subprocess.run(["docker", "-H", "unix:///var/run/docker.sock", "version"], capture_output=True, check=False).returncode == 0
if os.geteuid() != 0 or not ENGINE:
    t.skip_all("no Docker engine, or not root")
BASE = t.folder()
os.chmod(BASE, 0o755)
RUNNER = Runner(os.path.join(BASE, "runner"), back_off=(0, 0))
# The image is a busybox alone.
BUSYBOX = shutil.which("busybox")


def action(name, script, metadata):
    folder = os.path.join(BASE, name)
    t.write(os.path.join(folder, "Dockerfile"), "FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\nCOPY run /run\n")
    t.write(os.path.join(folder, "run"), "#!/bin/sh\nPATH=/bin\nalias env='busybox env' id='busybox id' cat='busybox cat' sleep='busybox sleep'\n" + script, 0o755)
    with open(BUSYBOX, "rb") as f, open(os.path.join(folder, "busybox"), "wb") as g:
        g.write(f.read())
    os.chmod(os.path.join(folder, "busybox"), 0o755)
    t.write(os.path.join(folder, "action.yml"), metadata)
    return folder


METADATA = """name: try
description: a container action
inputs:
  deploy-env: {description: where, default: prod}
  my name: {description: spaced}
  quoted: {description: q}
  token: {description: t, default: "${{ github.token }}"}
outputs: {url: {description: u}}
runs:
  using: docker
  image: Dockerfile
  pre-entrypoint: /run
  entrypoint: /run
  post-entrypoint: /run
  args: [first, "${{ inputs.quoted }}", last]
  env: {FROM_ACTION: "${{ inputs.deploy-env }}", FROM_JOB: no}
"""
SOURCE = os.path.join(BASE, "source")
t.write(os.path.join(SOURCE, "hello.txt"), "hello\n")
WORKFLOW = """
on: push
env: {FROM_JOB: job, LATER: a}
jobs:
  one:
    permissions: {contents: read, id-token: write}
    environment: {name: production, url: "${{ steps.act.outputs.url }}"}
    outputs: {url: "${{ steps.act.outputs.url }}", leak: "${{ steps.act.outputs.leak }}"}
    steps:
      - uses: actions/checkout@v6
      - uses: acme/act@v1
        id: act
        with: {deploy-env: stage, quoted: 'a "b', extra: x}
        env: {STEP: "${{ env.LATER }}"}
      - run: |
          echo "$NEW ${{ steps.act.outcome }} $(id -u)"
          cat hello.txt
        if: always()
"""
SCRIPT = r"""
echo "args $#: $1|$2|$3"
echo "dash: $(busybox tr '\0' '\n' </proc/1/environ | busybox grep -c ^INPUT_DEPLOY-ENV=stage)"
for n in INPUT_MY_NAME FROM_ACTION FROM_JOB STEP HOME GITHUB_WORKSPACE GITHUB_EVENT_PATH RUNNER_TEMP GITHUB_TOKEN GITHUB_ACTIONS CI STATE_n STATE_Key GITHUB_REPOSITORY; do
	eval "echo \"$n=\${$n-unset}\""; done
id -u
busybox pwd
[ -S /var/run/docker.sock ] && echo "has the socket"
busybox ls /github/runner_temp | busybox grep -c git-credentials
cat /github/workflow/event.json; echo
[ -t 1 ] && echo "is a terminal"
read line || echo "stdin is closed"
echo "token is $INPUT_TOKEN"
echo "Key=${STATE_Key}x" >>$GITHUB_STATE
printf 'url<<E\nhttp://shop\nE\nleak=%s\n' "$INPUT_TOKEN" >>$GITHUB_OUTPUT
echo "NEW=new" >>$GITHUB_ENV
echo "# done, not $INPUT_TOKEN" >>$GITHUB_STEP_SUMMARY
echo "::error file=/github/workspace/hello.txt,line=1::bad"
busybox touch /github/workspace/rooty
[ -n "$STATE_Key" ] || busybox mkdir -m 555 /github/runner_temp/locked
"""
folder = action("act", SCRIPT, METADATA)
r = RUNNER.run(WORKFLOW, source=SOURCE, actions={"acme/act@v1": folder}, payload={"after": "x"}, secrets={"OTHER": "s3cret-value"})
t.same([(s.name, s.stage, s.conclusion) for s in r.steps],
       [("Set up job", "setup", "success"), ("Run acme/act@v1", "pre", "success"), ("Run actions/checkout@v6", "main", "success"),
        ("Run acme/act@v1", "main", "success"), ("Run echo \"$NEW ${{ steps.act.outcome }} $(id -u)\"", "main", "success"), ("Run acme/act@v1", "post", "success")],
       "pre, main and post run as three containers, in the runner's order", r.log)
main = r.step("act")
for line in ('args 3: first|a "b|last', "dash: 1", "INPUT_MY_NAME=", "FROM_ACTION=stage", "FROM_JOB=job", "STEP=a", "HOME=/github/home",
             "GITHUB_WORKSPACE=/github/workspace", "GITHUB_EVENT_PATH=/github/workflow/event.json", "RUNNER_TEMP=/github/runner_temp", "GITHUB_TOKEN=unset",
             "GITHUB_ACTIONS=true", "CI=true", "STATE_Key=x", "GITHUB_REPOSITORY=acme/shop", "0", "/github/workspace", "has the socket", "1", '{"after": "x"}',
             "stdin is closed", "token is ***"):
    t.ok(line in main.log, f"the container sees: {line}", *main.log)
t.ok("is a terminal" not in main.log, "no terminal")
t.same(main.command[:8], ["run", "--name", main.command[2], "--label", RUNNER.label, "--workdir", "/github/workspace", "--rm"], "docker run begins as the runner's")
names = [main.command[n + 1] for n, word in enumerate(main.command) if word == "-e"]
order = [names.index(n) for n in ("LATER", "STATE_Key", "INPUT_DEPLOY-ENV", "INPUT_TOKEN", "FROM_ACTION", "HOME", "GITHUB_SHA", "RUNNER_OS",
                                  "ACTIONS_RUNTIME_URL", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_RESULTS_URL", "GITHUB_ACTIONS=true", "CI=true")]
t.same(order, sorted(order), "the environment's order", names)
t.ok(not any("=" in n for n in names if n not in ("GITHUB_ACTIONS=true", "CI=true")), "no value in the arguments", names)
mounts = [main.command[n + 1].split(":")[1] for n, word in enumerate(main.command) if word == "-v"]
t.same(mounts, ["/var/run/docker.sock", "/github/runner_temp", "/github/home", "/github/workflow", "/github/file_commands", "/github/workspace"], "the mounts")
t.same([a for a in main.annotations if a["type"] == "error"], [{"type": "error", "message": "bad", "file": "hello.txt", "line": "1"}], "the annotation")
t.has(main.annotations[0]["message"], "Unexpected input(s) 'extra'", "an input that isn't declared warns")
t.same((r.outputs, r.warnings), ({"url": "http://shop"}, ["Skip output 'leak' since it may contain secret."]), "an output with a secret in it is dropped")
t.same(r.environment, {"name": "production", "url": "http://shop"}, "the job's environment")
t.same(main.summary, "# done, not ***\n", "secrets are masked in the summary")
t.same(r.step("act", "post").state, {"Key": "xxx"}, "state goes from pre to main to post")
t.ok("new success 1001" in r.log, "GITHUB_ENV reaches the next step, which is the runner's user", r.log)
t.same((r.foreign, r.stuck, r.containers, r.conclusion), (["_temp/locked", "shop/shop/rooty"], ["_temp/locked"], [], "success"),
       "root's files and a folder that can't be emptied are reported; no container is left")
t.ok(RUNNER.job.token not in r.log and "s3cret-value" not in r.log, "the token is nowhere in the log")
t.same(json.loads(r.as_json())["outputs"], r.outputs, "the result is JSON")

# --- OIDC ---

issuer = RUNNER.oidc()


def token(bearer, audience="sts.amazonaws.com"):
    request = urllib.request.Request(f"{issuer.url}&audience={audience}", headers={"Authorization": f"Bearer {bearer}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["value"]


def claims(jwt):
    part = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


c = claims(token(issuer.token))
t.same((c["aud"], c["sub"], c["repository"], c["exp"] - c["iat"]), ("sts.amazonaws.com", "repo:acme/shop:environment:production", "acme/shop", 300), "a token's claims")
try:
    token("other")
    t.ok(False, "another bearer gets no token")
except urllib.error.HTTPError as e:
    t.same(e.code, 401, "another bearer gets no token")

# --- what fails ---

ONE = "on: push\njobs:\n  one:\n    steps:\n      - uses: acme/act@v1\n        id: act\n        with: {%s}\n      - run: echo after\n        id: after\n"


def run(script, metadata=METADATA.replace("  pre-entrypoint: /run\n", "").replace("  post-entrypoint: /run\n", ""), given="a: b", workflow=ONE, name="two", **more):
    return RUNNER.run(workflow % given if "%s" in workflow else workflow, source=SOURCE, actions={"acme/act@v1": action(name, script, metadata)}, **more)


r = run("echo x=1 >>$GITHUB_OUTPUT; exit 3")
t.same((r.conclusion, r.step("act").code, r.step("act").outputs, r.step("after").conclusion, r.step("act").env.get("ACTIONS_ID_TOKEN_REQUEST_URL")),
       ("failure", 3, {"x": "1"}, "skipped", None), "an exit status fails the step; its outputs count; no id-token without the permission", r.log)
r = run("echo 'x<<E' >>$GITHUB_OUTPUT")
t.same((r.conclusion, r.step("act").code), ("failure", 0), "a malformed command file fails the step", r.log)
t.has(r.log, "Unable to process file command 'output' successfully.", "and says so")
r = run("busybox head -c 1048577 /dev/zero | busybox tr '\\0' x >$GITHUB_STEP_SUMMARY")
t.same((r.conclusion, r.summary), ("success", ""), "a summary of more than 1 MiB is dropped")
r = run('echo "$#|$2"', given="quoted: 'ends\\'")
t.ok('2|ends" last' in r.step("act").log, "the quoting bug is there", *r.step("act").log)
r = RUNNER.run(ONE % "a: b", source=SOURCE, actions={"acme/act@v1": action("broken", "", METADATA.replace("Dockerfile", "sub/Dockerfile"))})
t.same((r.conclusion, [s.stage for s in r.steps]), ("failure", ["setup"]), "no Dockerfile: the job fails at its beginning", r.log)
bad = action("bad", "", METADATA)
t.write(os.path.join(bad, "Dockerfile"), "FROM scratch\nCOPY nothing /\n")
r = RUNNER.run(ONE % "a: b", source=SOURCE, actions={"acme/act@v1": bad})
t.same((r.conclusion, r.log.count("##[command]"), [s.stage for s in r.steps]), ("failure", 3, ["setup"]), "a build that fails is tried three times", r.log)

# --- a local action ---

local = action("local", 'echo "in place $1"', METADATA)
r = RUNNER.run("on: push\njobs:\n  one:\n    steps:\n      - uses: actions/checkout@v6\n        with: {persist-credentials: false}\n      - uses: ./\n        id: act\n",
               source=local)
t.same([(s.stage, s.conclusion) for s in r.steps], [("setup", "success"), ("main", "success"), ("main", "success"), ("post", "success")],
       "a local action is built in its step; pre doesn't run, post does", r.log)
t.ok("in place first" in r.step("act").log, "and runs", r.log)

# --- cancellation ---

t.same((docker_cli.INT_WAIT, docker_cli.TERM_WAIT), (7.5, 2.5), "the waits of the signal ladder")
docker_cli.INT_WAIT, docker_cli.TERM_WAIT = 1.0, 1.0
TRAP = "trap 'echo got INT' INT\ntrap 'echo got TERM; %s' TERM\necho begun\nn=0; while [ $n -lt 200 ]; do sleep 0.1; n=$((n+1)); done"
POST = METADATA.replace("  pre-entrypoint: /run\n", "").replace("post-entrypoint: /run", "post-entrypoint: /bin/busybox").replace("  args: [first, \"${{ inputs.quoted }}\", last]\n", "  args: [env]\n")


def cancel(_, line):
    if line == "begun":
        RUNNER.cancel()


r = run(TRAP % "exit 7", metadata=POST, on_line=cancel)
act = r.step("act")
t.same((r.conclusion, act.conclusion, [line for line in act.log if line.startswith("got")], r.step("after").conclusion),
       ("cancelled", "cancelled", ["got INT", "got TERM"], "skipped"), "SIGINT, then SIGTERM reach the container", r.log)
t.same(r.step("act", "post").conclusion, "success", "post runs after a cancellation", r.log)
r = run(TRAP % ":", on_line=cancel)
t.same((r.conclusion, len(r.containers)), ("cancelled", 1), "who ignores both is left behind", r.log)
began = time.monotonic()
r = run("trap 'exit 9' INT\nwhile :; do sleep 0.1; done", workflow=ONE.replace("        id: act\n", "        id: act\n        timeout-minutes: 0.02\n") % "a: b")
t.same((r.conclusion, r.step("act").code, time.monotonic() - began < 10), ("failure", 9, True), "a step that takes too long fails", r.log)
RUNNER.close()
t.ok(not RUNNER.left_over() and not os.path.exists(RUNNER.folder), "closing removes containers and folder")
t.done()
