#!/usr/bin/python3
"""What is killed during a deployment, and how it goes on: rows of scenarios.TABLE, each lane with a slipwayd."""

import os

import harness as t
import playing
from lanes import Pushed

LANES = int(os.environ.get("SCENARIO_LANES", "4"))

playing.check_programs()
lanes = [Pushed(f"kill{n}") for n in range(LANES)]
for lane in lanes:
    lane.slipwayd = t.Service({lane.repository: lane.repo}).start()
playing.work_through(lanes, playing.chosen(lambda row: row.push is not None and row.alone))
t.done()
