"""Rate limits that outlast a process: shared by all syncs of a machine, and quotas that end a sync and hold the next one back."""

import http.server
import json
import os
import threading
import time
import urllib.parse

import pytest

from conftest import staged_loads, staged_rows, table_equals_oracle
from shop import Shop
from test_waits import connections, until

DAY_S = 24 * 3600


def limits_file(work):
    return work.folder / "state" / "sluice" / "limits"


def test_a_quota_ends_the_sync_and_survives_it(work, database):
    """Twelve pages, five requests: everything read is kept, the next run asks nothing, and the one after the quota goes on."""
    with Shop(orders=600) as shop:
        target = {"type": "postgres", "url": database.url, "schema": "shop_raw"}
        settings = {"streams": ["orders"], "config": {"sorted": True, "page_size": 50, "lookback": "0s"}}
        work.configure(shop, target, rate_limit={"kind": "quota", "name": "daily", "requests": 10, "stop_at": 0.5}, **settings)
        before = time.time()
        ended = work.run("run", "--log-format", "json", code=4)
        events = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
        resume_at = [event["resume_at"] for event in events if "resume_at" in event]
        assert resume_at and before + DAY_S - 60 <= resume_at[-1] <= time.time() + DAY_S + 60, ended
        assert len(shop.requests("/orders")) == 5

        shop.control(clear_log=True)
        ended = work.run("run", code=4)
        assert "the quota 'daily' is used up for" in ended.err and "run again in" in ended.err, ended
        assert not shop.requests("/orders"), "a new process has a new quota"
        file = limits_file(work)
        assert file.stat().st_mode & 0o777 == 0o600
        work.forget_limits()  # a day passes
        work.configure(shop, target, rate_limit={"kind": "quota", "name": "daily", "requests": 100}, **settings)
        work.run("run")
        table_equals_oracle(database, shop, "orders")
        assert len(shop.requests("/orders")) <= 9, "it began again from the beginning"


def test_a_long_wait_for_a_limit_holds_nothing(work, database):
    with Shop(orders=400) as shop:
        work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders"],
                       config={"sorted": True, "page_size": 50, "lookback": "0s"},
                       rate_limit=[{"requests": 1000}, {"name": "steady", "requests": 4, "per": "30m"}])
        process = work.start("run")
        until(lambda: database.one("SELECT to_regclass('shop_raw.orders') IS NOT NULL"), "the build is published")
        until(lambda: connections(database) == 0, "the connections are given back")
        process.terminate()
        out, err = process.communicate(timeout=60)
        assert process.returncode == 143, out + err
        assert "for the rate limit 'steady', until 20" in err, err
        assert len(shop.requests("/orders")) == 4


# --- an API that measures how it is used -------------------------------------------------------------------------------------


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server, url = self.server, urllib.parse.urlparse(self.path)
        with server.lock:
            server.seen.append(url.path)
            server.in_flight += 1
            server.most = max(server.most, server.in_flight)
        time.sleep(server.takes_s)
        with server.lock:
            server.in_flight -= 1
        number = int(dict(urllib.parse.parse_qsl(url.query)).get("page", 1))
        body = json.dumps({"items": [{"id": number * 10 + i} for i in range(10)] if number <= 6 else [],
                           "cost": {"actual": 3}}).encode()
        self.send_response(200)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(body),
                            "X-Usage": f"calls={len(server.seen)}/10"}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def api():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    server.lock, server.seen, server.in_flight, server.most, server.takes_s = threading.Lock(), [], 0, 0, 0
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


STREAM = ('{ path = "/%s", records = "items", primary_key = "id", fields = { id = "integer" }, '
          'pages = { kind = "page", param = "page", start = 1, size = 10 } }')


def connector(work, rate_limit, *streams):
    listed = ", ".join(f"{name} = {STREAM % name}" for name in streams or ("things",))
    work.write("api.lua", f"""return sluice.connector {{
      name = "api", version = "1", config = {{ base_url = {{ required = true }}, api_key = {{ secret = true }} }},
      http = {{ base = "{{{{config.base_url}}}}", rate_limit = {rate_limit} }},
      streams = {{ {listed} }} }}""")


def configure(work, api, **settings):
    work.configure(None, {"type": "csv", "path": "./out"}, connector="./api.lua", config={"base_url": api.url}, **settings)


def test_requests_in_flight_are_counted_over_processes(work, api):
    """Two syncs with four streams each; a third was killed in the middle of a request."""
    connector(work, '{ kind = "concurrency", requests = 2 }', "a", "b", "c", "d")
    configure(work, api)
    api.takes_s = 60
    victim = work.start("run")
    until(lambda: api.in_flight >= 2, "requests are under way")
    victim.kill()
    victim.communicate(timeout=60)
    api.takes_s, abandoned = 0.01, api.in_flight
    assert abandoned == 2 == api.most
    pipeline = json.loads((work.folder / "sluice.yaml").read_text())
    pipeline["pipelines"] = {name: pipeline["pipelines"]["shop"] for name in ("first", "second")}
    work.write("sluice.yaml", json.dumps(pipeline))
    api.most = 0
    work.run("run")
    assert api.most <= 2 + abandoned, "more requests at once than declared"
    assert len(staged_rows(staged_loads(work.folder / "out", "a", "first")[-1])) == 60


def test_classes_of_requests_and_what_answers_say(work, api):
    """Ten calls by the source's own count, half of them ours: the header ends the sync."""
    connector(work, '{ { requests = 1000 }, { kind = "quota", stop_at = 0.5, learn = { usage = "X-Usage" } } }')
    configure(work, api)
    ended = work.run("run", code=4)
    assert "the quota is used up" in ended.err and len(api.seen) == 5, ended


def test_a_cost_is_read_from_the_body(work, api):
    """Each page costs 3 of 9 points, and was thought to cost 1: the fourth has to wait."""
    connector(work, '{ kind = "cost", points = 9, per = "30m", learn = { cost = "$.cost.actual" } }')
    configure(work, api)
    process = work.start("run")
    until(lambda: len(api.seen) == 3, "three pages")
    line = ""
    while "waiting" not in line:
        line = process.stderr.readline()
        assert line, "it never waits"
    process.terminate()
    process.communicate(timeout=60)
    assert len(api.seen) == 3


def test_what_stands_in_the_place_of_the_shared_limits(work, api):
    connector(work, "{ requests = 1000 }")
    configure(work, api)
    file = limits_file(work)
    file.parent.mkdir(parents=True, mode=0o700)
    os.chmod(file.parent, 0o700)
    file.write_text("mine")
    os.chmod(file, 0o600)
    ended = work.run("run", code=2)
    assert "is not a file of rate limits" in ended.err and not api.seen, ended
    assert file.read_text() == "mine"


def test_a_state_directory_that_cannot_be_used_is_a_warning(work, api):
    connector(work, "{ requests = 1000 }")
    configure(work, api)
    work.write("state/sluice", "no folder")
    ended = work.run("run")
    assert "rate limits are not shared with other syncs" in ended.err, ended
    assert len(staged_rows(staged_loads(work.folder / "out", "things", "shop")[-1])) == 60
