"""One pipeline, two syncs: the second is told who holds it; an owner that was overtaken cannot commit."""

import os
import signal
import time

import pytest

from conftest import table_equals_oracle
from shop import Shop


def targets(work, database):
    return {"postgres": {"type": "postgres", "url": database.url, "schema": "shop_raw"},
            "csv": {"type": "csv", "path": str(work.folder / "staging")}}


def wait_for_requests(shop, count):
    deadline = time.monotonic() + 30
    while len(shop.requests("orders")) < count:
        assert time.monotonic() < deadline, "the sync did not get going"
        time.sleep(0.02)


@pytest.mark.parametrize("kind", ["postgres", "csv"])
def test_second_sync_is_told_who_holds_the_pipeline(work, database, kind):
    with Shop(orders=1000) as shop:
        work.configure(shop, targets(work, database)[kind], streams=["orders"], config={"page_size": 100})
        shop.fault(match="/orders", times=0, delay_ms=300)
        first = work.start("run")
        wait_for_requests(shop, 2)
        second = work.run("run", code=9)
        assert "held" in second.err and str(first.pid) in second.err, second
        out, err = first.communicate(timeout=60)
        assert first.returncode == 0, out + err


def test_stopped_owner_is_overtaken_and_cannot_commit(work, database):
    with Shop(orders=2000) as shop:
        work.configure(shop, targets(work, database)["postgres"], streams=["orders"],
                       config={"page_size": 100, "sorted": True}, commit={"bytes": "64KiB", "seconds": 1})
        shop.fault(match="/orders", times=0, delay_ms=30)
        owner = work.start("run")
        wait_for_requests(shop, 8)
        os.kill(owner.pid, signal.SIGSTOP)
        database.query("UPDATE _sluice.leases SET until = now() - interval '1 second'")
        shop.control(clear_faults=True)
        work.run("run")
        table_equals_oracle(database, shop, "orders")
        loads = database.one("SELECT count(*) FROM _sluice.loads")
        os.kill(owner.pid, signal.SIGCONT)
        out, err = owner.communicate(timeout=60)
        assert owner.returncode == 9, out + err
        assert database.one("SELECT count(*) FROM _sluice.loads") == loads, "the overtaken owner committed"
        table_equals_oracle(database, shop, "orders")


def test_owner_stopped_inside_copy_does_not_block_its_successor(work, database):
    """The owner stands still with an open transaction; the successor ends its backend and goes on."""
    with Shop(orders=4000) as shop:
        work.configure(shop, targets(work, database)["postgres"], streams=["orders"],
                       config={"page_size": 100, "sorted": True}, commit={"bytes": "64KiB", "seconds": 1})
        work.run("run")
        owner = None
        for _ in range(20):
            shop.mutate("orders", updates=2000)
            owner = work.start("run")
            deadline = time.monotonic() + 10
            caught = False
            while owner.poll() is None and time.monotonic() < deadline and not caught:
                os.kill(owner.pid, signal.SIGSTOP)
                caught = database.one("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                                      "pid <> pg_backend_pid() AND (state = 'idle in transaction' OR query LIKE 'COPY%' AND "
                                      "state = 'active')") > 0
                if not caught:
                    os.kill(owner.pid, signal.SIGCONT)
                    time.sleep(0.003)
            if caught:
                break
            owner.kill()
            owner.communicate()
        else:
            pytest.fail("the owner was never caught inside a transaction")
        database.query("UPDATE _sluice.leases SET until = now() - interval '1 second'")
        work.run("run", timeout=60)
        table_equals_oracle(database, shop, "orders")
        os.kill(owner.pid, signal.SIGCONT)
        owner.communicate(timeout=60)
        assert owner.returncode != 0
        table_equals_oracle(database, shop, "orders")
