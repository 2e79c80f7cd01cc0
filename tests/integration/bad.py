"""What the tests of bad input share: a connector that gives up soon, the one line an error is, and that nothing was lost."""

import datetime
import json

from conftest import SHAPES, rows_of, spelled, table_equals_oracle
from shop import CURSORS, KEYS

# The shop's orders, page by page in the order of their change, so that what was read before a failure can be kept.
CONNECTOR = """
return sluice.connector {
  name = "shop", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true },
             api_secret = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}/%(dialect)s", auth = %(auth)s, retry = { tries = 3, wait = "5ms" },
           timeouts = { first_byte = "1s", low_speed = "1s" } },
  streams = { orders = { path = "/orders", records = "%(records)s", primary_key = "id",
    params = { sort = "updated_at", limit = "50" },
    pages = %(pages)s,
    cursor = { field = "updated_at", param = "updated_after", start = "2024-01-01T00:00:00Z", order = "ascending" },
    fields = { id = "string", customer_id = "string", total_amount = "decimal", status = "string", created_at = "timestamp",
               updated_at = "timestamp", items = "json", shipping = "json" } } },
}
"""
KEY = '{ kind = "bearer", token = "{{config.api_key}}" }'
SIGNED = """{ kind = "oauth2", grant = "client_credentials", token_url = "/auth/token", body = "json",
  sign = { key = "{{config.api_secret}}", message = "{{sign.timestamp}}{{sign.method}}{{sign.path}}", sign_body = false,
           headers = { ["API-Key"] = "{{config.api_key}}", ["API-Timestamp"] = "{{sign.timestamp}}",
                       ["API-Signature"] = "{{sign.signature}}" } } }"""
NUMBERED = '{ kind = "page", param = "page", start = 1, more = "has_more" }'
TOKENS = '{ kind = "cursor", param = "page_token", next = "next_page_token" }'


def connector(work, auth=KEY, pages=NUMBERED, dialect="a", records="orders"):
    return work.write("bad.lua", CONNECTOR % {"auth": auth, "pages": pages, "dialect": dialect, "records": records})


def csv_target(work):
    return {"type": "csv", "path": str(work.folder / "staging")}


def one_line(ended, class_name, *parts, where="shop.orders"):
    """Exactly one line of error: its class, where, what happened, and a remedy."""
    lines = [line for line in ended.err.splitlines() if line.startswith("error")]
    assert len(lines) == 1, ended
    assert lines[0].startswith(f"error: {class_name}: {where}: " if where else f"error: {class_name}: "), ended
    assert "; " in lines[0] and not lines[0].endswith("; "), f"no remedy\n{ended}"
    for part in parts:
        assert part in lines[0], f"{part!r} is missing\n{ended}"
    return lines[0]


def stored_cursor(database, stream="orders"):
    """How far the state says it has come: the cursor, or the checkpoint of a sync that was interrupted; None: nowhere."""
    stored = dict(database.query("SELECT kind, value FROM _sluice.state WHERE stream IN ('', %s) AND NOT pending", stream))
    if "position" in stored:
        return json.loads(stored["position"]).get("cursor") or stored.get("cursor")
    return stored.get("cursor")


def ledger_adds_up(database):
    assert database.query("SELECT * FROM _sluice.loads "
                          "WHERE emitted <> written + unchanged + deduplicated + rejected + discarded") == []


class Interrupted:
    """A table that a first sync filled, a source that has changed since, and a second sync that is to fail in the middle."""

    def __init__(self, work, shop, database, **settings):
        self.work, self.shop, self.database = work, shop, database
        work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, connector="./bad.lua",
                       commit={"bytes": "1KiB", "seconds": 1}, **settings)
        work.run("run")
        self.before = shop.oracle()
        self.cursor = stored_cursor(database)
        shop.mutate(updates=160, inserts=20)

    def fails(self, code, *words):
        """The second sync; what it had read before it failed is there, and the state covers nothing else."""
        ended = self.work.run("run", *words, code=code)
        cursor, after = stored_cursor(self.database), self.shop.oracle()
        assert cursor >= self.cursor, "the state went back"
        shape = SHAPES["orders"]
        found = {row["id"]: row for row in rows_of(self.database, "shop_raw.orders", list(shape))}
        assert len(found) == self.database.one("SELECT count(*) FROM shop_raw.orders"), "rows are there twice"
        for name, record in after.items():
            versions = [record] if spelled(record[CURSORS["orders"]], "time") <= spelled(cursor, "time") else \
                [record, self.before.get(name)]
            expected = [{column: spelled(one.get(column), kind) for column, kind in shape.items()} if one else None
                        for one in versions]
            row = found.get(name)
            assert (row and {column: spelled(row[column], kind) for column, kind in shape.items()}) in expected, \
                f"{name}: the state is at {cursor}, and the row is {row}"
        ledger_adds_up(self.database)
        return ended

    def kept_a_page(self):
        """The page that came whole before the failure was committed."""
        assert stored_cursor(self.database) > self.cursor, "a page that had come was not kept"

    def heals(self):
        """The next sync goes on where the last one stopped."""
        cursor, first = stored_cursor(self.database), len(self.shop.requests("/orders"))
        self.work.run("run")
        asked = self.shop.requests("/orders")[first]["query"]["updated_after"]
        assert spelled(asked, "time") >= spelled(self.cursor, "time") and spelled(asked, "time") <= spelled(cursor, "time"), asked
        table_equals_oracle(self.database, self.shop)
        ledger_adds_up(self.database)


def http_date(seconds):
    """So many seconds from now, as HTTP spells it."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%a, %d %b %Y %H:%M:%S GMT")


def raw_answer(body, *headers, status="200 OK", length=True):
    """A whole answer for the emulator's `raw`; `body` is bytes."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return [["\r\n".join(lines) + "\r\n\r\n" + body.decode("latin-1"), 1]]


__all__ = ["CONNECTOR", "Interrupted", "KEY", "KEYS", "NUMBERED", "SIGNED", "TOKENS", "connector", "csv_target", "http_date",
           "ledger_adds_up", "one_line", "raw_answer", "stored_cursor"]
