"""Killed with SIGKILL at random moments, again and again, and run again: nothing lost, nothing doubled, the cursor never ahead."""

import dataclasses
import os
import random

import pytest

from chosen import FULL
from scenarios import CASES
from subject import Subject

KILLS, PARTS = (9, 2) if FULL else (4, 1)  # that land, per case: over 500 in `./dev fault`
SEED = os.environ.get("SLUICE_FAULT_SEED", "1")
SAMPLE = ("append", "dedup", "overwrite", "slices_dedup_first", "exploded_dedup")

# Longer than the syncs of the enumeration, so that there is something to kill.
LONGER = [(writer, dataclasses.replace(scenario, orders=5 * scenario.orders, page_size=2 * scenario.page_size, commit="16KiB"))
          for writer, scenario in CASES if not scenario.labels and (FULL or scenario.name in SAMPLE)]


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("writer, scenario", LONGER, ids=lambda value: getattr(value, "name", value))
def test_kills(tmp_path, postgres, writer, scenario, part):
    rng = random.Random(f"{writer}{scenario.name}{part}{SEED}")
    with Subject(tmp_path, postgres, writer, scenario) as subject:
        subject.restore()
        try:
            kill_again_and_again(subject, rng)
            subject.settle()
        except AssertionError as failure:
            raise AssertionError(f"{failure}\nrerun: SLUICE_FAULT_SEED={SEED} ./dev fault "
                                 f"'test_kills and {writer}-{scenario.name}-{part}'") from None


def kill_again_and_again(subject, rng):
    landed, longest = 0, 0.3
    for _ in range(KILLS * 10):
        ended = subject.run(kill_after=rng.uniform(0.01, longest))
        if ended[0] == -9:
            landed += 1
            longest = min(longest * 1.2, 2)  # let it get further
            subject.look()
            if landed == KILLS:
                return
            continue
        longest *= 0.7
        subject.settle(ended)
        if subject.scenario.changes:
            subject.advance()
        else:
            subject.restore()  # a table that is new once more
    pytest.fail(f"only {landed} kills landed inside a sync")
