"""The power fails while CSV is staged: every tree a disk may hold then, recovered and compared with the oracle.

A sync is traced once. After each of its file operations, and for several choices of what reached the disk without an fsync, the
tree is made, looked at as a consumer would, and the pipeline run again.
"""

import hashlib
import json
import random
import shutil

import pytest

from chosen import PARTS, chosen
from integration import compare, staged_loads, staged_rows, staging_equals_oracle
from disk import make, read, record, trace
from shop import Shop

SAMPLE = 12  # trees per case


def choices(count):
    """What reached the disk although nobody asked for it."""
    yield "nothing", lambda operation: False
    yield "everything", lambda operation: True
    yield "names", lambda operation: operation.names
    yield "content", lambda operation: not operation.names
    for number in range(2):
        rng = random.Random(f"{count}.{number}")
        yield f"some {number}", lambda operation, rng=rng: rng.random() < 0.5


def trees(disk):
    """Every different tree, with words for where it comes from."""
    seen = set()
    for count in range(disk.first, len(disk.operations) + 1):
        for name, keep in choices(count):
            tree = disk.after(count, keep)
            digest = hashlib.sha256(repr(sorted(tree.items())).encode()).digest()
            if digest not in seen:
                seen.add(digest)
                yield f"after operation {count - disk.first}, {name} kept", tree


def visible_loads_are_whole(staging, stream):
    """A consumer sees no load but whole ones, at any time."""
    for load in staged_loads(staging, stream):
        for part in json.loads((load / "manifest.json").read_text())["parts"]:
            stored = (load / part["file"]).read_bytes()
            assert hashlib.sha256(stored).hexdigest() == part["sha256"], f"{load.name}/{part['file']} is damaged"


def nothing_is_left_over(staging):
    stage = [path.name for path in (staging / "shop").glob(".stage-*/*")]
    hidden = [path.name for path in (staging / "shop" / "orders").iterdir() if path.name.startswith(".")]
    assert not stage and not hidden, f"left over: {stage + hidden}"


def settle(work, shop, staging, write_mode):
    work.run("run")
    visible_loads_are_whole(staging, "orders")
    nothing_is_left_over(staging)
    if write_mode == "overwrite":
        compare(staged_rows(staged_loads(staging, "orders")[-1]), shop, "orders")
        return
    staging_equals_oracle(staging, shop, "orders")
    versions = [(row["id"], row["updated_at"]) for load in staged_loads(staging, "orders") for row in staged_rows(load)]
    assert len(versions) == len(set(versions)), "a version was staged twice"


# Ascending: each load is published. Not: rows are spooled, or, where a position survives (stable), staged.
CASES = {
    "append": {"sync_mode": "incremental", "write_mode": "append", "sorted": True, "stable": False},
    "dedup": {"sync_mode": "incremental", "write_mode": "append_dedup", "sorted": True, "stable": False},
    "spooled": {"sync_mode": "incremental", "write_mode": "append_dedup", "sorted": False, "stable": False},
    "staged": {"sync_mode": "incremental", "write_mode": "append_dedup", "sorted": False, "stable": True},
    "overwrite": {"sync_mode": "full_refresh", "write_mode": "overwrite", "sorted": False, "stable": False},
}

CONNECTOR = """
return sluice.connector {
  name = "shop", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}/a", auth = { kind = "bearer", token = "{{config.api_key}}" } },
  streams = { orders = { path = "/orders", records = "orders", primary_key = "id", stable = %(stable)s, params = { %(params)s },
    pages = { kind = "page", param = "page", start = 1, size = 50, size_param = "limit", more = "has_more" },
    cursor = { field = "updated_at", param = "updated_after", order = "%(order)s" },
    fields = { id = "string", customer_id = "string", total_amount = "decimal", status = "string",
               created_at = "timestamp", updated_at = "timestamp" } } },
}
"""


def configure(work, shop, case, staging):
    connector = work.write("shop.lua", CONNECTOR % {
        "stable": "true" if case["stable"] else "false", "params": 'sort = "updated_at"' if case["sorted"] else "",
        "order": "ascending" if case["sorted"] else "unknown"})
    work.configure(shop, {"type": "csv", "path": str(staging), "compression": "none"}, connector=connector,
                   streams={"orders": {name: case[name] for name in ("sync_mode", "write_mode")}},
                   commit={"bytes": "64KiB", "seconds": 30})


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", CASES)
def test_any_tree_the_power_leaves_is_recovered(work, name, part):
    case = CASES[name]
    original, staging = work.folder / "traced", work.folder / "staging"
    original.mkdir(mode=0o750)
    logs = work.folder / "logs"
    logs.mkdir()
    with Shop(orders=700) as shop:
        configure(work, shop, case, original)
        if case["write_mode"] == "overwrite":  # so that there is something to lose
            work.run("run")
            shop.mutate("orders", updates=50, inserts=20, deletes=20)
        before = read(original)
        unleaked = {"ASAN_OPTIONS": "detect_leaks=0"}  # the leak check does not work under ptrace
        ended = trace(work.words("run"), logs, cwd=work.folder, env={**work.environment, **unleaked})
        assert ended.returncode == 0, ended.stderr
        disk = record(logs, original, before)
        assert read(original) == disk.after(len(disk.operations), lambda operation: True), "the model of the disk is wrong"
        configure(work, shop, case, staging)
        for words, tree in chosen(trees(disk), SAMPLE, name, part):
            make(tree, staging)
            try:
                visible_loads_are_whole(staging, "orders")
                settle(work, shop, staging, case["write_mode"])
            except BaseException as failure:
                raise AssertionError(f"{name}: {words}") from failure
            shutil.rmtree(staging)
