"""Partitions that are read again, and replaced: figures of the last days change after the fact, and rows of them go. Only what is in
the partitions read is touched, each is replaced at once, and a sync that is killed leaves each as it was or as it is."""

import datetime
import json

import pytest

from conftest import staged_loads
from feed import Feed, configure
from test_cursors import wait_until

class Clock:
    today = None


@pytest.fixture(autouse=True)
def today():
    Clock.today = datetime.datetime.now(datetime.timezone.utc).date()


def day(ago):
    return (Clock.today - datetime.timedelta(days=ago)).isoformat()


class Figures:
    """What a reporting API says of each day; one row per name and day."""

    def __init__(self, days=8):
        self.days = {day(ago): {f"{name}{ago}": ago for name in "abc"} for ago in range(days)}

    def answer(self, path, query):
        first, last = query["from"][:10], query["to"][:10]
        rows = [{"id": name, "at": date + "T05:00:00Z", "n": n} for date, names in sorted(self.days.items()) if first <= date < last
                for name, n in names.items()]
        page = int(query.get("page", 1))
        return {"rows": rows[(page - 1) * 2:page * 2], "more": page * 2 < len(rows)}

    def rows(self):
        return sorted((name, n) for names in self.days.values() for name, n in names.items())

    def correct(self):
        """The newest three days are corrected: one row differs, one is gone, one is new."""
        for ago in range(3):
            self.days[day(ago)] = {f"a{ago}": 100 + ago, f"b{ago}": ago, f"new{ago}": 7}


def cursor(**changed):
    keys = {"field": '"at"', "param": '"from"', "until_param": '"to"', "last": '"2d"', "start": f'"{day(7)}"', **changed}
    return ('pages = { kind = "page", param = "page", start = 1, more = "more" }, cursor = { kind = "refetch", '
            + ", ".join(f"{key} = {value}" for key, value in keys.items()) + " }")


def live(database):
    return sorted(database.query("SELECT id, n FROM raw.rows WHERE NOT _sluice_deleted"))


@pytest.mark.parametrize("write_mode", ["append", "append_dedup"])
def test_the_newest_days_are_replaced(work, database, write_mode):
    figures = Figures()
    with Feed(figures.answer) as feed:
        configure(work, feed, database, cursor(), write_mode)
        work.run("run")
        assert live(database) == figures.rows()
        assert len({query["from"] for _, query in feed.requests}) == 8
        figures.correct()
        figures.days[day(5)] = {"too old": 1}
        feed.requests.clear()
        ended = work.run("run")
        assert sorted({query["from"][:10] for _, query in feed.requests}) == [day(1), day(0)], "of the end of today, two days back"
        assert "clock" not in ended.err, "the state may be at the end of today"
        expected = {name: n for name, n in figures.rows() if name not in ("too old", "new2")}
        expected.update({f"{name}5": 5 for name in "abc"}, a2=2, b2=2, c2=2)
        assert live(database) == sorted(expected.items())
        gone = database.one("SELECT count(*) FROM raw.rows WHERE _sluice_deleted")
        assert gone == (2 if write_mode == "append_dedup" else 0)
        figures.days[day(0)] = {}  # a partition of which nothing is left
        figures.days[day(1)]["c1"] = 1  # one that was gone
        work.run("run")
        assert not [name for name, _ in live(database) if name.endswith("0")] and ("c1", 1) in live(database)
        balance = "emitted = written + unchanged + deduplicated + rejected + discarded"
        assert database.one(f"SELECT bool_and({balance}) FROM _sluice.loads")


def test_rows_that_are_as_before_are_not_written(work, database):
    figures = Figures()
    with Feed(figures.answer) as feed:
        configure(work, feed, database, cursor(last='"30d"'), "append_dedup")
        work.run("run")
        before = database.query("SELECT id, xmin::text FROM raw.rows ORDER BY 1")
        work.run("run")
        assert database.query("SELECT id, xmin::text FROM raw.rows ORDER BY 1") == before
        figures.days[day(3)]["a3"] = 33
        work.run("run")
        after = database.query("SELECT id, xmin::text FROM raw.rows ORDER BY 1")
        assert [old[0] for old, new in zip(before, after) if old != new] == ["a3"]


@pytest.mark.parametrize("write_mode", ["append", "append_dedup"])
def test_killed_anywhere_each_day_is_there_once(work, database, write_mode):
    figures = Figures()
    seen = []

    def answer(path, query):
        seen.append(query)
        if hold and len(seen) == hold[0] + 1:
            held.append(True)
            wait_until(lambda: not hold)
        return figures.answer(path, query)
    hold, held = [], []
    with Feed(answer) as feed:
        configure(work, feed, database, cursor(last='"4d"'), write_mode, commit={"bytes": "4KiB", "seconds": 1})
        for at in (3, 9, 0, 2, 4, 7):
            if at == 0:
                work.run("run")  # the first sync, which was killed twice
                assert live(database) == figures.rows()
                for ago in range(4):
                    figures.days[day(ago)] = {f"x{ago}": 1, f"y{ago}": 2, f"z{ago}": 3, f"b{ago}": 4}
            hold[:], seen[:], held[:] = [at], [], []
            process = work.start("run")
            wait_until(lambda: held)
            process.kill()
            process.communicate()
            hold.clear()
            if at:
                names = [name for name, _ in live(database)] if database.one("SELECT to_regclass('raw.rows') IS NOT NULL") else []
                assert len(names) == len(set(names)), "a row is there twice"
        work.run("run")
        assert live(database) == figures.rows()


def test_records_without_a_day_or_of_another_are_not_taken(work, database):
    def answer(path, query):
        rows = [{"id": "in", "at": query["from"], "n": 1}, {"id": "behind", "at": query["to"], "n": 1}, {"id": "none", "n": 1}]
        return {"rows": rows, "more": False}
    with Feed(answer) as feed:
        configure(work, feed, database, cursor(start=f'"{day(0)}"'), "append")
        for _ in range(2):
            work.run("run")
            assert database.query("SELECT id FROM raw.rows") == [("in",)]
        assert set(database.query("SELECT reason FROM _sluice.rejects")) == {("missing_cursor",)}


def test_files_say_what_they_replace(work):
    figures = Figures()
    with Feed(figures.answer) as feed:
        configure(work, feed, None, cursor(), "append")
        work.run("run")
        figures.days[day(0)] = {}
        work.run("run")
        manifests = [json.loads((load / "manifest.json").read_text()) for load in staged_loads(work.folder / "staging", "rows", "p")]
        ranges = {span["from"]: span["to"] for span in manifests[-1]["replace_range"]}
        for manifest in manifests:
            assert manifest["cursor"] == "at" and manifest["replace_range"]
        assert ranges[f"{day(0)}T00:00:00Z"] == f"{day(-1)}T00:00:00Z"


def test_nothing_of_a_day_that_failed_is_replaced(work, database):
    figures = Figures()
    with Feed(figures.answer) as feed:
        configure(work, feed, database, cursor(), "append", once=True)
        work.run("run")
        before = live(database)
        figures.correct()
        feed.answer = lambda path, query: (400, {}) if query.get("page", "1") == "2" else figures.answer(path, query)
        work.run("run", code=4)
        assert live(database) == before
        feed.answer = figures.answer
        work.run("run")
        assert ("a0", 100) in live(database) and ("c0", 0) not in live(database)
