"""A stream that is left out after a sync was killed, and chosen again later: of what that sync held of it nothing comes back."""

import dataclasses

import pytest

from chosen import FULL, chosen
from scenarios import BOTH, LESS, Scenario, named
from subject import Subject

SCENARIOS = [named("exploded_overwrite"), named("exploded_dedup"), named("exploded_slices_dedup"), named("exploded_positions_dedup"),
             Scenario("exploded_slices_overwrite", "full_refresh", "overwrite", connector="windows", streams=BOTH, orders=40, changes=LESS)]
CASES = [(writer, scenario.name, left) for writer in ("postgres", "csv") for scenario in SCENARIOS for left in BOTH]
# The build was published later, with orders that were deleted meanwhile; what was dropped stayed in the books as written.
SAMPLE = [("postgres", "exploded_overwrite", "order_items"), ("csv", "exploded_positions_dedup", "order_items")]


@pytest.mark.parametrize("is_killed_too", [False, True])
@pytest.mark.parametrize("writer, name, left", CASES if FULL else SAMPLE)
def test_what_was_held_of_a_stream_that_was_left_out(tmp_path, postgres, writer, name, left, is_killed_too):
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
    with Subject(tmp_path, postgres, writer, scenario) as subject:
        kills = [f"{label}:{n}:kill" for label, n, _ in subject.passages() if label == "sync.commit.after"]
        subject.scenario = dataclasses.replace(scenario, joins=(left,))  # it will
        for kill in chosen(kills, 2, name, 0):
            subject.restore()
            subject.run({"SLUICE_FAULT": kill}, code=-9)
            subject.choose(stream for stream in BOTH if stream != left)
            subject.run({"SLUICE_FAULT": kills[0]} if is_killed_too else {})
            subject.shop.mutate("orders", updates=3, deletes=5 if scenario.write_mode == "overwrite" else 0)
            subject.remember()
            subject.choose(BOTH)
            subject.settle()
            subject.settle()
