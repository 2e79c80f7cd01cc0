"""The short syncs that faults are put into, and what must hold after each of them.

`append`, `merge` (append_dedup into a table that exists), `build` (the first append_dedup: built aside, then published): `Sync`
prepares the state a sync begins from, `settle` runs until all is well and compares with the oracle."""

import json

from integration import rows_of, spelled, staging_equals_oracle, staged_loads, staged_rows, table_equals_oracle
from leftovers import database_is_clean, staging_is_clean

ALLOWED = (0, 6, 9)  # how a sync may end that met a fault at its destination
KINDS = ("append", "merge", "build")


class Sync:
    """One pipeline of 120 orders in pages of 40, one stream, one slice."""

    def __init__(self, work, shop, kind, url=None, staging=None, base_url=None, **settings):
        self.work, self.shop, self.kind, self.staging = work, shop, kind, staging
        self.is_prepared = False  # there is a table
        self.mode = "append" if kind == "append" else "append_dedup"
        self.configure(url, base_url, **settings)

    def configure(self, url=None, base_url=None, **settings):
        destination = {"type": "csv", "path": str(self.staging)} if self.staging else \
            {"type": "postgres", "url": url, "schema": "shop_raw"}
        config = {"page_size": 40, "sorted": True, "lookback": "0s", **({"base_url": base_url} if base_url else {})}
        self.work.configure(self.shop, destination, streams={"orders": {"sync_mode": "incremental", "write_mode": self.mode}},
                            config=config, commit={"bytes": "8KiB", "seconds": 1}, **settings)

    def prepare(self, database=None):
        """To where the fault is wanted: before the first sync for a build, before one with changes for the others."""
        if self.kind == "build":
            if database:
                database.query("DROP SCHEMA IF EXISTS _sluice CASCADE; DROP SCHEMA IF EXISTS shop_raw CASCADE")
            return
        if not self.is_prepared:
            self.run()
            self.is_prepared = True
        self.shop.mutate("orders", updates=50, inserts=10)

    def run(self, **options):
        return self.work.run("run", **options)


def settle(sync, database=None, tries=3):
    """Runs again until a sync goes through, then compares: rows, cursor, leftovers."""
    for _ in range(tries):
        ended = sync.run(code=None)
        if ended.code == 0:
            break
    assert ended.code == 0, ended
    if sync.staging:
        staging_holds_the_oracle(sync)
    else:
        database_holds_the_oracle(sync, database)


def staging_holds_the_oracle(sync):
    staging_equals_oracle(sync.staging, sync.shop, "orders")
    versions = [(row["id"], row["updated_at"]) for load in staged_loads(sync.staging, "orders") for row in staged_rows(load)]
    assert len(versions) == len(set(versions)), "a version was staged twice"
    staging_is_clean(sync.staging)


def database_holds_the_oracle(sync, database):
    if sync.kind == "append":
        latest = {}
        rows = rows_of(database, "shop_raw.orders", ["id", "updated_at"])
        assert len(rows) == len({(row["id"], row["updated_at"]) for row in rows}), "a version was appended twice"
        for row in rows:
            latest[row["id"]] = max(latest.get(row["id"], ""), spelled(row["updated_at"], "time"))
        assert latest == {name: spelled(record["updated_at"], "time") for name, record in sync.shop.oracle("orders").items()}
    else:
        table_equals_oracle(database, sync.shop, "orders")
    database_is_clean(database, ["orders"])
    value = database.one("SELECT value FROM _sluice.state WHERE kind = 'cursor'")
    newest = max(spelled(record["updated_at"], "time") for record in sync.shop.oracle("orders").values())
    assert spelled(json.loads(value) if value.startswith('"') else value, "time") <= newest, "the cursor is ahead of the rows"
