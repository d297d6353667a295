#!/usr/bin/env python3
"""Our verdicts about signatures and octokit's, over the same mutated signatures and bodies."""
import collections
import json
import os
import subprocess
import sys

BUILD = os.environ.get("BUILD", "build")
SEED = os.environ.get("SEED", "1")

if not os.path.isdir("tests/npm/node_modules"):
    print("1..0 # SKIP tests/npm/node_modules is absent: (cd tests/npm && npm ci)")
    sys.exit(0)

lines = subprocess.run(
    ["node", "tests/npm/signature-cases.mjs", SEED], stdout=subprocess.PIPE, check=True
).stdout
ours = subprocess.run(
    [os.path.join(BUILD, "tests/tools/verify")], input=lines, stdout=subprocess.PIPE, check=True
).stdout.split()
cases = [case for case in map(json.loads, lines.splitlines()) if "signature" in case]

wrong = collections.Counter()
accepted = collections.Counter()
seen = collections.Counter()
for case, mine in zip(cases, ours):
    seen[case["kind"]] += 1
    accepted[case["kind"]] += case["octokit"]
    # The secret that octokit knows is our second one.
    if mine != (b"1" if case["octokit"] else b"-1"):
        wrong[case["kind"]] += 1
        print(f"# seed {SEED}: {case['kind']}: {case['signature']!r}: "
              f"octokit says {case['octokit']}, ours {mine.decode()}", file=sys.stderr)

number = 0


def check(good, name):
    global number
    number += 1
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
    return good


check(len(ours) == len(cases), "a verdict for every case")
check(len(cases) >= 5000, f"at least 5,000 cases ({len(cases)})")
check(accepted["as it is"] == seen["as it is"] == 329, "each example's own signature is accepted")
for kind in seen:
    check(wrong[kind] == 0, f"the same verdicts: {kind} ({seen[kind]})")
print(f"1..{number}")
sys.exit(1 if wrong else 0)
