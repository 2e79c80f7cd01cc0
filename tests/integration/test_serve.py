"""`sluice serve`: what is due runs, what fails and may heal is tried again, and a service that dies at any instant loses nothing."""

import json
import re
import signal
import socket
import threading
import time

import pytest

from conftest import table_equals_oracle
from feed import CONNECTOR, Feed
from test_budgets import SORTED

ROWS = {"rows": [{"id": "a", "at": "2024-01-01T00:00:00Z", "n": 1}]}


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


class Service:
    """A running `sluice serve`; its lines are kept."""

    def __init__(self, work, *words):
        self.process = work.start("serve", "--log-format", "json", "--listen", "127.0.0.1:0", *words)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def said(self, text):
        return any(text in line for line in self.lines)

    def address(self):
        """(host, port) it listens on, once it says so."""
        wait_until(lambda: self.said("at http://") or self.process.poll() is not None)
        found = [re.search(r"at http://([\d.]+):(\d+)", line) for line in self.lines]
        host, port = next(match for match in found if match).groups()
        return host, int(port)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        self.reader.join(timeout=5)
        assert code == 0, "".join(self.lines)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()


def configure(work, feed, target, pipelines, connector=None, **service):
    """sluice.yaml with pipelines of one stream each; `pipelines`: name -> settings."""
    path = work.write("feed.lua", connector or CONNECTOR % ("1", ", retry = { tries = 1 }", 'primary_key = "id",', ""))
    common = {"connector": str(path), "destination": "target", "network": {"allow_private": True},
              "config": {"base_url": feed.url}}
    text = json.dumps({"destinations": {"target": target}, "service": service,
                       "pipelines": {name: {**common, "schema": f"raw_{name}", **settings} for name, settings in pipelines.items()}})
    work.write("next.yaml", text).rename(work.folder / "sluice.yaml")


def target_of(database):
    return {"type": "postgres", "url": database.url, "schema": "raw"}


def status(work, pipeline, *words):
    listed = json.loads(work.run("status", "--json", *words).out)
    return next(entry for entry in listed if entry["name"] == pipeline)


def has_ended(work, pipeline, how="succeeded", *words):
    return lambda: status(work, pipeline, *words).get("job", {}).get("status") == how


def test_what_is_due_runs(work, shop, database):
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, schedule="1h",
                   streams=["orders", "customers"])
    text = json.loads((work.folder / "sluice.yaml").read_text())
    text["pipelines"]["never"] = {key: value for key, value in text["pipelines"]["shop"].items() if key != "schedule"}
    work.write("sluice.yaml", json.dumps(text))
    with Service(work) as service:
        wait_until(has_ended(work, "shop"))
        service.stop()
    table_equals_oracle(database, shop)
    table_equals_oracle(database, shop, "customers")
    known = status(work, "shop")
    assert known["job"]["records"] == 360 and known["schedule"] == "every 1h" and known["next_at"]
    assert "job" not in status(work, "never") and "next_at" not in status(work, "never")
    with Service(work) as service:
        time.sleep(1.5)
        service.stop()
    assert status(work, "shop")["job"]["id"] == known["job"]["id"], "what ran is not due again"


def test_what_may_heal_is_tried_again(work, database):
    answers = [(503, {}), (503, {}), (200, ROWS)]
    with Feed(lambda path, query: answers.pop(0) if len(answers) > 1 else answers[0]) as feed:
        configure(work, feed, target_of(database), {"p": {"schedule": "1h"}}, retry={"first": "1s", "tries": 3})
        with Service(work) as service:
            wait_until(has_ended(work, "p"))
            service.stop()
        assert status(work, "p")["job"]["attempt"] == 3
        assert service.said("the next try is in 1 s") and database.one("SELECT count(*) FROM raw_p.rows") == 1


def test_what_cannot_heal_is_not_tried_again(work, database):
    with Feed(lambda path, query: (401, {})) as feed:
        configure(work, feed, target_of(database), {"p": {"schedule": "1h"}}, retry={"first": "1s"})
        with Service(work) as service:
            wait_until(has_ended(work, "p", "failed"))
            time.sleep(2.5)
            service.stop()
        job = status(work, "p")["job"]
        assert job["attempt"] == 1 and job["error"]["class"] == "auth" and len(feed.requests) == 1


def test_tries_come_to_an_end(work, database):
    with Feed(lambda path, query: (503, {})) as feed:
        configure(work, feed, target_of(database), {"p": {"schedule": "1h"}}, retry={"first": "1s", "longest": "1s", "tries": 2})
        with Service(work) as service:
            wait_until(has_ended(work, "p", "failed"))
            service.stop()
        assert status(work, "p")["job"]["attempt"] == 2 and len(feed.requests) == 2


def slow_shop(work, shop, database):
    """80 pages of 60 ms."""
    shop.fault(match="/orders", delay_ms=60, times=100000)
    work.write("sorted.lua", SORTED % ("", ', order = "ascending"'))
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, connector="./sorted.lua", schedule="1h",
                   commit={"bytes": "16KiB", "seconds": 1})


@pytest.mark.shop(orders=4000)
def test_a_killed_service_goes_on_when_it_is_back(work, shop, database):
    slow_shop(work, shop, database)
    for _ in range(3):
        with Service(work) as service:
            asked = len(shop.requests("/orders"))
            wait_until(lambda: len(shop.requests("/orders")) > asked + 3)
            service.kill()
        asked = len(shop.requests("/orders"))
        time.sleep(0.5)
        assert len(shop.requests("/orders")) <= asked + 1, "its sync goes on without it"
    with Service(work) as service:
        wait_until(has_ended(work, "shop"))
        service.stop()
        assert service.said("taken up again")
    table_equals_oracle(database, shop)
    assert status(work, "shop")["job"]["id"] == 1 and status(work, "shop")["job"]["attempt"] == 1


@pytest.mark.shop(orders=4000)
def test_many_syncs_die_with_the_service_and_go_on(work, database):
    """Each waits for its source when the service is killed: none is left behind, each is started again, each row is there once."""
    names = [f"p{i}" for i in range(20)]
    gate = threading.Event()

    def answer(path, query):
        gate.wait(60)
        return ROWS

    with Feed(answer) as feed:
        configure(work, feed, target_of(database), {name: {"schedule": "24h"} for name in names}, max_syncs=len(names))
        with Service(work) as service:
            wait_until(lambda: len(feed.requests) == len(names))
            service.kill()
        gate.set()
        asked = len(feed.requests)
        with Service(work) as service:
            wait_until(lambda: all(entry.get("job", {}).get("status") == "succeeded"
                                   for entry in json.loads(work.run("status", "--json").out)))
            service.stop()
        assert len(feed.requests) == asked + len(names), "one that was left behind went on asking, or one was started twice"
    for name in names:
        assert database.query(f"SELECT id, n FROM raw_{name}.rows") == [("a", 1)]


def test_a_service_that_is_stopped_leaves_its_syncs_to_the_next(work, shop, database):
    slow_shop(work, shop, database)
    with Service(work) as service:
        wait_until(lambda: len(shop.requests("/orders")) > 3)
        service.stop()
    assert status(work, "shop")["job"]["status"] == "queued"
    with Service(work) as service:
        wait_until(has_ended(work, "shop"))
        service.stop()
    table_equals_oracle(database, shop)


class Crowd:
    """Counts how many pipelines are being answered at once."""

    def __init__(self):
        self.now = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, path, query):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.3)
        with self.lock:
            self.now -= 1
        return ROWS


@pytest.mark.parametrize("limit,most", [("max_syncs", 1), ("max_syncs_per_connector", 2), ("max_syncs_per_destination", 1)])
def test_limits_hold(work, database, limit, most):
    crowd, names = Crowd(), ["p1", "p2", "p3", "p4"]
    with Feed(crowd) as feed:
        configure(work, feed, target_of(database), {name: {"schedule": "1h"} for name in names}, **{limit: most})
        with Service(work) as service:
            wait_until(lambda: all(has_ended(work, name)() for name in names))
            service.stop()
    assert 0 < crowd.most <= most


def test_the_file_is_read_anew_and_a_wrong_one_refused(work, database):
    with Feed(lambda path, query: ROWS) as feed:
        configure(work, feed, target_of(database), {"p1": {"schedule": "1h"}})
        with Service(work) as service:
            wait_until(has_ended(work, "p1"))
            configure(work, feed, target_of(database), {"p1": {"schedule": "1h"}, "p2": {"schedule": "never on Sundays"}})
            wait_until(lambda: service.said("the service goes on with what it was"))
            assert service.said("pipelines.p2.schedule")
            configure(work, feed, target_of(database), {"p1": {"schedule": "1h"}, "p2": {"schedule": "1h"}})
            wait_until(has_ended(work, "p2"))
            service.process.send_signal(signal.SIGHUP)
            wait_until(lambda: sum("was read anew" in line for line in service.lines) >= 2)
            service.stop()


def test_nodes_share_a_store_and_take_over_from_a_dead_one(work, database, postgres):
    gate = threading.Event()

    def answer(path, query):
        gate.wait(60)
        return ROWS

    names = [f"p{i}" for i in range(6)]
    store = ["--store", postgres.create_database("store_" + database.name).url]
    with Feed(answer) as feed:
        configure(work, feed, target_of(database), {name: {"schedule": "1h"} for name in names}, max_syncs=3)
        with Service(work, *store) as first, Service(work, *store) as second:
            wait_until(lambda: sum(node.said("starts") for node in (first, second)) == 2 and
                       all(status(work, name, *store)["job"]["status"] == "running" for name in names))
            first.kill()
            gate.set()
            wait_until(lambda: all(has_ended(work, name, "succeeded", *store)() for name in names))
            second.stop()
            assert second.said("of a node that is gone")
    assert {database.one(f"SELECT count(*) FROM raw_{name}.rows") for name in names} == {1}


def test_the_store_may_go_away(work, database, postgres):
    gate = threading.Event()

    def answer(path, query):
        gate.wait(60)
        return ROWS

    store = postgres.create_database("store_" + database.name)
    with Feed(answer) as feed:
        configure(work, feed, target_of(database), {"p": {"schedule": "1h"}})
        with Service(work, "--store", store.url) as service:
            wait_until(lambda: len(feed.requests) > 0)
            database.query(f"ALTER DATABASE {store.name} ALLOW_CONNECTIONS false")
            database.query(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{store.name}'")
            wait_until(lambda: service.said("the syncs that run go on"))
            database.query(f"ALTER DATABASE {store.name} ALLOW_CONNECTIONS true")
            wait_until(lambda: service.said("store is back"))
            gate.set()
            wait_until(has_ended(work, "p", "succeeded", "--store", store.url))
            service.stop()


def test_many_may_open_a_new_store_at_once(work, database):
    with Feed(lambda path, query: ROWS) as feed:
        configure(work, feed, target_of(database), {"p": {"schedule": "1h"}})
        looks = [work.start("status") for _ in range(12)]
        assert [look.wait(timeout=60) for look in looks] == [0] * 12


def test_what_cannot_be_served_is_said_at_once(work, database):
    with Feed(lambda path, query: ROWS) as feed:
        configure(work, feed, target_of(database), {"p": {"schedule": "1h"}}, max_syncs=0)
        assert "service" in work.run("serve", code=2).err
        configure(work, feed, target_of(database), {"p": {"schedule": "1h"}})
        refused = work.run("serve", "--store", work.folder / "no" / "such" / "folder.db", code=2).err
        assert "no/such/folder.db" in refused and "unable to open" in refused
        work.write("text.db", "this is no database, and has been here before, and is longer than a header of SQLite's would be " * 20)
        assert "not a database" in work.run("serve", "--store", work.folder / "text.db", code=2).err


def test_logs_are_read_and_followed(work, database):
    with Feed(lambda path, query: ROWS) as feed:
        configure(work, feed, target_of(database), {"p": {}, "q": {}})
        assert work.run("logs").out == ""
        follower = work.start("logs", "-f", "p")
        with Service(work) as service:
            for name in ("p", "q"):
                work.run("run", "--queued", name)
            told = [follower.stdout.readline() for _ in range(4)]
            service.stop()
        follower.send_signal(signal.SIGTERM)
        out, err = follower.communicate(timeout=60)
        assert out == "", err
        assert "p #1  the sync begins" in told[0] and "rows begins: full_refresh" in told[1] and "rows done: 1 rows written" in told[2]
        assert "the sync ended after" in told[3] and told[3].rstrip().endswith("exit code 0")
        assert work.run("logs", "p").out == "".join(told)
        assert len(work.run("logs").out.splitlines()) == 8
        lines = [json.loads(line) for line in work.run("logs", "--json", "--job", "2", "-n", "2").out.splitlines()]
        assert [(line["pipeline"], line["job"], line["data"]["event"]) for line in lines] == [("q", 2, "stream_ended"), ("q", 2, "sync_ended")]
        assert "no pipeline 'nix'" in work.run("logs", "nix", code=2).err
        assert "--lines is a number" in work.run("logs", "-n", "0", code=2).err


def test_measures_are_pushed(work, database):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener, Feed(lambda path, query: ROWS) as feed:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(60)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        configure(work, feed, target_of(database), {"p": {"schedule": "24h"}}, statsd={"address": address})
        with Service(work) as service:
            lines = listener.recv(4096).decode().splitlines()
            assert [line.split(":")[0] for line in lines] == ["ingestion.records_per_second", "ingestion.duration_minutes"]
            assert lines[0].endswith("table:rows,status:done") and "|h|#connector:" in lines[0]
            feed.answer = lambda path, query: (401, {})
            configure(work, feed, target_of(database), {"p": {"schedule": "24h"}}, statsd={"address": address, "dialect": "statsd", "prefix": "x."})
            wait_until(lambda: service.said("was read anew"))
            work.run("run", "--queued", "p", code=3)
            lines = listener.recv(4096).decode().splitlines()
            assert lines[-1].startswith("x.ingestion.errors.") and lines[-1].endswith(".rows.failed:1|c"), lines
            service.stop()
    with Feed(lambda path, query: (401, {})) as feed:
        configure(work, feed, target_of(database), {"q": {"schedule": "24h"}}, statsd={"address": "no.such.host.invalid:1"})
        with Service(work) as service:
            wait_until(has_ended(work, "q", "failed"))
            assert service.said("nothing is sent to 'no.such.host.invalid:1'")
            service.stop()
