"""Memory does not depend on how much data flows: the sum of PSS of the sync and its workers stays under 48 MiB."""

import os
import pathlib
import re
import time

import pytest

from shop import Shop

LIMIT = 48 * 2**20


def family(pid):
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += [child for each in (task / "children").read_text().split() for child in family(int(each))]
    return found


def memory_of(pid):
    total = 0
    for member in family(pid):
        for line in pathlib.Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def peak(process):
    highest = 0
    while process.poll() is None:
        try:
            highest = max(highest, memory_of(process.pid))
        except (OSError, ValueError):
            pass  # it ended while being looked at
        time.sleep(0.01)
    return highest


@pytest.fixture(scope="module")
def big_shop():
    with Shop(orders=300_000) as shop:
        yield shop


@pytest.mark.skipif(re.search("[at]san", os.environ.get("SLUICE_BIN", "")), reason="a sanitizer's shadow memory counts too")
@pytest.mark.parametrize("kind, write_mode", [("postgres", "append_dedup"), ("postgres", "overwrite"), ("csv", "append")])
def test_memory_is_flat(work, big_shop, database, kind, write_mode):
    target = {"type": "postgres", "url": database.url} if kind == "postgres" else {"type": "csv", "path": str(work.folder / "staging")}
    work.configure(big_shop, target, streams={"orders": {"sync_mode": "full_refresh", "write_mode": write_mode}},
                   config={"page_size": 1000})
    process = work.start("run")
    highest = peak(process)
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    assert 0 < highest < LIMIT, f"{highest / 2**20:.1f} MiB"
