"""Every labelled point of each canonical sync, at every passage: killed there, or the step before it failed. Then a run must put
everything right."""

import os
import re

import pytest

from chosen import FULL, PARTS, chosen
from scenarios import CASES
from subject import Subject

SAMPLE = 6  # faults per scenario in `./dev test`
ONLY = os.environ.get("SLUICE_FAULT_ONLY")  # LABEL:N of a failure's rerun line


def enumerated(subject, action):
    found = [(label, n) for label, n, can_fail in subject.passages()
             if (action == "kill" or can_fail) and re.fullmatch(subject.scenario.labels or ".*", label)]
    if ONLY:
        return [fault for fault in found if "%s:%d" % fault == ONLY]
    return found


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("action", ["kill", "error"])
@pytest.mark.parametrize("writer, scenario", CASES, ids=lambda value: getattr(value, "name", value))
def test_point(tmp_path, postgres, writer, scenario, action, part):
    reached = 0
    with Subject(tmp_path, postgres, writer, scenario) as subject:
        faults = enumerated(subject, action)
        faults = chosen(faults, SAMPLE, f"{writer}{scenario.name}{action}", part) if not ONLY else faults
        for label, passage in faults:
            reached += one(subject, label, passage, action)
        # With several threads the last passages of a label may come in one run and not in another.
        assert reached >= len(faults) / 2, f"only {reached} of {len(faults)} faults struck"


def one(subject, label, passage, action):
    log = subject.work.folder / "struck"
    log.unlink(missing_ok=True)
    subject.restore()
    environment = {"SLUICE_FAULT": f"{label}:{passage}:{action}", "SLUICE_FAULT_LOG": str(log)}
    try:
        code, said = subject.run(environment)
        assert code in {"kill": (0, -9), "error": (0, 6, 8)}[action], f"exit code {code}\n{said}"
        struck = f"{label} struck {action}" in log.read_text()
        assert struck or code == 0, said
        subject.look()
        subject.settle()
    except AssertionError as failure:
        raise AssertionError(f"{action} at {label}:{passage}: {failure}\n"
                             f"rerun: ./dev fault '{subject.writer}-{subject.scenario.name}-' {label}:{passage}") from None
    return struck
