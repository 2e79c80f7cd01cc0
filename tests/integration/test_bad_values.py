"""Bad input in the records: the sync goes through, and what becomes of each value is a policy: it arrives exactly, or repaired, or as
null with its original in the rejects, or the record is rejected with its reason. Both destinations, and the books of both."""

import datetime
import http.server
import json
import re
import threading
import urllib.parse
import uuid

import pytest

from bad import connector, csv_target, one_line
from conftest import Workspace, staged_loads, staged_rows, table_equals_oracle
from shop import API_KEY

CONNECTOR = """
return sluice.connector {
  name = "odd", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}", auth = { kind = "bearer", token = "{{config.api_key}}" }, retry = { tries = 2, wait = "1ms" } },
  streams = { %(streams)s },
}
"""
STREAM = """%(name)s = { path = "/%(name)s", records = "rows", primary_key = "id", %(stream)s
    pages = { kind = "page", param = "page", start = 0, more = "more" },
    fields = { id = "string", %(fields)s } },"""
REPAIR = "\ufffd"
COUNTS = ("emitted", "written", "deduplicated", "rejected", "discarded", "repaired", "nulled", "overflowed")


class Pages:
    """An API that sends these records, which are bytes, page by page; {stream: pages}."""

    def __init__(self, streams):
        self.queries = []
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                query, pages = dict(urllib.parse.parse_qsl(url.query)), streams[url.path[1:]]
                source.queries.append((self.path, dict(self.headers)))
                page = int(query.get("page", 0))
                more = b"true" if page + 1 < len(pages) else b"false"
                body = b'{"rows":[%s],"more":%s}' % (b",".join(pages[page]), more)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Arrived:
    """What one sync left at a destination: rows of text (None: null), counts and rejects (field, reason, dropped, record)."""

    def __init__(self, rows, counts, rejects):
        self.rows, self.counts, self.rejects = rows, counts, rejects

    def by_id(self):
        return {row["id"]: row for row in self.rows}


def arrived_in_postgres(database, table="raw.things"):
    cursor = database.connection.cursor()
    cursor.execute("SET timezone = 'UTC'")
    if database.one("SELECT to_regclass(%s) IS NULL", table):
        rows = []
    else:
        names = [name for name in database.columns(*table.split(".")) if name not in
                 ("_sluice_synced_at", "_sluice_deleted", "_sluice_load_id")]
        quoted = ", ".join('"%s"::text' % name.replace('"', '""') for name in names)
        rows = [dict(zip(names, row)) for row in database.query(f"SELECT {quoted} FROM {table} ORDER BY id")]
    counts = dict(zip(COUNTS, database.query("SELECT " + ", ".join(f"coalesce(sum({name}), 0)::int" for name in COUNTS)
                                             + " FROM _sluice.loads")[0]))
    rejects = database.query("SELECT coalesce(field, ''), reason, dropped, convert_from(record, 'UTF8') FROM _sluice.rejects ORDER BY at")
    assert database.query("SELECT * FROM _sluice.loads "
                          "WHERE emitted <> written + unchanged + deduplicated + rejected + discarded") == []
    return Arrived(rows, counts, rejects)


def arrived_in_csv(folder, stream="things"):
    rows = []
    for load in staged_loads(folder, stream, "odd"):
        rows += [{name: text for name, text in row.items() if not name.startswith("_sluice_") or name == "_sluice_overflow"}
                 for row in staged_rows(load)]
    ledger = folder / ".sluice" / "odd"
    counts = dict.fromkeys(COUNTS, 0)
    for path in ledger.glob("*/commits/*"):
        text = path.read_text()
        for name in COUNTS:
            counts[name] += sum(map(int, re.findall(rf'"{name}":\s*(\d+)', text)))
    lines = [json.loads(line) for path in sorted(ledger.glob("*/rejects/*")) for line in path.read_text().splitlines()]
    return Arrived(rows, counts, [(line["field"] or "", line["reason"], line["row_was_dropped"], line["record"]) for line in lines])


def sync(work, database, pages, fields="", stream="", runs=1, **settings):
    """The same records into both; (postgres, csv)."""
    run_both(work, database, {"things": pages}, STREAM % {"name": "things", "fields": fields, "stream": stream}, runs, **settings)
    return arrived_in_postgres(database), arrived_in_csv(work.folder / "staging")


def run_both(work, database, pages, described, runs=1, **settings):
    work.write("odd.lua", CONNECTOR % {"streams": described})
    with Pages(pages) as source:
        for target in ({"type": "postgres", "url": database.url, "schema": "raw"}, {**csv_target(work), "null": "backslash_n"}):
            work.configure(source, target, connector="./odd.lua", name="odd", **settings)
            for _ in range(runs):
                work.run("run")
        work.queries = source.queries


def same_books(postgres, csv, **expected):
    """Both destinations count the same, and reject the same."""
    expected = {"deduplicated": 0, "rejected": 0, "discarded": 0, "repaired": 0, "nulled": 0, "overflowed": 0, **expected}
    for arrived in (postgres, csv):
        assert {name: arrived.counts[name] for name in expected} == expected
        assert arrived.counts["emitted"] == arrived.counts["written"] + expected["deduplicated"] + expected["rejected"] + \
            expected["discarded"]
    assert sorted(reject for reject in postgres.rejects) == sorted(reject for reject in csv.rejects)


# item -> (type; None: undeclared, the value as the source spells it, in PostgreSQL, in CSV (None: the same), counts)
EXACT, REPAIRED, NULLED = {}, {"repaired": 1}, {"nulled": 1}
BIG = "12345678901234567890123456789012345678"
TINY = "0.00000000000000000000000000000000000001"
VALUES = {
    "invalid UTF-8": ("string", b'"a\xffb"', f"a{REPAIR}b", None, REPAIRED),
    "invalid UTF-8, cut character": ("string", b'"a\xe2\x82"', f"a{REPAIR}{REPAIR}", None, {"repaired": 2}),
    "invalid UTF-8, overlong": ("string", b'"\xc0\xaf"', f"{REPAIR}{REPAIR}", None, {"repaired": 2}),
    "invalid UTF-8, nested": ("json", b'{"k":"a\xc3("}', f'{{"k": "a{REPAIR}("}}', f'{{"k":"a{REPAIR}("}}', REPAIRED),
    "invalid UTF-8, undeclared": (None, b'"a\xff"', f"a{REPAIR}", None, REPAIRED),
    "lone surrogate, high": ("string", rb'"a\ud800b"', f"a{REPAIR}b", None, REPAIRED),
    "lone surrogate, low": ("string", rb'"\udc00"', REPAIR, None, REPAIRED),
    "lone surrogates, swapped": ("string", rb'"\udc00\ud800"', REPAIR * 2, None, {"repaired": 2}),
    "lone surrogate, as bytes": ("string", b'"\xed\xa0\x80"', REPAIR * 3, None, {"repaired": 3}),
    "lone surrogate, nested": ("json", rb'["\ud83d"]', f'["{REPAIR}"]', None, REPAIRED),
    "surrogate pair": ("string", rb'"\ud83d\ude00"', "\U0001f600", None, EXACT),
    "NUL": ("string", rb'"a\u0000b"', f"a{REPAIR}b", None, REPAIRED),
    "NUL, raw": ("string", b'"a\x00b"', f"a{REPAIR}b", None, REPAIRED),
    "NUL, nested": ("json", rb'{"k":"\u0000"}', f'{{"k": "{REPAIR}"}}', f'{{"k":"{REPAIR}"}}', REPAIRED),
    "NUL, in a nested key": ("json", rb'{"\u0000":1}', f'{{"{REPAIR}": 1}}', f'{{"{REPAIR}":1}}', REPAIRED),
    "2^63 - 1": ("integer", b"9223372036854775807", "9223372036854775807", None, EXACT),
    "-2^63": ("integer", b"-9223372036854775808", "-9223372036854775808", None, EXACT),
    "2^63": ("integer", b"9223372036854775808", None, None, NULLED),
    "2^63 as text": ("integer", b'"9223372036854775808"', None, None, NULLED),
    "2^63, undeclared": (None, b"9223372036854775808", "9223372036854775808", None, EXACT),
    "2^53 + 1": ("integer", b"9007199254740993", "9007199254740993", None, EXACT),
    "2^53 + 1, nested": ("json", b'{"n":9007199254740993}', '{"n": 9007199254740993}', '{"n":9007199254740993}', EXACT),
    "2^64 in a decimal": ("decimal", b"18446744073709551616", "18446744073709551616", None, EXACT),
    "38 digits": ("decimal", BIG.encode(), BIG, None, EXACT),
    "38 digits as text": ("decimal", b'"%s"' % BIG.encode(), BIG, None, EXACT),
    "38 digits behind the point": ("decimal", TINY.encode(), TINY, None, EXACT),
    "38 digits, undeclared": (None, BIG.encode(), BIG, None, EXACT),
    "38 digits, nested": ("json", b"[%s]" % BIG.encode(), f"[{BIG}]", None, EXACT),
    "trailing zeroes": ("decimal", b"10.00", "10.00", None, EXACT),
    "1e400 in a decimal": ("decimal", b"1e400", "1" + "0" * 400, None, EXACT),
    "1e400 in a float": ("float", b"1e400", None, None, NULLED),
    "1e400 in an integer": ("integer", b"1e400", None, None, NULLED),
    "1e400, undeclared": (None, b"1e400", "1" + "0" * 400, None, EXACT),
    "1e400, nested": ("json", b"[1e400]", "[1" + "0" * 400 + "]", "[1e400]", EXACT),
    "1e-400 in a float": ("float", b"1e-400", "0", None, EXACT),
    "1e200000 in a decimal": ("decimal", b"1e200000", None, None, NULLED),
    "1e200000, nested": ("json", b"[1e200000]", '["1e200000"]', None, REPAIRED),
    "-0 in an integer": ("integer", b"-0", "0", None, EXACT),
    "-0 in a decimal": ("decimal", b"-0", "0", "-0", EXACT),
    "-0 in a float": ("float", b"-0", "-0", None, EXACT),
    "-0.0 in a float": ("float", b"-0.0", "-0", None, EXACT),
    "NaN as text": ("float", b'"NaN"', None, None, NULLED),
    "infinity as text": ("decimal", b'"Infinity"', None, None, NULLED),
    "duplicate keys": ("string", b'"first","v":"second"', "second", None, EXACT),
    "duplicate keys, the first one bad": ("integer", b'"bad","v":2', "2", None, EXACT),
    "duplicate keys, the last one bad": ("integer", b'1,"v":"bad"', None, None, NULLED),
    "duplicate keys, nested": ("json", b'{"a":1,"a":2}', '{"a": 2}', '{"a":1,"a":2}', EXACT),
    "type change to text": ("integer", b'"soon"', None, None, NULLED),
    "type change to an object": ("timestamp", b'{"at":1}', None, None, NULLED),
    "type change to a list": ("boolean", b"[true]", None, None, NULLED),
    "type change of a text": ("string", b'{"a":[1]}', '{"a":[1]}', None, EXACT),
    "a secret's template": ("string", b'"{{config.api_key}}"', "{{config.api_key}}", None, EXACT),
    "a secret's template, nested": ("json", b'["{{config.api_key}}","${SHOP_API_KEY}"]', '["{{config.api_key}}", "${SHOP_API_KEY}"]',
                                    '["{{config.api_key}}","${SHOP_API_KEY}"]', EXACT),
    "SQL": ("string", b"\"'); DROP TABLE raw.things; --\"", "'); DROP TABLE raw.things; --", None, EXACT),
    "what COPY escapes": ("string", rb'"\\N \\. \t \n \r \" , \\"', '\\N \\. \t \n \r " , \\', None, EXACT),
    "empty text": ("string", b'""', "", None, EXACT),
    "empty text in a number": ("integer", b'""', None, None, EXACT),
}


def stream_of(declared):
    return f"of_{declared or 'nothing'}"


def field_of(item):
    """Undeclared fields have the type of their first value, so each item has one of its own."""
    return "v" if VALUES[item][0] else f"v{list(VALUES).index(item)}"


@pytest.fixture(scope="module")
def values(postgres, tmp_path_factory):
    """One sync with a record for each of VALUES, in a stream for each type."""
    work, database = Workspace(tmp_path_factory.mktemp("values")), postgres.create_database("t" + uuid.uuid4().hex[:12])
    pages, streams = {}, ""
    for declared in {declared for declared, *_ in VALUES.values()}:
        items = [item for item in VALUES if VALUES[item][0] == declared]
        pages[stream_of(declared)] = [[b'{"id":%s,"%s":%s}' % (json.dumps(item).encode(), field_of(item).encode(), VALUES[item][1])
                                       for item in items]]
        streams += STREAM % {"name": stream_of(declared), "stream": "", "fields": f'v = "{declared}"' if declared else ""}
    run_both(work, database, pages, streams)
    return {name: (arrived_in_postgres(database, f"raw.{name}"), arrived_in_csv(work.folder / "staging", name)) for name in pages}


@pytest.mark.xdist_group("values")
@pytest.mark.parametrize("item", VALUES)
def test_value(values, item):
    declared, raw, in_postgres, in_csv, counts = VALUES[item]
    postgres, csv = values[stream_of(declared)]
    expected = in_csv if in_csv is not None else in_postgres
    assert postgres.by_id()[item][field_of(item)] == in_postgres
    assert csv.by_id()[item][field_of(item)] == ("\\N" if expected is None else expected)
    for arrived in (postgres, csv):
        rejects = [reject for reject in arrived.rejects if json.loads(reject[3])["id"] == item]
        assert len(rejects) == counts.get("nulled", 0)
        for field, reason, dropped, record in rejects:
            assert (field, reason, dropped) == (field_of(item), "type_mismatch", False)
            original = record[record.index(f'"{field}":'):]  # a number that jsonb cannot hold is quoted
            assert original in (f'"{field}":{raw.decode()}}}', f'"{field}":"{raw.decode()}"}}'), "the original is not kept"


@pytest.mark.xdist_group("values")
def test_value_counts(values):
    same_books(*next(iter(values.values())), emitted=len(VALUES), written=len(VALUES),
               **{name: sum(counts.get(name, 0) for *_, counts in VALUES.values()) for name in ("repaired", "nulled")})


# item -> (text, in PostgreSQL, in CSV); None: null, and the original in the rejects
TIMES = {
    "year 0001": ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00+00", "0001-01-01 00:00:00.000000+00:00"),
    "before year 0001 in UTC": ("0001-01-01T00:00:00+01:00", None, None),
    "year 9999": ("9999-12-31T23:59:59.999999Z", "9999-12-31 23:59:59.999999+00", "9999-12-31 23:59:59.999999+00:00"),
    "after year 9999 in UTC": ("9999-12-31T23:59:59-01:00", None, None),
    "year 10000": ("10000-01-01T00:00:00Z", None, None),
    "year 0000": ("0000-12-31T00:00:00Z", None, None),
    "BC, signed": ("-0044-03-15T00:00:00Z", None, None),
    "BC, in letters": ("0044-03-15 00:00:00 BC", None, None),
    "24:00": ("2024-02-28T24:00:00Z", "2024-02-29 00:00:00+00", "2024-02-29 00:00:00.000000+00:00"),
    "24:01": ("2024-02-28T24:01:00Z", None, None),
    "leap second": ("2016-12-31T23:59:60Z", "2017-01-01 00:00:00+00", "2017-01-01 00:00:00.000000+00:00"),
    "leap second with a fraction": ("2016-12-31T23:59:60.5Z", "2017-01-01 00:00:00+00", "2017-01-01 00:00:00.000000+00:00"),
    "second 61": ("2016-12-31T23:59:61Z", None, None),
    "30 February": ("2024-02-30T00:00:00Z", None, None),
    "29 February of no leap year": ("2023-02-29T00:00:00Z", None, None),
    **{f"offset {text!r}": (f"2024-01-15T10:00:00{text}", f"2024-01-15 {clock}:00+00", f"2024-01-15 {clock}:00.000000+00:00")
       for text, clock in {"Z": "10:00", "z": "10:00", "+00:00": "10:00", "-00:00": "10:00", "+02:00": "08:00", "+0200": "08:00",
                           "+02": "08:00", "-05:30": "15:30", "-0530": "15:30", "+05:45": "04:15", "-09:30": "19:30",
                           "-12:00": "22:00", "": "10:00"}.items()},
    "offset +14:00": ("2024-01-15T10:00:00+14:00", "2024-01-14 20:00:00+00", "2024-01-14 20:00:00.000000+00:00"),
    "offset +24:00": ("2024-01-15T10:00:00+24:00", None, None),
    "offset as a name": ("2024-01-15T10:00:00 CET", None, None),
    "offset UTC in letters": ("2024-01-15T10:00:00 UTC", None, None),
    "small t": ("2024-01-15t10:00:00z", "2024-01-15 10:00:00+00", "2024-01-15 10:00:00.000000+00:00"),
    "a space": ("2024-01-15 10:00:00+00:00", "2024-01-15 10:00:00+00", "2024-01-15 10:00:00.000000+00:00"),
    "no seconds": ("2024-01-15T10:00Z", "2024-01-15 10:00:00+00", "2024-01-15 10:00:00.000000+00:00"),
    "nanoseconds": ("2024-01-15T10:00:00.123456789Z", "2024-01-15 10:00:00.123457+00", "2024-01-15 10:00:00.123457+00:00"),
    "a comma": ("2024-01-15T10:00:00,5Z", "2024-01-15 10:00:00.5+00", "2024-01-15 10:00:00.500000+00:00"),
    "a date": ("2024-01-15", "2024-01-15 00:00:00+00", "2024-01-15 00:00:00.000000+00:00"),
    "infinity": ("infinity", None, None),
    "now": ("now", None, None),
    "epoch as text": ("epoch", None, None),
    "an American date": ("01/15/2024", None, None),
}


def test_timestamps(work, database):
    """All in one sync: each is what it is."""
    records = [json.dumps({"id": item, "v": text}).encode() for item, (text, _, _) in TIMES.items()]
    postgres, csv = sync(work, database, [records], fields='v = "timestamp"')
    nulled = {item for item, (_, in_postgres, _) in TIMES.items() if in_postgres is None}
    same_books(postgres, csv, emitted=len(TIMES), written=len(TIMES), nulled=len(nulled))
    assert {item: postgres.by_id()[item]["v"] for item in TIMES} == {item: times[1] for item, times in TIMES.items()}
    assert {item: csv.by_id()[item]["v"] for item in TIMES} == {item: times[2] or "\\N" for item, times in TIMES.items()}
    kept = {json.loads(record)["id"]: json.loads(record)["v"] for _, _, _, record in postgres.rejects}
    assert kept == {item: TIMES[item][0] for item in nulled}, "the originals are in the rejects"


@pytest.mark.parametrize("kind", ["date", "timestamp_ntz"])
def test_dates_and_local_times(work, database, kind):
    texts = {"0001-01-01": True, "9999-12-31": True, "0000-12-31": False, "-0044-03-15": False, "2023-02-29": False, "infinity": False}
    records = [json.dumps({"id": text, "v": text}).encode() for text in texts]
    postgres, csv = sync(work, database, [records], fields=f'v = "{kind}"')
    same_books(postgres, csv, emitted=len(texts), written=len(texts), nulled=4)
    for arrived, null in ((postgres, None), (csv, "\\N")):
        for text, fits in texts.items():
            value = arrived.by_id()[text]["v"]
            assert value.startswith(text) if fits else value == null


# item -> (the bytes in the place of a record, field, reason)
RECORDS = {
    "a number": (b"17", "", "not_an_object"),
    "a text": (b'"{\\"id\\":\\"x\\"}"', "", "not_an_object"),
    "a list": (b'[{"id":"x"}]', "", "not_an_object"),
    "null": (b"null", "", "not_an_object"),
    "true": (b"true", "", "not_an_object"),
    "an empty object": (b"{}", "id", "missing_primary_key"),
    "no primary key": (b'{"v":"x"}', "id", "missing_primary_key"),
    "a null primary key": (b'{"id":null,"v":"x"}', "id", "missing_primary_key"),
    "a key over 2,000 bytes": (b'{"id":"%s"}' % (b"k" * 2001), "id", "key_too_long"),
    "a key over 2,000 bytes of few characters": (b'{"id":"%s"}' % ("\U0001f600" * 501).encode(), "id", "key_too_long"),
}


def test_records_that_are_rejected(work, database):
    """Each alone is counted and kept; the records around it arrive."""
    pages = [[b'{"id":"first","v":"1"}', *(record for record, _, _ in RECORDS.values())], [b'{"id":"last","v":"2"}']]
    postgres, csv = sync(work, database, pages, fields='v = "string"')
    same_books(postgres, csv, emitted=2 + len(RECORDS), written=2, rejected=len(RECORDS))
    for arrived in (postgres, csv):
        assert set(arrived.by_id()) == {"first", "last"}
        assert sorted((field, reason, dropped) for field, reason, dropped, _ in arrived.rejects) == \
            sorted((field, reason, True) for _, field, reason in RECORDS.values())
    kept = sorted(json.dumps(json.loads(record)) for _, _, _, record in postgres.rejects)
    assert kept == sorted(json.dumps(json.loads(record)) for record, _, _ in RECORDS.values()), "the rejects hold what was sent"


def test_key_of_2000_bytes_is_taken(work, database):
    """And can be indexed, merged, and read again."""
    keys = ["k" * 2000, "\U0001f600" * 500, ""]
    pages = [[json.dumps({"id": key, "v": key[:1]}).encode() for key in keys]]
    postgres, csv = sync(work, database, pages, fields='v = "string"', runs=2, streams={"things": {"write_mode": "append_dedup"}})
    assert set(postgres.by_id()) == set(csv.by_id()) == set(keys)
    assert postgres.rejects == csv.rejects == []


CURSOR = 'cursor = { field = "at", param = "from", start = "2024-01-01T00:00:00Z"%s },'


@pytest.mark.parametrize("policy", ["include", "reject"])
def test_missing_cursor(work, database, policy):
    pages = [[b'{"id":"good","at":"2024-06-01T00:00:00Z"}', b'{"id":"none"}', b'{"id":"null","at":null}', b'{"id":"odd","at":"soon"}']]
    stream = CURSOR % ("" if policy == "include" else ', missing = "reject"')
    postgres, csv = sync(work, database, pages, fields='at = "timestamp"', stream=stream)
    if policy == "include":
        same_books(postgres, csv, emitted=4, written=4, nulled=1)
        assert set(postgres.by_id()) == set(csv.by_id()) == {"good", "none", "null", "odd"}
    else:
        same_books(postgres, csv, emitted=4, written=1, rejected=3)
        assert set(postgres.by_id()) == set(csv.by_id()) == {"good"}
        assert {(field, reason) for field, reason, _, _ in postgres.rejects} == {("at", "missing_cursor")}
    assert database.one("SELECT value FROM _sluice.state WHERE kind = 'cursor'") == "2024-06-01T00:00:00Z"


def test_cursor_in_the_future(work, database):
    """One record from the year 9999 must not hide every later change: the state never passes the sync's start."""
    pages = [[b'{"id":"now","at":"2024-06-01T00:00:00Z"}', b'{"id":"far","at":"9999-12-31T00:00:00Z"}']]
    before = datetime.datetime.now(datetime.timezone.utc)
    postgres, csv = sync(work, database, pages, fields='at = "timestamp"', stream=CURSOR % "", runs=2)
    after = datetime.datetime.now(datetime.timezone.utc)
    assert set(postgres.by_id()) == set(csv.by_id()) == {"now", "far"}
    stored = datetime.datetime.fromisoformat(database.one("SELECT value FROM _sluice.state WHERE kind = 'cursor'").replace("Z", "+00:00"))
    assert before - datetime.timedelta(seconds=1) <= stored <= after, stored
    asked = [dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))["from"] for path, _ in work.queries]
    assert max(asked) <= after.strftime("%Y-%m-%dT%H:%M:%SZ"), asked


def test_state_that_a_wrong_clock_left_in_the_future(work, shop, database):
    """Nothing is made up and nothing fails, but it is said, with the way back."""
    connector(work)
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, connector="./bad.lua")
    work.run("run")
    database.query("UPDATE _sluice.state SET value = '2999-01-01T00:00:00Z' WHERE kind = 'cursor'")
    shop.mutate(updates=20)
    ended = work.run("run")
    line, = (line for line in ended.err.splitlines() if "warning" in line)
    assert "the state is at 2999-01-01T00:00:00Z" in line and "sluice state set shop TIME --stream orders" in line, ended
    assert database.one("SELECT value FROM _sluice.state WHERE kind = 'cursor'") == "2999-01-01T00:00:00Z"
    work.run("state", "set", "shop", "2024-01-01T00:00:00Z", "--stream", "orders")
    assert "warning" not in work.run("run").err
    table_equals_oracle(database, shop)


def test_new_column_in_the_middle(work, database):
    """In the second page, and in the next sync."""
    pages = [[b'{"id":"a","v":1}'], [b'{"id":"b","v":2,"note":"new","w":{"x":1}}']]
    postgres, csv = sync(work, database, pages, fields='v = "integer"')
    same_books(postgres, csv, emitted=2, written=2)
    assert postgres.by_id()["a"] == {"id": "a", "v": "1", "note": None, "w": None}
    assert postgres.by_id()["b"] == {"id": "b", "v": "2", "note": "new", "w": '{"x": 1}'}
    assert csv.by_id()["b"] == {"id": "b", "v": "2", "note": "new", "w": '{"x":1}'}
    assert csv.by_id()["a"].get("note") in (None, "\\N")
    pages[0].append(b'{"id":"c","v":3,"later":true}')
    again, _ = sync(work, database, pages, fields='v = "integer"')
    assert again.by_id()["c"] == {"id": "c", "v": "3", "note": None, "w": None, "later": "true"}


def test_type_change_of_an_inferred_column(work, database):
    """The first value makes the type; later ones that do not fit are kept beside it."""
    pages = [[b'{"id":"a","u":"text","n":1,"flag":true}'], [b'{"id":"b","u":5,"n":"five","flag":"maybe"}', b'{"id":"c","u":{"x":[1]}}']]
    postgres, csv = sync(work, database, pages)
    same_books(postgres, csv, emitted=3, written=3, overflowed=4)
    assert postgres.by_id()["a"] == {"id": "a", "u": "text", "n": "1", "flag": "true", "_sluice_overflow": None}
    for arrived, null in ((postgres, None), (csv, "\\N")):
        row = arrived.by_id()["b"]
        assert (row["u"], row["n"], row["flag"]) == (null, null, null)
        assert json.loads(row["_sluice_overflow"]) == {"u": 5, "n": "five", "flag": "maybe"}
        assert json.loads(arrived.by_id()["c"]["_sluice_overflow"]) == {"u": {"x": [1]}}


@pytest.mark.parametrize("size", [1, 40])
def test_1600_columns(work, database, size):
    """400 become columns (as many as a row of PostgreSQL has room for when each is moved out), the rest is in the overflow."""
    names = [f"field_{n:04}" for n in range(1600)]
    record = {"id": "wide", **{name: f"{n:04}" * (size // 4 + 1) for n, name in enumerate(names)}}
    pages = [[b'{"id":"small","field_0001":"1"}', json.dumps(record).encode()]]
    postgres, csv = sync(work, database, pages)
    same_books(postgres, csv, emitted=2, written=2, overflowed=1600 - 399)
    for arrived, null in ((postgres, None), (csv, "\\N")):
        row = arrived.by_id()["wide"]
        columns = {name: text for name, text in row.items() if name not in ("id", "_sluice_overflow")}
        assert {**columns, **json.loads(row["_sluice_overflow"])} == {name: record[name] for name in names}
        assert len(columns) == 399 and arrived.by_id()["small"]["field_0001"] == "1"


LONG = "a_name_that_goes_on_and_on_and_on_until_it_is_far_too_long_for_postgresql_"
NAMES = [LONG + "one", LONG + "two", LONG[:63], "Name", "name", "NAME", 'quo"te', "it's", "sp ace", " ", "\U0001f600", "\U0001f600" * 20,
         "select", "order", "user", "table", "xmin", "ctid", "tableoid", "_sluice_load_id", "_sluice_slice", "a.b", "a,b", "back\\slash",
         "new\nline", "tab\t", "{}", "$1", "%s", "%", "?", ";", "--", "/*", "\u00e9", "e\u0301", "id ", "ID", "0", "-1", "null",
         'x"; DROP TABLE raw.things; --', "'); DROP SCHEMA raw CASCADE; --", "{{config.api_key}}", "${SHOP_API_KEY}", "__proto__"]


def test_names_of_every_kind(work, database):
    """Each field keeps its own column, whatever its name, and the map is the same in every later sync."""
    record = {"id": "one", **{name: f"value {n}" for n, name in enumerate(NAMES)}}
    for _ in range(2):
        postgres, csv = sync(work, database, [[json.dumps(record).encode()]])
        hidden = [name for name in NAMES if name.startswith("_sluice_")]
        row = postgres.by_id()["one"]
        names = dict(database.query("SELECT field, column_name FROM _sluice.schema_changes WHERE change = 'add_column'"))
        found = {name: row[names[name]] for name in NAMES if name in names}
        assert {**found, **json.loads(row["_sluice_overflow"])} == {name: text for name, text in record.items() if name != "id"}
        assert set(json.loads(row["_sluice_overflow"])) == set(hidden)
        assert len(set(names.values())) == len(names), "two fields in one column"
        assert all(len(name.encode()) <= 63 for name in names.values())
        assert len({name.lower() for name in names.values()}) == len(names), "columns that differ in case only"
        staged = csv.by_id()["one"]
        assert {**{name: staged[name] for name in NAMES if name not in hidden}, **json.loads(staged["_sluice_overflow"])} == \
            {name: text for name, text in record.items() if name != "id"}
    assert database.one("SELECT count(*) FROM raw.things") == 1


def test_names_of_declared_fields_keys_and_tables(work, database):
    """Where the connector and the pipeline say them, too."""
    fields = '["quo\\"te"] = "string", ["select"] = "integer", ["x; DROP"] = "string"'
    table = 'th"ings; DROP SCHEMA raw'
    work.write("odd.lua", CONNECTOR % {"streams": STREAM % {"name": "things", "fields": fields, "stream": ""}})
    for _ in range(2):
        with Pages({"things": [[b'{"id":"a","quo\\"te":"q","select":7,"x; DROP":"x"}']]}) as source:
            work.configure(source, {"type": "postgres", "url": database.url, "schema": 'ra"w'}, connector="./odd.lua", name="odd",
                           streams={"things": {"table": table, "primary_key": ["id", "select"], "write_mode": "append_dedup"}})
            work.run("run")
        row, = database.query('SELECT id, "quo""te", "select", "x; DROP" FROM "ra""w"."th""ings; DROP SCHEMA raw"')
        assert row == ("a", "q", 7, "x")


def test_record_cannot_name_a_secret_in_a_request(work, database):
    """A token is sent back as it came."""
    stream = STREAM % {"name": "things", "fields": "", "stream": ""}
    work.write("odd.lua", CONNECTOR % {"streams": stream.replace(
        'pages = { kind = "page", param = "page", start = 0, more = "more" }', 'pages = { kind = "cursor", param = "t", next = "rows.0.id" }')})
    with Pages({"things": [[b'{"id":"{{config.api_key}}"}']]}) as source:
        work.configure(source, {"type": "postgres", "url": database.url, "schema": "raw"}, connector="./odd.lua", name="odd")
        one_line(work.run("run", code=5), "data", "page loop", where="odd.things")
        assert len(source.queries) == 2
        path, headers = source.queries[1]
        assert urllib.parse.unquote(path).endswith("t={{config.api_key}}") and API_KEY not in path
        assert headers["Authorization"] == f"Bearer {API_KEY}"


@pytest.mark.parametrize("policy", ["set_null", "reject"])
def test_mismatch_follows_the_policy(work, database, policy):
    pages = [[b'{"id":"a","v":1}', b'{"id":"b","v":"{{config.api_key}}"}']]
    postgres, csv = sync(work, database, pages, fields='v = "integer"', defaults={"on_mismatch": policy})
    if policy == "set_null":
        same_books(postgres, csv, emitted=2, written=2, nulled=1)
    else:
        same_books(postgres, csv, emitted=2, written=1, rejected=1)
        assert set(postgres.by_id()) == set(csv.by_id()) == {"a"}
    (field, reason, dropped, record), = postgres.rejects
    assert (field, reason, dropped) == ("v", "type_mismatch", policy == "reject")
    assert json.loads(record) == {"id": "b", "v": "{{config.api_key}}"}
