#!/usr/bin/python3
"""What goes wrong with `slipway deploy`, and how it ends: the rows of scenarios.TABLE, each lane with a data folder."""

import atexit
import os
import subprocess

import harness as t
import lanes
import playing
import scenarios

LANES = int(os.environ.get("SCENARIO_LANES", "5"))


def lane_of(name, data=None):
    lane = lanes.Hand(name, data)
    atexit.register(lanes.kill_below, lane.data)
    return lane


def small_disk():
    """A folder on a disk of its own that is full soon; None when we may not mount one."""
    folder = t.folder()
    words = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "slipway-test", folder]
    if os.geteuid() != 0 or subprocess.run(words, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return None
    atexit.register(subprocess.run, ["umount", "-l", folder], check=False)
    return os.path.join(folder, "data")


playing.check_programs()
playing.check_document()
t.ok(len(scenarios.TABLE) >= 25, f"there are {len(scenarios.TABLE)} scenarios")
playing.work_through([lane_of(f"hand{n}") for n in range(LANES)],
                       playing.chosen(lambda row: row.hand is not None and not row.disk))
full = playing.chosen(lambda row: row.disk)
disk = small_disk() if full else None
if disk:
    playing.work_through([lane_of("full", disk)], full)
elif full:
    t.skip("build-fills-disk", "it takes a disk of its own, which only root can mount")
t.done()
