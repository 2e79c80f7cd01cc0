"""The n-th allocation fails, ours or a library's, through reading the configuration, describing a connector and syncing one page: the
program says so and ends, and the next run settles what this one left. SLUICE_FULL=1 fails every one; without, a sample."""

import os
import pathlib
import shutil

import pytest

from conftest import SLUICE, staged_loads, staged_rows
from test_protocol import Source, ledger_adds_up, stamp, table_is_source

FAIL_ALLOC = pathlib.Path(SLUICE).parent / "fail_alloc.so"
FULL = os.environ.get("SLUICE_FULL") == "1"
PARTS = 16 if FULL else 1  # tests that share the work
SAMPLE = 14  # allocations, per scenario

pytestmark = pytest.mark.skipif(not FAIL_ALLOC.exists(), reason="a sanitizer brings its own malloc")

CONNECTOR = """
return sluice.connector {
  name = "rows", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}", auth = { kind = "bearer", token = "{{config.api_key}}" } },
  streams = { rows = { path = "/rows", records = "rows", primary_key = "id",
    pages = { kind = "page", param = "page", start = 1, size = 1000, size_param = "size", more = "more" },
    cursor = { field = "at", param = "from", start = "2023-12-31T00:00:00Z", order = "ascending" },
    fields = { id = "string", at = "timestamp", n = "integer" },
    map = function(record) record.extra = { record.n } return record end } },
}
"""

# How a process may end whose memory ran out. Most of it is the first: base/check, in one place.
ENDS = [(1, "out of memory"), (4, "could not start"), (4, "out of memory"), (6, "memory"), (6, "no answer from the database")]


def count_allocations(work, *words):
    counts = work.folder / "allocations"
    counts.unlink(missing_ok=True)
    work.environment.update(LD_PRELOAD=str(FAIL_ALLOC), FAIL_ALLOC_COUNT=str(counts))
    ended = work.run(*words)
    for name in ("LD_PRELOAD", "FAIL_ALLOC_COUNT"):
        del work.environment[name]
    return max(int(line) for line in counts.read_text().split()), ended


def fail_allocation(work, n, *words):
    """Runs it; what it printed when it got through all the same, None when it ended as it must."""
    work.environment.update(LD_PRELOAD=str(FAIL_ALLOC), FAIL_ALLOC_AT=str(n))
    ended = work.run(*words, code=None, timeout=300)  # libpq may wait for what it could not keep, until pg_wait asks the server
    for name in ("LD_PRELOAD", "FAIL_ALLOC_AT"):
        del work.environment[name]
    if ended.code == 0:
        return ended
    lines = [line for line in (ended.err + ended.out).splitlines() if any((ended.code == code and text in line.lower()) for code, text in ENDS)]
    assert lines, f"allocation {n}: {ended}"
    return None


def chosen(count, part):
    """Which to fail: every one, or a sample that gets thinner towards the end."""
    if FULL:
        return range(1 + part, count + 1, PARTS)
    step = max(1.2, count ** (1 / SAMPLE))
    return sorted({min(count, int(step ** i)) for i in range(1, SAMPLE + 1)} | {count * i // 6 for i in range(1, 6)})


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("words", ["connector describe ./rows.lua --json", "check", "state show --json"])
def test_commands(work, words, part):
    with Source(count=20) as source:
        work.write("rows.lua", CONNECTOR)
        work.configure(source, {"type": "csv", "path": str(work.folder / "staging")}, name="p", connector="./rows.lua")
        count, whole = count_allocations(work, *words.split())
        for n in chosen(count, part):
            ended = fail_allocation(work, n, *words.split())
            assert ended is None or ended.out == whole.out, f"allocation {n}: {ended}"


def postgres_is_source(database, source):
    table_is_source(database, source)
    ledger_adds_up(database, appends=True)


def staging_is_source(folder, source):
    rows = [row for load in staged_loads(folder, "rows", "p") for row in staged_rows(load)]
    assert sorted(row["id"] for row in rows) == sorted(row["id"] for row in source.records)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("target, is_first", [("postgres", True), ("postgres", False), ("csv", True), ("csv", False)])
def test_one_page(work, postgres, request, target, is_first, part):
    """The first sync of a table, or one more for a table that is there."""
    staging = work.folder / "staging"
    with Source(count=50) as source:
        work.write("rows.lua", CONNECTOR)
        database = request.getfixturevalue("database") if target == "postgres" else None
        destination = {"type": "postgres", "url": database.url, "schema": "raw"} if database else {"type": "csv", "path": str(staging)}
        work.configure(source, destination, name="p", connector="./rows.lua",
                       streams={"rows": {"sync_mode": "incremental", "write_mode": "append"}})

        def begin():
            if not is_first:
                number = len(source.records)
                source.records += [{"id": f"r{number + i}", "at": stamp(2000 + number + i), "n": i} for i in range(3)]
            elif database:
                database.query("DROP SCHEMA IF EXISTS raw CASCADE; DROP SCHEMA IF EXISTS _sluice CASCADE")
            else:
                shutil.rmtree(staging, ignore_errors=True)

        def is_whole():
            if database:
                postgres_is_source(database, source)
            else:
                staging_is_source(staging, source)

        if not is_first:
            work.run("run")
        begin()
        count, _ = count_allocations(work, "run")
        for n in chosen(count, part):
            begin()
            ended = fail_allocation(work, n, "run")
            if ended:
                is_whole()  # it went on without: then nothing may lack
            work.run("run")
            is_whole()
