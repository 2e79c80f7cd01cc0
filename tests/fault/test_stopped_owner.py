"""A sync that is stopped (SIGSTOP) at a chosen point, overtaken by another, and then goes on: it ends with 9 and has written nothing
more."""

import json
import os
import signal
import subprocess
import time

import pytest

from canonical import Sync, settle
from chosen import FULL
from inject import Tracer, needs_ptrace
from proxy import CLIENT, COMMIT, SERVER, Fault, Proxy
from shop import Shop
from test_proxy import HEAD

LEASE = "UPDATE _sluice.leases SET until = now() - interval '1 second'"
WRITTEN = "SELECT (SELECT coalesce(max(load_id), 0) FROM _sluice.loads), (SELECT commit_id FROM _sluice.heads), " \
          "(SELECT fence FROM _sluice.heads)"

POINTS = {
    "in fetch": ("api", Fault("hold", SERVER, 0)),
    "before BEGIN": ("database", Fault("hold", CLIENT, 0, b"BEGIN ISOLATION LEVEL", 4)),
    "inside COPY": ("database", Fault("hold", CLIENT, 700, b"COPY ")),
    "before the head moves": ("database", Fault("hold", CLIENT, 0, HEAD)),
    "before COMMIT": ("database", Fault("hold", SERVER, 0, HEAD)),
    "before COMMIT's reply": ("database", Fault("hold", SERVER, 36, HEAD)),
}
SAMPLE = [("merge", "inside COPY"), ("build", "before COMMIT"), ("append", "in fetch")]


@pytest.mark.parametrize("kind, point", [(kind, point) for kind in ("append", "merge", "build") for point in POINTS] if FULL else SAMPLE)
def test_owner_that_was_overtaken_writes_nothing_more(work, database, kind, point):
    with Shop(orders=120, customers=1, events=1) as shop, Proxy(shop.port) as api, Proxy(database.server.port) as link:
        sync = Sync(work, shop, kind, url=database.url)
        sync.prepare(database)
        sync.configure(url=link.url(database), base_url=f"http://127.0.0.1:{api.port}")
        where, fault = POINTS[point]
        proxy = {"api": api, "database": link}[where]
        proxy.faults.append(Fault(**vars(fault)))
        owner = work.start("run")
        try:
            proxy.wait_struck(owner)
            os.kill(owner.pid, signal.SIGSTOP)
            database.query(LEASE)
            sync.configure(url=database.url)
            settle(sync, database)
            before = database.query(WRITTEN)
            os.kill(owner.pid, signal.SIGCONT)
            proxy.release()
            out, err = owner.communicate(timeout=120)
        finally:
            owner.kill()
        assert owner.returncode == 9, out + err
        assert "taken over" in err, err
        assert database.query(WRITTEN) == before, "the overtaken owner wrote"
        settle(sync, database)


def csv_lease_runs_out(staging):
    path = staging / ".sluice" / "shop" / "lease"
    lease = json.loads(path.read_text())
    lease["until_us"] = "1"
    path.with_name("lease.new").write_text(json.dumps(lease))
    path.with_name("lease.new").rename(path)


def commits_of(staging):
    """The names and contents of the commit log: whoever commits adds to it."""
    folder = staging / ".sluice" / "shop"
    return {str(path): path.read_bytes() for path in folder.rglob("commits/*") if not path.name.startswith(".")}


CSV_POINTS = [("link", 1), ("link", 2), ("fsync", 3), ("fsync", 7), ("fsync", 10), ("rename", 1), ("write", 4), ("write", 8)]


@needs_ptrace
@pytest.mark.parametrize("call, nth", CSV_POINTS if FULL else [("link", 1), ("fsync", 7)])
def test_owner_of_a_csv_destination_that_was_overtaken_commits_nothing_more(work, call, nth):
    staging = work.folder / "staging"
    with Shop(orders=120, customers=1, events=1) as shop, Proxy(shop.port) as api:
        sync = Sync(work, shop, "append", staging=staging, base_url=f"http://127.0.0.1:{api.port}")
        sync.prepare()
        tracer = Tracer(sync, api)
        with tracer.attached_owner(f"{call}:signal=STOP:when={nth}") as owner:
            wait_until_stopped(owner.pid)
            csv_lease_runs_out(staging)
            sync.configure()
            settle(sync)
            before = commits_of(staging)
            out, err = go_on(owner)
        assert owner.returncode == 9, out + err
        assert commits_of(staging) == before, "the overtaken owner committed"
        settle(sync)


def go_on(owner):
    """Until it ends: each of its threads stops at its own nth call."""
    for _ in range(600):
        os.kill(owner.pid, signal.SIGCONT)
        try:
            return owner.communicate(timeout=0.2)
        except subprocess.TimeoutExpired:
            pass
    pytest.fail("it did not end")


def test_owner_of_a_csv_destination_stopped_in_fetch(work):
    staging = work.folder / "staging"
    with Shop(orders=120, customers=1, events=1) as shop, Proxy(shop.port) as api:
        sync = Sync(work, shop, "append", staging=staging)
        sync.prepare()
        sync.configure(base_url=f"http://127.0.0.1:{api.port}")
        api.faults.append(Fault("hold", SERVER, 0))
        owner = work.start("run")
        try:
            api.wait_struck(owner)
            os.kill(owner.pid, signal.SIGSTOP)
            csv_lease_runs_out(staging)
            sync.configure()
            settle(sync)
            before = commits_of(staging)
            os.kill(owner.pid, signal.SIGCONT)
            api.release()
            out, err = owner.communicate(timeout=120)
        finally:
            owner.kill()
        assert owner.returncode == 9, out + err
        assert commits_of(staging) == before, "the overtaken owner committed"
        settle(sync)


def wait_until_stopped(pid):
    """Stopped by a signal, while traced: every thread is."""
    deadline = time.monotonic() + 60
    while True:
        states = set()
        for task in os.listdir(f"/proc/{pid}/task"):
            states.add(open(f"/proc/{pid}/task/{task}/stat").read().rsplit(")", 1)[1].split()[0])
        if states <= {"t", "T"}:
            return
        assert time.monotonic() < deadline, f"it did not stop: {states}"
        time.sleep(0.02)
