"""`sluice rejects` and `sluice schema`, and the same of the service: what a destination kept of a pipeline's past."""

import json

import pytest

from feed import CONNECTOR, Feed, configure
from test_serve import wait_until
from test_serve_api import Api, serving, token_of

SECRET = "sk_live_0123456789abcdef"
LONG = "total_amount_" + "x" * 60
GOOD = {"id": "a", "at": "2024-01-01T00:00:00Z", "n": 1}
WRONG = [{"id": "b", "at": "2024-01-01T00:00:00Z", "n": "many", "note": f"uses {SECRET}"}, {"at": "2024-01-01T00:00:00Z", "n": 3}]


def prepare(work, feed, database, **settings):
    configure(work, feed, database, "", config={"base_url": feed.url, "api_key": SECRET}, **settings)


def rejects(work, *words):
    return json.loads(work.run("rejects", "--json", *words).out)


@pytest.mark.parametrize("kind", ["postgres", "csv"])
def test_rejects_are_shown_the_newest_first(work, request, kind):
    database = request.getfixturevalue("database") if kind == "postgres" else None
    answer = []
    with Feed(lambda path, query: {"rows": answer}) as feed:
        prepare(work, feed, database)
        assert rejects(work) == [], "nothing was ever written"
        assert "nothing was rejected" in work.run("rejects").err
        answer[:] = [GOOD, WRONG[0]]
        work.run("run")
        answer[:] = [GOOD, WRONG[1]]
        work.run("run")
    newest, oldest = rejects(work)
    assert (newest["stream"], newest["field"], newest["reason"], newest["row_was_dropped"]) == ("rows", "id", "missing_primary_key", True)
    assert (oldest["stream"], oldest["field"], oldest["reason"], oldest["row_was_dropped"]) == ("rows", "n", "type_mismatch", False)
    assert newest["at"] > oldest["at"] and newest["load"] > oldest["load"]
    assert json.loads(newest["record"]) == WRONG[1]
    assert json.loads(oldest["record"]) == {**WRONG[0], "note": "uses ***"}
    assert "expected integer, got a string" in oldest["detail"]
    assert rejects(work, "--limit", "1") == [newest]
    assert rejects(work, "--stream", "rows") == [newest, oldest] and rejects(work, "--stream", "others") == []
    text = work.run("rejects").out
    assert f"{newest['at'][:19]}Z  rows.id  missing_primary_key, the row was dropped\n" in text
    assert f"{oldest['at'][:19]}Z  rows.n  type_mismatch, set to null\n    expected integer" in text
    assert SECRET not in text and '"n":"many"' in text


def test_what_a_source_sent_does_not_reach_the_terminal_as_it_is(work, database):
    with Feed(lambda path, query: {"rows": [GOOD, {"at": "2024-01-01T00:00:00Z", "n": 1, "\x1b[2J": "\x1b]0;owned\x07" + "x" * 5000}]}) as feed:
        prepare(work, feed, database)
        work.run("run")
    text = work.run("rejects").out
    assert "\x1b" not in text and "\x07" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_rejects_of_a_commit_that_was_never_made_do_not_count(work):
    with Feed(lambda path, query: {"rows": [GOOD, WRONG[0]]}) as feed:
        prepare(work, feed, None)
        work.run("run")
    (path,) = (work.folder / "staging" / ".sluice").glob("*/*/rejects/*.ndjson")
    (path.parent / "9999999999.ndjson").write_text(path.read_text())
    (path.parent / ".0000000001.ndjson.abc.tmp").write_text("{")
    assert len(rejects(work)) == 1
    path.write_text('{"stream": "rows"\n')
    broken = work.run("rejects", code=6)
    assert f"cannot read '{path}'" in broken.err


def test_how_tables_came_to_be(work, database):
    answer = [GOOD]
    with Feed(lambda path, query: {"rows": answer}) as feed:
        prepare(work, feed, database)
        assert json.loads(work.run("schema", "--json").out) == []
        assert "no table yet" in work.run("schema").err
        work.run("run")
        answer[:] = [{**GOOD, LONG: 1.5}]
        work.run("run")
        added, *first = json.loads(work.run("schema", "--json").out)
        assert {name: added[name] for name in ("stream", "table", "change", "column", "field")} == {
            "stream": "rows", "table": "raw.rows", "change": "add_column", "column": added["column"], "field": LONG}
        assert len(added["column"]) == 63 and added["column"].startswith(LONG[:50])
        assert [change.get("column") for change in reversed(first)][0] is None
        assert first[-1]["change"] == "create_table" and "field" not in first[-1]
        assert {change["column"]: change["type"] for change in first[:-1]} == {"id": "string", "at": "timestamp", "n": "integer"}
        assert json.loads(work.run("schema", "--json", "--limit", "1").out) == [added]
        assert json.loads(work.run("schema", "--json", "--stream", "others").out) == []
        head, newest, *_ = work.run("schema").out.splitlines()
        assert head.split() == ["at", "table", "change", "column", "type", "field"]
        assert newest.split()[1:] == ["raw.rows", "add_column", added["column"], added["type"], LONG[:62] + "\u2026"]
        prepare(work, feed, None)
        assert "keeps no history of its tables" in work.run("schema", code=2).err
        for words in (("--limit", "0"), ("--limit", "many"), ("--limit", "1000000000")):
            assert "--limit is a number from 1 to" in work.run("rejects", *words, code=2).err


def test_the_service_shows_them(work, database):
    (read, read_digest), (run, run_digest) = token_of(work), token_of(work)
    tokens = {"reader": {"sha256": read_digest}, "runner": {"sha256": run_digest, "scope": "run"}}
    connector = CONNECTOR % ("1", ", retry = { tries = 1 }", 'primary_key = "id",', "")
    with serving(work, database, lambda path, query: {"rows": [GOOD, *WRONG]}, token=run, connector=connector, tokens=tokens) as api:
        assert api.get("/api/v1/pipelines/p/rejects") == [] == api.get("/api/v1/pipelines/p/schema-changes")
        job = api.post("/api/v1/pipelines/p/jobs", {}, 202)["id"]
        wait_until(api.job_is(job, "succeeded"))
        found = api.get("/api/v1/pipelines/p/rejects")
        assert {each["reason"] for each in found} == {"type_mismatch", "missing_primary_key"}
        assert len(api.get("/api/v1/pipelines/p/rejects?limit=1&stream=rows")) == 1
        assert api.get("/api/v1/pipelines/p/rejects?stream=--help") == []
        assert len(api.get("/api/v1/pipelines/p/schema-changes")) == 5
        assert api.get("/api/v1/pipelines/p/schema-changes?stream=others") == []
        for path in ("rejects?limit=101", "rejects?limit=x", "schema-changes?limit=0"):
            assert "limit" in api.get(f"/api/v1/pipelines/p/{path}", 400)["detail"]
        api.get("/api/v1/pipelines/nobody/rejects", 404)
        reader = Api(api.service, read)
        assert reader.get("/api/v1/pipelines/p/rejects", 403)["class"] and len(reader.get("/api/v1/pipelines/p/schema-changes")) == 5
