"""A source that makes a sync wait for long: what came before is there, nothing is connected, and the wait has an end."""

import json
import signal
import threading
import time

import pytest

from conftest import table_equals_oracle
from feed import Feed, configure
from shop import Shop

PATIENCE_S = 60  # for conditions that come true sooner or later, however slow the machine is


def until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.05)


def connections(database):
    return database.one("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice%' AND "
                        "datname = current_database()")


@pytest.mark.parametrize("size", ["8MiB", "32KiB"])
def test_a_long_wait_publishes_and_holds_nothing(work, database, size):
    """First append_dedup: its build would be published at the end; a Retry-After of 90 s comes before that, when all pages wait for
    a load, or each had its own and only rows behind the checkpoint are left. These do not open a connection again when a load is
    due after a second."""
    with Shop(orders=400) as shop:
        work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders"],
                       config={"sorted": True, "page_size": 50, "lookback": "0s"}, commit={"bytes": size, "seconds": 1})
        shop.fault(match="/orders", times=1, duplicate=1)
        shop.fault(match="/orders", after=3, times=0, status=429, headers={"Retry-After": "90"})
        process = work.start("run", "--json")
        until(lambda: database.one("SELECT to_regclass('shop_raw.orders') IS NOT NULL"), "the build is published")
        assert database.one("SELECT count(*) FROM shop_raw.orders") > 100
        until(lambda: database.one("SELECT until > clock_timestamp() + interval '60 s' FROM _sluice.leases"), "the lease is prolonged")
        until(lambda: connections(database) == 0, "the connections are given back")
        for _ in range(30):
            assert connections(database) == 0, "something was asked of the database during the wait"
            time.sleep(0.05)
        assert database.one("SELECT until > clock_timestamp() + interval '90 s' FROM _sluice.leases"), "the lease ends before the wait"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 143, out + err
        assert "as the source makes us wait for 1 min" in err
        stream = json.loads(out)[0]
        assert stream["written"] == database.one("SELECT count(*) FROM shop_raw.orders"), out
        assert stream["deduplicated"] == 1, out
        shop.control(clear_faults=True, clear_log=True)
        work.forget_limits()
        work.run("run")
        table_equals_oracle(database, shop, "orders")
        assert len(shop.requests("/orders")) <= 7, "it began again from the beginning"


def test_a_wait_comes_after_what_was_read_of_an_existing_table(work, database):
    """Rows of a merge that wait in memory for a larger load are there before an hour on Retry-After; the run after it goes on."""
    with Shop(orders=400) as shop:
        work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders"],
                       config={"sorted": True, "page_size": 50, "lookback": "0s"})
        work.run("run")
        shop.mutate("orders", inserts=200)
        shop.control(clear_log=True)
        shop.fault(match="/orders", after=2, times=0, status=429, headers={"Retry-After": "3600"})
        process = work.start("run")
        until(lambda: database.one("SELECT count(*) FROM shop_raw.orders") > 450, "the rows before the wait are there")
        until(lambda: connections(database) == 0, "the connections are given back")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 143, out + err
        shop.control(clear_faults=True)
        work.forget_limits()
        work.run("run")
        table_equals_oracle(database, shop, "orders")


def test_a_source_that_is_slow_to_answer_costs_no_connection(work, database):
    """Nobody knows how long: the flow's connection is given back after a second without use, the lease has none between renewals."""
    gate = threading.Event()

    def answer(path, query):
        gate.wait(PATIENCE_S)
        return {"rows": [{"id": "a", "at": "2024-01-01T00:00:00Z", "n": 1}]}

    with Feed(answer) as feed:
        configure(work, feed, database, 'primary_key = "id",')
        process = work.start("run")
        until(lambda: feed.requests, "the source is asked")
        until(lambda: connections(database) == 0, "the connections are given back")
        gate.set()
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, out + err
        assert database.one("SELECT count(*) FROM raw.rows") == 1


def test_a_host_that_fails_is_left_alone(work, database):
    """Three streams at once: five failures open the breaker, and until a minute later nobody asks again."""
    with Shop(orders=100, customers=50, events=50) as shop:
        work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"})
        shop.fault(match="/a/", times=0, status=502)
        process = work.start("run", "--log-format", "json")
        until(lambda: len(shop.requests("/a/")) >= 5, "five requests")
        line = ""
        while "is left alone" not in line:
            line = process.stderr.readline()
            assert line, "the log never says that the host is left alone"
        assert json.loads(line)["level"] == "warn"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 143, out + err
        assert len(shop.requests("/a/")) <= 5 + 2, "requests went on to a host that fails"  # under way when the fifth failed
        shop.control(clear_faults=True)
        work.run("run")
        table_equals_oracle(database, shop, "orders")
