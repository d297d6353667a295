#!/usr/bin/python3
"""Builds and tests that mean harm, in a workflow job: none of what they print is obeyed, they see no secret, and what they leave is taken away.

In place, as commands in the action's container, and in an image, as RUN lines and as tests.
"""

import os
import subprocess

import jobs
import harness as t

jobs.need("busybox", "nginx:stable")
place = jobs.Place()
# Everything bounded: 150 MB, 160 processes.
HOSTILE = r"""
L=LEA; leak() { echo "${L}K $*"; }
try_paths() {
	for p in /github/runner_temp/git-credentials* /github/file_commands/* /proc/1/mem "$GITHUB_OUTPUT" "$GITHUB_ENV"; do
		[ -f "$p" ] && head -c 1 "$p" 2>/dev/null | grep -q . && leak "read $p"
		[ -f "$p" ] && (echo "state=forged" >>"$p") 2>/dev/null && leak "wrote $p"
	done
	(echo "state=forged" >/github/file_commands/set_output_x) 2>/dev/null && leak "made a command file"
	for s in /var/run/docker.sock /run/docker.sock; do
		{ [ -r $s ] || [ -w $s ]; } && leak "may use $s"
	done
	for p in /proc/[0-9]*; do
		tr '\0' '\n' <$p/environ 2>/dev/null | grep -qE '^(ACTIONS_|INPUT_)' && leak "environment of $p"
	done
	env | cut -d= -f1 | grep -E '^(ACTIONS_|INPUT_|API_KEY$|GITHUB_TOKEN$|GITHUB_(OUTPUT|ENV|STATE|PATH|STEP_SUMMARY)$)' | while read -r n; do leak "variable $n"; done
	true
}
forge() {
	echo '::set-output name=state::forged'; echo '::save-state name=data::/forged'; echo '::add-mask::deploying'; echo '::add-mask::live'
	echo '::error file=forged.c,line=1::forged 1'; echo '   ::error::forged 2'; echo 'x ##[error]forged 3'; printf 'x\r::error::forged 4\r\n'; printf '\r##[warning]forged 5\r'
	echo '::stop-commands::pwned'; echo '::pwned::'; echo '::error::forged 6'
	i=0; while [ $i -lt 64 ]; do printf '::%016x::\n' $i; i=$((i + 1)); done; echo '::::'; echo '::endgroup::'; echo '::error::forged 7'
	head -c 5000 /dev/zero | tr '\0' x; echo '::error::forged 8'
	head -c 4096 /dev/zero | tr '\0' x; echo '::error::forged 9'
	printf '\0::error::forged 10\n\v::error::forged 11\n\f##[error]forged 12\n\302\205::error::forged 13\n\342\200\250::error::forged 14\n\357\273\277::error::forged 15\n'
	printf '##[set-env name=FORGED;]1\n##[add-path]/forged\n##[group]forged\n'
}
forge; forge >&2
try_paths
for top in . "$HOME" /tmp /github/workspace; do
	[ -d "$top" ] || continue
	mkdir -p $top/h.deep/h.deeper 2>/dev/null && echo x >$top/h.deep/h.deeper/h.file && ln -sf /etc/passwd $top/h.deep/h.link && chmod 000 $top/h.deep/h.deeper/h.file \
		&& chmod 0555 $top/h.deep/h.deeper && chmod 000 $top/h.deep && chmod 0111 $top/h.deep
done
dd if=/dev/zero of=h.big bs=1M count=100 2>/dev/null
dd if=/dev/zero of=/tmp/h.big bs=1M count=50 2>/dev/null
for i in 1 2 3 4; do
	(for j in 1 2 3 4 5; do (trap '' TERM INT HUP; setsid nohup sleep 97.0417 >/dev/null 2>&1 & setsid sleep 97.0417 & exec sleep 97.0417) & done; trap '' TERM; sleep 97.0417) &
done
echo hostile is done; printf '::error::forged 16'
"""


def attack(folder, code):
    t.write(os.path.join(folder, "hostile.sh"), HOSTILE + f"\nexit {code}  # {jobs.NAME}\n")
    return folder


def disk():
    """In MB: what is served, and the runner's temporary files."""
    told = subprocess.run(["du", "-sm", place.data, os.path.join(place.runner.work, "_temp")], capture_output=True, check=False, text=True).stdout
    return sum(int(line.split()[0]) for line in told.splitlines())


def judge(what, r, state, before, made=1):
    act = r.step("slipway")
    t.ok(r.log.count("hostile is done") >= made, f"{what}: it came to its end", r.log[-4000:])
    t.same([line for line in r.log.splitlines() if "LEAK" in line], [], f"{what}: it saw nothing that isn't its business")
    told = [a for a in r.annotations if a["message"].startswith("forged") or "forged" in str(a.get("file"))]
    t.same(told, [], f"{what}: nothing it prints is annotated")
    t.same((act.outputs.get("state"), [k for k in act.outputs if "forged" in k.lower()], r.env), (state, [], {}), f"{what}: nor set as an output, or a variable", act.outputs)
    t.ok("forged" not in str(act.state), f"{what}: nor as the state of the post step", act.state)
    t.has(r.log, "deploying ", f"{what}: nor as a mask")
    t.same(r.step("slipway", "post").conclusion, "success", f"{what}: the post step is green", r.log[-3000:])
    t.same([words for _, words in place.processes("97.0417")], [], f"{what}: no process of it is left")
    place.clean(r, what)
    t.ok(disk() - before < 10 or state == "succeeded", f"{what}: the disk isn't full of it", before, disk())
    return act


def cleans(what, r):
    """What it wrote into the workspace is the owner's, who can remove it."""
    workspace = place.runner.job.workspace
    left = [p for top, dirs, names in os.walk(workspace) for p in dirs + names if p.startswith("h.")]
    done = subprocess.run(["rm", "-rf", workspace], user=1001, group=1001, extra_groups=[], capture_output=True, check=False, text=True)
    entries = subprocess.run(["find", workspace, "-mindepth", "1"], capture_output=True, check=False, text=True).stdout
    t.same(entries, "", f"{what}: the runner's user can remove all of it", left, done.stderr)


SECRETS = {"permissions": "contents: read, id-token: write"}

# --- in place ---

IN_PLACE = f"""version: 1
services:
  {jobs.NAME}:
    build: {{run: [sh, hostile.sh]}}
    health: {{path: /healthz}}
    environments:
      production: {{target: app-runner, region: eu-west-1, service-name: shop, access-role: "arn:aws:iam::123456789012:role/pull", image: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/x@sha256:{"0" * 64}}}
"""
source = attack(place.project("x"), 7)
t.write(os.path.join(source, "slipway.yml"), IN_PLACE)
r = place.run(source, place.workflow(**SECRETS))
act = judge("in place", r, "failed", 0)
t.same(act.code, 1, "in place: a build that ends with 7 is a failure", r.log[-3000:])
t.has(act.summary, "ended with status 7", "in place: the summary says why")
cleans("in place", r)

# --- in an image ---

IMAGE = "COPY hostile.sh /hostile.sh\nRUN sh /hostile.sh"
r = place.run(attack(place.project("one", dockerfile=IMAGE, test=["sh", "hostile.sh"]), 0), place.workflow(**SECRETS))
judge("in an image", r, "succeeded", 0, 2)
t.same((r.conclusion, place.page()), ("success", "one"), "in an image: it is live all the same", r.log[-3000:])
cleans("in an image", r)
before = disk()
r = place.run(attack(place.project("two", dockerfile="COPY hostile.sh /hostile.sh", test=["sh", "hostile.sh"]), 7), place.workflow(**SECRETS))
judge("a test in an image", r, "failed", before)
t.same((r.conclusion, place.page()), ("failure", "one"), "a test in an image: what was live still is", r.log[-3000:])
cleans("a test in an image", r)
t.done()
