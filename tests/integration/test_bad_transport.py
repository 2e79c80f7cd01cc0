"""Bad input on the way: what a source may yet serve is asked for again, and ends with 4 when it never comes; what it refuses for good
ends with 4 at once. Either way what had come is kept, and the next sync goes on there."""

import gzip
import json
import time

import pytest

from bad import SIGNED, Interrupted, connector, csv_target, http_date, one_line, raw_answer
from conftest import table_equals_oracle
from postgres import free_port
from shop import Shop

PAGE = json.dumps({"orders": [{"id": f"o{n}", "updated_at": "2024-06-01T00:00:00Z"} for n in range(50)], "has_more": False}).encode()
PACKED = gzip.compress(PAGE)

# item -> (the fault, the class and words of the error)
RETRIED = {
    "truncated JSON": ({"body": PAGE[:-9].decode()}, "transient", "cut or no JSON"),
    "body cut without length": ({"raw": raw_answer(PAGE[:400], length=False)}, "transient", "cut or no JSON"),
    "body cut before its length": ({"truncate_at": 500}, "transient", "could not get all of the body"),
    "chunks cut": ({"truncate_at": 500, "chunked": True}, "transient", "could not"),
    "truncated gzip": ({"raw": raw_answer(PACKED[:-30], "Content-Encoding: gzip")}, "transient", "ends early"),
    "gzip without its checksum": ({"raw": raw_answer(PACKED[:-8], "Content-Encoding: gzip")}, "transient", "ends early"),
    "gzip with a wrong checksum": ({"gzip": "broken"}, "transient", "could not decompress"),
    "two Content-Lengths": ({"raw": raw_answer(PAGE, "Content-Length: 17")}, "transient", "two lengths"),
    "length and chunks": ({"raw": raw_answer(b"0\r\n\r\n", "Transfer-Encoding: chunked")}, "transient", "both a Content-Length"),
    "HTML": ({"body": "<!doctype html><p>log in, please", "headers": {"Content-Type": "text/html"}}, "transient", "HTML"),
    "nothing": ({"body": ""}, "transient", "empty answer"),
    "429 without a date": ({"status": 429}, "rate_limit", "429 Too Many Requests"),
    "500": ({"status": 500}, "transient", "500 Internal Server Error"),
    "502": ({"status": 502, "body": "<html>"}, "transient", "502 Bad Gateway"),
    "503": ({"status": 503}, "transient", "503 Service Unavailable"),
    "504": ({"status": 504}, "transient", "504 Gateway Timeout"),
    "slow drip": ({"drip": {"bytes": 1, "every_ms": 50}}, "transient", "less than 1024 bytes/s"),
    "first byte never": ({"delay_ms": 120000}, "transient", "nothing came for 1000 ms"),
    "closed": ({"close": True}, "transient", "could not get an answer"),
    "reset": ({"reset": True}, "transient", "could not"),
}


@pytest.mark.parametrize("item", RETRIED)
def test_retried_and_4_if_it_never_heals(work, shop, database, item):
    fault, class_name, words = RETRIED[item]
    connector(work)
    sync = Interrupted(work, shop, database)
    shop.fault(match="/orders", times=0, after=1, **fault)
    before = len(shop.requests("/orders"))
    one_line(sync.fails(4), class_name, "GET http://127.0.0.1", words, "gave up after the allowed number of tries")
    asked = len(shop.requests("/orders")) - before
    # libcurl asks once more by itself when a connection that was kept turns out dead.
    assert asked == 1 + 3 + (item in ("closed", "reset")), "a page, and three tries at the next"
    sync.kept_a_page()
    shop.control(clear_faults=True)
    shop.fault(match="/orders", times=2, after=1, **fault)
    sync.heals()


@pytest.mark.parametrize("spelling", ["seconds", "date"])
def test_429_that_says_when(work, shop, database, spelling):
    """A wait that is not too long is waited for; another ends the sync, which says when to come back."""
    connector(work)
    sync = Interrupted(work, shop, database)

    def after(seconds):
        return {"Retry-After": str(seconds) if spelling == "seconds" else http_date(seconds)}

    shop.fault(match="/orders", times=0, after=1, status=429, headers=after(7200))
    before = len(shop.requests("/orders"))
    line = one_line(sync.fails(4), "rate_limit", "429", "the source asks for a longer wait than allowed", "run again in ")
    assert "2 h" in line or "1 h 59 min" in line
    assert len(shop.requests("/orders")) - before == 2
    sync.kept_a_page()
    events = [json.loads(text) for text in work.run("run", "--log-format", "json", code=4).err.splitlines()]
    told = [event["resume_at"] for event in events if "resume_at" in event]
    assert len(told) == 1 and 7000 < told[0] - time.time() <= 7201, events
    shop.control(clear_faults=True)
    shop.fault(match="/orders", times=1, after=1, status=429, headers=after(2))
    sync.heals()


@pytest.mark.parametrize("hours", [-2, 2])
def test_429_by_a_clock_that_is_not_ours(work, shop, database, hours):
    """An instant that the source names is one of its own clock, which its answer tells."""
    connector(work)
    sync = Interrupted(work, shop, database)
    headers = ["Date: " + http_date(hours * 3600), "Retry-After: " + http_date(hours * 3600 + 1)]
    shop.fault(match="/orders", times=1, after=1, raw=raw_answer(b"{}", *headers, status="429 Too Many Requests"))
    sync.heals()


def test_401_once(work, shop, database):
    """A token that ended is renewed, once."""
    connector(work, auth=SIGNED)
    sync = Interrupted(work, shop, database, config={"api_secret": "${SHOP_API_SECRET}"})
    tokens = len(shop.requests("/auth/token"))
    shop.fault(match="/orders", times=1, after=1, status=401)
    sync.heals()
    assert len(shop.requests("/auth/token")) - tokens <= 2


def test_refused_connection(work, database):
    port = free_port()
    work.write("bad.lua", connector(work).read_text().replace('tries = 3, wait = "5ms"', 'tries = 100, wait = "100ms"'))
    work.configure(None, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, connector="./bad.lua",
                   config={"base_url": f"http://127.0.0.1:{port}"})
    process = work.start("run", "-v")
    try:
        line = next(line for line in process.stderr if "could not connect" in line)
        assert "trying again after a while" in line
        with Shop(orders=120, port=port) as shop:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, out + err
            table_equals_oracle(database, shop)
    finally:
        process.kill()
    connector(work)  # gives up soon, and the shop is gone
    one_line(work.run("run", code=4), "transient", "could not connect", "gave up after the allowed number of tries")


def test_dns_failure(work, shop, database):
    connector(work)
    target = {"type": "postgres", "url": database.url, "schema": "shop_raw"}
    work.configure(None, target, connector="./bad.lua", config={"base_url": "http://no-such-host.invalid"})
    one_line(work.run("run", code=4), "transient", "could not find the host", "no-such-host.invalid", "DNS")
    work.configure(shop, target, connector="./bad.lua")
    work.run("run")
    table_equals_oracle(database, shop)


AT_ONCE = {
    "400": ({"status": 400}, "400 Bad Request"),
    "404": ({"status": 404}, "404 Not Found"),
    "422": ({"status": 422, "body": {"error": "no such filter"}}, "no such filter"),
    "redirect loop": ({"status": 302, "headers": {"Location": "/a/orders?page=2"}}, "more than 5 redirects"),
}


@pytest.mark.parametrize("item", AT_ONCE)
def test_4_at_once(work, shop, database, item):
    fault, words = AT_ONCE[item]
    connector(work)
    sync = Interrupted(work, shop, database)
    shop.fault(match="/orders", times=0, after=1, **fault)
    before = len(shop.requests("/orders"))
    one_line(sync.fails(4), "source", words)
    assert len(shop.requests("/orders")) - before == (7 if item == "redirect loop" else 2), "it was asked for again"
    sync.kept_a_page()
    shop.control(clear_faults=True)
    sync.heals()


def test_check_asks_as_often_as_a_sync(work, shop):
    """`http.retry` holds for every request."""
    connector(work)
    work.configure(shop, csv_target(work), connector="./bad.lua")
    shop.fault(match="/orders", times=0, status=503)
    work.run("check", code=4)
    assert len(shop.requests("/orders")) % 3 == 0
