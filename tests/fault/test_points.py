"""Every labelled point of each canonical sync, at every passage: killed there, or what was just done failed. Then one run must put
everything right."""

import os
import re

import pytest

from chosen import FULL, PARTS, chosen
from scenarios import CASES, named
from subject import Subject
from test_release import points

SAMPLE = 2  # faults per case in `./dev test`
ONLY = os.environ.get("SLUICE_FAULT_ONLY")  # LABEL:N of a failure's rerun line
CODES = {"kill": (0, -9), "error": (0, 6, 8), "delay": (0,)}  # 0: it was overcome, or not reached in this run


def enumerated(subject):
    """[(label, passage, action)], each passage killed, and failed where it can; each label once slow, so that threads meet otherwise."""
    passages = [passage for passage in subject.passages() if re.fullmatch(subject.scenario.labels or ".*", passage[0])]
    if ONLY:
        passages = [passage for passage in passages if "%s:%d" % passage[:2] == ONLY]
    found = [(label, n, "kill") for label, n, _ in passages]
    found += [(label, n, "error") for label, n, can_fail in passages if can_fail]
    found += [(label, 0, "delay=5") for label in dict.fromkeys(label for label, _, _ in passages)]
    return found


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("writer, scenario", CASES, ids=lambda value: getattr(value, "name", value))
def test_point(tmp_path, postgres, writer, scenario, part):
    with Subject(tmp_path, postgres, writer, scenario) as subject:
        faults = enumerated(subject)
        faults = faults if ONLY else chosen(faults, SAMPLE, f"{writer}{scenario.name}", part)
        reached = sum(strike(subject, *fault) for fault in faults)
        # With several threads the last passages of a label may come in one run and not in another.
        assert reached >= len(faults) / 2, f"only {reached} of {len(faults)} faults struck"


def strike(subject, label, passage, action):
    """One fault and what follows. Was it met?"""
    log = subject.work.folder / "struck"
    log.unlink(missing_ok=True)
    subject.restore()
    try:
        code, said = subject.run({"SLUICE_FAULT": f"{label}:{passage}:{action}", "SLUICE_FAULT_LOG": str(log)})
        kind = action.partition("=")[0]
        assert code in CODES[kind], f"exit code {code}\n{said}"
        struck = f"{label} struck {kind}" in log.read_text()
        assert struck or code == 0, said
        subject.look()
        subject.settle()
    except AssertionError as failure:
        raise AssertionError(f"{action} at {label}:{passage}: {failure}\n"
                             f"rerun: ./dev fault 'test_point and {subject.writer}-{subject.scenario.name}-0' {label}:{max(passage, 1)}") from None
    return struck


@pytest.mark.skipif(FULL, reason="all of them are there")
@pytest.mark.parametrize("writer, scenario, label, action", [
    # What a commit names stays, when nobody knows whether it stands: its parts in the stage were removed with the writer.
    ("csv", "slices_overwrite", "csv.commit.synced", "error"),
    # The second name of a commit's file was left until the next snapshot.
    ("csv", "append_first", "csv.commit.link.after", "kill"),
    # Rows of the last page were held while the stored position was still that page: the next run held them once more.
    ("postgres", "positions_append_first", "pg.load.committed", "kill"),
    ("csv", "positions_append_first", "sync.commit.after", "kill"),
    # Staged rows that were dropped stayed in the books as written.
    ("csv", "exploded_positions_dedup", "sync.commit.after", "kill"),
])
def test_breach_that_was(tmp_path, postgres, writer, scenario, label, action):
    with Subject(tmp_path, postgres, writer, named(scenario)) as subject:
        passages = [n for name, n, _ in subject.passages() if name == label]
        assert sum(strike(subject, label, n, action) for n in passages[-3:]) > 0


def test_files_that_a_killed_write_left_go(tmp_path, postgres):
    with Subject(tmp_path, postgres, "csv", named("append")) as subject:
        subject.restore()
        for name in ("shop/.lease.0123456789ab.tmp", "shop/orders/rejects/.0000000001.ndjson.0123456789ab.tmp",
                     "shop/orders/commits/.0000000001-0123456789abcdef0123456789abcdef"):
            path = subject.staging / ".sluice" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("torn")
        subject.settle()


@pytest.mark.parametrize("scenario", ["dedup_first", "dedup", "overwrite"] if FULL else ["dedup"])
def test_reply_to_commit_is_lost(tmp_path, postgres, scenario):
    """The connection ends with COMMIT on its way; then something happens while the sync asks what became of it."""
    happenings = ["", "pg.resolve.before:1:kill", "pg.resolve.after:1:kill", "pg.resolve.before:1:error", "pg.resolve.after:1:error"]
    with Subject(tmp_path, postgres, "postgres", named(scenario)) as subject:
        commits = [n for label, n, _ in subject.passages() if label == "pg.commit.sent"]
        faults = [(n, then) for n in commits for then in happenings]
        for n, then in faults if FULL else zip(chosen(commits, len(happenings), scenario, 0), happenings):
            subject.restore()
            code, said = subject.run({"SLUICE_FAULT": f"pg.commit.sent:{n}:error" + (f",{then}" if then else "")})
            assert code in ((0, -9, 6) if "kill" in then else (0, 6)), f"at commit {n}: exit code {code}\n{said}"
            subject.look()
            subject.settle()


@pytest.mark.skipif(not FULL, reason="takes as long as a lease is not renewed")
@pytest.mark.parametrize("fault", ["pg.lease.renew.before:1:kill", "pg.lease.renew.after:1:kill", "pg.lease.renew.before:1:error",
                                   "pg.lease.renew.after:1:error", "csv.lease.change.before:1:kill", "csv.lease.change.after:1:kill",
                                   "csv.lease.change.before:1:error"])
def test_renewal_of_the_lease(tmp_path, postgres, fault):
    writer = {"pg": "postgres", "csv": "csv"}[fault.split(".")[0]]
    with Subject(tmp_path, postgres, writer, named("append")) as subject:
        log = subject.work.folder / "struck"
        subject.restore()
        subject.shop.fault(match="/orders", times=0, delay_ms=4000)
        code, said = subject.run({"SLUICE_FAULT": fault, "SLUICE_FAULT_LOG": str(log)})
        assert code == (-9 if fault.endswith("kill") else 0), f"exit code {code}\n{said}"
        assert " struck " in log.read_text()
        subject.shop.control(clear_faults=True)
        subject.look()
        subject.settle()


@pytest.mark.skipif(not FULL, reason="takes a run of every case")
def test_every_point_is_passed_by_some_case(tmp_path, postgres):
    passed = {"pg.resolve.before", "pg.resolve.after", "pg.lease.renew.before", "pg.lease.renew.after"}  # by the tests above
    for number, (writer, scenario) in enumerate(CASES):
        (tmp_path / str(number)).mkdir()
        with Subject(tmp_path / str(number), postgres, writer, scenario) as subject:
            passed |= {label for label, _, _ in subject.passages()}
    assert set(points()) == passed
