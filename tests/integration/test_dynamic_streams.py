"""Streams that the source itself lists (dynamic): those that are wanted are made, and what the list says is never trusted."""

import json

import pytest
from conftest import API_KEY
from feed import Feed

CONNECTOR = """
return sluice.connector { name = "crm", version = "1",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}", retry = { tries = 2, wait = "5ms" } },
  check = { path = "/me" },
  streams = {
    objects = { path = "/objects", records = "objects", internal = true, primary_key = "name", fields = { name = "string" },
                pages = { kind = "page", param = "page", start = 1, more = "more" }, filter = { path = "hidden", exists = false } },
    cars = { path = "/declared", records = "rows", primary_key = "id", fields = { id = "integer" } },
  },
  dynamic = { from = "objects", %s stream = %s },
}
"""
STREAM = """{
  path = "/things/{{record.name}}", params = { q = "FROM {{record.name}} AS '{{record.label | upper}}'" }, records = "rows",
  primary_key = "{{record.key}}", fields = { ["{{record.key}}"] = "integer", kind = "string" }, add = { kind = "{{record.label}}" },
  explode = { ["{{record.name}}_parts"] = { path = "parts", copy = { of = "{{record.key}}" }, primary_key = { "of", "n" }, fields = { n = "integer" } } },
}"""
FUNCTION = """function(record, ctx)
  if record.label == "none" then return nil end
  return { path = "/things/" .. record.name, records = "rows", primary_key = record.key, fields = { [record.key] = "integer" } }
end"""
OBJECTS = [{"name": "boats", "label": "Boat", "key": "no"}, {"name": "cars", "label": "Car", "key": "id"}, {"name": "ships", "label": "Ship", "key": "id"}]


class Crm(Feed):
    """Lists `objects`, two a page; each has one record."""

    def __init__(self, objects=OBJECTS):
        self.objects, self.status = objects, 200
        super().__init__(self.serve)

    def serve(self, path, query):
        if path == "/objects":
            at = int(query["page"]) * 2 - 2
            return self.status, {"objects": self.objects[at:at + 2], "more": at + 2 < len(self.objects)}
        return {"rows": [{"no": 7, "id": 8, "parts": [{"n": 1}, {"n": 2}]}]}

    def paths(self):
        return [path for path, _ in self.requests]


@pytest.fixture
def crm():
    with Crm() as source:
        yield source


def configure(work, source, database, streams=None, stream=STREAM, keys="", **settings):
    work.configure(source, {"type": "postgres", "url": database.url, "schema": "raw"}, streams,
                   connector=work.write("crm.lua", CONNECTOR % (keys, stream)), name="crm", **settings)


def tables(database):
    return sorted(name for name, in database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'raw'"))


def test_all_or_those_that_are_named(work, database, crm):
    configure(work, crm, database, ["boats", "ships_parts"])
    work.run("run")
    assert tables(database) == ["boats", "ships_parts"]
    assert database.query("SELECT no, kind FROM raw.boats") == [(7, "Boat")]
    assert database.query("SELECT of, n FROM raw.ships_parts ORDER BY n") == [(8, 1), (8, 2)]
    assert ("/things/boats", {"q": "FROM boats AS 'BOAT'"}) in crm.requests and "/things/cars" not in crm.paths()
    crm.requests.clear()
    configure(work, crm, database)
    work.run("run")
    assert tables(database) == ["boats", "boats_parts", "cars", "ships", "ships_parts"]
    assert "/declared" in crm.paths() and "/things/cars" not in crm.paths()  # what is declared wins
    assert "/objects" not in crm.paths()  # the list serves for an hour


def test_nothing_is_listed_where_all_is_declared(work, database, crm):
    configure(work, crm, database, ["cars"])
    work.run("run")
    assert crm.paths() == ["/declared"]


def test_a_list_is_asked_for_anew_or_serves_when_the_source_is_down(work, database, crm):
    configure(work, crm, database, ["boats"])
    work.run("run")
    crm.objects = [*OBJECTS, {"name": "rafts", "label": "Raft", "key": "id"}]
    configure(work, crm, database)
    work.run("run")
    assert "rafts" not in tables(database)
    configure(work, crm, database, ["rafts"])
    work.run("run")  # it is named, and not in what was kept
    assert "rafts" in tables(database)
    crm.requests.clear()
    configure(work, crm, database, ["boats"])
    work.run("run")
    assert "/objects" not in crm.paths()
    work.run("run", "--refresh")
    assert "/objects" in crm.paths()
    crm.status = 503
    configure(work, crm, database, ["boats"], keys="cache = '1ms',")
    assert work.run("run", code=4)  # another declaration: nothing is kept for it
    crm.status = 200
    work.run("run")
    crm.status = 503
    assert "is that of an earlier run" in work.run("run").err


@pytest.mark.parametrize("words", [["run"], ["run", "--stream", "boat"], ["preview", "--stream", "boat"], ["discover"], ["check"]])
def test_a_name_that_is_not_there_is_named_with_the_nearest(work, database, crm, words):
    configure(work, crm, database, None if "--stream" in words else ["boat"])
    ended = work.run(*words, code=2)
    assert "no stream 'boat'" in ended.err and "did you mean 'boats'?" in ended.err


def test_a_list_that_cannot_be_had_leaves_what_is_declared(work, database, crm):
    text = CONNECTOR.replace("internal = true,", 'internal = true, errors = { { status = 403, action = "skip_stream" } },')
    crm.status = 403
    work.configure(crm, {"type": "postgres", "url": database.url, "schema": "raw"}, connector=work.write("crm.lua", text % ("", STREAM)), name="crm")
    assert "only the streams that are declared" in work.run("run").err
    assert tables(database) == ["cars"]


def test_a_function_gives_the_stream(work, database):
    with Crm([{"name": "none", "label": "none"}, *OBJECTS]) as crm:
        configure(work, crm, database, stream=FUNCTION)
        work.run("run")
        assert tables(database) == ["boats", "cars", "ships"]
        assert database.query("SELECT no FROM raw.boats") == [(7,)]


def test_discover_and_preview_know_them(work, database, crm):
    configure(work, crm, database)
    assert "boats" in work.run("discover").out
    assert "Ship" in work.run("preview", "--stream", "ships").out
    described = work.run("connector", "describe", "./crm.lua").out
    assert "and those that the source lists in objects" in described
    assert "And those that the source lists in `objects`" in work.run("connector", "docs", "./crm.lua").out


HOSTILE = [
    {"name": "{{config.api_key}}", "label": "a", "key": "id"}, {"name": "../../admin?x=1#", "label": "b", "key": "id"},
    {"name": "quote'\"both", "label": "c", "key": "id"}, {"name": "say\"hi", "label": "{{config.api_key}}", "key": "id"},
    {"name": "two words", "label": "d", "key": "id"}, {"name": 7, "label": "e", "key": "id"}, {"label": "f", "key": "id"},
    {"name": "nokey", "label": "g", "key": None}, {"name": "braces", "label": "h", "key": "{{config.api_key}}"}, {"name": "a" * 300, "label": "i", "key": "id"},
    {"name": "boats", "label": "Boat", "key": "id"}, {"name": "boats", "label": "Twice", "key": "id"}, "boats", ["boats"], None,
    {"name": "hidden", "label": "k", "key": "id", "hidden": True},
]


def test_what_a_list_says_is_data(work, database):
    """Names and labels are never templates, leave no path, and one that cannot be used leaves the others."""
    with Crm(HOSTILE) as crm:
        configure(work, crm, database)
        said = work.run("run").err
        assert API_KEY not in said and "no usable name" in said and "left out" in said
        asked = [path for path in crm.paths() if path.startswith("/things/")]
        assert sorted(asked) == ["/things/boats", "/things/say%22hi"]
        assert all(API_KEY not in json.dumps(entry) for entry in crm.requests)
        assert database.query("SELECT kind FROM raw.\"say\"\"hi\"") == [("{{config.api_key}}",)]


@pytest.mark.parametrize("count, code, said", [(1200, 2, "name those it is to load"), (10001, 5, "more than 10000 streams")])
def test_a_list_without_end(work, database, count, code, said):
    with Feed(lambda path, _: {"objects": [{"name": f"o{n}", "label": "x", "key": "id"} for n in range(count)], "more": False}) as crm:
        configure(work, crm, database)
        assert said in work.run("run", code=code).err
        if code == 2:
            configure(work, crm, database, ["o7"])
            assert work.run("discover").out.count("\n") == 2


MISTAKES = [
    ('from = "object"', "there is no stream 'object'", "did you mean 'objects'?"),
    ('from = "cars", cache = "x"', "dynamic.cache: expected a duration", ""),
    ('from = "objects", stream = { path = "/x", primary_ky = "id" }', "dynamic.stream: unknown key 'primary_ky'", "did you mean 'primary_key'?"),
    ('from = "objects", stream = { path = "/{{recrd.name}}" }', "unknown name 'recrd.name'", ""),
    ('from = "objects", stream = { path = "/x", records = "{{record.name | upper}}" }', "stands where no filter can", ""),
    ('from = "objects", stream = "x"', "dynamic.stream: expected a stream", ""),
    ('from = "objects"', "'stream' is missing", ""),
]


@pytest.mark.parametrize("keys, said, hint", MISTAKES)
def test_mistakes_are_named_without_the_source(work, keys, said, hint):
    text = CONNECTOR.replace("dynamic = { from = \"objects\", %s stream = %s },", "dynamic = { " + keys + (
        ", stream = { path = '/x' }" if "stream" not in keys and "objects\"" not in keys else "") + " },")
    ended = work.run("connector", "describe", work.write("crm.lua", text), code=2)
    assert said in ended.err and hint in ended.err
