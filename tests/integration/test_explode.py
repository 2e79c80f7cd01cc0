"""Exploded streams: the elements of a list inside each record as a stream of its own, loaded with their record or not at all,
replaced as a set."""

import json
import random
import signal
import subprocess

import pytest

from conftest import compare, rows_of, spelled, staged_loads, staged_rows, staged_sets, staging_equals_oracle, table_equals_oracle
from shop import Shop

BOTH = ["orders", "order_items"]


def target(database):
    return {"type": "postgres", "url": database.url, "schema": "shop_raw"}


def books_balance(database):
    rows = database.query("SELECT stream, sum(emitted), sum(written + unchanged + deduplicated + rejected + discarded), "
                          "min(written + unchanged + deduplicated + rejected) FROM _sluice.loads GROUP BY stream")
    assert rows
    for stream, emitted, accounted, _ in rows:
        assert emitted == accounted, f"{stream}: {emitted} emitted, {accounted} accounted for"


def newest(stream):
    """Of a table that is appended to, the rows of the newest version of each order."""
    name, cursor = ("id", "updated_at") if stream == "orders" else ("order_id", "order_updated_at")
    return f"(SELECT * FROM shop_raw.{stream} WHERE ({name}, {cursor}) IN " \
           f"(SELECT id, max(updated_at) FROM shop_raw.orders GROUP BY id)) newest"


def stats(ended):
    return {row["stream"]: row for row in json.loads(ended.out)}


@pytest.mark.parametrize("in_order, small", [(True, False), (True, True), (False, True)])
def test_items_follow_their_orders_over_rounds_of_changes(work, shop, database, in_order, small):
    commit = {"bytes": "8KiB", "seconds": 1} if small else {}
    work.configure(shop, target(database), streams=BOTH, config={"sorted": in_order, "page_size": 40}, commit=commit)
    work.run("run")
    for stream in BOTH:
        table_equals_oracle(database, shop, stream)
    for _ in range(4):
        shop.mutate("orders", updates=40, inserts=10)
        work.run("run")
        for stream in BOTH:
            table_equals_oracle(database, shop, stream)
    books_balance(database)
    assert database.one("SELECT count(*) FROM shop_raw.order_items WHERE _sluice_deleted") > 0, "no set ever shrank"
    assert database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'shop_raw' AND tablename LIKE '%build%'") == []


def test_unchanged_sets_write_nothing(work, shop, database):
    work.configure(shop, target(database), streams=BOTH, config={"page_size": 40})
    work.run("run")
    shop.mutate("orders", updates=30)
    work.run("run")
    written = "SELECT count(*), max(_sluice_load_id), max(xmin::text::bigint) FROM shop_raw.order_items"
    before = database.query(written)
    ended = stats(work.run("run", "--full-refresh", "--json"))
    assert database.query(written) == before
    assert ended["order_items"]["written"] == 0 and ended["order_items"]["emitted"] > 0
    table_equals_oracle(database, shop, "order_items")


def test_only_the_items_are_loaded(work, shop, database):
    work.configure(shop, target(database), streams=["order_items"], config={"page_size": 40})
    for _ in range(3):
        ended = stats(work.run("run", "--json"))
        table_equals_oracle(database, shop, "order_items")
        shop.mutate("orders", updates=25, inserts=5)
    assert list(ended) == ["order_items"]
    assert database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'shop_raw'") == [("order_items",)]
    shown = work.run("state", "show").out
    assert "cursor" in shown and "orders" in shown
    books_balance(database)


def test_a_stream_that_joins_is_read_from_the_beginning(work, shop, database):
    work.configure(shop, target(database), streams=["orders"], config={"page_size": 40})
    work.run("run")
    shop.mutate("orders", updates=10)
    work.configure(shop, target(database), streams=BOTH, config={"page_size": 40})
    ended = work.run("run")
    assert "'order_items' is new here" in ended.err
    for stream in BOTH:
        table_equals_oracle(database, shop, stream)
    before = len(shop.requests("/orders"))
    assert "is new here" not in work.run("run").err
    assert len(shop.requests("/orders")) - before <= 2, "it was read from the beginning again"

    # Left out for a while it misses something, and is read anew when it comes back.
    work.configure(shop, target(database), streams=["orders"], config={"page_size": 40})
    shop.mutate("orders", updates=30)
    work.run("run")
    work.configure(shop, target(database), streams=BOTH, config={"page_size": 40})
    assert "'order_items' is new here" in work.run("run").err
    for stream in BOTH:
        table_equals_oracle(database, shop, stream)
    books_balance(database)


def test_a_stream_that_joins_appended_ones_is_refused(work, shop, database):
    work.configure(shop, target(database), streams={"orders": {"write_mode": "append"}}, config={"lookback": "0s"})
    work.run("run")
    work.configure(shop, target(database), streams={"orders": {"write_mode": "append"}, "order_items": {}},
                   config={"lookback": "0s"})
    ended = work.run("run", code=5)
    assert "'order_items' is new here" in ended.err and "state reset shop --stream orders" in ended.err
    assert database.one("SELECT count(*) FROM shop_raw.orders") == 300


def test_a_missing_table_of_items_is_noticed(work, shop, database):
    work.configure(shop, target(database), streams=BOTH)
    work.run("run")
    database.query("DROP TABLE shop_raw.order_items")
    ended = work.run("run", code=5)
    assert "order_items" in ended.err and "is gone" in ended.err


def test_append_keeps_the_items_of_every_version(work, shop, database):
    streams = {"orders": {"write_mode": "append"}, "order_items": {}}
    work.configure(shop, target(database), streams=streams, config={"lookback": "0s", "page_size": 40},
                   commit={"bytes": "8KiB", "seconds": 1})
    work.run("run")
    table_equals_oracle(database, shop, "order_items")
    shop.mutate("orders", updates=30, inserts=4)
    work.run("run")
    for stream in BOTH:
        table_equals_oracle(database, shop, stream, newest(stream))
    books_balance(database)


def test_a_flow_that_fails_says_so_once(work, shop, database):
    work.configure(shop, target(database), streams=BOTH)
    shop.fault(match="/orders", times=0, status=404)
    ended = work.run("run", code=4)
    assert ended.err.count(" 404") == 1, ended
    assert ended.out.count("failed") == 2


def test_overwrite_replaces_both(work, shop, database):
    streams = {name: {"sync_mode": "full_refresh", "write_mode": "overwrite"} for name in BOTH}
    work.configure(shop, target(database), streams=streams, config={"page_size": 40})
    for _ in range(2):
        work.run("run")
        for stream in BOTH:
            table_equals_oracle(database, shop, stream)
        shop.mutate("orders", updates=40, inserts=5, deletes=20)


@pytest.mark.parametrize("in_order", [True, False])
def test_csv_staging_replaces_sets(work, shop, in_order):
    staging = work.folder / "staging"
    work.configure(shop, {"type": "csv", "path": str(staging)}, streams=BOTH, config={"page_size": 40, "sorted": in_order},
                   commit={"bytes": "8KiB", "seconds": 1})
    for _ in range(4):
        ended = stats(work.run("run", "--json"))
        staging_equals_oracle(staging, shop, "orders")
        compare(staged_sets(staging), shop, "order_items")
        for row in ended.values():
            assert row["emitted"] == row["written"], row
        shop.mutate("orders", updates=60, inserts=5)
    manifest = json.loads((staged_loads(staging, "order_items")[0] / "manifest.json").read_text())
    assert manifest["replace"] == ["order_id"] and manifest["primary_key"] == ["order_id", "line"]
    assert manifest["mode"] == "append_dedup" and manifest["cursor"] == "order_updated_at"


def test_csv_overwrite_and_append_have_no_empty_rows(work, shop):
    for mode, sync in (("overwrite", "full_refresh"), ("append", "incremental")):
        staging = work.folder / mode
        streams = {name: {"sync_mode": sync, "write_mode": mode} for name in BOTH}
        work.configure(shop, {"type": "csv", "path": str(staging)}, streams=streams, config={"lookback": "0s"})
        work.run("run")
        rows = [row for load in staged_loads(staging, "order_items") for row in staged_rows(load)]
        compare(rows, shop, "order_items")


def test_commands_know_exploded_streams(work, shop, database):
    work.configure(shop, target(database))
    listed = {row["stream"]: row for row in json.loads(work.run("discover", "--json").out)}
    assert set(listed) == {"orders", "order_items", "customers", "order_events"}
    assert listed["order_items"]["exploded_from"] == "orders" and listed["order_items"]["cursor"] == "order_updated_at"
    assert [field["name"] for field in listed["order_items"]["fields"] if field["key"]] == ["order_id", "line"]
    assert "order_items: " in work.run("preview", "--stream", "order_items").out
    assert "stream order_items" in work.run("check").out
    assert set(stats(work.run("run", "--stream", "order_items", "--json"))) == set(BOTH), "a flow runs as a whole"
    work.run("state", "reset", "--stream", "order_items")
    assert "cursor" not in work.run("state", "show").out
    work.run("state", "set", "shop", "2030-01-01T00:00:00Z", "--stream", "orders")
    assert "is new here" not in work.run("run", "--stream", "orders").err
    assert "order_items" in work.run("connector", "describe", "shop").out


@pytest.mark.parametrize("streams, message", [
    ({"orders": {}, "order_items": {"sync_mode": "full_refresh"}}, "comes with 'orders', which is incremental"),
    ({"orders": {}, "order_items": {"write_mode": "overwrite"}}, "incremental cannot overwrite"),
    ({"orders": {}, "order_items": {"primary_key": ["sku"]}, }, None),
    ({"orders": {}, "order_items": {"primary_key": ["sku"], "write_mode": "append_dedup"}}, "in its own key"),
    ({"orders": {}, "order_items": {"columns": {"order_updated_at": {"enabled": False}}}}, "it is the cursor"),
    ({"orders": {}, "order_items": {"cursor": "line"}}, "has no cursor of its own"),
    ({"orders": {}, "order_itms": {}}, "did you mean 'order_items'"),
])
def test_choices_that_cannot_work_are_refused(work, shop, database, streams, message):
    work.configure(shop, target(database), streams=streams)
    ended = work.run("discover", code=2 if message else 0)
    assert not message or message in ended.err


LINES = """
return sluice.connector {
  name = "lines", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}/a", auth = { kind = "bearer", token = "{{config.api_key}}" } },
  streams = { orders = { path = "/orders", records = "orders", primary_key = "id",
    pages = { kind = "page", param = "page", start = 1, size = 50, size_param = "limit", more = "has_more" },
    fields = { id = "string", updated_at = "timestamp" },
    map = function(record) return { id = record.id, updated_at = record.updated_at, deep = { lines = record.items } } end,
    explode = {
      order_items = { path = "deep.lines", position = "line", primary_key = { "order_id", "line" },
        copy = { order_id = "id", order_updated_at = "updated_at" },
        fields = { sku = "string", title = "string", quantity = "integer", unit_price = "decimal", gift = "boolean" } },
      gifts = { path = "deep.lines", copy = { order_id = "id" }, undeclared = "drop", fields = { gift = "boolean" } },
    } } },
}
"""


def test_records_of_functions_are_exploded_into_several_streams(work, shop, database):
    work.configure(shop, target(database), connector=work.write("lines.lua", LINES))
    for _ in range(2):
        work.run("run")
        table_equals_oracle(database, shop, "order_items")
        assert database.one("SELECT count(*) FROM shop_raw.gifts") == len(shop.oracle("order_items"))
        shop.mutate("orders", updates=20, inserts=2, deletes=3)
    kept = {name for name in database.columns("shop_raw", "gifts") if not name.startswith("_sluice_")}
    assert kept == {"order_id", "gift"}


def test_an_internal_stream_is_only_exploded(work, shop, database):
    internal = LINES.replace("pages = {", "internal = true,\n    pages = {", 1)
    work.configure(shop, target(database), connector=work.write("lines.lua", internal))
    for _ in range(2):
        ended = stats(work.run("run", "--json"))
        table_equals_oracle(database, shop, "order_items")
        shop.mutate("orders", updates=20, inserts=2, deletes=3)
    assert sorted(ended) == ["gifts", "order_items"]
    assert database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'shop_raw' ORDER BY 1") == [("gifts",), ("order_items",)]


WINDOWS = LINES.replace('pages = {', """cursor = { field = "updated_at", param = "updated_after", until_param = "updated_before", bounds = "(]",
      start = "2024-01-01T00:00:00Z", step = "4w" },
    pages = {""")


@pytest.mark.parametrize("kind", ["postgres", "csv"])
def test_windows_are_slices_of_both(work, shop, database, kind):
    staging = work.folder / "staging"
    to = target(database) if kind == "postgres" else {"type": "csv", "path": str(staging)}
    work.configure(shop, to, connector=work.write("windows.lua", WINDOWS), streams=BOTH, commit={"bytes": "8KiB", "seconds": 1})
    for _ in range(3):
        work.run("run", "--full-refresh")  # the windows reach to now, and the shop's changes are of its own time
        if kind == "postgres":
            table_equals_oracle(database, shop, "order_items")
            books_balance(database)
        else:
            compare(staged_sets(staging), shop, "order_items")
        shop.mutate("orders", updates=40, inserts=5)


def test_elements_that_cannot_be_taken_are_rejected_and_counted(work, shop, database):
    broken = sorted(shop.oracle("orders"))[:3]
    for name, items in zip(broken, ([1, {"sku": "x"}, None], "many", {"sku": "alone"})):
        shop.control(shape={"stream": "orders", "only": [name], "replace": {"items": items}})
    work.configure(shop, target(database), streams=BOTH)
    ended = stats(work.run("run", "--json"))
    assert ended["order_items"]["rejected"] == 3 and ended["orders"]["rejected"] == 0
    rows = rows_of(database, "shop_raw.order_items", ["order_id", "line", "sku"])
    assert sorted((row["order_id"], row["line"], row["sku"]) for row in rows if row["order_id"] in broken) == [
        (broken[0], "1", "x"), (broken[2], "0", "alone")]
    reasons = database.query("SELECT stream, reason, count(*) FROM _sluice.rejects GROUP BY 1, 2 ORDER BY 2")
    assert reasons == [("order_items", "not_a_list", 1), ("order_items", "not_an_object", 2)]
    books_balance(database)


def test_what_the_root_blocks_is_not_copied(work, shop, database):
    connector = work.write("lines.lua", LINES.replace('gifts = { path = "deep.lines", copy = { order_id = "id" }',
                                                      'gifts = { path = "deep.lines", copy = { changed = "updated_at" }'))
    streams = {"orders": {"columns": {"updated_at": {"enabled": False}, "deep": {"enabled": False}}}, "gifts": {}}
    work.configure(shop, target(database), connector=connector, streams=streams)
    work.run("run")
    assert set(database.columns("shop_raw", "orders")) & {"updated_at", "deep"} == set()
    assert "changed" not in database.columns("shop_raw", "gifts")
    assert database.one("SELECT count(*) FROM shop_raw.gifts") == len(shop.oracle("order_items"))


KILLS = 6  # that land, per combination


def kill_after(work, seconds):
    """Runs a sync and kills it after that time; False when it ended by itself before."""
    process = work.start("run")
    try:
        out, err = process.communicate(timeout=seconds)
        assert process.returncode == 0, out + err
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True


def kills(work, shop, rng):
    """Kills syncs at random moments until enough landed inside one; changes come whenever one got through."""
    landed, longest = 0, 0.5
    for _ in range(KILLS * 8):
        if kill_after(work, rng.uniform(0.01, longest)):
            landed += 1
            longest = min(longest * 1.1, 0.6)  # let it get further
        else:
            longest *= 0.7
            shop.mutate("orders", updates=700, inserts=100)
        yield
        if landed == KILLS:
            return
    pytest.fail(f"only {landed} kills landed inside a sync")


def no_order_without_its_items(database):
    """In whatever is visible, each order stands beside exactly the items of its version."""
    if not database.query("SELECT to_regclass('shop_raw.orders')")[0][0]:
        return
    assert database.query("SELECT to_regclass('shop_raw.order_items')")[0][0], "orders can be seen, their items cannot"
    assert database.query("""
        SELECT o.id FROM shop_raw.orders o FULL JOIN (
            SELECT order_id, order_updated_at, count(*) AS items FROM shop_raw.order_items WHERE NOT _sluice_deleted GROUP BY 1, 2
        ) i ON i.order_id = o.id AND i.order_updated_at = o.updated_at
        WHERE o.id IS NULL OR jsonb_array_length(o.items) <> coalesce(i.items, 0)""") == []


KILLED = [("incremental", "append_dedup", True), ("incremental", "append_dedup", False), ("incremental", "append", True),
          ("full_refresh", "overwrite", False)]


@pytest.mark.parametrize("sync_mode, write_mode, in_order", KILLED)
def test_postgres_survives_kills(work, database, sync_mode, write_mode, in_order):
    with Shop(orders=1500) as shop:
        streams = {name: {"sync_mode": sync_mode, "write_mode": write_mode} for name in BOTH}
        work.configure(shop, target(database), streams=streams, config={"sorted": in_order, "page_size": 50, "lookback": "0s"},
                       commit={"bytes": "64KiB", "seconds": 1})
        shop.fault(match="/orders", times=0, delay_ms=8)
        for _ in kills(work, shop, random.Random(f"items{write_mode}{in_order}")):
            no_order_without_its_items(database)
        work.run("run")
        no_order_without_its_items(database)
        for stream in BOTH:
            table_equals_oracle(database, shop, stream, newest(stream) if write_mode == "append" else None)
        books_balance(database)
        work.run("run")
        assert sorted(database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'shop_raw'")) == [
            ("order_items",), ("orders",)]


def test_csv_survives_kills(work):
    staging = work.folder / "staging"
    with Shop(orders=1500) as shop:
        work.configure(shop, {"type": "csv", "path": str(staging)}, streams=BOTH, config={"page_size": 50, "lookback": "0s"},
                       commit={"bytes": "64KiB", "seconds": 1})
        shop.fault(match="/orders", times=0, delay_ms=8)
        for _ in kills(work, shop, random.Random("items")):
            pass
        work.run("run")
        staging_equals_oracle(staging, shop, "orders")
        compare(staged_sets(staging), shop, "order_items")
