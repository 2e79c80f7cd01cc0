"""Fields that the source itself lists (fields_from): asked for once, kept, and never trusted."""

import json

import pytest
from emulator import Emulator
from test_error_rules import Source

CONNECTOR = """
return sluice.connector { name = "crm", version = "%(version)s",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}", retry = { tries = 2, wait = "5ms" } },
  streams = { contacts = {
    path = "/objects/{{stream.name}}", params = { properties = "{{stream.fields}}" }, records = "results", primary_key = "id",
    undeclared = "drop", fields = { id = "integer", email = "string" }, flatten = { fields = { "properties" }, prefix = false },
    fields_from = { path = "/properties/{{stream.name}}", records = "results", name = "name", type = "type", %(keys)s
      types = { string = "string", number = "decimal", datetime = "timestamp", bool = "boolean",
                epoch = { type = "timestamp", format = "epoch_ms" } }, skip = { "blob" } } } } }
"""
LISTED = [("email", "string"), ("age", "number"), ("born", "datetime"), ("seen", "epoch"), ("photo", "blob"), ("mood", "enumeration")]
VALUES = {"email": "a@b.c", "age": "1.50", "born": "2024-01-02T03:04:05Z", "seen": 1704164645000, "photo": "AA==", "mood": "good"}


class Crm(Source):
    """Lists `fields`, and gives of one record what is asked for."""

    def __init__(self, fields=LISTED):
        self.fields, self.status = fields, 200
        super().__init__(self.serve)

    def serve(self, path, query, number):
        if path == "/properties/contacts":
            return self.status, {"results": [{"name": name, "type": kind} for name, kind in self.fields]}, {}
        asked = {name: VALUES.get(name) for name in query.get("properties", "").split(",")}
        return 200, {"results": [{"id": 1, "properties": asked}]}, {}


@pytest.fixture
def crm():
    with Crm() as source:
        yield source


def configure(work, source, database, keys="", version="1", **settings):
    path = work.write("crm.lua", CONNECTOR % {"keys": keys, "version": version})
    work.configure(source, {"type": "postgres", "url": database.url, "schema": "raw"}, connector=path, name="crm", **settings)


def columns(database):
    return dict(database.query("SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'raw' AND "
                               "table_name = 'contacts' AND column_name NOT LIKE '\\_sluice%'"))


def asked(source):
    return [query["properties"] for path, query, _ in source.requests if path == "/objects/contacts"][-1]


def test_fields_are_those_the_source_lists(work, database, crm):
    configure(work, crm, database)
    work.run("run")
    assert columns(database) == {"id": "bigint", "email": "text", "age": "numeric", "born": "timestamp with time zone",
                                 "seen": "timestamp with time zone", "mood": "text"}
    assert database.query("SELECT age::text, seen = '2024-01-02 03:04:05+00', mood FROM raw.contacts") == [("1.50", True, "good")]
    assert asked(crm) == "email,age,born,mood,seen"  # declared ones first, the others sorted; `id` is none the source lists


def test_an_answer_is_kept(work, database, crm):
    configure(work, crm, database)
    work.run("discover")
    work.run("run")
    assert crm.count("/properties/contacts") == 1
    work.run("run", "--refresh")
    assert crm.count("/properties/contacts") == 2
    configure(work, crm, database, version="2")
    work.run("run")
    assert crm.count("/properties/contacts") == 3
    configure(work, crm, database, 'cache = "0s",')
    work.run("run")
    work.run("run")
    assert crm.count("/properties/contacts") == 5


def test_a_source_that_is_down_leaves_the_fields_of_an_earlier_run(work, database, crm):
    configure(work, crm, database, 'cache = "1ms",')
    work.run("run")
    crm.status = 503
    ended = work.run("run")
    assert "those of an earlier run" in ended.err, ended
    assert database.query("SELECT mood FROM raw.contacts") == [("good",)]
    crm.status = 403  # no outage
    work.run("run", code=3)


def test_fields_come_and_go(work, database, crm):
    configure(work, crm, database, 'cache = "0s",')
    work.run("run")
    crm.fields = [("email", "string"), ("fresh", "number")]
    work.run("run")
    assert {"mood", "fresh"} <= set(columns(database)) and asked(crm) == "email,fresh"


def test_hostile_names(work, database, crm):
    names = ['"; DROP TABLE x; --', "{{config.api_key}}", "$$", "ümlaut", "a.b", "{{", "plain"]
    unusable = ["", "_sluice_id", "two,names", "new\nline", "x" * 2000]
    crm.fields = [(name, "{{config.api_key}}") for name in names + unusable + names]
    configure(work, crm, database, config={"base_url": crm.url, "api_key": "s3cret-key"})
    ended = work.run("run")
    assert set(columns(database)) == {"id", "email", *names} and "5 fields" in ended.err, ended
    assert asked(crm) == ",".join(sorted(names, key=str.encode))
    assert "s3cret" not in ended.err + json.dumps([query for _, query, _ in crm.requests])


@pytest.mark.parametrize("fields, message", [
    ([(f"f{i}", "string") for i in range(10_001)], "more than 10000 fields"),
    ([], "lists no fields"),
])
def test_lists_that_are_none(work, database, crm, fields, message):
    crm.fields = fields
    configure(work, crm, database)
    assert message in work.run("discover", code=5).err


def test_only_what_is_selected_is_asked(work, database, crm):
    configure(work, crm, database, streams={"contacts": {"select": ["age"]}})
    work.run("run")
    assert asked(crm) == "age" and set(columns(database)) == {"id", "age"}


HUBSPOT = """
return sluice.connector { name = "hub", version = "1",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}", auth = { kind = "bearer", token = "{{config.api_key}}" } },
  streams = { deals = {
    path = "/crm/v3/objects/{{stream.name}}", params = { properties = "{{stream.fields}}" }, records = "results", primary_key = "id",
    pages = { kind = "cursor", param = "after", next = "paging.next.after", size = 100, size_param = "limit" },
    undeclared = "drop", fields = { id = "integer" }, flatten = { fields = { "properties" }, prefix = false },
    fields_from = { path = "/crm/v3/properties/{{stream.name}}", records = "results",
      types = { string = "string", number = "decimal", datetime = "timestamp", bool = "boolean", date = "date" } } } } }
"""


def test_the_properties_of_hubspot(work, database):
    with Emulator("hubspot", now="2026-01-15T00:00:00Z", deals=250, extra_properties=300) as hubspot:
        path = work.write("hub.lua", HUBSPOT)
        work.configure(hubspot, {"type": "postgres", "url": database.url, "schema": "raw"}, connector=path, name="hub",
                       config={"api_key": hubspot.secrets()[0]})
        work.run("run")
        expected = hubspot.oracle("deals")["rows"]
        names = sorted(expected[0]["properties"])
        found = database.query("SELECT id::text, custom_299, amount::numeric::text, hs_object_id::text FROM raw.deals ORDER BY id")
        assert len(found) == len(expected) == 250 and len(names) > 300
        for row, want in zip(found, sorted(expected, key=lambda row: int(row["id"])), strict=True):
            got = want["properties"]
            assert row[0] == want["id"] and row[1] == got["custom_299"] and row[3] == got["hs_object_id"]
            assert (row[2] and float(row[2])) == (got["amount"] and float(got["amount"]))
        assert len(hubspot.requests("/properties/deals")) == 1 and not hubspot.violations()
