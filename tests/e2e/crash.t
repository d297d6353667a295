#!/usr/bin/python3
"""Nothing lost, nothing doubled: 60 kills at random moments. More of them: make crash N=2000; see docs/reliability.md."""

import os
import signal
import subprocess
import sys

import harness
from harness import note, ok, same

KILLS = "60"

campaign = subprocess.Popen(
    [harness.PYTHON, os.path.join(harness.TOP, "scripts", "crash"), KILLS, "--pace", "0.75"],
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
)
signal.signal(signal.SIGTERM, lambda *_: (campaign.terminate(), sys.exit(1)))
output = campaign.communicate()[0]
note(output)
found = dict(line.rsplit(None, 1) for line in output.splitlines() if len(line.split()) > 1)
same(campaign.returncode, 0, "all as promised, after 60 kills")
same(found.get("kills"), KILLS, "each kill hit something")
same(found.get("lost"), "0", "no acknowledged delivery is lost")
same(found.get("doubled"), "0", "no commit was deployed twice")
ok(int(found.get("  resumed after a kill", 0)) > 0, "deployments were resumed")
ok(int(found.get("  without an answer", 0)) > 0, "posts were cut off")
harness.done()
