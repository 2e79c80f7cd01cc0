"""Streams that are read in parts: for each value of lists, or each record of a parent stream."""

import collections
import threading

import pytest
from feed import Feed

CONNECTOR = """
return sluice.connector {
  name = "parts", version = "1.0.0", http = { base = "{{config.base_url}}", retry = { tries = 2, wait = "5ms" } %s },
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true },
             regions = { type = "string", default = "eu, us" } },
  streams = { %s } }
"""
LISTS = """
    orders = { path = "/{{slice.region}}/orders", params = { status = "{{slice.status}}" }, records = "rows",
      partitions = { { name = "region", values = "{{config.regions}}" }, { name = "status", values = { "open", "done" } } },
      primary_key = "id", fields = { id = "string", at = "timestamp", region = "string" }, add = { region = "{{slice.region}}" },
      %s },
"""
REPOS = """
    repos = { path = "/repos", records = "rows", primary_key = "id", fields = { id = "integer", name = "string", at = "timestamp" },
      pages = { kind = "page", param = "page", start = 1, size = 3, size_param = "size" }, %s },
"""
ISSUES = """
    %s = { path = "/repos/{{parent.name}}/%s", records = "rows", primary_key = { "repo_id", "id" },
      parent = { stream = "repos", copy = { repo_id = "id" }, %s },
      fields = { id = "integer", at = "timestamp" }, %s },
"""

BATCHED = """
    tags = { path = "/tags", params = { of = "{{parent.ids}}" }, records = "rows", primary_key = { "repo_id", "id" },
      parent = { stream = "repos", batch = %d }, fields = { repo_id = "integer", id = "integer" } },
"""


def issues(name="issues", parent="", keys=""):
    return ISSUES % (name, name, parent, keys)


def configure(work, feed, database, streams, http="", choices=None, write_mode=None, **settings):
    path = work.write("parts.lua", CONNECTOR % (http, streams))
    files = {"type": "csv", "path": str(work.folder / "staging"), "compression": "none"}
    target = {"type": "postgres", "url": database.url, "schema": "raw"} if database else files
    if choices:
        settings["streams"] = {name: {"write_mode": write_mode} if write_mode else {} for name in choices}
    work.configure(feed, target, name="p", connector=path, **settings)


def paths(feed):
    return collections.Counter(path for path, _ in feed.requests)


class Forge:
    """Repositories and what is in them; `repos` maps a name to its issues (id -> minute), in the order of the listing."""

    def __init__(self, count=7, each=2):
        self.repos = {f"r{i}": {j: 0 for j in range(each)} for i in range(count)}
        self.changed = collections.Counter()  # name -> minute
        self.gone = set()
        self.on_request = lambda path: None

    def at(self, minute):
        return f"2026-01-01T00:{minute:02}:00Z"

    def __call__(self, path, query):
        self.on_request(path)
        if path == "/repos":
            since = query.get("since", "")
            found = [{"id": int(name[1:]), "name": name, "at": self.at(self.changed[name])} for name in self.repos]
            found = [row for row in found if row["at"] >= since]
            page, size = int(query["page"]), int(query["size"])
            return {"rows": found[(page - 1) * size:page * size]}
        name = path.split("/")[2]
        if name in self.gone:
            return 404, {"error": "gone"}
        rows = [{"id": i, "at": self.at(minute)} for i, minute in self.repos[name].items()]
        return {"rows": [row for row in rows if row["at"] >= query.get("since", "")]}

    def expected(self):
        return sorted((int(name[1:]), i) for name, found in self.repos.items() for i in found)


def loaded(database, table="issues"):
    return [tuple(row) for row in database.query(f"SELECT repo_id, id FROM raw.{table} ORDER BY 1, 2")]


def state(database):
    return dict(database.query("SELECT slice, value FROM _sluice.partitions"))


def positions(database):
    return database.query("SELECT slice, value FROM _sluice.state WHERE kind = 'position'")


def test_lists_are_combined(work, database):
    def answer(path, query):
        region = path.split("/")[1]
        return {"rows": [{"id": f"{region}-{query['status']}", "at": "2026-01-01T00:00:00Z"}]}

    with Feed(answer) as feed:
        configure(work, feed, database, LISTS % "")
        work.run("run")
        assert database.query("SELECT id, region FROM raw.orders ORDER BY 1") == [
            ("eu-done", "eu"), ("eu-open", "eu"), ("us-done", "us"), ("us-open", "us")]
        assert len(feed.requests) == 4
        assert state(database) == {}  # nothing is left of a plan that is done


def test_a_list_grows_and_shrinks(work, database):
    """Each part has its own cursor: a new one begins at the beginning, and what is known of one that is left out goes."""
    keys = 'cursor = { field = "at", param = "since" }'

    def answer(path, query):
        region = path.split("/")[1]
        rows = [{"id": f"{region}{i}", "at": f"2026-01-01T00:0{i}:00Z"} for i in range(3)]
        return {"rows": [row for row in rows if query["status"] == "open" and row["at"] >= query.get("since", "")]}

    with Feed(answer) as feed:
        configure(work, feed, database, LISTS % keys)
        work.run("run")
        assert {name: value.endswith("Z") for name, value in state(database).items()} == {
            "eu,open": True, "eu,done": False, "us,open": True, "us,done": False}
        feed.requests.clear()
        configure(work, feed, database, LISTS % keys, config={"regions": "eu,asia"})
        work.run("run")
        since = {path.split("/")[1]: query.get("since") for path, query in feed.requests if query["status"] == "open"}
        assert since == {"eu": "2026-01-01T00:02:00Z", "asia": None}
        assert sorted(state(database)) == ["asia,done", "asia,open", "eu,done", "eu,open"]
        assert [row[0] for row in database.query("SELECT id FROM raw.orders ORDER BY 1")] == [
            f"{region}{i}" for region in ("asia", "eu", "us") for i in range(3)]


@pytest.mark.parametrize("mode", ["append", "append_dedup"])
def test_a_cursor_of_each_part(work, database, mode):
    """Where rows are appended, records of the newest moment are told apart in each part by itself."""
    forge = Forge(3)
    keys = 'cursor = { field = "at", param = "since" }'
    with Feed(forge) as feed:
        configure(work, feed, database, REPOS % "" + issues(keys=keys), choices=["issues"], write_mode=mode)
        work.run("run")
        forge.repos["r1"][10] = 0  # of the same minute as what is known
        forge.repos["r2"][11] = 5
        forge.repos["r9"] = {1: 3}
        feed.requests.clear()
        work.run("run")
        assert loaded(database) == forge.expected()
        assert [query.get("since") for path, query in feed.requests if path.startswith("/repos/r")].count(None) == 1


def test_children_share_a_listing(work, database):
    """Three children, one of them alone with its key; the parent is fetched once, and not loaded."""
    forge = Forge(20, 1)
    with Feed(forge) as feed:
        configure(work, feed, database, REPOS % "internal = true" + issues() + issues("pulls") + issues("tags"), concurrency=2)
        work.run("run")
        asked = paths(feed)
        assert asked["/repos"] == 8 and len(asked) == 61 and sum(asked.values()) == 68  # the last page is empty
        for table in ("issues", "pulls", "tags"):
            assert loaded(database, table) == forge.expected()
        assert database.query("SELECT to_regclass('raw.repos')") == [(None,)]
        assert state(database) == {} and positions(database) == []


def test_only_parents_that_changed(work, database):
    forge = Forge(9)
    cursor = 'cursor = { field = "at", param = "since" }'
    with Feed(forge) as feed:
        configure(work, feed, database, REPOS % (cursor + ", internal = true") + issues(parent="changed = true") +
                  issues("pulls", parent="changed = true"))
        work.run("run")
        feed.requests.clear()
        forge.at = lambda minute: f"2100-01-01T00:{minute:02}:00Z" if minute else "2026-01-01T00:00:00Z"
        forge.changed["r4"] = 1
        forge.repos["r4"][99] = 1
        work.run("run")
        asked = paths(feed)
        assert asked == {"/repos": 2, "/repos/r4/issues": 1, "/repos/r4/pulls": 1}
        assert loaded(database) == loaded(database, "pulls") == forge.expected()


def test_a_parent_that_is_gone(work, database):
    forge = Forge(5)
    forge.gone.add("r2")
    rule = 'errors = { { status = 404, action = "%s" } }'
    with Feed(forge) as feed:
        configure(work, feed, database, REPOS % "" + issues(keys=rule % "skip_slice"), choices=["issues"])
        ended = work.run("run")
        assert "skipping the rest of slice '2'" in ended.err
        assert loaded(database) == [row for row in forge.expected() if row[0] != 2]
        configure(work, feed, database, REPOS % "" + issues("rejected", keys=rule % "reject"), choices=["rejected"])
        work.run("run")
        assert database.query("SELECT reason FROM _sluice.rejects") == [("refused_by_source",)]
        configure(work, feed, database, REPOS % "" + issues("failing"), choices=["failing"])
        assert "404" in work.run("run", code=4).err


@pytest.mark.parametrize("target", ["postgres", "csv"])
@pytest.mark.parametrize("mode", ["append", "append_dedup", "overwrite"])
def test_killed_between_parents(work, database, mode, target):
    """Killed at chosen requests, again and again: every record is there, once, and parents that were done are not asked again."""
    from conftest import staged_loads, staged_rows
    forge = Forge(24, 3)
    state_now = {"process": None, "countdown": None}
    lock = threading.Lock()

    def on_request(path):
        with lock:
            if state_now["countdown"] is None or path == "/repos":
                return
            state_now["countdown"] -= 1
            if state_now["countdown"] == 0:
                state_now["process"].kill()

    forge.on_request = on_request
    with Feed(forge) as feed:
        configure(work, feed, database if target == "postgres" else None, REPOS % "" + issues(), choices=["issues"],
                  write_mode=mode, concurrency=3, commit={"bytes": "64KiB", "seconds": 0})
        for countdown in (1, 5, 9, 12):
            with lock:
                state_now["countdown"] = None
            process = work.start("run")
            with lock:
                state_now.update(process=process, countdown=countdown)
            process.communicate()
        with lock:
            state_now["countdown"] = None
        work.run("run")
        if target == "postgres":
            assert loaded(database) == forge.expected()
            assert state(database) == {} and positions(database) == []
        else:
            rows = [(int(row["repo_id"]), int(row["id"])) for load in staged_loads(work.folder / "staging", "issues", "p")
                    for row in staged_rows(load)]
            assert sorted(rows) == forge.expected()


MISTAKES = [
    (REPOS % "" + issues().replace('stream = "repos"', 'stream = "repo"'), "there is no stream 'repo'", "did you mean 'repos'?"),
    (REPOS % "" + issues().replace('stream = "repos"', 'stream = "issues"'), "not its own parent", ""),
    (REPOS % "" + issues() + issues("notes").replace('stream = "repos"', 'stream = "issues"'), "'issues' has a parent itself", ""),
    (REPOS % "" + issues().replace("repo_id = \"id\"", "id = \"id\""), "'id' is a field of the records themselves", ""),
    (REPOS % "" + issues().replace("repo_id = \"id\"", "repo_id = \"nr\""), "'nr' is not a declared field of the parent", ""),
    (REPOS % "" + issues(parent="changed = true"), "cannot be asked which of 'repos' changed", ""),
    (REPOS % "internal = true", "it is internal, but no stream's parent", ""),
    (REPOS % 'params = { of = "{{slice.x}}" }, partitions = { name = "x", values = { "a" } }' + issues(),
     "'repos' is not one listing: it has partitions or a job", ""),
    (REPOS % ('job = { create = { path = "/jobs" }, id = "id", poll = { path = "/jobs/{{job.id}}", state = "state", done = "done" } }') + issues(),
     "'repos' is not one listing", ""),
    (REPOS.replace('primary_key = "id",', "") % "" + issues(), "nothing tells the records of 'repos' apart", ""),
    (REPOS % "" + issues(keys='partitions = { name = "x", values = { "a" } }'), "partitions or a parent, not both", ""),
    (REPOS % 'params = { of = "{{parent.id}}" }', "'parent.id' does not exist here", ""),
    (REPOS % "" + BATCHED.replace("parent.ids", "parent.name") % 2, "'parent.name' is one parent's", "{{parent.ids}} names them all"),
    (REPOS % "" + issues(parent="batch = 2"), "'parent.id' is one parent's", ""),
    (LISTS.replace("{{slice.status}}", "{{slice.statsu}}") % "", "unknown name 'slice.statsu'", "did you mean 'slice.status'?"),
    (LISTS.replace('name = "status"', 'name = "region"') % "", "has a meaning already", ""),
    (LISTS % 'cursor = { field = "at", param = "since", until_param = "until", step = "1d", start = "2026-01-01" }', "in windows", ""),
    (LISTS % 'cursor = { kind = "refetch", field = "at", param = "since", last = "2d", start = "2026-01-01" }',
     "what is read again is a time for the whole stream", ""),
    (LISTS % 'job = { create = { path = "/jobs" }, id = "id", poll = { path = "/jobs/{{job.id}}", state = "state", done = "done" } }',
     "a job is one for the whole stream", ""),
]


@pytest.mark.parametrize("streams, message, hint", MISTAKES)
def test_mistakes_are_named(work, streams, message, hint):
    with Feed(lambda *_: {}) as feed:
        configure(work, feed, None, streams)
        ended = work.run("run", code=2)
        assert message in ended.err and hint in ended.err, ended
        assert feed.requests == []


def test_a_list_without_values(work):
    with Feed(lambda *_: {}) as feed:
        configure(work, feed, None, LISTS % "", config={"regions": " , "})
        assert "the list 'region' has no values" in work.run("run", code=2).err and feed.requests == []


@pytest.mark.parametrize("parent, message", [
    ({"name": "r1"}, "has no 'id', by which it is a parent"), ("r1", "a parent must be an object"),
    ({"id": "x" * 2000, "name": "r1"}, "has a key over 1000 bytes")])
def test_a_parent_that_cannot_be_one(work, parent, message):
    with Feed(lambda *_: {"rows": [parent]}) as feed:
        configure(work, feed, None, REPOS % "" + issues(), choices=["issues"])
        assert message in work.run("run", code=5).err


def test_a_parent_cannot_leave_the_path(work, database):
    """What a record says is a value, never a path, a query or a template."""
    def answer(path, query):
        return {"rows": [{"id": 1, "name": "../../a?b={{config.api_key}}"}] if query.get("page") == "1" else []}

    with Feed(answer) as feed:
        configure(work, feed, database, REPOS % "" + issues(), choices=["issues"])
        work.run("run")
        child = [path for path, _ in feed.requests if path != "/repos"]
        assert child == ["/repos/..%2F..%2Fa%3Fb%3D%7B%7Bconfig.api_key%7D%7D/issues"]


def test_parts_are_counted_in_the_state_and_the_plan(work, database):
    with Feed(Forge(7, 2)) as feed:
        configure(work, feed, database, REPOS % "" + issues(keys='cursor = { field = "at", param = "since" }'), choices=["issues"])
        assert "nothing is remembered" in work.run("plan").out
        work.run("run")
        assert ["issues", "partitions", "7"] in [[*line.split()[:3]] for line in work.run("state", "show").out.splitlines()]
        text = work.run("plan").out
        assert "state    of 7 parts" in text and "once for each record of repos" in text and "one for each of those" in text


@pytest.mark.parametrize("target", ["postgres", "csv"])
def test_several_parents_in_a_request(work, database, target):
    """The same rows as with one each; after a kill those that were done are not asked for again."""
    from conftest import staged_loads, staged_rows
    forge = Forge(14, 2)
    broken = {"5"}

    def answer(path, query):
        if path == "/repos":
            return forge(path, query)
        asked = query["of"].split(",")
        if broken & set(asked):
            return 400, {}
        return {"rows": [{"repo_id": int(i), "id": j} for i in asked for j in forge.repos[f"r{i}"]]}

    with Feed(answer) as feed:
        configure(work, feed, database if target == "postgres" else None, REPOS % "internal = true" + BATCHED % 2, write_mode="append",
                  choices=["tags"], concurrency=1)
        work.run("run", code=4)
        done = {i for path, query in feed.requests if path == "/tags" for i in query["of"].split(",")} - broken - {"3", "4"}
        assert done
        broken.clear()
        feed.requests.clear()
        work.run("run")
        again = [query["of"] for path, query in feed.requests if path == "/tags"]
        assert "5" in ",".join(again) and not {"0", "1"} & set(",".join(again).split(",")), again
        if target == "postgres":
            assert loaded(database, "tags") == forge.expected() and state(database) == {}
        else:
            rows = [(int(row["repo_id"]), int(row["id"])) for load in staged_loads(work.folder / "staging", "tags", "p")
                    for row in staged_rows(load)]
            assert sorted(rows) == forge.expected()


def test_functions_know_their_part(work, database):
    """Values by a function, and what a part is in `map`."""
    streams = """
      things = { path = function(ctx) return "/" .. ctx.slice.values.kind end, records = "rows", primary_key = "id",
        partitions = { name = "kind", values = function(ctx) return { "a", "b" } end }, fields = { id = "string" },
        map = function(record, ctx) return { id = ctx.slice.values.kind .. record.id } end },
    """ + REPOS % "internal = true" + issues(keys="map = function(record, ctx) record.id = record.id + ctx.parent.id * 100; return record end")
    forge = Forge(3)
    with Feed(lambda path, query: forge(path, query) if path.startswith("/repos") else {"rows": [{"id": "1"}]}) as feed:
        configure(work, feed, database, streams)
        work.run("run")
        assert database.query("SELECT id FROM raw.things ORDER BY 1") == [("a1",), ("b1",)]
        assert loaded(database) == sorted((repo, repo * 100 + i) for repo, i in forge.expected())


def test_the_same_parent_twice(work, database):
    """A listing that shifts gives a parent twice, far apart; where rows are appended it must be read once."""
    forge = Forge(12, 1)
    def answer(path, query):
        given = forge(path, query)
        if path == "/repos" and given["rows"]:
            given["rows"].append({"id": 0, "name": "r0", "at": forge.at(0)})
        return given

    with Feed(answer) as feed:
        for target in (database, None):
            configure(work, feed, target, REPOS % "" + issues(), choices=["issues"], write_mode="append", concurrency=1)
            feed.requests.clear()
            work.run("run")
            assert max(count for path, count in paths(feed).items() if path != "/repos") == 1
        assert loaded(database) == forge.expected()


def test_a_parent_that_is_gone_between_two_runs(work, database):
    """What an interrupted run held of it is dropped, and nothing of it is left."""
    forge = Forge(4, 2)
    stop = {"at": "r1"}

    def answer(path, query):
        if stop["at"] and path == f"/repos/{stop['at']}/issues" and query.get("page") == "3":
            return 400, {}
        if path != "/repos" and "page" in query:
            page = int(query["page"])
            return {"rows": [{"id": page * 1000 + i} for i in range(2000)] if page < 4 else []}
        return forge(path, query)

    pages = 'pages = { kind = "page", param = "page", start = 1, size = 2000, stop = "empty" }'
    with Feed(answer) as feed:
        configure(work, feed, database, REPOS % "" + issues(keys=pages), choices=["issues"], concurrency=1, write_mode="append",
                  commit={"bytes": "16KiB", "seconds": 1})
        work.run("run", code=4)
        del forge.repos["r1"]
        stop["at"] = None
        work.run("run")
        assert database.query("SELECT DISTINCT repo_id FROM raw.issues ORDER BY 1") == [(0,), (2,), (3,)]
        assert database.query("SELECT count(*), count(DISTINCT (repo_id, id)) FROM raw.issues WHERE repo_id = 2")[0][0] == 6000
        assert positions(database) == [] and state(database) == {}


def test_what_is_shown_of_parents(work, database):
    forge = Forge(3)
    with Feed(forge) as feed:
        configure(work, feed, database, REPOS % "internal = true" + issues())
        shown = work.run("discover").out
        assert "issues" in shown and "repos" in shown.split("issues", 1)[1]
        preview = work.run("preview", "--stream", "issues", "--json").out
        assert preview.count("\n") == 2 and '"repo_id":0' in preview
        assert paths(feed) == {"/repos": 1, "/repos/r0/issues": 1}
        configure(work, feed, database, REPOS % "internal = true" + issues(), choices=["repos", "issues"])
        assert "stream 'repos' is internal" in work.run("run", code=2).err
