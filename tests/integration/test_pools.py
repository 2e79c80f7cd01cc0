"""Rate limits of several nodes: machines that share nothing but the store keep to one limit together."""

import contextlib
import json
import signal
import threading
import time

import pytest

from conftest import Workspace
from feed import Feed
from test_serve import Service, target_of, wait_until
from test_serve_api import Api

RATE, PAGES = 20, 100
WINDOW = f'kind = "window", requests = {RATE}, per = "1s"'
CONNECTOR = """
return sluice.connector {
  name = "limited", version = "1", config = { base_url = { type = "string", required = true } },
  http = { base = "{{config.base_url}}", rate_limit = { %s } },
  streams = { rows = { path = "/rows", records = "rows", pages = { kind = "page", param = "page", start = 1 }, fields = { id = "integer" } } },
}
"""


class Source:
    """Counts when requests came, and how many at once; `refuse` of them are told to come back in six seconds."""

    def __init__(self, pages=PAGES, takes=0):
        self.times, self.pages, self.takes, self.lock, self.refuse, self.refused_at = [], pages, takes, threading.Lock(), 0, []
        self.in_flight, self.most_in_flight = 0, 0

    def __call__(self, path, query):
        with self.lock:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        time.sleep(self.takes)
        with self.lock:
            self.in_flight -= 1
        return self.page(int(query["page"]), path)

    def page(self, page, path):
        with self.lock:
            self.times.append((time.monotonic(), path))
            if self.refuse:
                self.refuse -= 1
                self.refused_at.append(time.monotonic())
                return 429, {}, {"Retry-After": "6"}
        return {"rows": [{"id": page}] if page <= self.pages else []}

    def most(self, span):
        """The most requests that came in any span of so many seconds."""
        times = sorted(at for at, _ in self.times)
        return max(sum(1 for at in times[i:] if at < begin + span) for i, begin in enumerate(times))


@contextlib.contextmanager
def nodes(tmp_path, feed, database, postgres, count, pipelines, limit=WINDOW, syncs=1, **settings):
    """Each with a folder and a state directory of its own, as on a machine of its own, and so many syncs at a time."""
    store = postgres.create_database("store_" + database.name).url
    works = []
    for number in range(count):
        folder = tmp_path / f"node{number}"
        folder.mkdir()
        work = Workspace(folder)
        connector = work.write("limited.lua", CONNECTOR % limit)
        work.write("sluice.yaml", json.dumps({"destinations": {"target": target_of(database)}, "service": {"max_syncs": syncs}, "pipelines": {
            f"p{i}": {"connector": str(connector), "destination": "target", "network": {"allow_private": True}, "schema": f"raw_p{i}",
                      "config": {"base_url": feed.url}, "schedule": "24h", **settings} for i in range(pipelines)}}))
        works.append(work)
    with contextlib.ExitStack() as stack:
        yield works, lambda work: stack.enter_context(Service(work, "--store", store)), store


def all_have_succeeded(work, store):
    listed = json.loads(work.run("status", "--json", "--store", store).out)
    return all(entry.get("job", {}).get("status") == "succeeded" for entry in listed)


def test_nodes_keep_to_one_limit_together(tmp_path, database, postgres):
    source = Source()
    with Feed(source) as feed, nodes(tmp_path, feed, database, postgres, 3, 3) as (works, start, store):
        services = [start(work) for work in works]
        wait_until(lambda: all_have_succeeded(works[0], store), 120)
        for service in services:
            service.stop()
    assert len(source.times) == 3 * (PAGES + 1)
    # A part that moves from one node to another may be used by both in one span.
    assert source.most(1) <= 2 * RATE, "in no second much more"
    assert source.most(5) <= 5 * RATE + RATE, f"{source.most(5)} requests in five seconds"


def test_a_pause_is_everybodys_and_a_dead_nodes_part_goes_to_the_others(tmp_path, database, postgres):
    source = Source()
    with Feed(source) as feed, nodes(tmp_path, feed, database, postgres, 2, 2) as (works, start, store):
        services = [start(work) for work in works]
        wait_until(lambda: len(source.times) > 30)
        source.refuse = 1
        wait_until(lambda: source.refused_at)
        told = source.refused_at[0]
        wait_until(lambda: time.monotonic() > told + 7)
        during = [at for at, _ in source.times if told + 3 < at < told + 5.5]
        assert not during, f"{len(during)} requests while the source wants none"
        # One stands still with its sync: when its lease is over, what it had is the other's, and so is its job.
        services[0].process.send_signal(signal.SIGKILL)
        services[0].process.wait()
        wait_until(lambda: all_have_succeeded(works[1], store), 180)
        services[1].stop()
    assert source.most(5) <= 5 * RATE + RATE, f"{source.most(5)} requests in five seconds"


@pytest.mark.parametrize("limit", [f"requests = {RATE}, burst = {RATE}", f'kind = "cost", points = {3 * RATE}, burst = {3 * RATE}, weight = 3'])
def test_buckets_of_nodes_refill_as_one(tmp_path, database, postgres, limit):
    source = Source(pages=60)
    with Feed(source) as feed, nodes(tmp_path, feed, database, postgres, 2, 2, limit) as (works, start, store):
        services = [start(work) for work in works]
        wait_until(lambda: all_have_succeeded(works[0], store), 120)
        for service in services:
            service.stop()
    assert len(source.times) == 2 * 61
    # What a full bucket holds goes at once; a part that moves may be used by both.
    assert source.most(4) <= 4 * RATE + 2 * RATE, f"{source.most(4)} requests in four seconds"


def test_requests_in_flight_of_nodes_count_together(tmp_path, database, postgres):
    source = Source(pages=25, takes=0.2)
    with Feed(source) as feed, nodes(tmp_path, feed, database, postgres, 2, 8, 'kind = "concurrency", requests = 4', syncs=4) as (works, start, store):
        services = [start(work) for work in works]
        wait_until(lambda: all_have_succeeded(works[0], store), 120)
        for service in services:
            service.stop()
    assert 2 <= source.most_in_flight <= 4


@pytest.mark.parametrize("kind", ["window", "quota"])
def test_an_allowance_is_not_there_twice_when_work_goes_elsewhere(tmp_path, database, postgres, kind):
    """One node has used most of an hour's, and is gone when another one begins."""
    source = Source(pages=79)
    with Feed(source) as feed, nodes(tmp_path, feed, database, postgres, 2, 1, f'kind = "{kind}", requests = 100, per = "1h"') as (works, start, store):
        first = start(works[0])
        wait_until(lambda: all_have_succeeded(works[0], store))
        first.stop()
        assert len(source.times) == 80
        Api(start(works[1])).post("/api/v1/pipelines/p0/jobs", {"full_refresh": True}, status=202)
        wait_until(lambda: len(source.times) >= 98)
        time.sleep(4)
        assert len(source.times) <= 100, "and no more before the hour is over"


def test_a_sync_by_hand_is_not_held_up_when_the_service_is_gone(tmp_path, database, postgres):
    source = Source(pages=3)
    with Feed(source) as feed, nodes(tmp_path, feed, database, postgres, 1, 1) as (works, start, store):
        service = start(works[0])
        wait_until(lambda: all_have_succeeded(works[0], store))
        works[0].run("run", "p0", "--full-refresh")
        service.stop()
        works[0].run("run", "p0", "--full-refresh", timeout=20)
