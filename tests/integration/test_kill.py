"""A sync that is stopped politely, and one whose host is killed. What random kills do to rows: tests/fault/test_kills.py."""

import signal
import subprocess
import time

from conftest import table_equals_oracle
from shop import Shop


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
    """Those that live: one that has ended may wait for process 1 to ask for it, which in a container may take its time."""
    listing = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    living = [line for line in listing.splitlines() if "sluice-worker" in line and "<defunct>" not in line]
    return [line for line in living if f" {pid} " in line or " 1 " in line]


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
