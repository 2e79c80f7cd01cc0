"""Rows as a multiset: an order-independent hash and a count that show one row lost, doubled or changed, and, when two differ, what
the difference is."""

import collections
import hashlib
import json

from integration import SHAPES, rows_of, spelled, staged_loads, staged_rows
from shop import KEYS

SHAPE = {**SHAPES, "orders": {**SHAPES["orders"], "items": "json", "shipping": "json"}}


def flow_of(stream):
    """The stream whose records feed it, and whose cursor is its own."""
    return "orders" if stream == "order_items" else stream


def canonical(record, stream):
    """One spelling per row, whether it comes from the oracle, a table or a CSV file."""
    return json.dumps([spelled(record.get(column), kind) for column, kind in SHAPE[stream].items()], ensure_ascii=False)


def bag(records, stream):
    return collections.Counter(canonical(record, stream) for record in records)


def exploded(orders, with_empty):
    """The items of these orders, each as often as its order is there. `with_empty`: an order without any has a row that says so."""
    names, rows = list(SHAPE["orders"]), collections.Counter()
    for row, count in orders.items():
        order = dict(zip(names, json.loads(row)))
        items = [{**item, "line": str(line)} for line, item in enumerate(json.loads(order["items"]))]
        for item in items or [{}] * with_empty:
            rows[canonical({**item, "order_id": order["id"], "order_updated_at": order["updated_at"]}, "order_items")] += count
    return rows


def digest(rows):
    """(how many, the sum of the rows' SHA-256): the same for the same rows in any order."""
    return sum(rows.values()), sum(int.from_bytes(hashlib.sha256(row.encode()).digest(), "big") * count
                                   for row, count in rows.items()) % 2**256


def key_of(row, stream):
    cells = json.loads(row)
    return tuple(cells[list(SHAPE[stream]).index(column)] for column in KEYS[stream])


def same(found, expected, stream, what):
    if digest(found) == digest(expected):
        return
    lost, surplus = expected - found, found - expected
    doubled = [row for row in surplus if row in expected]
    raise AssertionError(f"{what}: {sum(found.values())} rows instead of {sum(expected.values())}: {sum(lost.values())} lost, "
                         f"{sum(surplus.values())} too many ({len(doubled)} of them doubled)\n"
                         f"lost: {list(lost)[:2]}\ntoo many: {list(surplus)[:2]}")


def table_rows(database, stream, schema="shop_raw"):
    """Those that are not marked as deleted; None when there is no table."""
    if not database.one(f"SELECT to_regclass('{schema}.{stream}') IS NOT NULL"):
        return None
    return bag(rows_of(database, f"{schema}.{stream} WHERE NOT _sluice_deleted", list(SHAPE[stream])), stream)


def committed_rows(staging, stream, pipeline="shop"):
    """All rows of committed loads, also of those whose folders a killed sync did not get to rename: the next start does."""
    rows = staging_rows(staging, stream, False, pipeline) or collections.Counter()
    for commit in (staging / ".sluice" / pipeline / flow_of(stream) / "commits").glob("[0-9]*"):
        names_load = any("load" in json.loads(line) for line in commit.read_text().splitlines())
        hidden = staging / pipeline / stream / f".{commit.name}"
        if names_load and hidden.exists():
            rows += bag(staged_rows(hidden), stream)
    return rows


def booked_rows(staging, stream, pipeline="shop"):
    """How many the commits say they wrote; None behind a snapshot, which does not keep the counts of those it folded."""
    commits = sorted((staging / ".sluice" / pipeline / flow_of(stream) / "commits").glob("[0-9]*"))
    if not any(int(commit.name.split(".")[0]) == 1 for commit in commits):
        return None
    counts = [json.loads(line).get("counts", {}) for commit in commits for line in commit.read_text().splitlines()]
    return sum(int(count["written"]) for count in counts if count.get("stream") == stream)


def staging_rows(staging, stream, newest_only, pipeline="shop"):
    """All published rows, or those of the newest load; None when nothing is published."""
    loads = staged_loads(staging, stream, pipeline)
    if not loads:
        return None
    rows = collections.Counter()
    for load in loads[-1:] if newest_only else loads:
        rows += bag(staged_rows(load), stream)
    return rows
