"""A run that may read only so much: what it read is kept, and runs one after the other come to the same as one."""

import pytest

from conftest import staged_rows, staged_loads, staging_equals_oracle, table_equals_oracle


def postgres_target(database):
    return {"type": "postgres", "url": database.url, "schema": "shop_raw"}


SORTED = """return sluice.connector {
  name = "sorted", version = "1", config = { base_url = { type = "string" }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}/a", auth = { kind = "bearer", token = "{{config.api_key}}" } },
  streams = { orders = { path = "/orders", records = "orders", primary_key = "id", params = { sort = "updated_at", limit = "50" },
    pages = { kind = "page", param = "page", start = 1, more = "has_more" }, %s
    cursor = { field = "updated_at", param = "updated_after", start = "2024-01-01T00:00:00Z"%s },
    fields = { id = "string", customer_id = "string", total_amount = "decimal", status = "string", created_at = "timestamp",
               updated_at = "timestamp" } } } }"""


def requests_of(shop):
    return sum(1 for request in shop.requests() if "/orders" in request["path"])


@pytest.mark.shop(orders=600)
@pytest.mark.parametrize("stable,order", [("", ', order = "ascending"'), ("stable = true,", "")], ids=["ordered", "stable"])
def test_budgeted_runs_come_to_the_same_as_one(work, shop, database, stable, order):
    work.write("sorted.lua", SORTED % (stable, order))
    work.configure(shop, postgres_target(database), connector="./sorted.lua", streams={"orders": {"max_pages": 3}})
    runs = 0
    while True:
        ended = work.run("run")
        runs += 1
        if "as much as a run may read" not in ended.out + ended.err:
            break
        assert runs < 12, "it does not come to an end"
    assert runs >= 3
    table_equals_oracle(database, shop)


@pytest.mark.shop(orders=600)
def test_max_records_is_for_all_streams(work, shop):
    work.write("sorted.lua", SORTED % ("", ', order = "ascending"'))
    work.configure(shop, {"type": "csv", "path": str(work.folder / "staging")}, connector="./sorted.lua")
    work.run("run", "--max-records", "120")
    staged = sum(len(staged_rows(load)) for load in staged_loads(work.folder / "staging", "orders"))
    assert 50 <= staged <= 450, "some pages past it, no more"
    work.run("run")
    staging_equals_oracle(work.folder / "staging", shop)


@pytest.mark.shop(orders=600)
def test_a_run_that_could_keep_nothing_says_so(work, shop, database):
    work.write("sorted.lua", SORTED % ("", ""))
    work.configure(shop, postgres_target(database), connector="./sorted.lua", streams={"orders": {"max_pages": 1}})
    ended = work.run("run")
    assert "is reached before anything could be kept" in ended.err
    work.configure(shop, postgres_target(database), connector="./sorted.lua")
    work.run("run")
    table_equals_oracle(database, shop)


@pytest.mark.shop(orders=600)
def test_an_overwrite_that_is_not_through_replaces_nothing(work, shop, database):
    work.write("sorted.lua", SORTED % ("stable = true,", ""))
    streams = {"orders": {"sync_mode": "full_refresh", "write_mode": "overwrite"}}
    work.configure(shop, postgres_target(database), connector="./sorted.lua", streams=streams)
    work.run("run")
    before = shop.oracle()
    shop.mutate(updates=100, inserts=50)
    work.run("run", "--max-pages", "2")
    assert database.query("SELECT count(*) FROM shop_raw.orders") == [(len(before),)]
    work.run("run")
    table_equals_oracle(database, shop)


@pytest.mark.parametrize("given", ["0", "-1", "many"])
def test_what_is_no_number_is_refused(work, shop, given):
    work.configure(shop, {"type": "csv", "path": "./out"})
    assert "is a number from 1 on" in work.run("run", f"--max-records={given}", code=2).err
