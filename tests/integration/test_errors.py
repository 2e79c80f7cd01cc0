"""Errors are answers: the class, the exit code, and one line that says what to do."""

import os

import pytest

from postgres import free_port

CONNECTOR = """
return sluice.connector {{
  name = "broken", version = "1.0.0",
  config = {{ base_url = {{ type = "string", required = true }}, api_key = {{ type = "string", secret = true }} }},
  http = {{ base = "{{{{config.base_url}}}}/a", auth = {{ kind = "bearer", token = "{{{{config.api_key}}}}" }} }},
  streams = {{ orders = {{ path = "/orders", records = "orders", primary_key = "id",
    pages = {{ kind = "page", param = "page", start = 1, size = 50, size_param = "limit", more = "has_more" }},
    fields = {{ id = "string" }}, {extra} }} }},
}}
"""


def csv_target(work):
    return {"type": "csv", "path": str(work.folder / "staging")}


def one_line(ended, *parts):
    """Exactly one error line, holding all parts."""
    lines = [line for line in ended.err.splitlines() if "error" in line]
    assert len(lines) >= 1, ended
    for part in parts:
        assert part in lines[0], ended
    return lines[0]


def test_config_mistakes_all_at_once_with_lines_and_nearest_keys(work):
    work.write("sluice.yaml", "destinations:\n  staging: { type: csv, pth: ./staging }\npipelines:\n  shop:\n    conector: shop\n"
                              "    destination: stagin\n    concurrency: many\n"
                              "    memory: 1MiB\n    streams:\n      orders:\n        sync_mode: fast\n"
                              "        shrink_limit: 3\n        columns: { note: { enable: false } }\n")
    ended = work.run("run", "shop", code=2)
    for part in ("sluice.yaml:5", "'conector'", "did you mean 'connector'", "sluice.yaml:7", "concurrency", "did you mean 'staging'",
                 "sync_mode", "did you mean 'enabled'", "shrink_limit", "memory must be at least 4MiB"):
        assert part in ended.err, ended
    assert all(line.startswith("error: config: sluice.yaml:") for line in ended.err.splitlines()), ended


def test_missing_file_and_missing_variable(work):
    assert "sluice init" in work.run("run", code=2).err
    work.configure(None, csv_target(work), config={"api_key": "${NOT_SET_ANYWHERE}"})
    assert "NOT_SET_ANYWHERE" in work.run("run", code=2).err


def test_unknown_stream_names_the_nearest(work, shop):
    work.configure(shop, csv_target(work))
    assert "orders" in work.run("run", "--stream", "ordrs", code=2).err
    work.configure(shop, csv_target(work), streams=["custmers"])
    assert "customers" in work.run("run", code=2).err


def test_wrong_key_ends_with_3_and_the_key_is_never_printed(work, shop):
    work.configure(shop, csv_target(work), streams=["orders"], config={"api_key": "a-wrong-key-nobody-may-see"})
    ended = work.run("run", "-v", code=3)
    one_line(ended, "auth", "orders", "401")
    assert "a-wrong-key-nobody-may-see" not in ended.out + ended.err


def test_unreachable_host_ends_with_4(work):
    work.configure(None, csv_target(work), streams=["orders"], config={"base_url": f"http://127.0.0.1:{free_port()}"})
    one_line(work.run("run", code=4, timeout=180), "transient", "127.0.0.1")


def test_unknown_host_ends_with_4(work):
    """Every try fails while the name is looked up."""
    work.configure(None, csv_target(work), streams=["orders"], config={"base_url": "http://no-such-host.invalid"})
    one_line(work.run("run", code=4, timeout=180), "transient", "no-such-host.invalid")


def test_verbose_shows_every_request_without_secrets(work, shop):
    work.configure(shop, csv_target(work), streams=["orders"], config={"page_size": 100})
    ended = work.run("run", "-v")
    assert sum("GET http://127.0.0.1" in line and ": 200, " in line for line in ended.err.splitlines()) == 3, ended


def test_private_address_is_refused_unless_allowed(work, shop):
    work.configure(shop, csv_target(work), streams=["orders"], network={"allow_private": False})
    one_line(work.run("run", code=3), "permission", "allow_private")


def test_unreachable_database_ends_with_6_and_hides_the_password(work, shop):
    work.configure(shop, {"type": "postgres", "url": f"postgresql://me:s3cretpassword@127.0.0.1:{free_port()}/none"})
    ended = work.run("run", code=6)
    one_line(ended, "destination")
    assert "s3cretpassword" not in ended.out + ended.err


@pytest.mark.parametrize("status", [400, 404, 422])
def test_refusals_of_the_source_end_with_4_at_once(work, shop, status):
    work.configure(shop, csv_target(work), streams=["orders"])
    shop.fault(match="/orders", times=0, status=status, body={"error": "no such thing"})
    one_line(work.run("run", code=4), "source", str(status), "orders")
    assert len(shop.requests("orders")) == 1


def test_burst_of_server_errors_is_survived(work, shop, database):
    from conftest import table_equals_oracle
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders"])
    shop.fault(match="/orders", times=2, status=503)
    work.run("run")
    table_equals_oracle(database, shop, "orders")


def test_truncated_page_is_asked_for_again(work, shop, database):
    from conftest import table_equals_oracle
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders"])
    shop.fault(match="/orders", times=1, truncate_at=500)
    work.run("run")
    table_equals_oracle(database, shop, "orders")


def test_rate_limit_with_retry_after_is_waited_for(work, shop, database):
    from conftest import table_equals_oracle
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders"])
    shop.fault(match="/orders", times=1, status=429, headers={"Retry-After": "1"})
    work.run("run")
    table_equals_oracle(database, shop, "orders")


def test_page_loop_ends_with_5(work, shop):
    work.configure(shop, csv_target(work), streams=["orders"], config={"mode": "b", "page_size": 20})
    shop.fault(match="/orders", times=0, token_loop=True)
    one_line(work.run("run", code=5), "data", "loop")


def test_syntax_error_ends_with_7_file_and_line(work, shop):
    work.configure(shop, csv_target(work), connector=work.write("bad.lua", "return sluice.connector {\n  name = = 1\n}\n"))
    one_line(work.run("run", code=7), "connector", "bad.lua:2")


def test_looping_script_ends_with_7(work, shop):
    work.configure(shop, csv_target(work), connector=work.write("loop.lua", "while true do pcall(function() while true do end end) end"))
    one_line(work.run("run", code=7), "connector")


def test_script_error_in_map_ends_with_7_and_keeps_committed_rows(work, shop):
    path = work.write("broken.lua", CONNECTOR.format(extra="map = function(r)\n error('no such order') end"))
    work.configure(shop, csv_target(work), connector=path)
    one_line(work.run("run", code=7), "connector", "no such order", "broken.lua:")


def test_unknown_key_of_a_connector_names_the_nearest(work, shop):
    path = work.write("broken.lua", CONNECTOR.format(extra="recordz = 'x'"))
    work.configure(shop, csv_target(work), connector=path)
    ended = work.run("run", code=7)
    assert "recordz" in ended.err and "records" in ended.err, ended


def test_readable_secret_file_is_refused(work, shop):
    path = work.write("key", "shop-test-key\n")
    work.configure(shop, csv_target(work), streams=["orders"], config={"api_key": "${file:key}"})
    os.chmod(path, 0o644)
    assert "key" in work.run("run", code=2).err
    os.chmod(path, 0o600)
    work.run("run")


def test_target_with_other_types_is_refused(work, shop, database):
    database.query("CREATE SCHEMA shop_raw")
    database.query("CREATE TABLE shop_raw.orders (id text, total_amount date)")
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders"])
    one_line(work.run("run", code=5), "schema", "total_amount")


def test_gone_target_is_not_made_anew_silently(work, shop, database):
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams=["orders"])
    work.run("run")
    database.query("DROP TABLE shop_raw.orders")
    one_line(work.run("run", code=5), "state reset")
    work.run("state", "reset", "--stream", "orders")
    work.run("run")
    assert database.one("SELECT count(*) FROM shop_raw.orders") == len(shop.oracle("orders"))


def test_shrinking_overwrite_is_refused_and_the_table_stands(work, shop, database):
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"},
                   streams={"customers": {"sync_mode": "full_refresh"}})
    work.run("run")
    before = database.one("SELECT count(*) FROM shop_raw.customers")
    shop.mutate("customers", deletes=before - 5)
    one_line(work.run("run", code=5), "schema", "shrink_limit")
    assert database.one("SELECT count(*) FROM shop_raw.customers") == before


@pytest.mark.parametrize("statement, named", [
    ("CREATE RULE r AS ON DELETE TO shop_raw.customers DO INSTEAD NOTHING", "rule r changes what is written"),
    ("CREATE TABLE public.notes AS SELECT id FROM shop_raw.customers; ALTER TABLE public.notes ADD CONSTRAINT n "
     "FOREIGN KEY (id) REFERENCES shop_raw.customers ON DELETE CASCADE", "foreign key n of public.notes would delete"),
    ("CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''not today''; END'; "
     "CREATE TRIGGER t BEFORE INSERT ON shop_raw.customers FOR EACH ROW EXECUTE FUNCTION public.no()", "not today")],
    ids=["rule", "cascade", "trigger"])
def test_overwrite_is_refused_with_the_reason_by_what_is_attached(work, shop, database, statement, named):
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"},
                   streams={"customers": {"sync_mode": "full_refresh"}})
    work.run("run")
    before = database.query("SELECT id, xmin::text FROM shop_raw.customers ORDER BY id")
    database.query(statement)
    shop.mutate("customers", updates=3, inserts=2, deletes=3)
    one_line(work.run("run", code=5), "schema", named)
    assert database.query("SELECT id, xmin::text FROM shop_raw.customers ORDER BY id") == before


def test_swap_is_refused_where_there_are_no_tables(work, shop):
    work.configure(shop, csv_target(work), streams={"customers": {"swap": "in_place"}}, defaults={"swap": "auto"})
    ended = work.run("run", code=2)
    assert ended.err.count("swap is for a destination with tables, and this one is of type csv") == 2, ended
    assert "streams.customers: swap" in ended.err and "defaults: swap" in ended.err, ended


def test_one_failing_stream_does_not_stop_the_others(work, shop, database):
    from conftest import table_equals_oracle
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"})
    shop.fault(match="/customers", times=0, status=404)
    ended = work.run("run", code=8)
    table_equals_oracle(database, shop, "orders")
    table_equals_oracle(database, shop, "order_events")
    one_line(ended, "customers", "404")


def test_a_key_that_no_record_has_is_an_error_not_an_empty_table(work, shop):
    work.configure(shop, csv_target(work), streams={"orders": {"primary_key": "nonexist", "write_mode": "append_dedup"}})
    one_line(work.run("run", code=5), "data", "every one of 300 records was rejected", "missing_primary_key")
    ended = work.run("check", code=5)
    assert "FAILED stream orders" in ended.out and "missing_primary_key" in ended.out, ended
