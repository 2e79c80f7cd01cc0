"""Three nodes in networks of their own: one is cut off, one stands still, and both come back when others have done their work."""

import contextlib
import json
import os
import signal
import threading
import urllib.parse

import pytest

from conftest import Workspace
from feed import Feed
from namespace import Door, Namespace
from test_serve import Service, status, wait_until

DATABASE_PORT, SOURCE_PORT = 7001, 7002
PAGES, PAGE_ROWS = 3, 10
# Each page's rows are appended: one that is written twice is there twice.
PAGED = """
return sluice.connector {
  name = "paged", version = "1", http = { base = "{{config.base_url}}", retry = { tries = 1 } },
  config = { base_url = { type = "string", required = true } },
  streams = { rows = { path = "/rows", records = "rows", pages = { kind = "page", param = "page", start = 1 },
    fields = { id = "string", n = "integer" } } },
}
"""


class Source:
    """Three pages for each pipeline. The second waits until the gate is open."""

    def __init__(self):
        self.gate = threading.Event()
        self.lock = threading.Lock()
        self.waiting = set()

    def __call__(self, path, query):
        page = int(query.get("page", 1))
        if page == 2:
            with self.lock:
                self.waiting.add(path)
            self.gate.wait(300)
        return {"rows": [{"id": f"{path}-{page}-{i}", "n": page} for i in range(PAGE_ROWS)] if page <= PAGES else []}


def group_of(process):
    """The service and its syncs, which are in groups of their own: every descendant."""
    children = {}
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{int(entry)}/stat", encoding="utf-8", errors="replace") as stat:
                children.setdefault(int(stat.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
    found, todo = [], [process.pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def send(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may make network namespaces")
def test_a_node_that_is_cut_off_and_one_that_stands_still(tmp_path, database, postgres):
    names = [f"p{i}" for i in range(6)]
    store_name = postgres.create_database("store_" + database.name).name
    source = Source()
    with contextlib.ExitStack() as stack:
        feed = stack.enter_context(Feed(source))
        door = stack.enter_context(Door(tmp_path / "source.sock", urllib.parse.urlsplit(feed.url).port))
        server = f"UNIX-CONNECT:{postgres.folder}/.s.PGSQL.{postgres.port}"
        url = f"postgres://sluice@127.0.0.1:{DATABASE_PORT}/"
        nodes = []
        for name in ("cut", "still", "well"):
            network = stack.enter_context(Namespace())
            network.way(DATABASE_PORT, server)
            network.way(SOURCE_PORT, door.target)
            (tmp_path / name).mkdir()
            work = Workspace(tmp_path / name)
            work.wrapper = network.words()
            work.network = network
            connector = work.write("paged.lua", PAGED)
            pipelines = {pipeline: {"connector": str(connector), "destination": "target", "network": {"allow_private": True},
                                    "config": {"base_url": f"http://127.0.0.1:{SOURCE_PORT}/{pipeline}"}, "schema": f"raw_{pipeline}",
                                    "defaults": {"sync_mode": "full_refresh", "write_mode": "append"}, "schedule": "24h"}
                         for pipeline in names}
            # Two of each node, and what is left is for the one that stays well.
            most = 6 if name == "well" else 2
            work.write("sluice.yaml", json.dumps({"destinations": {"target": {"type": "postgres", "url": url + database.name}},
                                                  "service": {"max_syncs": most, "retry": {"first": "1s", "longest": "2s", "tries": 60}},
                                                  "pipelines": pipelines}))
            nodes.append(work)
        words = ["--store", url + store_name]
        services = []
        for work in nodes:
            services.append(stack.enter_context(Service(work, *words)))
            wanted = 2 * len(services)
            wait_until(lambda: len(source.waiting) == wanted)
        cut, still, well = nodes
        stopped = group_of(services[1].process)
        assert len(stopped) >= 3, "the service and two syncs"
        cut.network.cut()
        send(stopped, signal.SIGSTOP)
        source.gate.set()
        try:
            wait_until(lambda: all(status(well, name, *words)["job"]["status"] == "succeeded" for name in names), 150)
        finally:
            cut.network.mend()
            send(stopped, signal.SIGCONT)
        node_of_jobs = {name: status(well, name, *words)["job"] for name in names}
        # They find out that they were overtaken, and do what comes next.
        wait_until(lambda: len(group_of(services[1].process)) == 1 and len(group_of(services[0].process)) == 1, 90)
        for name in names:
            rows = database.query(f"SELECT count(*), count(DISTINCT id) FROM raw_{name}.rows")
            assert rows == [(PAGES * PAGE_ROWS, PAGES * PAGE_ROWS)], name
            assert status(well, name, *words)["job"] == node_of_jobs[name], "who was overtaken changed nothing"
        for work in (cut, still):
            work.run("run", "--queued", *words, names[0])
        assert database.query(f"SELECT count(*) FROM raw_{names[0]}.rows") == [(3 * PAGES * PAGE_ROWS,)]
        for service in services:
            service.stop()
