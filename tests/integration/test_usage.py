"""`sluice usage`: what it says of a month is what a recount of everything that happened gives."""

import datetime
import json
import random

import pytest

from feed import Feed
from test_serve import target_of

CONNECTOR = """
return sluice.connector {
  name = "history", version = "1", http = { base = "{{config.base_url}}" }, config = { base_url = { type = "string", required = true } },
  streams = { rows = { path = "/rows", records = "rows", primary_key = "id", deleted = "gone",
    fields = { id = "integer", n = "integer", gone = "boolean" } } },
}
"""


def month_of(back):
    """The month that lies so many before this one."""
    today = datetime.datetime.now(datetime.timezone.utc)
    number = today.year * 12 + today.month - 1 - back
    return f"{number // 12:04}-{number % 12 + 1:02}"


def a_month_later(database):
    """All that happened was a month earlier."""
    for table, column in (("raw.rows", "_sluice_synced_at"), ("_sluice.loads", "at"), ("_sluice.usage", "month")):
        if database.one("SELECT to_regclass(%s)", table):
            database.query(f"UPDATE {table} SET {column} = {column} - interval '1 month'")


def usage(work, back=0):
    rows = json.loads(work.run("usage", "--month", month_of(back), "--json").out)
    assert {row["month"] for row in rows} <= {month_of(back)}
    return {row["table"]: (row["active_rows"], row["changes"]) for row in rows}


class History:
    """What a source has told, recounted in the simplest way."""

    def __init__(self):
        self.rows, self.months = {}, [(set(), 0)]

    def happened(self, rows):
        """One sync's: the last of each key counts."""
        active, changes = self.months[-1]
        for row in {row["id"]: row for row in rows}.values():
            if row != self.rows.get(row["id"]):
                active.add(row["id"])
                changes += 1
            self.rows[row["id"]] = row
        self.months[-1] = (active, changes)

    def counts(self, back):
        active, changes = self.months[len(self.months) - 1 - back]
        return len(active), changes


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_usage_equals_a_recount(work, database, seed):
    dice, history, answer = random.Random(seed), History(), []
    with Feed(lambda path, query: {"rows": answer}) as feed:
        path = work.write("history.lua", CONNECTOR)
        work.write("sluice.yaml", json.dumps({"destinations": {"target": target_of(database)}, "pipelines": {"p": {
            "connector": str(path), "destination": "target", "network": {"allow_private": True}, "config": {"base_url": feed.url},
            "streams": {"rows": {"sync_mode": "full_refresh", "write_mode": "append_dedup"}}}}}))
        assert usage(work) == {}, "nothing was ever written"
        for month in range(4):
            if month:
                a_month_later(database)
                history.months.append((set(), 0))
            for _ in range(dice.randrange(4)):
                answer[:] = [{"id": dice.randrange(60), "n": dice.randrange(3), "gone": dice.random() < 0.2} for _ in range(dice.randrange(80))]
                work.run("run")
                history.happened(answer)
            for back in range(len(history.months)):
                assert usage(work, back).get("raw.rows", (0, 0)) == history.counts(back), f"{back} months before {month}"
    text = work.run("usage").out
    assert "raw.rows" in text or history.counts(0) == (0, 0), text
    assert "is no month" in work.run("usage", "--month", "2026-13", code=2).err
    assert "is no month" in work.run("usage", "--month", "lately", code=2).err


def test_usage_of_other_modes(work, database):
    answer = [{"id": i, "n": i, "gone": False} for i in range(10)]
    with Feed(lambda path, query: {"rows": answer}) as feed:
        path = work.write("history.lua", CONNECTOR)

        def configure(mode, **more):
            work.write("sluice.yaml", json.dumps({
                "destinations": {"target": target_of(database), "files": {"type": "csv", "path": "./out"}},
                "pipelines": {mode: {"connector": str(path), "destination": "target", "network": {"allow_private": True}, "config": {"base_url": feed.url},
                                     "streams": {"rows": {"sync_mode": "full_refresh", "write_mode": mode, "table": mode}}, **more}}}))

        configure("append")
        work.run("run")
        work.run("run")
        configure("overwrite")
        work.run("run")
        del answer[7:]
        work.run("run")
        configure("append_dedup")
        work.run("run")
        assert usage(work) == {"raw.append": (20, 20), "raw.overwrite": (7, 17), "raw.append_dedup": (7, 7)}
        database.query("DROP TABLE raw.append")
        assert usage(work)["raw.append"] == (None, 20), "the rows are gone, and were not counted"
        configure("overwrite", destination="files")
        assert "does not count rows" in work.run("usage", "--verbose").err
