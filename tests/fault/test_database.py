"""The database goes away in the middle of syncs: connections ended, server stopped, crashed, restored to what it was before."""

import random
import signal
import subprocess
import time

import pytest

from canonical import ALLOWED, KINDS, Sync, settle
from chosen import FULL
from postgres import Postgres
from shop import Shop

ROUNDS = 10 if FULL else 1


@pytest.fixture
def slow_shop():
    """Each page takes a moment, so that there is a middle."""
    with Shop(orders=400, customers=1, events=1) as shop:
        shop.fault(match="/orders", times=0, delay_ms=25)
        yield shop


@pytest.fixture
def server():
    """One of the test's own, to stop and start."""
    postgres = Postgres()
    yield postgres
    postgres.stop()


def wait_for(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def start_and_reach(sync, requests):
    """A sync that has asked the API so often; None when it was over before."""
    before = len(sync.shop.requests("orders"))
    process = sync.work.start("run")
    wait_for(lambda: process.poll() is not None or len(sync.shop.requests("orders")) - before >= requests, "no requests came")
    return process


def ended_well(process, allowed=ALLOWED):
    out, err = process.communicate(timeout=180)
    assert process.returncode in allowed, out + err
    if process.returncode:
        assert "error: " in err and "shop" in err and "; " in err, err


@pytest.mark.parametrize("kind", KINDS if FULL else ["merge"])
def test_connections_ended_at_random_moments(work, database, slow_shop, kind):
    rng = random.Random(kind)
    sync = Sync(work, slow_shop, kind, url=database.url)
    ended = 0
    for _ in range(ROUNDS):
        sync.prepare(database)
        process = sync.work.start("run")
        while process.poll() is None:
            ended += database.one("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                  "WHERE datname = current_database() AND pid <> pg_backend_pid()")
            time.sleep(rng.uniform(0, 0.1))
        ended_well(process)
        settle(sync, database)
    assert ended


STOPS = [(how, kind) for how in (signal.SIGQUIT, signal.SIGINT) for kind in KINDS]


@pytest.mark.parametrize("how, kind", STOPS if FULL else [(signal.SIGQUIT, "build"), (signal.SIGINT, "merge")])
def test_server_that_is_stopped_and_started_again(work, server, slow_shop, how, kind):
    """Immediately (what a crash leaves, with recovery), or fast: the sync rides over it, or ends with 6."""
    rng = random.Random(kind)
    database = server.create_database("shop")
    sync = Sync(work, slow_shop, kind, url=database.url)
    for _ in range(ROUNDS):
        sync.prepare(database)
        process = start_and_reach(sync, rng.randint(1, 8 if kind == "build" else 2))
        server.end(how)
        time.sleep(rng.uniform(0, 1.5))
        server.start()
        ended_well(process)
        database.connection = server.connect("shop")
        settle(sync, database)


@pytest.mark.skipif(not FULL, reason="it waits until the sync gives up, by design half a minute and more: ./dev fault")
def test_server_that_stays_away_ends_the_sync_with_6(work, server, slow_shop):
    database = server.create_database("shop")
    sync = Sync(work, slow_shop, "build", url=database.url)
    process = start_and_reach(sync, 3)
    server.end(signal.SIGQUIT)
    ended_well(process, allowed=(6,))
    server.start()
    database.connection = server.connect("shop")
    settle(sync, database)


# --- a server restored to an older backup ---------------------------------------------------------------------------------------


class Backup:
    """A copy of the data of a server while it stands still."""

    def __init__(self, server):
        self.server, self.data, self.copy = server, server.folder / "data", server.folder / "copy"
        self.stopped(lambda: subprocess.run(["cp", "-a", self.data, self.copy], check=True))

    def stopped(self, action):
        self.server.end(signal.SIGINT)
        action()
        self.server.start()

    def restore(self):
        self.stopped(lambda: subprocess.run(["sh", "-c", 'rm -rf "$0" && cp -a "$1" "$0"', self.data, self.copy], check=True))


def test_database_restored_between_syncs_goes_on_from_there(work, server, slow_shop):
    database = server.create_database("shop")
    sync = Sync(work, slow_shop, "merge", url=database.url)
    sync.prepare(database)
    sync.run()
    backup = Backup(server)
    for _ in range(2):
        sync.prepare(database)
        sync.run()
    backup.restore()
    database.connection = server.connect("shop")
    settle(sync, database)


@pytest.mark.parametrize("copied", ["before the sync", "in the middle of the sync"] if FULL else ["in the middle of the sync"])
def test_database_restored_in_the_middle_of_a_sync_is_noticed(work, server, slow_shop, copied):
    """Its head is not where the sync left it: the sync ends, and writes no further on what is not there any more."""
    database = server.create_database("shop")
    sync = Sync(work, slow_shop, "append", url=database.url)
    sync.prepare(database)
    slow_shop.mutate("orders", updates=390)
    slow_shop.control(clear_faults=True)
    slow_shop.fault(match="/orders", times=0, delay_ms=200)
    backup = Backup(server) if copied == "before the sync" else None
    process = start_and_reach(sync, 3)
    slow_shop.control(clear_faults=True)
    slow_shop.fault(match="/orders", times=0, delay_ms=1500)  # the rest takes longer than a copy and a restore
    backup = backup or Backup(server)
    loads = "SELECT coalesce(max(load_id), 0) FROM _sluice.loads"
    database.connection = server.connect("shop")
    copied_at = database.one(loads)
    wait_for(lambda: database.one(loads) > copied_at, "the sync did not go on")
    newest = database.one(loads)
    assert process.poll() is None, "the sync was over too early"
    backup.restore()
    database.connection = server.connect("shop")
    ended_well(process, allowed=(6, 9))
    assert database.one(loads) <= copied_at < newest, "it wrote on into a database that was restored"
    settle(sync, database)
