"""The commit protocol from outside: whatever happens between a source and a table, each row is there once, the cursor covers no
row that is not, the ledger adds up, and nothing is left over."""

import datetime
import http.server
import json
import random
import signal
import subprocess
import threading
import time
import urllib.parse

import pytest

from shop import Shop

START = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


class Source:
    """An API of one stream whose records, order and failures the test decides. `answer(query)` may return a status to fail with,
    and may wait; `records` are in the order they are listed in."""

    def __init__(self, count=600, hours=20):
        self.records = [{"id": f"r{i}", "at": stamp(i // 3 * 3 * hours + 1), "n": i} for i in range(count)]
        self.answer = lambda query: None
        self.is_inclusive = False  # does `from` belong to what it asks for?
        self.queries = []
        self.lock = threading.Lock()
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                with source.lock:
                    source.queries.append(query)
                status = source.answer(query) or 200
                body = json.dumps(source.page(query) if status == 200 else {"error": "as told"}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a killed client hangs up

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def page(self, query):
        low, high = query.get("from", ""), query.get("until", "9")
        rows = [row for row in self.records if low < row["at"] <= high or (self.is_inclusive and row["at"] == low)]
        size, page = int(query["size"]), int(query["page"])
        return {"rows": rows[(page - 1) * size:page * size], "more": page * size < len(rows)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def stamp(hours):
    return (START + datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


CONNECTOR = """
return sluice.connector {
  name = "rows", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}" },
  streams = { %s },
}
"""

STREAM = """%(name)s = { path = "/%(name)s", records = "rows", primary_key = "id", stable = %(stable)s,
    pages = { kind = "page", param = "page", start = 1, size = %(size)d, size_param = "size", more = "more" },
    cursor = { field = "at", param = "from", start = "2023-12-31T00:00:00Z", order = "%(order)s", %(cursor)s },
    fields = { id = "string", at = "timestamp", n = "integer" } },"""

WINDOWS = 'until_param = "until", bounds = "(]", step = "60d"'


def connector(work, order="ascending", cursor="", stable="false", size=20, names=("rows",)):
    streams = [STREAM % {"name": name, "order": order, "cursor": cursor, "stable": stable, "size": size} for name in names]
    return work.write("rows.lua", CONNECTOR % "\n".join(streams))


def configure(work, database, source, sync_mode, write_mode, commit="2KiB", streams=("rows",), **settings):
    choice = {"sync_mode": sync_mode, "write_mode": write_mode}
    work.configure(source, {"type": "postgres", "url": database.url, "schema": "raw"}, name="p", connector="./rows.lua",
                   streams={name: choice for name in streams}, commit={"bytes": commit, "seconds": 1}, **settings)


def table_is_source(database, source, table="raw.rows"):
    found = database.query(f"SELECT id, at AT TIME ZONE 'UTC', n FROM {table}")
    names = [row[0] for row in found]
    assert len(names) == len(set(names)), f"{len(names) - len(set(names))} rows are there twice"
    expected = {row["id"]: (row["at"], row["n"]) for row in source.records}
    lost = expected.keys() - set(names)
    assert not lost, f"{len(lost)} rows were lost: {sorted(lost)[:5]}"
    assert {name: (at.strftime("%Y-%m-%dT%H:%M:%SZ"), n) for name, at, n in found} == expected


def ledger_adds_up(database, table="raw.rows", appends=False):
    wrong = database.query("SELECT load_id, kind, emitted, written, unchanged, deduplicated, rejected, discarded FROM _sluice.loads "
                           "WHERE emitted <> written + unchanged + deduplicated + rejected + discarded")
    assert wrong == [], "loads whose counts do not add up"
    if appends:
        assert database.one("SELECT sum(written) FROM _sluice.loads") == database.one(f"SELECT count(*) FROM {table}")


def nothing_is_left(database, tables=("rows",)):
    """After a sync that went through."""
    names = {name for name, in database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'raw'")}
    assert names == set(tables), "a build was left behind"
    for name, in database.query("SELECT tablename FROM pg_tables WHERE schemaname = '_sluice' AND tablename LIKE 'stage%'"):
        assert database.one(f'SELECT count(*) FROM _sluice."{name}"') == 0, "rows were left in a stage"
    assert database.query("SELECT * FROM _sluice.builds WHERE kind = 'build'") == []
    assert database.query("SELECT * FROM _sluice.held") == []
    assert database.query("SELECT * FROM _sluice.heads WHERE building OR publishing") == []
    assert database.query("SELECT kind FROM _sluice.state WHERE kind NOT IN ('cursor', 'cursor_field', 'boundary')") == [], "a plan or a position was left behind"
    assert database.query("SELECT * FROM _sluice.leases WHERE until > clock_timestamp()") == [], "the lease was kept"


def kill_at(work, source, request, signal_number=signal.SIGKILL, when=lambda: None):
    """Starts a sync and ends it while its n-th request is being answered; later ones wait for that. `when` waits for more."""
    reached, gone = threading.Event(), threading.Event()
    first = len(source.queries)

    def answer(query):
        if len(source.queries) - first >= request:
            reached.set()
            gone.wait(30)

    source.answer = answer
    process = work.start("run")
    assert reached.wait(30), "the sync did not get that far"
    when()
    process.send_signal(signal_number)
    if signal_number != signal.SIGKILL:
        gone.set()
    out, err = process.communicate(timeout=30)
    gone.set()
    source.answer = lambda query: None
    return process.returncode, out + err


def wait_for_loads(database, count):
    """Until so many loads are in the ledger."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if database.one("SELECT to_regclass('_sluice.loads')") and database.one("SELECT count(*) FROM _sluice.loads") >= count:
            return
        time.sleep(0.01)
    pytest.fail("no loads came")


def wait_for_rows(database, count):
    """Until loads took so many rows, published or held."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if database.one("SELECT to_regclass('_sluice.loads')") and database.one("SELECT sum(emitted) FROM _sluice.loads") == count:
            return
        time.sleep(0.01)
    pytest.fail("not all rows came into loads")


@pytest.mark.parametrize("sync_mode, write_mode, order", [
    ("incremental", "append", "ascending"), ("incremental", "append_dedup", "unknown"), ("full_refresh", "overwrite", "ascending")])
def test_windows_several_at_once_survive_kills(work, database, sync_mode, write_mode, order):
    with Source() as source:
        connector(work, order=order, cursor=WINDOWS, size=10)
        configure(work, database, source, sync_mode, write_mode, concurrency=3)
        rng = random.Random(write_mode)
        for _ in range(5):
            kill_at(work, source, rng.randint(2, 12))
        work.run("run")
        table_is_source(database, source)
        ledger_adds_up(database, appends=write_mode == "append")
        nothing_is_left(database)
        source.records += [{"id": f"new{i}", "at": stamp(25000), "n": i} for i in range(7)]
        work.run("run")
        if sync_mode == "full_refresh":
            table_is_source(database, source)
        nothing_is_left(database)


def test_window_that_ends_after_another_failed_has_all_its_rows(work, database):
    """The first window fails while the database keeps its load waiting; the second, read meanwhile, comes to its end."""
    with Source() as source:
        connector(work, order="unknown", cursor=WINDOWS, size=10)
        configure(work, database, source, "incremental", "append_dedup", commit="1KiB", concurrency=2)
        locker = database.server.connect(database.name)
        locker.autocommit = False
        first_failed = threading.Event()
        lock = threading.Lock()

        def answer(query):
            with lock:
                if len(source.queries) <= 2 and not locker.info.transaction_status:
                    locker.cursor().execute("LOCK TABLE _sluice.heads IN EXCLUSIVE MODE")
            if query["from"] == "2023-12-31T00:00:00Z":
                if query["page"] == "1":
                    return None
                time.sleep(0.3)
                first_failed.set()
                return 404
            first_failed.wait(10)
            time.sleep(0.1)

        source.answer = answer
        process = work.start("run")
        while process.poll() is None and len(source.queries) < 9:
            time.sleep(0.02)
        time.sleep(0.5)
        locker.rollback()
        out, err = process.communicate(timeout=30)
        assert process.returncode == 4, out + err
        source.answer = lambda query: None
        work.run("run")
        table_is_source(database, source)
        ledger_adds_up(database)
        nothing_is_left(database)


def test_source_that_fails_in_the_middle_keeps_what_is_covered(work, database):
    with Source() as source:
        connector(work)
        configure(work, database, source, "incremental", "append")
        source.answer = lambda query: 404 if query["page"] == "20" else None
        work.run("run", code=4)
        have = database.one("SELECT count(*) FROM raw.rows")
        assert 19 * 20 - 20 <= have <= 19 * 20, "what was covered was not committed"
        source.answer = lambda query: None
        before = len(source.queries)
        work.run("run")
        assert len(source.queries) - before <= 14, "it began again from the beginning"
        table_is_source(database, source)
        ledger_adds_up(database, appends=True)
        nothing_is_left(database)


@pytest.mark.parametrize("first, second", [
    (("incremental", "append_dedup"), ("full_refresh", "overwrite")), (("full_refresh", "overwrite"), ("incremental", "append_dedup")),
    (("incremental", "append_dedup"), ("full_refresh", "append_dedup"))])
@pytest.mark.parametrize("cursor", ["", WINDOWS])
def test_mode_changed_while_a_plan_is_unfinished(work, database, first, second, cursor):
    with Source() as source:
        connector(work, cursor=cursor)
        configure(work, database, source, *first)
        kill_at(work, source, 18)
        configure(work, database, source, *second)
        work.run("run")
        table_is_source(database, source)
        ledger_adds_up(database)
        nothing_is_left(database)


def test_connections_that_are_ended_all_the_time(work, database):
    with Source(count=900) as source:
        connector(work)
        configure(work, database, source, "incremental", "append")
        source.answer = lambda query: time.sleep(0.02)
        ended = 0
        for run in range(2):
            before = len(source.queries)
            process = work.start("run")
            while process.poll() is None and len(source.queries) == before:
                time.sleep(0.01)  # a sync that cannot even begin says so and ends
            while process.poll() is None:
                ended += database.one("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                      "WHERE datname = current_database() AND pid <> pg_backend_pid()")
                time.sleep(0.02)
            out, err = process.communicate()
            assert process.returncode in (0, 6), out + err
        assert ended > 0
        work.run("run")
        table_is_source(database, source)
        ledger_adds_up(database, appends=True)
        nothing_is_left(database)


@pytest.mark.parametrize("stable", ["true", "false"])
def test_stopped_in_an_unsorted_source(work, database, stable):
    with Source() as source:
        random.Random(7).shuffle(source.records)
        connector(work, order="unknown", stable=stable)
        configure(work, database, source, "incremental", "append")
        code, said = kill_at(work, source, 15, signal.SIGTERM)
        assert code == 143, said
        before = len(source.queries)
        work.run("run")
        assert (len(source.queries) - before < 20) == (stable == "true"), "a position was lost, or made up"
        table_is_source(database, source)
        ledger_adds_up(database, appends=True)
        nothing_is_left(database)


def test_change_behind_an_unsorted_read_that_was_interrupted_is_seen_by_the_next(work, database):
    """Pages one to ten were read by the first run. What changes there before the second goes on is newer than the plan, and so must the
    cursor be older than it, even if the second run meets newer records still."""
    with Source(count=300) as source:
        connector(work, order="unknown", stable="true")
        configure(work, database, source, "incremental", "append_dedup")
        code, said = kill_at(work, source, 10, signal.SIGTERM)
        assert code == 143, said
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
        for i, seconds in ((5, 0), (290, 1)):
            source.records[i]["at"] = (now + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
            source.records[i]["n"] += 1000
        while datetime.datetime.now(datetime.timezone.utc) < now + datetime.timedelta(seconds=2):
            time.sleep(0.1)  # until these instants are in the past, as a run some time later would see them
        work.run("run")
        work.run("run")
        table_is_source(database, source)


@pytest.mark.parametrize("write_mode", ["append", "append_dedup", "overwrite"])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_source_that_looks_sorted_and_is_not(work, database, write_mode, end):
    """It is interrupted after the order broke. Rows behind the stored checkpoint are read, or the sync says that it cannot know."""
    with Source() as source:
        source.records = source.records[:300] + source.records[400:] + source.records[300:400]
        late = source.records[:20]
        source.records = source.records[20:420] + late + source.records[420:]
        connector(work)
        configure(work, database, source, "full_refresh" if write_mode == "overwrite" else "incremental", write_mode, commit="1KiB")
        code, said = kill_at(work, source, 24, end, when=lambda: wait_for_rows(database, 23 * 20))
        assert code == (143 if end == signal.SIGTERM else -9), said
        ended = work.run("run", code=None)
        if write_mode == "append":
            assert ended.code == 5 and "state reset p rows" in ended.err, ended
            assert database.one("SELECT count(*) = count(DISTINCT id) FROM raw.rows")
            return
        assert ended.code == 0, ended
        table_is_source(database, source)
        ledger_adds_up(database)
        nothing_is_left(database)


def test_rows_held_behind_a_checkpoint_go_alone(work, database):
    """A new table, a checkpoint, then more rows of one cursor value than a load holds: those are held, and read again after a kill; the
    rows before them stay."""
    with Source(count=400) as source:
        for row in source.records[150:]:
            row["at"] = source.records[150]["at"]
        connector(work)
        configure(work, database, source, "incremental", "append_dedup", commit="1KiB")
        kill_at(work, source, 17)
        work.run("run")
        table_is_source(database, source)
        ledger_adds_up(database)
        nothing_is_left(database)


@pytest.mark.parametrize("order", ["ascending", "unknown"])
def test_appended_once_at_the_edges_of_syncs(work, database, order):
    """The source includes the value it is asked to begin after, and has records of the future."""
    with Source(count=100) as source:
        source.is_inclusive = True
        future = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        known = list(source.records)
        source.records += [{"id": f"f{i}", "at": future.strftime("%Y-%m-%dT%H:%M:%SZ"), "n": i} for i in range(30)]
        connector(work, order=order)
        configure(work, database, source, "incremental", "append")
        for more in range(3):
            work.run("run")
            listed, source.records = source.records, known
            table_is_source(database, source)
            source.records = listed
            row = {"id": f"m{more}", "at": stamp(20000 + more), "n": more}
            known.append(row)
            source.records.insert(100 + more, row)
        ledger_adds_up(database, appends=True)
        nothing_is_left(database)


def test_last_of_equal_records_wins_over_pages(work, database):
    """Versions of one record with the same cursor value: what came last counts."""
    with Source(count=200) as source:
        again = [{**row, "n": row["n"] + 5000} for row in source.records[:60]]
        listed, source.records = source.records, source.records + again
        connector(work, order="unknown")
        configure(work, database, source, "full_refresh", "append_dedup")
        work.run("run")
        source.records = again + listed[60:]
        table_is_source(database, source)
        ledger_adds_up(database)


def test_sync_that_is_stopped_before_its_last_stream_says_so(work, database):
    with Source(count=40) as source:
        connector(work, names=("rows", "others"))
        configure(work, database, source, "incremental", "append_dedup", streams=("rows", "others"), concurrency=1)
        code, said = kill_at(work, source, 2, signal.SIGTERM)  # in the last page of the first stream
        assert code == 143, said
        work.run("run")
        table_is_source(database, source)
        table_is_source(database, source, "raw.others")


def test_stop_does_not_wait_for_a_database_that_stands_still(work, database):
    with Source() as source:
        connector(work)
        configure(work, database, source, "incremental", "append")
        source.answer = lambda query: time.sleep(0.05)
        process = work.start("run")
        wait_for_loads(database, 2)
        backends = [pid for pid, in database.query("SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                                                   "AND pid <> pg_backend_pid()")]
        subprocess.run(["kill", "-STOP", *map(str, backends)], check=True)
        try:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
            subprocess.run(["kill", "-CONT", *map(str, backends)])
        assert process.returncode == 143, out + err
        source.answer = lambda query: None
        work.run("run")
        table_is_source(database, source)
        ledger_adds_up(database, appends=True)


def test_the_slowest_syncs_are_one_query(work, database):
    """By connector and table, with rows per second, over all loads of a run."""
    with Shop(orders=400) as shop:
        work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders", "customers"],
                       commit={"bytes": "32KiB", "seconds": 1})
        work.run("run")
        shop.mutate("orders", inserts=7)
        work.run("run")
    found = database.query("SELECT connector, target, written, took > interval '0', rows_per_second > 0 FROM _sluice.syncs "
                           "WHERE ended_at > now() - interval '7 days' AND written > 0 ORDER BY took DESC")
    counts = {}
    for connector, target, written, took, speed in found:
        assert connector.startswith("shop ") and took and speed
        counts.setdefault(target, []).append(int(written))
    assert set(counts) == {"shop_raw.orders", "shop_raw.customers"}
    assert sorted(counts["shop_raw.orders"])[0] >= 7 and sum(counts["shop_raw.orders"]) >= 407
    assert database.one("SELECT bool_and(began_at <= at AND target IS NOT NULL) FROM _sluice.loads WHERE stream IS NOT NULL")
