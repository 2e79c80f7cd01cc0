"""Every kind of cursor, end to end, against APIs that behave as theirs do: what is read again, what is dropped, what the state says,
and what happens when the source does not keep what it promised."""

import pytest

from feed import Feed, configure


def stamp(minute):
    return f"2024-01-{1 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:00Z"


def rows(*minutes):
    return [{"id": f"r{minute}", "at": stamp(minute), "n": minute} for minute in minutes]


def pages_of(records, query, size=10):
    page = int(query.get("page", 1))
    return {"rows": records[(page - 1) * size:page * size], "more": page * size < len(records)}


PAGES = 'pages = { kind = "page", param = "page", start = 1, more = "more" }, '


def ids(database, table="raw.rows"):
    return sorted(name for name, in database.query(f"SELECT id FROM {table}"))


def state_of(database, kind="cursor"):
    return database.one(f"SELECT value FROM _sluice.state WHERE kind = '{kind}' AND slice = ''")


# --- client_side


@pytest.mark.parametrize("write_mode", ["append", "append_dedup"])
def test_client_side_takes_what_is_new(work, database, write_mode):
    records = rows(*range(100, 130))
    with Feed(lambda path, query: pages_of(records, query)) as feed:
        configure(work, feed, database, PAGES + 'cursor = { kind = "client_side", field = "at", start = "2024-01-01T01:45:00Z" }',
                  write_mode)
        work.run("run")
        assert ids(database) == [f"r{n}" for n in range(105, 130)], "the start was not kept to"
        before = len(feed.requests)
        records[:0] = rows(200, 119)  # one is new, one came late and is older than the state
        records += [{"id": "same", "at": stamp(129), "n": 1}]  # as new as the state
        work.run("run")
        assert ids(database) == sorted([f"r{n}" for n in range(105, 130)] + ["r200", "same"])
        assert state_of(database) == stamp(200)
        assert len(feed.requests) - before == 4, "everything is read"
        assert all("at" not in query for _, query in feed.requests)


def test_early_stop_ends_where_the_known_begins(work, database):
    records = rows(*range(399, 99, -1))
    with Feed(lambda path, query: pages_of(records, query)) as feed:
        configure(work, feed, database,
                  PAGES + 'cursor = { kind = "client_side", field = "at", order = "descending", stop_early = true }')
        work.run("run")
        assert len(ids(database)) == 300
        before = len(feed.requests)
        records[:0] = rows(*range(415, 399, -1))
        ended = work.run("run")
        assert len(ids(database)) == 316
        assert len(feed.requests) - before < 10, "it read on and on"  # the page that shows it, and those under way
        assert "descending" not in ended.err


def test_early_stop_is_not_made_in_an_order_that_broke(work, database):
    records = rows(*range(399, 99, -1))
    with Feed(lambda path, query: pages_of(records, query)) as feed:
        configure(work, feed, database,
                  PAGES + 'cursor = { kind = "client_side", field = "at", order = "descending", stop_early = true }')
        work.run("run")
        before = len(feed.requests)
        records[5:5] = rows(500)  # not first, though newest
        records.append({"id": "last", "at": stamp(600), "n": 1})
        ended = work.run("run")
        assert "do not; all of them are read" in ended.err
        assert len(feed.requests) - before == 31
        assert {"r500", "last"} <= set(ids(database))


# --- records at the edge of two syncs


def inclusive(records):
    """A source that filters by >=, newest last."""
    return lambda path, query: pages_of([row for row in records if row["at"] >= query.get("since", "")], query)


FILTER = PAGES + 'cursor = { field = "at", param = "since", start = "2024-01-01" }'


@pytest.mark.parametrize("key", ["id", None])
def test_appended_records_at_the_cursor_are_told_apart(work, database, key):
    """By their key, or by all that is in them."""
    records = rows(1, 2) + [{"id": f"a{n}", "at": stamp(3), "n": n} for n in range(25)]
    with Feed(inclusive(records)) as feed:
        configure(work, feed, database, FILTER, "append", key=key)
        work.run("run")
        for more in range(3):  # in no order, so that those known and those new are mixed
            records[2:2] = [{"id": f"b{more}{n}", "at": stamp(3), "n": n} for n in range(7)]
            work.run("run")
        assert ids(database) == sorted(row["id"] for row in records)
        assert state_of(database) == stamp(3)
        records += rows(4)
        work.run("run")
        work.run("run")
        assert ids(database) == sorted(row["id"] for row in records)


def test_too_many_appended_records_at_the_cursor_are_refused(work, database):
    records = [{"id": f"a{n}", "at": stamp(3), "n": n} for n in range(10001)]
    with Feed(lambda path, query: {"rows": records, "more": False}) as feed:
        configure(work, feed, database, FILTER, "append")
        work.run("run")
        ended = work.run("run", code=5)
        assert "over 10000 records share the newest cursor value of 'at'" in ended.err and "append_dedup" in ended.err
        feed.answer = lambda path, query: {"rows": [], "more": False}
        work.run("run")  # an exclusive source never sends one again: nothing to refuse
        assert database.one("SELECT count(*) FROM raw.rows") == 10001


def test_a_half_open_window_appends_its_first_value_once(work, database):
    records = rows(1, 2, 3)
    with Feed(inclusive(records)) as feed:
        configure(work, feed, database, PAGES + 'cursor = { field = "at", param = "since", start = "2024-01-01", bounds = "[)" }',
                  "append")
        work.run("run")
        work.run("run")
        assert ids(database) == ["r1", "r2", "r3"]


def test_a_record_without_the_cursor_may_end_the_sync(work, database):
    records = rows(1, 2)
    with Feed(inclusive(records)) as feed:
        configure(work, feed, database, FILTER.replace("field", 'missing = "fail", field'))
        work.run("run")
        feed.answer = lambda path, query: {"rows": [{"id": "x"}], "more": False}
        ended = work.run("run", code=5)
        assert "no cursor field: 'at'" in ended.err
        assert ids(database) == ["r1", "r2"]
