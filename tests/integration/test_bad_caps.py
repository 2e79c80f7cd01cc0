"""Bad input without measure: what would never end, or never fit, ends with 5 and names the cap it passed. What came before is kept."""

import gzip
import http.server
import itertools
import json
import random
import subprocess
import threading

import pytest

from bad import TOKENS, Interrupted, connector, csv_target, one_line, raw_answer
from conftest import SLUICE, table_equals_oracle

MIB = 1024 * 1024
OPEN = b'{"orders":[{"id":"x","updated_at":"2024-06-01T00:00:00Z","note":'
RECORD = json.dumps({"id": "o1", "updated_at": "2024-06-01T00:00:00Z", "note": "n" * 920}) + ","
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def random_text(size):
    """Text that gzip can only halve; it sees no further back than 32 KiB."""
    return random.Random(1).randbytes(size // 40).hex().encode() * 20


CAPS = {
    "gzip bomb": ([[f"{HEAD}Content-Encoding: gzip\r\nContent-Length: {{size}}\r\n\r\n", 1]], lambda: gzip.compress(b" " * (40 * MIB)),
                  "decompresses to more than 200 times its size"),
    "header flood": ([[HEAD, 1], ["X-Flood: " + "f" * 1000 + "\r\n", 300]], None, "more than 65536 bytes of headers"),
    "one header without end": ([[HEAD + "X-Flood: ", 1], ["f" * 1000, 3000]], None, "cannot take in the answer"),
    "endless 100-continue": ([["HTTP/1.1 100 Continue\r\n\r\n", 1000000]], None, "informational answers (status 100) without end"),
    "a 300 MB page, announced": ([[f"{HEAD}Content-Length: {300 * MIB}\r\n\r\n[", 1], [RECORD, 300 * 1024]], None,
                                 "body has more than 16777216 bytes"),
    "a 300 MB page, without length": ([[HEAD + "\r\n[", 1], [RECORD, 300 * 1024]], None, "body has more than 16777216 bytes"),
    "a 300 MB page, in chunks": ([[HEAD + "Transfer-Encoding: chunked\r\n\r\n", 1], [f"{len(RECORD):x}\r\n{RECORD}\r\n", 300 * 1024]],
                                 None, "body has more than 16777216 bytes"),
    "a 17 MB page, compressed": ([[f"{HEAD}Content-Encoding: gzip\r\nContent-Length: {{size}}\r\n\r\n", 1]],
                                 lambda: gzip.compress(random_text(17 * MIB), 1), "more than 16777216 bytes when decompressed"),
    "a 100 MB string": ([[HEAD + "\r\n" + OPEN.decode() + '"', 1], ["s" * 1024, 100 * 1024], ['"}]}', 1]], None,
                        "body has more than 16777216 bytes"),
    "depth 100,000": (raw_answer(OPEN + b"[" * 100000 + b"]" * 100000 + b"}]}"), None, "nested over 512 levels"),
}


@pytest.mark.parametrize("item", CAPS)
def test_named_by_its_cap(work, shop, database, item):
    pieces, packed, words = CAPS[item]
    if packed:
        packed = packed()
        pieces = [[pieces[0][0].format(size=len(packed)), 1], [packed.decode("latin-1"), 1]]
    connector(work)
    sync = Interrupted(work, shop, database)
    shop.fault(match="/orders", times=0, after=1, raw=pieces)
    before = len(shop.requests("/orders"))
    one_line(sync.fails(5), "data", "GET http://127.0.0.1", words)
    assert len(shop.requests("/orders")) - before == 2, "it was asked for again"
    sync.kept_a_page()
    shop.control(clear_faults=True)
    sync.heals()


def test_page_without_end_takes_no_more_memory_than_its_cap(work, shop):
    if "asan" in SLUICE or "tsan" in SLUICE:
        pytest.skip("a sanitizer keeps what was freed")
    connector(work)
    work.configure(shop, csv_target(work), connector="./bad.lua")
    shop.fault(match="/orders", times=0, raw=CAPS["a 300 MB page, without length"][0])
    process = subprocess.run(["/usr/bin/python3", "-c",
                              "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode; "
                              "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)", SLUICE, "run"],
                             cwd=work.folder, env=work.environment, capture_output=True, text=True, timeout=120)
    code, peak_kib = map(int, process.stdout.splitlines()[-1].split())
    assert code == 5, process
    assert peak_kib < 128 * 1024, f"{peak_kib} KiB at its peak"


class Listing:
    """An API whose pages come by tokens: `token_of(page)` says which one follows; each page has a record of its own."""

    def __init__(self, token_of):
        self.count = 0
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self):
                number = source.count
                source.count += 1
                body = json.dumps({"records": [{"id": f"r{number}", "updated_at": "2024-06-01T00:00:00Z"}],
                                   "next_page_token": token_of(number)}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize("period", [1, 2, 7, 1000])
def test_page_token_that_repeats(work, period):
    """Up to a thousand it is known at once; unit.rest_pager has longer ones, which are known by the third time round."""
    connector(work, pages=TOKENS, dialect="b", records="records")
    with Listing(lambda page: f"t{page % period}") as source:
        work.configure(source, csv_target(work), connector="./bad.lua")
        one_line(work.run("run", code=5), "data", "page loop: the source gave the same token again: 't")
        assert source.count == period + 1


def test_pages_that_never_end(work):
    connector(work, pages=TOKENS.replace("}", ", max_pages = 40 }"), dialect="b", records="records")
    numbers = itertools.count()
    with Listing(lambda page: f"t{next(numbers)}") as source:
        work.configure(source, csv_target(work), connector="./bad.lua")
        one_line(work.run("run", code=5), "data", "over 40 pages in one slice", "max_pages")
        assert source.count == 40


def test_rejects_past_their_limit(work, shop, database):
    """1,000 or 1 %: nothing of the load that passed it is there, and the last hundred tell why."""
    connector(work)
    sync = Interrupted(work, shop, database)
    page = {"orders": [{"id": None, "updated_at": "2024-06-01T00:00:00Z", "n": n} for n in range(1001)], "has_more": False}
    shop.fault(match="/orders", times=0, after=1, body=page)
    one_line(sync.fails(5), "data", "1001 records", "over the limit of 1000", "missing_primary_key")
    kept = database.query("SELECT reason, field, record::text, kind FROM _sluice.rejects JOIN _sluice.loads USING (load_id)")
    assert len(kept) == 100 and {(reason, field, kind) for reason, field, _, kind in kept} == {("missing_primary_key", "id", "failed")}
    shop.control(clear_faults=True)
    sync.heals()


def test_rejects_within_their_limit(work, shop, database):
    connector(work)
    page = {"orders": [{"id": None, "n": n} for n in range(10)] + [{"id": f"o{n}", "updated_at": "2024-06-01T00:00:00Z"} for n in range(5)],
            "has_more": False}
    shop.fault(match="/orders", times=0, body=page)
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, connector="./bad.lua")
    row = json.loads(work.run("run", "--json").out)[0]
    assert (row["emitted"], row["written"], row["rejected"]) == (15, 5, 10)
    assert database.one("SELECT count(*) FROM _sluice.rejects WHERE dropped") == 10


def test_a_key_that_no_record_has_is_an_error_not_an_empty_table(work, shop):
    work.configure(shop, csv_target(work), streams={"orders": {"primary_key": "nonexist", "write_mode": "append_dedup"}})
    one_line(work.run("run", code=5), "data", "every one of 300 records was rejected", "missing_primary_key")
    ended = work.run("check", code=5)
    assert "FAILED stream orders" in ended.out and "missing_primary_key" in ended.out, ended


def test_target_with_other_types(work, shop, database):
    database.query("CREATE SCHEMA shop_raw")
    database.query("CREATE TABLE shop_raw.orders (id text PRIMARY KEY, total_amount date)")
    database.query("INSERT INTO shop_raw.orders VALUES ('mine', '2020-01-01')")
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders"])
    one_line(work.run("run", code=5), "schema", "total_amount", "is date", "ALTER TABLE")
    assert database.query("SELECT * FROM shop_raw.orders")[0][0] == "mine"
    database.query("ALTER TABLE shop_raw.orders ALTER total_amount TYPE numeric USING NULL")
    work.run("run")
    assert database.one("SELECT count(*) FROM shop_raw.orders") == 301


def test_target_gone(work, shop, database):
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders"])
    work.run("run")
    database.query("DROP TABLE shop_raw.orders")
    one_line(work.run("run", code=5), "schema", "state reset")
    work.run("state", "reset", "--stream", "orders")
    work.run("run")
    table_equals_oracle(database, shop)


def test_shrink_past_the_guard(work, shop, database):
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"},
                   streams={"customers": {"sync_mode": "full_refresh"}})
    work.run("run")
    before = database.one("SELECT count(*) FROM shop_raw.customers")
    shop.mutate("customers", deletes=before - 5)
    one_line(work.run("run", code=5), "schema", "shrink_limit", where="shop.customers")
    assert database.one("SELECT count(*) FROM shop_raw.customers") == before
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"},
                   streams={"customers": {"sync_mode": "full_refresh", "shrink_limit": 1}})
    work.run("run")
    table_equals_oracle(database, shop, "customers")
