#!/usr/bin/python3
"""What goes wrong with a pushed commit, and how it ends: rows of scenarios.TABLE, beside each other in one slipwayd."""

import os

import harness as t
import playing
from lanes import Pushed

LANES = int(os.environ.get("SCENARIO_LANES", "5"))

playing.check_programs()
port = t.free_port()
lanes = [Pushed(f"push{n}", port) for n in range(LANES)]
service = t.Service({lane.repository: lane.repo for lane in lanes}, workers=LANES).start()
for lane in lanes:
    lane.slipwayd = service
playing.work_through(lanes, playing.chosen(lambda row: row.push is not None and not row.alone))
t.done()
