"""plugins/postgres: a real server as the source, another database of it as the warehouse."""

import datetime
import json
import pathlib
import random
import shutil
import signal
import subprocess
import threading
import time
import uuid

import psycopg2
import pytest

from conftest import ROOT, SLUICE, staged_loads, staged_rows
from postgres import Postgres

PLUGIN = pathlib.Path(SLUICE).resolve().parent / "plugins" / "postgres.so"
KINDS = '''
CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN small AS positive CHECK (value < 100);
CREATE TYPE pair AS (a int, b text);
CREATE TABLE kinds (id bigint PRIMARY KEY, b bool, i2 int2, o oid, f4 float4, f8 float8, n numeric(12,4), n2 numeric, m money, t text,
    c char(5), d date, ts timestamp, tz timestamptz, ti time, iv interval, ba bytea, j json, jb jsonb, u uuid, e mood, dm small,
    ia int[], ta text[][], na numeric[], la bool[], ja jsonb[], r int4range, h hstore, p pair, x xml, ip inet, bx box[], "Odd ""name""" int);
COMMENT ON TABLE kinds IS 'all kinds';
INSERT INTO kinds VALUES
 (9223372036854775807, true, -3, 4294967295, 1.5, 1e-300, -12.5, 12345678901234567890.1234567890, 3.5, E'tab\\tnl\\nback\\\\slash "q" \\u00e9',
  'ab', '2024-02-29', '2024-01-02 03:04:05.123456', '2024-01-02 03:04:05.5+02', '10:00', '1 day 02:00:00.5', '\\x00ff5c', '{"a":  1}',
  '{"b": [1, 2.50]}', '00000000-0000-0000-0000-00000000000a', 'ok', 5, '{1,NULL,3}', '{{"a b",c},{"d\\"x",NULL}}', '{1.5,NaN}', '{t,f}',
  ARRAY['{"k": "v\\n"}'::jsonb], '[1,5)', 'a=>1, b=>NULL', (1, 'x'), '<a/>', '10.0.0.1', ARRAY[box '((1,1),(0,0))', box '((3,3),(2,2))'], 7),
 (2, NULL, NULL, NULL, 'Infinity', 'NaN', 'NaN', NULL, NULL, '\\N', NULL, 'infinity', '-infinity', '20000-01-01', '24:00', '-1 year', '',
  NULL, NULL, NULL, NULL, NULL, '[0:1]={7,8}', '{}', NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL);
'''


@pytest.fixture(scope="module")
def server():
    """Its changes can be read."""
    running = Postgres("-c", "wal_level=logical", "-c", "max_replication_slots=20", "-c", "max_wal_senders=20")
    yield running
    running.stop()


@pytest.fixture
def source(server):
    return server.create_database("s" + uuid.uuid4().hex[:12])


@pytest.fixture
def target(server):
    return server.create_database("w" + uuid.uuid4().hex[:12])


def configure(work, source, target, url=None, destination=None, streams=None, commit=None, **config):
    pipeline = {"connector": str(PLUGIN), "destination": "target", "network": {"allow_private": True},
                "config": {"url": url or source.url, **config}, "commit": commit or {"seconds": 1}}
    if not destination:
        pipeline["schema"] = "copy"
    if streams is not None:
        pipeline["streams"] = streams
    work.write("sluice.yaml", json.dumps({
        "destinations": {"target": destination or {"type": "postgres", "url": target.url}},
        "pipelines": {"copy": pipeline}}, indent=1))


def same(source, target, table, columns="*", order="1"):
    """The warehouse has the rows of the source, as text."""
    wanted = source.query(f"SELECT {columns} FROM {table} ORDER BY {order}")
    found = target.query(f"SELECT {columns} FROM copy.{table.split('.')[-1]} WHERE NOT _sluice_deleted ORDER BY {order}")
    assert found == wanted


def wait_for(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


# --- tables ------------------------------------------------------------------------------------------------------------------


def check_kinds(target):
    row = dict(zip([name for name in target.columns("copy", "kinds")], target.query("SELECT * FROM copy.kinds WHERE id > 2")[0]))
    assert row["id"] == 9223372036854775807 and row["b"] is True and row["i2"] == -3 and row["o"] == 4294967295
    assert str(row["n2"]) == "12345678901234567890.1234567890" and str(row["n"]) == "-12.5000" and row["f8"] == 1e-300
    assert row["t"] == 'tab\tnl\nback\\slash "q" \u00e9' and row["c"] == "ab   " and row["m"] == "$3.50"
    assert row["d"] == datetime.date(2024, 2, 29) and row["ts"] == datetime.datetime(2024, 1, 2, 3, 4, 5, 123456)
    assert row["tz"] == datetime.datetime(2024, 1, 2, 1, 4, 5, 500000, datetime.timezone.utc)
    assert row["iv"] == "P1DT2H0.5S" and bytes(row["ba"]) == b"\0\xff\\" and row["j"] == {"a": 1} and row["u"].endswith("a")
    assert row["e"] == "ok" and row["dm"] == 5 and row["ia"] == [1, None, 3] and row["ta"] == [["a b", "c"], ['d"x', None]]
    assert row["na"] == [1.5, "NaN"] and row["la"] == [True, False] and row["ja"] == [{"k": "v\n"}] and row["r"] == "[1,5)"
    assert row["h"] == {"a": "1", "b": None} and row["p"] == "(1,x)" and row["x"] == "<a/>" and row["bx"] == ["(1,1),(0,0)", "(3,3),(2,2)"]
    assert target.one("SELECT count(*) FROM copy.kinds WHERE id = 2 AND f4 IS NULL AND f8 IS NULL AND n IS NULL AND d IS NULL "
                      "AND ts IS NULL AND tz IS NULL AND t = '\\N' AND ia = '[7, 8]' AND ta = '[]' AND h = '{}' AND ba = ''") == 1


def test_every_type_arrives_exactly(work, source, target):
    source.query(KINDS)
    configure(work, source, target)
    assert "6 values did not fit" in work.run("run").err  # NaN, infinity, the year 20000
    check_kinds(target)
    assert target.one("SELECT count(*) FROM _sluice.rejects WHERE reason = 'type_mismatch'") == 6


def test_tables_are_what_the_source_has_now(work, source, target):
    """Several schemas, views, partitions, children, no key; rows that go, a column that comes."""
    source.query("CREATE SCHEMA sales; CREATE TABLE sales.orders (id int PRIMARY KEY, total numeric); CREATE TABLE log (line text);"
                 "CREATE TABLE part (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k); CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);"
                 "CREATE TABLE parent (id int); CREATE TABLE child (more int) INHERITS (parent); CREATE VIEW big AS SELECT * FROM sales.orders WHERE total > 1;"
                 "INSERT INTO sales.orders VALUES (1, 1.50), (2, NULL); INSERT INTO log VALUES ('a'), ('a'); INSERT INTO part VALUES (1, 1);"
                 "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 2); CREATE UNLOGGED TABLE left_out (id int)")
    configure(work, source, target, schemas="*", tables="*, !left*")
    work.run("run")
    listed = json.loads(work.run("discover", "--json").out)
    names = json.dumps(listed)
    for name in ("sales.orders", "public.log", "public.part", "public.parent", "public.child", "public.big"):
        assert f'"{name}"' in names
    assert "part1" not in names and "left_out" not in names
    configure(work, source, target, schemas="sales")
    work.run("run")
    same(source, target, "sales.orders", "id, total")
    source.query("DELETE FROM sales.orders WHERE id = 1; ALTER TABLE sales.orders ADD note text DEFAULT 'new'; INSERT INTO sales.orders VALUES (3, 3)")
    work.run("run")
    same(source, target, "sales.orders", "id, total, note")


def test_a_table_that_goes_on(work, source, target):
    """Killed again and again while rows change, the copy is that of the source in the end."""
    source.query("CREATE TABLE items (id int PRIMARY KEY, pad text, version int)")
    source.query("INSERT INTO items SELECT i, repeat(md5(i::text), 16), 0 FROM generate_series(1, 90000) i")
    configure(work, source, target)
    chance = random.Random(7)
    for attempt in range(3):
        process = work.start("run")
        wait_for(lambda: process.poll() is not None or target.query(
            "SELECT 1 FROM pg_stat_user_tables WHERE schemaname LIKE '%sluice%' AND n_tup_ins > 0"), "the first rows")
        time.sleep(chance.random() / 4)
        process.kill()
        process.communicate()
        source.query(f"UPDATE items SET version = {attempt + 1} WHERE id % 7 = {attempt}; INSERT INTO items VALUES ({100000 + attempt}, 'late', 9)")
    work.run("run")
    same(source, target, "items", "id, md5(pad), version")


def break_off(source, sessions):
    """Ends sessions of sluice at the source as an administrator would; true when there was one."""
    return source.query(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                        f"AND application_name = 'sluice' AND {sessions}")


def test_a_large_table_without_a_key(work, source, target):
    source.query("CREATE TABLE log (pad text); INSERT INTO log SELECT repeat(md5(i::text), 100) FROM generate_series(1, 12000) i")
    configure(work, source, target)
    work.run("run")
    same(source, target, "log", "count(*), count(DISTINCT pad)")


def test_rows_as_large_as_a_page(work, source, target):
    """Some of 6 MB, by a query and as changes; one that no page holds is named."""
    source.query("CREATE TABLE docs (id int PRIMARY KEY, doc text); INSERT INTO docs SELECT i, repeat('x', 6000000) FROM generate_series(1, 4) i")
    configure(work, source, target, slot="t" + uuid.uuid4().hex[:8])
    work.run("run")
    source.query("INSERT INTO docs SELECT i, repeat('y', 6000000) FROM generate_series(5, 8) i; UPDATE docs SET doc = doc || 'z' WHERE id < 3")
    work.run("run")
    same(source, target, "docs", "id, md5(doc)")
    source.query("INSERT INTO docs VALUES (9, repeat('z', 20000000))")
    assert 'table "docs": a change has 19 MiB' in work.run("run", code=5).err
    configure(work, source, target, streams={"docs": {"table": "docs2"}})
    assert 'table "docs": a row has 19 MiB' in work.run("run", code=5).err


def test_a_session_that_breaks_off_is_begun_again(work, source, target):
    source.query("CREATE TABLE items (id int PRIMARY KEY, pad text)")
    source.query("INSERT INTO items SELECT i, repeat(md5(i::text), 32) FROM generate_series(1, 150000) i")
    configure(work, source, target)
    process = work.start("run")
    wait_for(lambda: break_off(source, "query LIKE 'COPY%'") or process.poll() is not None, "a session that reads")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and "trying again" in err, err
    same(source, target, "items", "id, md5(pad)")


ACCOUNTS = """CREATE TABLE accounts (id int PRIMARY KEY, pad text, balance int);
INSERT INTO accounts SELECT i, repeat(md5(i::text), 16), 0 FROM generate_series(1, 120000) i"""


READERS = "datname = current_database() AND application_name = 'sluice' AND query LIKE 'COPY%accounts%'"


def move_money(source, ended):
    """From account to account, far apart: at every moment the sum is 0."""
    chance = random.Random(5)
    while not ended.is_set():
        giver, taker = chance.sample(range(1, 120001), 2)
        source.query(f"UPDATE accounts SET balance = balance + CASE id WHEN {giver} THEN -1 ELSE 1 END WHERE id IN ({giver}, {taker})")


def count_readers(source):
    return source.one(f"SELECT count(*) FROM pg_stat_activity WHERE {READERS}")


def run_with_transfers(work, source):
    """How many sessions read at the same time, at most, and what the sync said."""
    ended, most = threading.Event(), 0
    mover = threading.Thread(target=move_money, args=(source, ended))
    mover.start()
    try:
        process = work.start("run")
        while process.poll() is None:
            most = max(most, count_readers(source))
            time.sleep(0.005)
    finally:
        ended.set()
        mover.join()
    out, err = process.communicate()
    assert process.returncode == 0, err
    return most, err


def test_a_large_table_is_read_by_several_connections_at_one_moment(work, source, target):
    source.query(ACCOUNTS)
    configure(work, source, target, connections=4)
    most, _ = run_with_transfers(work, source)
    assert most == 4
    assert target.query("SELECT count(*), sum(balance) FROM copy.accounts") == [(120000, 0)]
    assert target.one("SELECT count(*) FROM copy.accounts WHERE balance <> 0") > 0, "nobody moved anything"
    process = work.start("run")
    wait_for(lambda: count_readers(source) == 4 or process.poll() is not None, "sessions that read")
    assert break_off(source, f"pid = (SELECT max(pid) FROM pg_stat_activity WHERE {READERS})")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and "trying again" in err, err
    same(source, target, "accounts", "id, md5(pad), balance")


def test_a_role_with_few_connections_reads_with_those(work, server, source, target):
    role = "few" + uuid.uuid4().hex[:8]
    source.query(ACCOUNTS)
    source.query(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 2; GRANT SELECT ON accounts TO {role}")
    configure(work, source, target, url=f"postgresql://{role}@127.0.0.1:{server.port}/{source.name}", connections=8)
    most, err = run_with_transfers(work, source)
    assert most == 2 and "tables are read by fewer connections" in err
    assert target.query("SELECT count(*), sum(balance) FROM copy.accounts") == [(120000, 0)]
    configure(work, source, target, connections=9)
    assert "`connections` must be 1 to 8" in work.run("run", code=2).err


def test_by_a_column_what_is_committed_late_is_not_lost(work, source, target):
    source.query("CREATE TABLE events (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON events (at);"
                 "CREATE TABLE numbers (id serial PRIMARY KEY, what text)")
    staging = work.folder / "staging"
    configure(work, source, target, cursors="*=at, *=id", destination={"type": "csv", "path": str(staging)},
              streams={"events": {"sync_mode": "incremental", "write_mode": "append"}, "numbers": {"sync_mode": "incremental", "write_mode": "append"}})
    source.query("INSERT INTO events VALUES (1); INSERT INTO numbers(what) VALUES ('a')")
    late = psycopg2.connect(source.url)
    late.cursor().execute("INSERT INTO events VALUES (2)")
    source.query("INSERT INTO events VALUES (3)")
    source.query("INSERT INTO events VALUES (4, now() + interval '1 year')")  # of the future: later

    def staged(stream, column):
        return sorted(row[column] for load in staged_loads(staging, stream, "copy") for row in staged_rows(load))

    # What came in this very second is read when it is over.
    wait_for(lambda: source.one("SELECT clock_timestamp() > max(at) + interval '1.1 s' FROM events WHERE id < 4"), "a second")
    work.run("run", "--stream", "events")
    assert staged("events", "id") == ["1"]
    late.commit()
    late.cursor().execute("INSERT INTO numbers(what) VALUES ('late')")  # has its number, but is not there yet
    source.query("INSERT INTO numbers(what) VALUES ('early')")
    process = work.start("run")
    wait_for(lambda: source.one("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%virtualxid%' AND pid <> pg_backend_pid()") > 0,
             "a sync that waits for who may still commit")
    late.commit()
    assert process.wait(timeout=60) == 0, process.communicate()
    process.communicate()
    source.query("INSERT INTO events VALUES (5); INSERT INTO numbers(what) VALUES ('new')")
    work.run("run")
    late.close()
    wait_for(lambda: work.run("run") and staged("events", "id")[-1] == "5", "the last event")
    assert staged("events", "id") == ["1", "2", "3", "5"]
    assert staged("numbers", "what") == ["a", "early", "late", "new"]


def test_by_a_column_with_lookback(work, source, target):
    """Nothing is waited for: what is younger than the lookback is read again, and merged. Rows without a value come first."""
    source.query("CREATE TABLE t (id int PRIMARY KEY, at timestamp, v int); INSERT INTO t VALUES (1, NULL, 1), (2, '2024-01-01 10:00', 1)")
    configure(work, source, target, cursors="*=at", lookback="1h")
    work.run("run")
    same(source, target, "t", "id, at, v")
    source.query("INSERT INTO t VALUES (3, '2024-01-01 09:30', 1), (4, '2024-01-01 08:30', 1), (5, '2024-01-01 11:00', 1)")
    work.run("run")
    assert target.query("SELECT id FROM copy.t ORDER BY id") == [(1,), (2,), (3,), (5,)]


def test_by_xmin_each_version_once(work, source, target):
    """Whatever commits while syncs run, and in whatever order: appended rows are every version that a sync could see."""
    source.query("CREATE TABLE things (id int PRIMARY KEY, v int)")
    staging = work.folder / "staging"
    configure(work, source, target, cursors="*=xmin", destination={"type": "csv", "path": str(staging)},
              streams={"things": {"sync_mode": "incremental", "write_mode": "append"}})
    source.query("INSERT INTO things VALUES (1, 1), (2, 1)")
    work.run("run")
    old, new = psycopg2.connect(source.url), psycopg2.connect(source.url)
    old.cursor().execute("INSERT INTO things VALUES (3, 1)")
    new.cursor().execute("SAVEPOINT a; INSERT INTO things VALUES (4, 1); RELEASE a; UPDATE things SET v = 2 WHERE id = 1")
    new.commit()
    work.run("run")  # the older one is still running
    old.commit()
    work.run("run")
    source.query("VACUUM FULL things")
    source.query("UPDATE things SET v = 3 WHERE id = 2")
    work.run("run")
    work.run("run")
    for connection in (old, new):
        connection.close()
    found = [(int(row["id"]), int(row["v"])) for load in staged_loads(staging, "things", "copy") for row in staged_rows(load)]
    assert sorted(found) == [(1, 1), (1, 2), (2, 1), (2, 3), (3, 1), (4, 1)]


# --- changes -----------------------------------------------------------------------------------------------------------------

SHOP = """
CREATE TABLE orders (id int PRIMARY KEY, name text, amount numeric(12,4), tags text[], doc text);
ALTER TABLE orders ALTER doc SET STORAGE EXTERNAL;
CREATE TABLE lines ("order" int, line int, sku text NOT NULL, PRIMARY KEY ("order", line));
CREATE TABLE keyless (a int);
INSERT INTO orders SELECT i, 'n' || i, i * 1.5, ARRAY['a', 'b'], repeat('y', 3000) FROM generate_series(1, 50) i;
INSERT INTO lines SELECT i, l, 's' || l FROM generate_series(1, 50) i, generate_series(1, 2) l;
"""
ORDERS = "id, name, amount, to_jsonb(tags), md5(doc)"


def shop_is_same(source, target):
    same(source, target, "orders", ORDERS)
    same(source, target, "lines", '"order", line, sku', "1, 2")


def test_changes_follow(work, source, target):
    source.query(SHOP)
    slot = "t" + uuid.uuid4().hex[:8]
    configure(work, source, target, slot=slot)
    first = work.run("run")
    assert 'table "keyless" is left out' in first.err
    shop_is_same(source, target)
    source.query("INSERT INTO orders VALUES (100, 'new', NULL, '{}', 'd'); UPDATE orders SET name = 'doc is not sent' WHERE id = 1;"
                 "UPDATE orders SET id = 200 WHERE id = 3; DELETE FROM orders WHERE id = 2; UPDATE lines SET sku = 'x' WHERE line = 2;"
                 "DELETE FROM lines WHERE \"order\" = 7; BEGIN; INSERT INTO orders (id) VALUES (101); SAVEPOINT a; INSERT INTO orders (id) VALUES (102);"
                 "ROLLBACK TO a; INSERT INTO orders (id) VALUES (103); COMMIT; ALTER TABLE orders REPLICA IDENTITY FULL;"
                 "UPDATE orders SET name = 'whole' WHERE id = 5; UPDATE orders SET id = 300 WHERE id = 6; DELETE FROM orders WHERE id = 8;"
                 "INSERT INTO keyless VALUES (1)")
    work.run("run")
    shop_is_same(source, target)
    assert target.one("SELECT count(*) FROM copy.orders WHERE id IN (2, 3, 6, 8) AND _sluice_deleted") == 4
    assert "0 records" in work.run("run").err.split("orders:")[1]
    # Columns come and go between syncs and amid changes.
    source.query("INSERT INTO orders (id) VALUES (400); ALTER TABLE orders ADD extra int, DROP amount; INSERT INTO orders (id, extra) VALUES (401, 7)")
    work.run("run")
    assert target.query("SELECT id, extra FROM copy.orders WHERE id >= 400 ORDER BY 1") == [(400, None), (401, 7)]
    source.query("TRUNCATE lines")
    configure(work, source, target, slot=slot, streams={"orders": {}, "lines": {"shrink_limit": 1}})
    work.run("run", "--full-refresh")
    assert target.one("SELECT count(*) FROM copy.lines WHERE NOT _sluice_deleted") == 0
    same(source, target, "orders", "id, name, extra, md5(doc)")
    source.query("INSERT INTO lines VALUES (1, 1, 'again'); DELETE FROM orders WHERE id = 100")
    work.run("run")
    same(source, target, "orders", "id, name, extra, md5(doc)")
    same(source, target, "lines", '"order", line, sku')


def test_truncate_marks_what_was_there(work, source, target):
    source.query(SHOP)
    slot = "t" + uuid.uuid4().hex[:8]
    configure(work, source, target, slot=slot)
    work.run("run")
    source.query("INSERT INTO lines VALUES (1, 9, 'void'); TRUNCATE lines; INSERT INTO lines VALUES (1, 1, 'again'), (99, 1, 'new');"
                 "BEGIN; DELETE FROM orders WHERE id < 40; TRUNCATE orders; INSERT INTO orders (id) VALUES (50); TRUNCATE orders, lines;"
                 "INSERT INTO orders (id, doc) SELECT i, repeat('z', 3000) FROM generate_series(45, 60) i; INSERT INTO lines VALUES (3, 1, 'last'); COMMIT;"
                 "UPDATE orders SET name = 'doc is not sent' WHERE id = 45; BEGIN; TRUNCATE lines; ROLLBACK")
    assert 'table "lines" was truncated at the source' in work.run("run").err
    shop_is_same(source, target)
    assert target.one("SELECT count(*) FROM copy.orders WHERE _sluice_deleted") == 44
    source.query("TRUNCATE orders, lines")
    work.run("run")
    shop_is_same(source, target)
    assert target.one("SELECT bool_and(_sluice_deleted) FROM copy.orders")
    # What else it may do.
    configure(work, source, target, slot=slot, on_truncate="ignore")
    source.query("INSERT INTO lines VALUES (5, 5, 'kept')")
    work.run("run")
    source.query("TRUNCATE lines; INSERT INTO lines VALUES (6, 6, 'new')")
    assert 'its rows are kept' in work.run("run").err
    assert target.query("SELECT sku FROM copy.lines WHERE NOT _sluice_deleted ORDER BY 1") == [("kept",), ("new",)]
    configure(work, source, target, slot=slot, on_truncate="fail")
    source.query("TRUNCATE lines")
    assert "`on_truncate: ignore`" in work.run("run", code=5).err
    configure(work, source, target, slot=slot, on_truncate="later")
    assert "on_truncate" in work.run("run", code=2).err


def test_a_table_emptied_and_filled_in_one_transaction_is_never_seen_empty(work, source, target):
    """However many loads it takes: readers see the old rows, then the new ones."""
    source.query("CREATE TABLE t (id int PRIMARY KEY, v int, pad text); INSERT INTO t SELECT i, 0, repeat('x', 200) FROM generate_series(1, 20000) i")
    configure(work, source, target, slot="t" + uuid.uuid4().hex[:8], commit={"bytes": "2MiB"})
    work.run("run")
    source.query("BEGIN; TRUNCATE t; INSERT INTO t SELECT i, 1, repeat('y', 200) FROM generate_series(1, 100000) i; COMMIT")
    seen, process = set(), work.start("run")
    try:
        while process.poll() is None:
            seen.add(tuple(target.query("SELECT v, count(*) FROM copy.t WHERE NOT _sluice_deleted GROUP BY v")))
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    seen.add(tuple(target.query("SELECT v, count(*) FROM copy.t WHERE NOT _sluice_deleted GROUP BY v")))
    assert seen == {((0, 20000),), ((1, 100000),)}
    assert target.one("SELECT count(*) FROM _sluice.loads WHERE written > 1000 AND at > (SELECT min(at) FROM _sluice.loads)") > 5, "one load is no test"
    same(source, target, "t", "id, v, pad")


def test_a_column_that_comes_while_changes_are_read(work, source, target):
    """The sync ends before it; the next one has it, and every value of it."""
    source.query("CREATE TABLE t (id int PRIMARY KEY)")
    configure(work, source, target, slot="t" + uuid.uuid4().hex[:8])
    work.run("run")
    process = work.start("run", "--continuous")
    try:
        source.query("INSERT INTO t VALUES (1)")
        wait_for(lambda: target.query("SELECT 1 FROM copy.t WHERE id = 1"), "the change")
        source.query("ALTER TABLE t ADD extra text; INSERT INTO t VALUES (2, 'x')")
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 4 and "has a new column" in err, err
    work.run("run")
    same(source, target, "t", "id, extra")


def test_every_type_arrives_as_a_change(work, source, target):
    source.query(KINDS.replace("INSERT INTO kinds", "CREATE TABLE later AS SELECT * FROM kinds; INSERT INTO later"))
    configure(work, source, target, slot="t" + uuid.uuid4().hex[:8], tables="kinds")
    work.run("run")
    source.query("INSERT INTO kinds SELECT * FROM later")
    work.run("run")
    check_kinds(target)


def test_partitions_are_their_table(work, source, target):
    source.query("CREATE TABLE part (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k); CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);"
                 "CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2); INSERT INTO part VALUES (1, 1)")
    slot = "t" + uuid.uuid4().hex[:8]
    configure(work, source, target, slot=slot)
    work.run("run")
    source.query("INSERT INTO part VALUES (2, 2); UPDATE part SET k = 2 WHERE id = 1")
    work.run("run")
    same(source, target, "part", "id, k")
    source.query(f'ALTER PUBLICATION "{slot}" SET (publish_via_partition_root = false)')
    assert "SET (publish_via_partition_root = true)" in work.run("run", code=2).err


def write_orders(source, seed, ended):
    """One of several who work at once, each with numbers of its own."""
    chance, connection = random.Random(seed), psycopg2.connect(source.url)
    while not ended.is_set():
        with connection, connection.cursor() as cursor:
            for _ in range(chance.randrange(1, 2000 if chance.random() < 0.05 else 20)):
                cursor.execute(chance.choice([
                    "INSERT INTO orders VALUES (%(n)s, 'w', 1, '{}', repeat('w', 2500)) ON CONFLICT (id) DO NOTHING",
                    "UPDATE orders SET amount = amount + 1 WHERE id = %(n)s", "DELETE FROM orders WHERE id = %(n)s",
                    "UPDATE orders SET doc = repeat(md5(random()::text), 90) WHERE id = %(n)s",
                    "UPDATE orders SET id = id + 300000 WHERE id = %(n)s AND NOT EXISTS (SELECT FROM orders WHERE id = %(n)s + 300000)",
                    "UPDATE orders SET amount = 7 WHERE id = %(n)s + 100002",
                    "INSERT INTO lines VALUES (%(n)s, 1, 'q') ON CONFLICT (\"order\", line) DO UPDATE SET sku = lines.sku || 'u'",
                    "INSERT INTO log (w) VALUES (%(n)s)", "SAVEPOINT s; INSERT INTO log (w) VALUES (%(n)s); RELEASE s",
                    "SAVEPOINT s; UPDATE orders SET name = 'never' WHERE id = %(n)s; INSERT INTO log (w) VALUES (-1); ROLLBACK TO s"]),
                    {"n": chance.randrange(1000) * 3 + seed})
            if chance.random() < 0.1:
                connection.rollback()
    connection.close()


def test_nothing_is_lost_or_doubled_whatever_dies(work, source, target):
    """While others write, syncs are killed at any moment: by changes, by xmin into appended files, by a column likewise. In the end
    each has what the source has, each row once."""
    source.query(SHOP)
    source.query("INSERT INTO orders SELECT i, 'x', 0, '{}', repeat('z', 2000) FROM generate_series(100000, 120000) i;"
                 "CREATE TABLE log (id bigserial PRIMARY KEY, w int, at timestamptz DEFAULT now()); CREATE INDEX ON log (at);"
                 "INSERT INTO log (w) SELECT 0 FROM generate_series(1, 20000)")
    staging = work.folder / "staging"

    def pipeline(destination, streams=None, **config):
        return {"connector": str(PLUGIN), "network": {"allow_private": True}, "destination": destination, "commit": {"seconds": 1},
                **({"schema": "copy"} if destination == "target" else {"streams": {"log": {"sync_mode": "incremental", "write_mode": "append"}}}),
                "config": {"url": source.url, **config}}

    pipelines = {"changes": pipeline("target", slot="t" + uuid.uuid4().hex[:8], tables="orders, lines"),
                 "xmin": pipeline("files", cursors="*=xmin", tables="log"), "column": pipeline("files", cursors="*=at", tables="log")}
    work.write("sluice.yaml", json.dumps({"destinations": {"target": {"type": "postgres", "url": target.url},
                                                           "files": {"type": "csv", "path": str(staging)}}, "pipelines": pipelines}))
    ended = threading.Event()
    writers = [threading.Thread(target=write_orders, args=(source, seed, ended)) for seed in range(3)]
    for writer in writers:
        writer.start()
    try:
        chance = random.Random(11)
        for attempt in range(4):
            for name in pipelines:
                process = work.start("run", name, *(["--continuous"] if name == "changes" and attempt % 2 else []))
                time.sleep(chance.random() / 2)
                process.kill()
                process.communicate()
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    work.run("run", "changes")
    shop_is_same(source, target)
    wanted = sorted(row[0] for row in source.query("SELECT id FROM log"))

    def staged(name):
        return sorted(int(row["id"]) for load in staged_loads(staging, "log", name) for row in staged_rows(load))

    work.run("run", "xmin")
    assert staged("xmin") == wanted
    wait_for(lambda: work.run("run", "column") and len(staged("column")) >= len(wanted), "the rows of the last second")
    assert staged("column") == wanted


def wait_until_idle(source, slot):
    """The server lets go of a slot a moment after its reader has hung up."""
    deadline = time.monotonic() + 30
    while source.one("SELECT active FROM pg_replication_slots WHERE slot_name = %s", slot):
        assert time.monotonic() < deadline, "the slot is held"
        time.sleep(0.02)


def test_the_slot_keeps_what_was_not_stored(work, source, target):
    source.query("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    slot = "t" + uuid.uuid4().hex[:8]
    configure(work, source, target, slot=slot)
    work.run("run")
    state = json.loads(target.one("SELECT value FROM _sluice.state WHERE kind = 'token'"))
    source.query("INSERT INTO t VALUES (2)")
    # A destination that takes nothing: the change stays at the source.
    target.query("ALTER TABLE copy.t ADD CONSTRAINT no CHECK (id < 2)")
    work.run("run", code=None)
    confirmed = source.one(f"SELECT confirmed_flush_lsn <= '{state['lsn']}' FROM pg_replication_slots WHERE slot_name = '{slot}'")
    assert confirmed
    target.query("ALTER TABLE copy.t DROP CONSTRAINT no")
    work.run("run")
    same(source, target, "t", "id")
    work.run("run")  # which confirms what the one before has stored
    assert source.one("SELECT confirmed_flush_lsn > %s FROM pg_replication_slots WHERE slot_name = %s", state["lsn"], slot)
    # Who moves the slot takes changes away: that is said, not passed over.
    source.query("INSERT INTO t VALUES (3)")
    wait_until_idle(source, slot)
    source.query("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", slot)
    assert "begins at" in work.run("run", code=5).err
    wait_until_idle(source, slot)
    source.query("SELECT pg_drop_replication_slot(%s)", slot)
    assert "is gone" in work.run("run", code=5).err
    work.run("run", "--full-refresh")
    same(source, target, "t", "id")


def test_changes_as_they_come(work, source, target):
    source.query("CREATE TABLE t (id int PRIMARY KEY)")
    slot = "t" + uuid.uuid4().hex[:8]
    configure(work, source, target, slot=slot)
    process = work.start("run", "--continuous")
    try:
        for number in range(3):
            source.query("INSERT INTO t VALUES (%s)", number)
            wait_for(lambda: target.one("SELECT to_regclass('copy.t') IS NOT NULL"), "the table")
            wait_for(lambda: target.query("SELECT 1 FROM copy.t WHERE id = %s", number), "the change")
        assert break_off(source, "backend_type = 'walsender'")
        source.query("INSERT INTO t VALUES (50)")
        wait_for(lambda: target.query("SELECT 1 FROM copy.t WHERE id = 50"), "the change behind the break")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143
    source.query("INSERT INTO t VALUES (77)")
    work.run("run")
    same(source, target, "t", "id")


# --- what may be wrong -------------------------------------------------------------------------------------------------------


def test_a_preview_leaves_nothing_behind(work, source, target):
    source.query(SHOP)
    slot = "t" + uuid.uuid4().hex[:8]
    configure(work, source, target, slot=slot)
    source.query("INSERT INTO orders (id, doc) SELECT i, repeat('z', 3000) FROM generate_series(100, 9000) i")
    assert "orders: " in work.run("preview", "copy").out
    assert source.one("SELECT count(*) FROM pg_replication_slots WHERE slot_name = %s", slot) == 0
    assert source.one("SELECT count(*) FROM pg_publication") == 0


def test_what_the_source_refuses(work, server, source, target):
    source.query("CREATE TABLE t (id int PRIMARY KEY); DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'sesame' IN ROLE with_password;"
                 "CREATE TABLE hidden (id int PRIMARY KEY, secret text); GRANT SELECT (id) ON hidden TO reader; GRANT SELECT ON t TO reader;"
                 "INSERT INTO t VALUES (1); INSERT INTO hidden VALUES (1, 'x')")
    base = f"127.0.0.1:{server.port}"
    for url, code, told in [
        (f"postgresql://reader:sesame@{base}/{source.name}", 0, None),  # SCRAM
        (f"postgresql://reader:wrong_password@{base}/{source.name}", 3, "password authentication failed"),
        (f"postgresql://nobody@{base}/{source.name}", 3, 'role "nobody"'),
        (f"postgresql://sluice@{base}/nothing", 2, 'database "nothing"'),
        (f"postgresql://sluice@{base}/{source.name}?sslmode=require", 2, "does not support SSL"),
        (f"postgresql://sluice@{base}/{source.name}?service=x", 2, '"service"'),
        (f"mysql://sluice@{base}/{source.name}", 2, "no URL of a PostgreSQL database"),
        (f"postgresql://sluice@{base}/{source.name}?what=1", 2, "cannot be read"),
        ("postgresql://sluice@127.0.0.1:1/x", 4, "refused"),
    ]:
        configure(work, source, target, url=url)
        ended = work.run("run", code=code)
        assert told is None or told in ended.err, ended
        assert "wrong_password" not in ended.out + ended.err and "sesame" not in ended.out + ended.err
    assert target.columns("copy", "hidden").keys() >= {"id"} and "secret" not in target.columns("copy", "hidden")
    configure(work, source, target, url=f"postgresql://reader:sesame@{base}/{source.name}", slot="mine")
    ended = work.run("run", code=3)
    assert "permission denied" in ended.err or "must be" in ended.err
    configure(work, source, target, cursors="t=what")
    assert 'no column "what"' in work.run("run").err
    configure(work, source, target, cursors="t")
    assert "TABLE=COLUMN" in work.run("check", code=2).err + work.run("check", code=2).out
    source.query("DROP TABLE hidden; REASSIGN OWNED BY reader TO sluice; DROP OWNED BY reader; DROP ROLE reader")


def test_a_server_that_does_not_tell_of_changes(work, postgres, target):
    plain = postgres.create_database("s" + uuid.uuid4().hex[:12])
    plain.query("CREATE TABLE t (id int PRIMARY KEY)")
    configure(work, plain, target, slot="mine")
    assert "wal_level" in work.run("run", code=4).err


def test_tls(work, target, tmp_path):
    """Encrypted as the URL asks; a certificate that nobody trusts is refused where it is to be verified."""
    secure = Postgres("-c", "ssl=on", prepare=lambda folder: subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", folder / "server.key",
         "-out", folder / "server.crt"], check=True, capture_output=True))
    try:
        source = secure.create_database("source")
        source.query("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
        configure(work, source, target, url=source.url + "?sslmode=require")
        work.run("run")
        same(source, target, "t", "id")
        configure(work, source, target, url=source.url + "?sslmode=verify-full")
        assert "certificate" in work.run("run", code=4).err
    finally:
        secure.stop()


# --- the example -------------------------------------------------------------------------------------------------------------

EXAMPLE = ROOT / "examples" / "postgres"
EXAMPLE_COLUMNS = {"customers": "id, email, name, to_jsonb(tags), created_at", "products": "sku, title, price, attributes",
                   "orders": "id, customer_id, status::text, placed_at, updated_at", "order_items": "order_id, line, sku, quantity, price"}


def test_the_example(work, source, target):
    """Both pipelines, before and after a day at the shop."""
    source.query((EXAMPLE / "ecommerce.sql").read_text())
    slot = "t" + uuid.uuid4().hex[:8]
    text = (EXAMPLE / "sluice.yaml").read_text().replace("slot: warehouse", f"slot: {slot}")
    work.write("sluice.yaml", text.replace("destination: warehouse", "destination: warehouse\n    network: { allow_private: true }"))
    (work.folder / "connectors").mkdir()
    shutil.copy(PLUGIN, work.folder / "connectors" / "postgres.so")
    work.environment.update(ECOMMERCE_URL=source.url, WAREHOUSE_URL=target.url)

    def is_same(schema):
        for table, columns in EXAMPLE_COLUMNS.items():
            wanted = source.query(f"SELECT {columns} FROM {table} ORDER BY 1, 2")
            found = target.query(f"SELECT {columns} FROM {schema}.{table} WHERE NOT _sluice_deleted ORDER BY 1, 2")
            if found != wanted:
                return False
        return True

    work.run("run", "ecommerce")
    assert is_same("ecommerce")
    wait_for(lambda: work.run("run", "ecommerce_tables") and is_same("ecommerce_tables"), "a copy")  # this second's orders come in the next
    source.query("UPDATE orders SET status = 'returned', updated_at = now() WHERE id % 100 = 0; INSERT INTO orders (customer_id) VALUES (7);"
                 "UPDATE products SET price = price + 1; UPDATE customers SET tags = '{\"new, \\\\ and odd\"}' WHERE id = 3")
    work.run("run", "ecommerce")
    assert is_same("ecommerce")
    wait_for(lambda: work.run("run", "ecommerce_tables") and is_same("ecommerce_tables"), "the changes")
    source.query("DELETE FROM orders WHERE id < 10")
    work.run("run", "ecommerce")
    assert is_same("ecommerce")


def test_slot_and_publication_by_command(work, source, target):
    source.query(SHOP)
    slot = "t" + uuid.uuid4().hex[:8]
    held = "SELECT (SELECT count(*) FROM pg_replication_slots WHERE slot_name = '%s') + 2 * (SELECT count(*) FROM pg_publication WHERE pubname = '%s')" % (slot, slot)
    configure(work, source, target, slot=slot, create=False)
    assert "`sluice source setup` does it" in work.run("run", code=2).err
    assert f'slot "{slot}" is created' in work.run("source", "setup").err
    assert source.one(held) == 3
    assert f'slot "{slot}" was there' in work.run("source", "setup").err, "it may be repeated"
    source.query("UPDATE orders SET name = 'since' WHERE id = 1")
    work.run("run")
    shop_is_same(source, target)
    # What is in use is not dropped.
    process = work.start("run", "--continuous")
    try:
        wait_for(lambda: source.one(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'"), "the slot's use")
        assert "is active for PID" in work.run("source", "teardown", code=4).err
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert f'slot "{slot}" is dropped' in work.run("source", "teardown").err
    assert source.one(held) == 0
    assert f'slot "{slot}" was not there' in work.run("source", "teardown").err
    assert "is gone" in work.run("run", code=5).err
    # Somebody else's stays.
    source.query(f"SELECT pg_create_logical_replication_slot('{slot}', 'test_decoding')")
    assert "its plugin is not pgoutput" in work.run("source", "teardown", code=2).err
    source.query(f"SELECT pg_drop_replication_slot('{slot}')")
    configure(work, source, target)
    assert "reads tables by queries" in work.run("source", "setup", code=2).err
    assert "use `setup [PIPELINE]`" in work.run("source", "drop", code=2).err


def test_setup_waits_for_running_transactions(work, source, target):
    source.query("CREATE TABLE t (id int PRIMARY KEY)")
    slot = "t" + uuid.uuid4().hex[:8]
    configure(work, source, target, slot=slot)
    other = psycopg2.connect(source.url)
    other.cursor().execute("INSERT INTO t VALUES (1)")
    process = work.start("source", "setup")
    try:
        wait_for(lambda: source.one(f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'") == 1, "the slot")
        other.commit()
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        other.close()
    assert process.returncode == 0 and "is created" in err, err
    work.run("source", "teardown")
