"""What is asked for beside a page: fields in several requests (`chunks`), and more of its records from elsewhere (`enrich`)."""

import pytest
from test_error_rules import CONNECTOR, Source

FIELDS = [f"f{n}" for n in range(7)]
CHUNKED = """contacts = { path = "/contacts", records = "results", primary_key = "id", stable = true, undeclared = "drop",
    params = { properties = "{{stream.fields}}" }, flatten = { fields = { "properties" }, prefix = false },
    chunks = { %s }, pages = { kind = "last_record", field = "id", param = "after", size = 4, size_param = "limit", stop = "short" },
    cursor = { field = "changed", param = "since", until_param = "until" },
    fields = { id = "string", changed = "timestamp", """ + ", ".join(f'{name} = "string"' for name in FIELDS) + "} },"
STAMP = "2024-01-02T03:04:05Z"


class Contacts(Source):
    """Contacts 01 to 10, with the properties that are asked for; `spoil(records, first, number)` may change an answer: `first`
    says whether it is one that paging goes by."""

    def __init__(self, spoil=None, status=lambda first, number: 200):
        self.spoil, self.status, self.gone, self.long = spoil or (lambda records, first, number: records), status, set(), {}
        super().__init__(self.serve)

    def serve(self, path, query, number):
        asked = query["properties"].split(",")
        behind = [n for n in range(1, 11) if f"{n:02}" > query.get("after", "") and n not in self.gone][:int(query["limit"])]
        records = [{"id": f"{n:02}", "archived": False, "properties": {
            name: STAMP if name == "changed" else f"{name} of {n}" + self.long.get(name, 0) * "x" for name in asked if name != "id"}} for n in behind]
        first = "f0" in asked
        if (answer := self.status(first, number)) != 200:
            return answer, b"<html>" if answer == 201 else {}, {}
        return 200, {"results": self.spoil(records, first, number)}, {}


def configure(work, source, database, declared, **settings):
    path = work.write("wide.lua", CONNECTOR % ('errors = { { status = 410, action = "ignore" } }', declared))
    work.configure(source, {"type": "postgres", "url": database.url, "schema": "raw"}, connector=path, name="wide",
                   commit={"bytes": "1KiB", "seconds": 1}, **settings)


def check_contacts(database, numbers=range(1, 11)):
    columns = ", ".join(FIELDS)
    found = database.query(f"SELECT id, {columns} FROM raw.contacts ORDER BY id")
    assert found == [(f"{n:02}", *(f"{name} of {n}" for name in FIELDS)) for n in numbers]


def asked(source):
    return [query["properties"] for _, query, _ in source.requests]


@pytest.mark.parametrize("limit", ["max_fields = 5", "max_chars = 100, max_fields = 5"])
def test_fields_of_several_requests_are_one_record(work, database, limit):
    """Only the first group says how it goes on: the others' records come in another order, with one too many."""
    def spoil(records, first, number):
        return records if first else [{"id": "00", "properties": {}}, *reversed(records)]
    with Contacts(spoil) as source:
        configure(work, source, database, CHUNKED % limit)
        work.run("run")
        check_contacts(database)
        groups = ["changed,id,f0,f1,f2", "changed,id,f3,f4,f5", "changed,id,f6"]
        assert asked(source) == 3 * groups
        assert [query.get("after") for _, query, _ in source.requests][::3] == [None, "04", "08"]


def test_few_fields_take_one_request(work, database):
    with Contacts() as source:
        configure(work, source, database, CHUNKED % "max_fields = 9")
        work.run("run")
        check_contacts(database)
        assert len(source.requests) == 3 and "max_fields" not in str(source.requests)
        work.run("run", "--full-refresh")
        configure(work, source, database, CHUNKED % "max_fields = 5", streams={"contacts": {"select": ["id", "f0", "f6"]}})
        source.requests.clear()
        work.run("run", "--full-refresh")
        assert set(asked(source)) == {"changed,id,f0,f6"}, "what is not wanted is not asked for"


@pytest.mark.parametrize("broken", [503, 201], ids=["unavailable", "no json"])
def test_a_later_group_that_fails_is_asked_for_again(work, database, broken):
    with Contacts(status=lambda first, number: broken if number in (2, 3, 7) else 200) as source:
        configure(work, source, database, CHUNKED % "max_fields = 5")
        work.run("run")
        check_contacts(database)
        assert len(source.requests) == 9 + 3


def test_a_group_that_never_comes_leaves_what_was_committed(work, database):
    """The page has not come, so nothing of it is loaded; the next run goes on there."""
    source = Contacts(status=lambda first, number: 503 if number >= 6 else 200)
    with source:
        configure(work, source, database, CHUNKED % "max_fields = 5")
        assert "503" in work.run("run", code=4).err
        source.status, before = (lambda first, number: 200), len(source.requests)
        work.run("run")
        check_contacts(database)
        assert [query.get("after") for _, query, _ in source.requests[before:]][::3] == ["04", "08"]


def test_a_record_that_a_later_group_lacks_is_read_again(work, database):
    """Gone while the page was read: when it is read again, no group has it."""
    def spoil(records, first, number):
        source.gone = {3}
        return records
    with Contacts(spoil) as source:
        configure(work, source, database, CHUNKED % "max_fields = 5")
        work.run("run")
        assert len(source.requests) == 2 + 3 * 3
        check_contacts(database, [n for n in range(1, 11) if n != 3])


def test_records_that_never_agree_are_an_error_not_a_loss(work, database):
    with Contacts(lambda records, first, number: records if first else records[1:]) as source:
        configure(work, source, database, CHUNKED % "max_fields = 5")
        ended = work.run("run", code=4)
        assert "not in the answer for its other fields" in ended.err and "change faster" in ended.err
        assert database.one("SELECT to_regclass('raw.contacts')") is None or database.one("SELECT count(*) FROM raw.contacts") == 0


def test_a_source_that_cuts_wide_answers_is_asked_for_less(work, database):
    """It gives two records at most where some fields are asked for, whatever the limit says."""
    with Contacts(lambda records, first, number: records if first else records[:2]) as source:
        configure(work, source, database, CHUNKED % "max_fields = 5")
        work.run("run")
        check_contacts(database)
        assert {query["limit"] for _, query, _ in source.requests} == {"4", "2"}


@pytest.mark.parametrize("sizes", [{"f1": 5 << 20}, {"f1": 5 << 19, "f4": 5 << 19}], ids=["an answer", "answers together"])
def test_a_page_that_becomes_too_large_is_asked_for_in_halves(work, database, sizes):
    with Contacts() as source:
        source.long, source.gone = sizes, set(range(5, 11))
        configure(work, source, database, CHUNKED % 'max_fields = 5 }, drop = { "f1", "f4"')
        work.run("run")
        assert database.query("SELECT id, f0, f6 FROM raw.contacts ORDER BY id") == [(f"{n:02}", f"f0 of {n}", f"f6 of {n}") for n in range(1, 5)]
        assert [query["limit"] for _, query, _ in source.requests if query["properties"].endswith("f6")][-2:] == ["2", "2"]


def test_a_window_whose_only_page_is_too_large_is_read_in_halves(work, database):
    def serve(path, query, number):
        days = [day for day in (1, 2) if query["since"] <= f"2024-01-0{day}T12:00:00Z" < query["until"]]
        return 200, {"rows": [{"id": day, "changed": f"2024-01-0{day}T12:00:00Z", "text": (9 << 20) * "x"} for day in days]}, {}
    with Source(serve) as source:
        configure(work, source, database, """days = { path = "/days", records = "rows", primary_key = "id", pages = { kind = "none" }, drop = { "text" },
            cursor = { field = "changed", param = "since", until_param = "until", start = "2024-01-01T00:00:00Z", step = "100mo", min_step = "1d", bounds = "[)" },
            fields = { id = "integer", changed = "timestamp" } },""")
        work.run("run")
        assert [row[0] for row in database.query("SELECT id FROM raw.days ORDER BY 1")] == [1, 2]
        assert len(source.requests) > 2


@pytest.mark.parametrize("record, said", [({"properties": {}}, "has no 'id'"), ("text", "is a string")])
def test_what_has_no_key_cannot_be_put_together(work, database, record, said):
    with Contacts(lambda records, first, number: [*records[:-1], record] if first else records) as source:
        configure(work, source, database, CHUNKED % "max_fields = 5")
        ended = work.run("run", code=5)
        assert said in ended.err and "chunks.key" in ended.err


# --- enrich ---------------------------------------------------------------------------------------------------------------

ORDERS = """orders = { path = "/orders", records = "rows", primary_key = "id", undeclared = "drop", %s
    pages = { kind = "page", param = "page", size = 5, size_param = "limit", stop = "short" },
    fields = { id = "integer", customer_id = "integer", customer = "json", lines = "json" } },"""
CUSTOMERS = """enrich = { path = "/customers", params = { ids = "{{batch.ids}}" }, batch = 2, by = "customer_id",
    records = "data", key = "id", value = "who", into = "customer" },"""
LINES = """enrich = { { path = "/orders/{{batch.ids}}/lines", records = "lines", value = "sku", many = true, into = "lines",
    filter = { path = "lines.more", equals = true }, pages = { kind = "cursor", next = "next", param = "after" } } },"""


class Orders(Source):
    """Orders 1 to 7 of customers 11, 12, 13 and none; every third has more lines than the list shows."""

    def __init__(self, other):
        self.other = other
        super().__init__(self.serve)

    def serve(self, path, query, number):
        if path != "/orders":
            return self.other(path, query, number)
        first = 5 * (int(query["page"]) - 1)
        return 200, {"rows": [{"id": n, "customer_id": [None, 11, 12, 13][n % 4], "lines": {"more": n % 3 == 0}}
                              for n in range(first + 1, min(first + 6, 8))]}, {}


def customers(path, query, number):
    """In another order, one that nobody asked for, and 13 is unknown."""
    ids = [int(one) for one in query["ids"].split(",") if one != "13"]
    return 200, {"data": [{"id": 99, "who": "nobody"}, *({"id": str(one), "who": {"name": f"c{one}"}} for one in reversed(ids))]}, {}


def orders(database, column):
    return dict(database.query(f"SELECT id, {column} FROM raw.orders"))


def test_a_second_endpoint_tells_more_of_each_record(work, database):
    with Orders(customers) as source:
        configure(work, source, database, ORDERS % CUSTOMERS)
        work.run("run")
        known = {11: {"name": "c11"}, 12: {"name": "c12"}}
        assert orders(database, "customer") == {n: known.get([None, 11, 12, 13][n % 4]) for n in range(1, 8)}
        # Each customer of a page once, two in a request.
        assert [query["ids"] for path, query, _ in source.requests if path == "/customers"] == ["11,12", "13", "12,13"]


def lines(path, query, number):
    n = int(path.split("/")[2])
    pages = [{"lines": [{"sku": f"{n}-a"}, {"sku": f"{n}-b"}], "next": "x"}, {"lines": [{"sku": f"{n}-c"}, {}]}]
    return 200, pages["after" in query], {}


def test_lists_of_many_pages_for_the_records_that_need_it(work, database):
    with Orders(lines) as source:
        configure(work, source, database, ORDERS % LINES)
        work.run("run")
        assert orders(database, "lines") == {
            n: [f"{n}-a", f"{n}-b", f"{n}-c"] if n % 3 == 0 else {"more": False} for n in range(1, 8)}
        assert source.count("/orders/3/lines") == 2 and source.count("/orders/1/lines") == 0


@pytest.mark.parametrize("broken", [(503, {}, {}), (200, b"<html>", {}), (200, b'{"lines": [{"sku"', {})], ids=["unavailable", "html", "cut"])
def test_a_second_endpoint_that_fails_once_or_for_ever(work, database, broken):
    source = Orders(lambda path, query, number: broken if number == 1 else lines(path, query, number))
    with source:
        configure(work, source, database, ORDERS % LINES)
        work.run("run")
        assert orders(database, "lines")[6] == ["6-a", "6-b", "6-c"]
        source.other = lambda path, query, number: broken
        assert "/orders/3/lines" in work.run("run", code=4).err
        assert orders(database, "lines")[6] == ["6-a", "6-b", "6-c"], "a page that is not whole was loaded"


def test_what_is_gone_there_is_ignored_by_a_rule(work, database):
    with Orders(lambda path, query, number: (410, {}, {}) if path == "/orders/3/lines" else lines(path, query, number)) as source:
        configure(work, source, database, ORDERS % LINES)
        work.run("run")
        assert orders(database, "lines")[3] == [] and len(orders(database, "lines")[6]) == 3


def test_a_refusal_there_fails_the_stream(work, database):
    with Orders(lambda path, query, number: (404, {"message": "no such thing"}, {})) as source:
        configure(work, source, database, ORDERS % CUSTOMERS)
        assert "no such thing" in work.run("run", code=4).err


def test_chunks_functions_and_several_endpoints_together(work, database):
    """What one endpoint gave is there for the next, and for `map`."""
    streams = """contacts = { path = "/contacts", records = "results", primary_key = "id", params = { properties = "{{stream.fields}}", limit = 20 },
      flatten = { fields = { "properties" }, prefix = false }, chunks = { max_fields = 4 }, undeclared = "drop",
      enrich = {
        { path = function(ctx) return "/owner/" .. ctx.batch.ids end, value = "owner.id", into = "owner_id" },
        { path = "/owners", params = { ids = "{{batch.ids}}" }, batch = 100, by = "owner_id", key = "no", value = "name", into = "owner" },
      },
      map = function(record) record.owner = "<" .. record.owner .. ">" return record end,
      fields = { id = "string", owner_id = "integer", owner = "string", """ + ", ".join(f'{name} = "string"' for name in FIELDS) + "} },"

    def serve(path, query, number):
        if path == "/contacts":
            return Contacts.serve(source, path, query, number)
        if path == "/owners":
            return 200, [{"no": int(one), "name": f"owner \"{one}\""} for one in query["ids"].split(",")], {}
        return 200, {"owner": {"id": 100 + int(path.rpartition("/")[2]) % 2}}, {}
    source = Contacts()
    source.answer = serve
    with source:
        configure(work, source, database, streams)
        work.run("run")
        check_contacts(database)
        assert database.query("SELECT DISTINCT owner_id, owner FROM raw.contacts ORDER BY 1") == [(100, '<owner "100">'), (101, '<owner "101">')]
        assert source.count("/owners") == 1
