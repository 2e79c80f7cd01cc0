"""Every kind of cursor, end to end, against APIs that behave as theirs do: what is read again, what is dropped, what the state says,
and what happens when the source does not keep what it promised."""

import datetime
import threading
import time

import pytest

from conftest import staged_loads, staged_rows
from feed import Feed, configure


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


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


# --- token


class Export:
    """A cursor export as Zendesk's: changes in order, a token on each page, the end told by a flag."""

    def __init__(self, count=50, size=10):
        self.changes = rows(*range(count))
        self.size = size
        self.refused = set()
        self.on_page = lambda query: None

    def __call__(self, path, query):
        self.on_page(query)
        if query.get("cursor") in self.refused:
            return 422, {"error": "InvalidCursor"}
        assert ("cursor" in query) != ("start_time" in query), "both, or neither, say where to begin"
        begin = int(query["cursor"][1:]) if "cursor" in query else next(
            (i for i, row in enumerate(self.changes) if row["at"] >= query["start_time"]), len(self.changes))
        page = self.changes[begin:begin + self.size]
        return {"rows": page, "after": f"t{begin + len(page)}", "end": begin + len(page) >= len(self.changes)}


TOKEN = ('pages = { kind = "cursor", param = "cursor", next = "after", last = "end" }, '
         'cursor = { kind = "token", next = "after", param = "cursor", start_param = "start_time", start = "2024-01-01", field = "at" }')


@pytest.mark.parametrize("write_mode", ["append", "append_dedup"])
def test_a_token_is_where_the_next_sync_begins(work, database, write_mode):
    export = Export()
    with Feed(export) as feed:
        configure(work, feed, database, TOKEN, write_mode)
        work.run("run")
        assert len(ids(database)) == 50 and state_of(database, "token") == "t50"
        before = len(feed.requests)
        work.run("run")
        assert feed.requests[before:] == [("/rows", {"cursor": "t50"})]
        export.changes += [{"id": "late", "at": stamp(3), "n": 1}]  # older by its time, newer by the source's own order
        work.run("run")
        assert len(ids(database)) == 51 and state_of(database, "token") == "t51"


def test_a_killed_sync_goes_on_at_the_last_token_that_was_stored(work, database):
    export = Export(count=200)
    with Feed(export) as feed:
        configure(work, feed, database, TOKEN, "append", commit={"bytes": "1KiB", "seconds": 1})
        reached, gone = threading.Event(), threading.Event()

        def stop_at(query):
            if query.get("cursor") == "t150":
                reached.set()
                gone.wait(30)

        export.on_page = stop_at
        process = work.start("run")
        assert reached.wait(30)
        wait_until(lambda: database.one("SELECT count(*) FROM _sluice.state WHERE kind = 'token'") == 1)
        process.kill()
        process.communicate()
        gone.set()
        export.on_page = lambda query: None
        before = len(feed.requests)
        work.run("run")
        assert "start_time" not in feed.requests[before][1], "it began again"
        assert ids(database) == sorted(row["id"] for row in export.changes)


def test_a_refused_token_falls_back_to_the_newest_record(work, database):
    export = Export()
    with Feed(export) as feed:
        configure(work, feed, database, TOKEN.replace('field', 'lookback = "2m", field'))
        work.run("run")
        export.refused.add("t50")
        export.changes += rows(60)
        before = len(feed.requests)
        ended = work.run("run")
        assert "no longer takes the stored sync token" in ended.err and "422" in ended.err
        assert [query for _, query in feed.requests[before:]] == [{"cursor": "t50"}, {"start_time": stamp(47)}]
        assert len(ids(database)) == 51 and state_of(database, "token") == "t51"


def test_a_refused_token_of_appended_rows_ends_the_sync(work, database):
    export = Export()
    with Feed(export) as feed:
        configure(work, feed, database, TOKEN, "append")
        work.run("run")
        export.refused.add("t50")
        ended = work.run("run", code=4)
        assert "would come again" in ended.err and "state reset p --stream rows" in ended.err
        assert len(ids(database)) == 50


def test_a_token_may_be_a_url(work, database):
    """As Microsoft's delta links: only the last page has one."""
    records = rows(*range(25))

    def answer(path, query):
        begin = int(query.get("skip", query.get("delta", 0)))
        page = {"rows": records[begin:begin + 10]}
        if begin + 10 < len(records):
            return {**page, "next": f"{feed.url}/rows?skip={begin + 10}"}
        return {**page, "delta": f"{feed.url}/rows?delta={len(records)}"}

    with Feed(answer) as feed:
        configure(work, feed, database, 'pages = { kind = "next_url", next = "next" }, params = { top = 10 }, '
                  'cursor = { kind = "token", next = "delta" }', "append")
        work.run("run")
        assert len(ids(database)) == 25
        records += rows(30)
        before = len(feed.requests)
        work.run("run")
        assert [query for _, query in feed.requests[before:]] == [{"delta": "25"}]
        assert len(ids(database)) == 26


def test_records_without_a_token_behind_them_end_the_sync(work, database):
    with Feed(lambda path, query: {"rows": rows(1), "end": True}) as feed:
        configure(work, feed, database, TOKEN)
        ended = work.run("run", code=5)
        assert "without a sync token at 'after'" in ended.err


# --- backfill, rewind

WINDOWED = ('cursor = { kind = "windowed", field = "at", param = "since", until_param = "until", bounds = "[)", step = "30d", '
            'start = "2024-01-01" }')


def day(number):
    return (datetime.date(2024, 1, 1) + datetime.timedelta(days=number)).isoformat() + "T00:00:00Z"


def days(*numbers):
    return [{"id": f"r{number}", "at": day(number), "n": number} for number in numbers]


def between(records):
    return lambda path, query: {"rows": [row for row in records if query["since"] <= row["at"] < query.get("until", "9")]}


@pytest.mark.parametrize("stream", [WINDOWED.replace("kind", "lookback = '10d', kind"),
                                    'cursor = { field = "at", param = "since", start = "2024-01-01", lookback = "1d", delay = "1d" }'])
def test_a_backfill_reads_its_range_and_leaves_the_state_alone(work, database, stream):
    records = days(*range(0, 600, 10))
    with Feed(between(records)) as feed:
        configure(work, feed, database, stream)
        work.run("run")
        before_state = database.query("SELECT flow, stream, slice, kind, value FROM _sluice.state")
        for row in records:
            row["n"] += 1000
        before = len(feed.requests)
        work.run("run", "p", "--from", day(60), "--to", day(160), "--stream", "rows")
        asked = sorted((query["since"], query.get("until")) for _, query in feed.requests[before:])
        if "step" in stream:
            assert asked == [(day(m), day(min(m + 30, 160))) for m in (60, 90, 120, 150)]
        else:
            assert asked == [(day(60), None)]
        changed = [n for n, in database.query("SELECT n - 1000 FROM raw.rows WHERE n >= 1000 ORDER BY n")]
        assert changed in (list(range(60, 160, 10)), list(range(60, 170, 10)))
        assert database.query("SELECT flow, stream, slice, kind, value FROM _sluice.state") == before_state
        assert len(ids(database)) == 60


def test_a_killed_backfill_goes_on_and_an_other_range_begins_anew(work, database):
    records = days(*range(0, 600, 10))
    with Feed(between(records)) as feed:
        configure(work, feed, database, WINDOWED, concurrency=1, commit={"bytes": "1KiB", "seconds": 1})
        work.run("run")
        for row in records:
            row["n"] += 1000
        good, feed.answer = feed.answer, lambda path, query: (404, {}) if query["since"] >= day(120) else between(records)(path, query)
        backfill = ["run", "p", "--stream", "rows", "--from", day(0), "--to", day(300)]
        work.run(*backfill, code=4)
        feed.answer = good
        before = len(feed.requests)
        work.run(*backfill)
        assert min(query["since"] for _, query in feed.requests[before:]) == day(120), "finished windows were read again"
        assert database.one("SELECT count(*) FROM raw.rows WHERE n >= 1000") == 30
        assert database.query("SELECT * FROM _sluice.state WHERE kind NOT IN ('cursor', 'cursor_field')") == []
        feed.answer = lambda path, query: (404, {})
        work.run(*backfill, code=4)
        feed.answer = good
        before = len(feed.requests)
        work.run("run", "p", "--stream", "rows", "--from", day(400), "--to", day(430))
        assert [query["since"] for _, query in feed.requests[before:]] == [day(400)]
        feed.answer = lambda path, query: (404, {})
        work.run(*backfill, code=4)
        records += [{"id": "new", "at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT00:00:00Z"), "n": 1}]
        work.run("state", "rewind", "p", "--to", day(600), "--stream", "rows")
        work.run("run", code=4)
        assert "has to be finished first" in work.run(*backfill, code=2).err
        feed.answer = good
        work.run("run")
        assert "new" in ids(database) and len(ids(database)) == 61


def test_what_cannot_be_backfilled(work, database):
    with Feed(between(days(1))) as feed:
        configure(work, feed, database, WINDOWED, "append")
        ended = work.run("run", "p", "--stream", "rows", "--from", "2024-01-01", code=2)
        assert "would be there twice" in ended.err
        configure(work, feed, database, 'write_mode = "append_dedup"')
        assert "goes by no cursor" in work.run("run", "p", "--stream", "rows", "--from", "2024-01-01", code=2).err
        configure(work, feed, database, WINDOWED)
        assert "needs --stream" in work.run("run", "p", "--from", "2024-01-01", code=2).err
        assert "--to needs --from" in work.run("run", "p", "--to", "2024-01-01", code=2).err
        assert "is not a timestamp" in work.run("run", "p", "--stream", "rows", "--from", "soon", code=2).err
        assert "nothing lies between" in work.run("run", "p", "--stream", "rows", "--from", "2024-01-02", "--to", "2024-01-01",
                                                  code=2).err


def test_rewind_goes_back_only(work, database):
    with Feed(between(rows(*range(0, 600, 10)))) as feed:
        configure(work, feed, database, 'cursor = { field = "at", param = "since", start = "2024-01-01" }')
        work.run("run")
        assert state_of(database) == stamp(590)
        work.run("state", "rewind", "p", "--to", "2024-02-01", "--stream", "rows")
        assert state_of(database) == stamp(590)
        work.run("state", "rewind", "p", "--to", "2024-01-01T05:00:00Z", "--all")
        assert state_of(database) == stamp(300)
        work.run("state", "rewind", "p", "--to", "soon", "--all", code=2)
        work.run("state", "rewind", "p", "--all", code=2)
        before = len(feed.requests)
        work.run("run")
        assert feed.requests[before][1]["since"] == stamp(300)
        assert len(ids(database)) == 60


def test_a_backfill_into_staged_files_is_one_load_more(work):
    with Feed(between(days(*range(0, 600, 10)))) as feed:
        configure(work, feed, None, WINDOWED)
        work.run("run")
        work.run("run", "p", "--from", day(60), "--to", day(160), "--stream", "rows")
        loads = [staged_rows(load) for load in staged_loads(work.folder / "staging", "rows", "p")]
        assert [int(row["n"]) for row in loads[-1]] == list(range(60, 160, 10))
        before = len(feed.requests)
        work.run("run")
        assert all(query["since"] > day(600) for _, query in feed.requests[before:]), "the state was moved"


# --- windows that are too much


def narrow(records, widest_days, status=504):
    """A source that cannot answer for more than so many days at once."""

    def answer(path, query):
        low, high = (datetime.datetime.fromisoformat(query[key].rstrip("Z")) for key in ("since", "until"))
        if high - low > datetime.timedelta(days=widest_days):
            return status, {"error": "QUERY_TIMEOUT"}
        return between(records)(path, query)

    return answer


@pytest.mark.parametrize("write_mode", ["append", "append_dedup"])
@pytest.mark.parametrize("rule", ["", 'errors = { { status = 400, action = "split_window" } }, '])
def test_a_window_that_is_too_much_is_read_in_halves(work, database, write_mode, rule):
    records = days(*range(0, 600, 5))
    with Feed(narrow(records, 45, 400 if rule else 504)) as feed:
        configure(work, feed, database, rule + WINDOWED.replace("30d", "300d"), write_mode, once=not rule, concurrency=1)
        ended = work.run("run")
        assert "in halves" in ended.err
        assert len(ids(database)) == len(records)
        assert database.query("SELECT kind FROM _sluice.state WHERE kind NOT IN ('cursor', 'cursor_field', 'boundary')") == []


def test_a_killed_sync_keeps_its_halves(work, database):
    records = days(*range(0, 600, 5))
    with Feed(narrow(records, 45)) as feed:
        configure(work, feed, database, WINDOWED.replace("30d", "300d"), "append", once=True, concurrency=1)
        good = feed.answer
        feed.answer = lambda path, query: (404, {}) if query["since"] >= day(150) else good(path, query)
        work.run("run", code=4)
        assert database.one("SELECT count(*) FROM _sluice.state WHERE kind = 'plan' AND value LIKE '%splits%'") == 1
        feed.answer = good
        before = len(feed.requests)
        work.run("run")
        assert (day(0), day(300)) not in [(query["since"], query["until"]) for _, query in feed.requests[before:]]
        assert len(ids(database)) == len(records)


def test_halves_have_an_end(work, database):
    with Feed(lambda path, query: (504, {})) as feed:
        configure(work, feed, database, WINDOWED.replace("30d", '300d", min_step = "40d'), once=True, concurrency=1)
        ended = work.run("run", code=4)
        assert "cannot ask for less of slice" in ended.err


# --- retention


@pytest.mark.parametrize("write_mode", ["append", "append_dedup"])
def test_a_state_that_is_older_than_what_the_source_keeps(work, database, write_mode):
    records = rows(1, 2, 3)
    with Feed(inclusive(records)) as feed:
        configure(work, feed, database, FILTER.replace("field", 'retention = "30d", field'), write_mode)
        work.run("run")
        before = len(feed.requests)
        work.run("run")
        assert feed.requests[before][1]["since"] == stamp(3), "a quiet stream was read anew"
        late = {"id": "between", "at": stamp(0), "n": 1}  # its change is not kept any more: only the beginning has it
        records.insert(0, late)
        database.query("UPDATE _sluice.state SET value = '2020-01-01T00:00:00Z' WHERE kind = 'read_at'")
        ended = work.run("run", code=5 if write_mode == "append" else 0)
        assert "does not keep changes for that long" in ended.err
        assert ("between" in ids(database)) == (write_mode != "append")


# --- records that say that they are gone

DELETED = PAGES + 'cursor = { field = "at", param = "since", start = "2024-01-01" }, deleted = { path = "status.name", equals = { "deleted", "spam" } }'


def with_status(name, minute, status):
    return {"id": name, "at": stamp(minute), "n": minute, "status": {"name": status}}


def test_a_record_that_says_it_is_gone_is_marked_and_comes_back(work, database):
    records = [with_status("a", 1, "open"), with_status("b", 2, "deleted"), with_status("c", 3, "open")]
    with Feed(inclusive(records)) as feed:
        configure(work, feed, database, DELETED)
        work.run("run")
        marked = "SELECT id, n, _sluice_deleted FROM raw.rows ORDER BY id"
        assert database.query(marked) == [("a", 1, False), ("b", 2, True), ("c", 3, False)]
        records += [with_status("a", 11, "spam"), with_status("b", 12, "open"), {"id": "c", "at": stamp(13), "n": 13}]
        work.run("run")
        assert [row[2] for row in database.query(marked)] == [True, False, False]
        records += [with_status("a", 21, "open"), with_status("c", 22, "deleted"), with_status("a", 20, "spam")]  # an older one last
        work.run("run")
        assert [row[2] for row in database.query(marked)] == [False, False, True]
        assert database.one("SELECT count(*) FROM raw.rows") == 3


def test_where_rows_are_not_merged_a_record_that_is_gone_is_a_row(work, database):
    records = [with_status("a", 1, "deleted"), with_status("b", 2, "open")]
    with Feed(inclusive(records)) as feed:
        configure(work, feed, database, DELETED, "append")
        work.run("run")
        assert database.query("SELECT id, n, _sluice_deleted FROM raw.rows ORDER BY id") == [("a", 1, False), ("b", 2, False)]


def test_a_record_that_is_gone_has_no_elements(work, database):
    records = [{**with_status("a", 1, "open"), "lines": [{"sku": "x"}, {"sku": "y"}]}]
    explode = (', explode = { lines = { path = "lines", copy = { row = "id", at = "at" }, position = "line", primary_key = { "row", "line" } } }, '
               'undeclared = "drop"')
    with Feed(inclusive(records)) as feed:
        configure(work, feed, database, DELETED + explode)
        path = work.folder / "sluice.yaml"
        path.write_text(path.read_text().replace('"rows": {}', '"rows": {}, "lines": {}'))
        work.run("run")
        live = "SELECT count(*) FROM raw.lines WHERE NOT _sluice_deleted"
        assert database.one(live) == 2
        records[:] = [{**records[0], **with_status("a", 2, "deleted")}]  # which still shows them
        work.run("run")
        assert database.one(live) == 0
        records[:] = [{**records[0], **with_status("a", 3, "open")}]
        work.run("run")
        assert database.one(live) == 2


# --- newest first

NEWEST = PAGES + ('cursor = { kind = "windowed", field = "at", param = "from", until_param = "to", step = "1d", bounds = "[)", '
                  'start = "START", order = "newest_first" }')


@pytest.mark.parametrize("write_mode", ["append", "append_dedup"])
def test_the_newest_window_comes_first_and_what_is_new_before_the_history_goes_on(work, database, write_mode):
    """Killed twice while the history is read; each time the next sync begins with what came meanwhile."""
    now = datetime.datetime.now(datetime.timezone.utc)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) - datetime.timedelta(days=9)
    records, stop_at, asked, held = [], [], [], []

    def add(name, moment):
        records.append({"id": name, "at": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "n": 1})

    def answer(path, query):
        if stop_at and len(asked) == stop_at[0]:
            held.append(True)
            wait_until(lambda: not stop_at)
        asked.append(query)
        return pages_of([row for row in records if query["from"] <= row["at"] < query["to"]], query)
    for day in range(9):
        add(f"d{day}", start + datetime.timedelta(days=day, hours=5))
    with Feed(answer) as feed:
        configure(work, feed, database, NEWEST.replace("START", start.strftime("%Y-%m-%d")), write_mode,
                  commit={"bytes": "4KiB", "seconds": 1}, concurrency=1)
        for run, stop in enumerate((3, 3)):
            stop_at[:], asked[:], held[:] = [stop], [], []
            process = work.start("run")
            wait_until(lambda: held)
            if run == 0 and write_mode == "append":  # a first merge is built aside
                wait_until(lambda: database.one("SELECT to_regclass('raw.rows') IS NOT NULL"))
                assert "d8" in ids(database) and "d0" not in ids(database), "the history came first"
            process.kill()
            process.communicate()
            stop_at.clear()
            froms = [query["from"] for query in asked]
            assert froms == sorted(froms, reverse=True), "not the newest first"
            moment = datetime.datetime.now(datetime.timezone.utc)  # in the second the plan ended at, or later
            add(f"new{run}", moment)
            wait_until(lambda: datetime.datetime.now(datetime.timezone.utc) > moment + datetime.timedelta(seconds=2))
        asked.clear()
        work.run("run")
        assert ids(database) == sorted(row["id"] for row in records)
        assert asked[0]["from"] > start.strftime("%Y-%m-%d") and asked[-1]["from"].startswith(start.strftime("%Y-%m-%d"))
        asked.clear()
        work.run("run")
        assert len(asked) <= 1 and ids(database) == sorted(row["id"] for row in records)


# --- a connector that changes its mind


def seen_rows(*minutes):
    return [dict(row, seen=row["at"]) for row in rows(*minutes)]


@pytest.mark.parametrize("in_parts", [False, True], ids=["plain", "parts"])
def test_a_cursor_of_another_field_says_nothing(work, database, in_parts):
    records = seen_rows(100, 101, 102)
    parts = 'partitions = { { name = "part", values = { "a" } } }, ' if in_parts else ""

    def configured(feed, field, more=""):
        cursor = f'cursor = {{ field = "{field}", param = "since", type = "timestamp"{more} }}'
        configure(work, feed, database, PAGES + parts + cursor, "append")
        connector = work.folder / "feed.lua"
        connector.write_text(connector.read_text().replace('at = "timestamp"', 'at = "timestamp", seen = "timestamp"'))

    with Feed(lambda path, query: pages_of([row for row in records if row["at"] >= query.get("since", "")], query)) as feed:
        configured(feed, "at")
        work.run("run")
        configured(feed, "seen")
        asked = len(feed.requests)
        refused = work.run("run", code=2)
        for said in ("'rows'", "cursor 'seen'", "by 'at'", "sluice state reset", 'replaces = { "at" }'):
            assert said in refused.err, refused
        assert len(feed.requests) == asked, "it is said before anything is asked"
        configured(feed, "seen", ', replaces = { "older", "at" }')
        records += seen_rows(103)
        feed.requests.clear()
        work.run("run")
        assert feed.requests[0][1].get("since"), "it goes on from what was read by the other field"
        assert "r103" in ids(database)
        configured(feed, "seen")
        work.run("run")
        assert state_of(database, "cursor_field") == "seen"


def test_a_cursor_set_by_hand_is_of_the_field_of_today(work, database):
    with Feed(lambda path, query: pages_of(seen_rows(100, 101, 102), query)) as feed:
        configure(work, feed, database, PAGES + 'cursor = { field = "at", param = "since", start = "2024-01-01T00:00:00Z" }')
        work.run("run")
        database.query("UPDATE _sluice.state SET value = 'n' WHERE kind = 'cursor_field' RETURNING 1")
        work.run("run", code=2)
        work.run("state", "set", "p", stamp(101), "--stream", "rows")
        work.run("run")
        assert state_of(database, "cursor_field") == "at"
