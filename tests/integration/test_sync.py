"""Whole syncs against the shop API and a real PostgreSQL or CSV staging: what arrives equals the oracle."""

import json

import pytest

from bad import one_line
from conftest import (rows_of, staged_loads, staged_rows, staging_equals_oracle, table_equals_oracle)
from shop import API_SECRET

STREAMS = ("orders", "customers", "order_events")


def postgres_target(database):
    return {"type": "postgres", "url": database.url, "schema": "shop_raw"}


@pytest.mark.parametrize("mode", ["a", "b", "c"])
@pytest.mark.parametrize("sorted_by_cursor", [True, False])
def test_every_dialect_arrives_and_stays_equal_over_rounds_of_changes(work, shop, database, mode, sorted_by_cursor):
    work.configure(shop, postgres_target(database), config={"mode": mode, "sorted": sorted_by_cursor, "page_size": 50})
    work.run("run")
    for stream in STREAMS:
        table_equals_oracle(database, shop, stream)
    for _ in range(3):
        shop.mutate("orders", updates=20, inserts=5)
        shop.mutate("customers", updates=3)
        shop.mutate("order_events", inserts=7)
        work.run("run")
        for stream in STREAMS:
            table_equals_oracle(database, shop, stream)


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_csv_staging_equals_the_oracle_over_rounds(work, shop, compression):
    staging = work.folder / "staging"
    work.configure(shop, {"type": "csv", "path": str(staging), "compression": compression}, config={"page_size": 50})
    for _ in range(3):
        work.run("run")
        for stream in STREAMS:
            staging_equals_oracle(staging, shop, stream)
        shop.mutate("orders", updates=10, inserts=3)


def test_second_run_asks_only_for_what_is_new(work, shop, database):
    work.configure(shop, postgres_target(database), streams=["orders"], config={"page_size": 50})
    work.run("run")
    before = len(shop.requests("orders"))
    shop.mutate("orders", updates=4)
    ended = work.run("run", "--json")
    again = shop.requests("orders")[before:]
    assert all("updated_after" in request["query"] for request in again), again
    row = json.loads(ended.out)[0]
    assert row["written"] == 4, row
    assert row["emitted"] < 60, "more than the overlap came again"
    assert row["emitted"] == row["written"] + row["unchanged"] + row["deduplicated"] + row["rejected"], row


def test_full_refresh_overwrites_and_forgets_what_is_gone(work, shop, database):
    streams = {"customers": {"sync_mode": "full_refresh", "write_mode": "overwrite"}}
    work.configure(shop, postgres_target(database), streams=streams)
    work.run("run")
    table_equals_oracle(database, shop, "customers")
    shop.mutate("customers", deletes=5, inserts=2)
    work.run("run")
    table_equals_oracle(database, shop, "customers")


@pytest.mark.parametrize("settings, attached", [
    ({}, ["CREATE VIEW public.names AS SELECT name FROM shop_raw.customers",
          "CREATE MATERIALIZED VIEW public.mails AS SELECT email FROM shop_raw.customers",
          "CREATE INDEX by_name ON shop_raw.customers (name)", "COMMENT ON TABLE shop_raw.customers IS 'theirs'",
          "CREATE PUBLICATION theirs FOR TABLE shop_raw.customers",
          "CREATE TABLE public.notes (customer text REFERENCES shop_raw.customers DEFERRABLE)"]),
    ({"swap": "in_place"}, [])])
def test_overwrite_in_place_changes_only_what_is_different(work, shop, database, settings, attached):
    work.configure(shop, postgres_target(database), streams={"customers": {"sync_mode": "full_refresh", **settings}})
    work.run("run")
    for statement in attached:
        database.query(statement)
    place = "SELECT id, ctid::text, xmin::text FROM shop_raw.customers"
    for _ in range(2):
        before = set(database.query(place))
        shop.mutate("customers", updates=7, inserts=4, deletes=3)
        row = json.loads(work.run("run", "--json").out)[0]
        table_equals_oracle(database, shop, "customers")
        assert row["unchanged"] == len(before & set(database.query(place))) >= 40, row
        assert row["emitted"] == row["written"] + row["unchanged"] + row["deduplicated"] + row["rejected"], row
        assert 0 < row["deleted"] <= 3, row
    if attached:
        assert database.one("SELECT count(*) FROM public.names") == len(shop.oracle("customers"))
        assert database.one("SELECT obj_description('shop_raw.customers'::regclass)") == "theirs"
        assert database.one("SELECT count(*) FROM pg_publication_tables WHERE tablename = 'customers'") == 1


def test_append_keeps_every_version(work, shop, database):
    streams = {"orders": {"write_mode": "append"}}
    work.configure(shop, postgres_target(database), streams=streams, config={"lookback": "0s"})
    work.run("run")
    first = database.one("SELECT count(*) FROM shop_raw.orders")
    shop.mutate("orders", updates=9, inserts=2)
    work.run("run")
    assert database.one("SELECT count(*) FROM shop_raw.orders") == first + 11
    assert database.one("SELECT count(DISTINCT id) FROM shop_raw.orders") == first + 2


def test_amounts_are_exact_and_types_are_native(work, shop, database):
    work.configure(shop, postgres_target(database), streams=["orders"])
    work.run("run")
    columns = database.columns("shop_raw", "orders")
    assert columns["total_amount"] == "numeric" and columns["updated_at"] == "timestamp with time zone"
    assert columns["items"] == "jsonb" and columns["_sluice_synced_at"] == "timestamp with time zone"
    oracle = shop.oracle("orders")
    for row in rows_of(database, "shop_raw.orders", ["id", "total_amount"]):
        assert row["total_amount"] == oracle[row["id"]]["total_amount"]


def test_signed_token_call(work, database):
    from shop import Shop
    for sign_body in (False, True):
        options = {"orders": 40, "auth": "signed", **({"sign_body": True} if sign_body else {})}
        with Shop(**options) as shop:
            work.configure(shop, postgres_target(database), streams=["orders"], name=f"signed{sign_body}",
                           config={"auth": "signed", "api_secret": "${SHOP_API_SECRET}", "sign_body": sign_body, "page_size": 10},
                           schema=f"s{sign_body}".lower())
            work.run("run")
            table_equals_oracle(database, shop, "orders", f"s{sign_body}.orders".lower())
            shop.control(expire_tokens=True)
            shop.mutate("orders", updates=3)
            work.run("run")
            table_equals_oracle(database, shop, "orders", f"s{sign_body}.orders".lower())
            assert len(shop.requests("/auth/token")) <= 3


def test_blocked_and_selected_columns_never_arrive(work, shop, database):
    streams = {"orders": {"columns": {"shipping": {"enabled": False, "reason": "personal data"}}},
               "customers": {"select": ["email"]}}
    work.configure(shop, postgres_target(database), streams=streams)
    work.run("run")
    assert "shipping" not in database.columns("shop_raw", "orders")
    kept = {name for name in database.columns("shop_raw", "customers") if not name.startswith("_sluice_")}
    assert kept == {"id", "email", "updated_at"}


def test_new_field_becomes_a_column(work, shop, database):
    work.configure(shop, postgres_target(database), streams=["orders"])
    work.run("run")
    shop.control(shape={"stream": "orders", "add": {"gift_note": "with love", "weight": 12.5}})
    shop.mutate("orders", updates=5)
    work.run("run")
    columns = database.columns("shop_raw", "orders")
    assert columns["gift_note"] == "text" and columns["weight"] == "numeric"
    assert database.one("SELECT count(*) FROM shop_raw.orders WHERE gift_note = 'with love' AND weight = 12.5") >= 5


def test_several_pipelines_run_as_children_with_one_summary(work, shop, database):
    pipeline = {"connector": "shop", "destination": "target", "network": {"allow_private": True},
                "config": {"base_url": shop.url, "api_key": "${SHOP_API_KEY}"}}
    work.write("sluice.yaml", json.dumps({
        "destinations": {"target": {"type": "postgres", "url": database.url}},
        "pipelines": {"one": {**pipeline, "schema": "one", "streams": ["orders"]},
                      "two": {**pipeline, "schema": "two", "streams": ["customers"]},
                      "three": {**pipeline, "schema": "three", "streams": ["orders"],
                                "config": {**pipeline["config"], "api_key": "wrong"}}}}))
    ended = work.run("run", code=8)
    table_equals_oracle(database, shop, "orders", "one.orders")
    table_equals_oracle(database, shop, "customers", "two.customers")
    assert "three" in ended.err and "auth" in ended.err
    assert {"one", "two", "three"} <= {line.split()[0] for line in ended.out.splitlines()[1:]}
    ended = work.run("run", "one", "two", "--json")
    assert {row["pipeline"] for row in json.loads(ended.out)} == {"one", "two"}


def test_csv_manifest_accounts_for_every_row(work, shop):
    staging = work.folder / "staging"
    work.configure(shop, {"type": "csv", "path": str(staging)}, streams=["orders"])
    work.run("run")
    load = staged_loads(staging, "orders")[0]
    manifest = json.loads((load / "manifest.json").read_text())
    assert len(staged_rows(load)) == sum(part["rows"] for part in manifest["parts"])
    assert (load / "schema.json").exists()


def test_one_failing_stream_does_not_stop_the_others(work, shop, database):
    work.configure(shop, postgres_target(database))
    shop.fault(match="/customers", times=0, status=404)
    ended = work.run("run", code=8)
    table_equals_oracle(database, shop, "orders")
    table_equals_oracle(database, shop, "order_events")
    one_line(ended, "source", "404", where="shop.customers")
