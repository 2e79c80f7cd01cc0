"""Killed with SIGKILL at random moments, run again: nothing lost, nothing doubled, the cursor never ahead of the rows."""

import json
import random
import signal
import subprocess
import time

import pytest

from conftest import compare, rows_of, spelled, staged_loads, staged_rows, staging_equals_oracle, table_equals_oracle
from shop import Shop

KILLS = 10  # that land, per combination of writer and modes; there are six


def kill_after(work, seconds):
    """Runs a sync and kills it after that time; False when it ended by itself before."""
    process = work.start("run")
    try:
        out, err = process.communicate(timeout=seconds)
        assert process.returncode == 0, out + err
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True


def kills(work, shop, rng):
    """Kills syncs at random moments until enough landed inside one; changes come whenever one got through."""
    landed, longest = 0, 0.5
    for _ in range(KILLS * 8):
        if kill_after(work, rng.uniform(0.01, longest)):
            landed += 1
            longest = min(longest * 1.1, 0.6)  # let it get further
        else:
            longest *= 0.7
            shop.mutate("orders", updates=700, inserts=100)
        yield
        if landed == KILLS:
            return
    pytest.fail(f"only {landed} kills landed inside a sync")


def stored_cursor(work):
    entries = json.loads(work.run("state", "show", "--json").out)
    found = [entry["value"] for entry in entries
             if entry["kind"] == "cursor" and entry["stream"] == "orders" and entry["published"]]
    return found[0] if found else None


def cursor_is_not_ahead(work, database, shop):
    """Every record at or below the published cursor is in the table, in its current version."""
    cursor = stored_cursor(work)
    if not cursor or not database.query("SELECT to_regclass('shop_raw.orders')")[0][0]:
        assert not cursor, "there is a cursor, but no table"
        return
    have = {(row["id"], spelled(row["updated_at"], "time"))
            for row in rows_of(database, "shop_raw.orders", ["id", "updated_at"])}
    limit = spelled(cursor, "time")
    due = {(name, spelled(record["updated_at"], "time")) for name, record in shop.oracle("orders").items()
           if spelled(record["updated_at"], "time") <= limit}
    assert due <= have, f"{len(due - have)} records below the cursor {cursor} are not in the table"


MODES = [
    ("incremental", "append_dedup", True),
    ("incremental", "append_dedup", False),
    ("incremental", "append", True),
    ("full_refresh", "overwrite", False),
]


@pytest.mark.parametrize("sync_mode, write_mode, in_order", MODES)
def test_postgres_survives_kills(work, database, sync_mode, write_mode, in_order):
    rng = random.Random(f"{sync_mode}{write_mode}{in_order}")
    with Shop(orders=3000) as shop:
        streams = {"orders": {"sync_mode": sync_mode, "write_mode": write_mode}}
        work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=streams,
                       config={"sorted": in_order, "page_size": 100, "lookback": "0s"}, commit={"bytes": "64KiB", "seconds": 1})
        shop.fault(match="/orders", times=0, delay_ms=8)
        for _ in kills(work, shop, rng):
            cursor_is_not_ahead(work, database, shop)
        work.run("run")
        if write_mode == "append":
            latest = {}
            rows = rows_of(database, "shop_raw.orders", ["id", "updated_at"])
            assert len(rows) == len({(row["id"], row["updated_at"]) for row in rows}), "a version was appended twice"
            for row in rows:
                latest[row["id"]] = max(latest.get(row["id"], ""), spelled(row["updated_at"], "time"))
            assert latest == {name: spelled(record["updated_at"], "time") for name, record in shop.oracle("orders").items()}
        else:
            table_equals_oracle(database, shop, "orders")
        work.run("run")
        leftovers = database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'shop_raw' AND tablename <> 'orders'")
        assert leftovers == [], "a stage or build table was left behind"


@pytest.mark.parametrize("sync_mode, write_mode", [("incremental", "append_dedup"), ("incremental", "append"),
                                                   ("full_refresh", "overwrite")])
def test_csv_survives_kills(work, sync_mode, write_mode):
    rng = random.Random(write_mode)
    staging = work.folder / "staging"
    with Shop(orders=3000) as shop:
        work.configure(shop, {"type": "csv", "path": str(staging)},
                       streams={"orders": {"sync_mode": sync_mode, "write_mode": write_mode}},
                       config={"sorted": True, "page_size": 100, "lookback": "0s"}, commit={"bytes": "64KiB", "seconds": 1})
        shop.fault(match="/orders", times=0, delay_ms=8)
        for _ in kills(work, shop, rng):
            pass
        work.run("run")
        if write_mode == "overwrite":
            newest = staged_loads(staging, "orders")[-1]
            assert json.loads((newest / "manifest.json").read_text())["mode"] == "overwrite"
            compare(staged_rows(newest), shop, "orders")
            return
        staging_equals_oracle(staging, shop, "orders")
        versions = [(row["id"], row["updated_at"]) for load in staged_loads(staging, "orders") for row in staged_rows(load)]
        assert len(versions) == len(set(versions)), "a version was staged twice"
        hidden = [path.name for path in (staging / "shop" / "orders").iterdir() if path.name.startswith(".")]
        assert hidden == [], "an unfinished load was left behind"


def test_stopped_politely_it_keeps_what_it_has_and_goes_on(work, database):
    with Shop(orders=5000) as shop:
        work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders"],
                       config={"sorted": True, "page_size": 100}, commit={"bytes": "64KiB", "seconds": 1})
        shop.fault(match="/orders", times=0, delay_ms=20)
        process = work.start("run")
        while len(shop.requests("orders")) < 10:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
        assert process.returncode == 143, out + err
        shop.control(clear_faults=True, clear_log=True)
        work.run("run")
        table_equals_oracle(database, shop, "orders")
        assert len(shop.requests("orders")) < 50, "it began again from the beginning"


def test_no_worker_or_child_outlives_a_killed_host(work, shop, database):
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, connector=work.write("slow.lua", SLOW))
    process = work.start("run")
    while not shop.requests("orders"):
        time.sleep(0.02)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 5
    while workers_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not workers_of(process.pid)


def workers_of(pid):
    listing = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if "sluice-worker" in line and (f" {pid} " in line or " 1 " in line)]


SLOW = """
return sluice.connector {
  name = "slow", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}/a", auth = { kind = "bearer", token = "{{config.api_key}}" } },
  streams = { orders = { path = "/orders", records = "orders", primary_key = "id",
    pages = { kind = "page", param = "page", start = 1, size = 10, size_param = "limit", more = "has_more" },
    fields = { id = "string" },
    map = function(record) local n = 0; for i = 1, 2e6 do n = n + i end; return record end } },
}
"""
