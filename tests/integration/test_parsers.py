"""Parsers: native plugins that read the bodies of answers for a connector's streams (format = { kind = "plugin", .. })."""

import gzip
import http.server
import json
import os
import re
import signal
import threading
import time

import pytest

from conftest import staged_loads, staged_rows
from test_formats import Api
from test_memory import LIMIT, peak
from test_plugins import ABI, asked, build, rows_in, warehouse

FIELDS = 'fields = { id = "integer", amount = "decimal", day = "date", name = "string" }'
CONNECTOR = """
return sluice.connector { name = "bank", version = "1.0.0",
  config = { base_url = { type = "string", required = true } },
  http = { base = "{{config.base_url}}", retry = { tries = 2, wait = "10ms" } },
  streams = { %s } }
"""
STREAM = '%s = { path = "/%s", primary_key = "id", format = { kind = "plugin", plugin = "ledger" %s }, %s' + FIELDS + ' },'


def record(n, padding=" "):
    cents = n * 7 - 500
    return f"D{n:010d}{cents:+012d}2024{1 + n % 12:02d}{1 + n % 28:02d}".encode() + f"No. {n}".encode().ljust(32, padding.encode()) + b"\n"


def ledger(first, last, padding=" "):
    return b"".join(record(n, padding) for n in range(first, last)) + b"T%010d" % (last - first) + b" " * 52 + b"\n"


def is_right(row):
    n, sign = int(row["id"]), "-" if int(row["id"]) * 7 < 500 else ""
    cents = abs(n * 7 - 500)
    return row["amount"] == f"{sign}{cents // 100}.{cents % 100:02d}" and row["name"] == f"No. {n}" and \
        row["day"] == f"2024-{1 + n % 12:02d}-{1 + n % 28:02d}"


@pytest.fixture
def api():
    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_):
            pass  # a client that was ended hangs up
    server = Server(("127.0.0.1", 0), Api)
    server.answers, server.seen = {}, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def stream(name="rows", options="", more=""):
    return STREAM % (name, name, options, more)


def configure(work, api, streams, destination=None, parser="ledger", **settings):
    """A connector in a folder of its own, with its parser beside it."""
    work.write("connectors/bank/init.lua", CONNECTOR % streams)
    if parser:
        build(ABI / "good" / f"{parser}.c", work.folder / "connectors" / "bank")
    target = destination or {"type": "csv", "path": "./out", "compression": "none"}
    work.write("sluice.yaml", json.dumps({"destinations": {"target": target}, "pipelines": {"bank": {
        "connector": "bank", "destination": "target", "network": {"allow_private": True},
        "config": {"base_url": f"http://127.0.0.1:{api.server_port}"}, **settings}}}))
    return work


def serve(api, *answers, path="/rows"):
    api.answers[path] = [answer if isinstance(answer, tuple) else (answer, {}, "length") for answer in answers]


@pytest.mark.parametrize("options, body, headers", [
    ("", ledger(0, 5000), {}),
    (", stream = true", ledger(0, 5000), {}),
    (', config = { padding = "." }', ledger(0, 5000, "."), {}),
    (', compression = "gzip"', gzip.compress(ledger(0, 5000)), {}),
    (', compression = "gzip", stream = true', gzip.compress(gzip.compress(ledger(0, 5000))), {"Content-Encoding": "gzip"}),
], ids=["at once", "streamed", "configured", "gzip", "gzip in gzip, streamed"])
def test_a_body_is_parsed(work, api, options, body, headers):
    configure(work, api, stream(options=options))
    serve(api, (body, headers, "length"))
    work.run("run")
    rows = rows_in(work, "bank", "rows")
    assert [int(row["id"]) for row in rows] == list(range(5000)) and all(map(is_right, rows))
    assert api.seen[0][1]["Accept"] == "*/*"


def test_pages_are_counted_and_records_mapped_like_those_of_any_format(work, api):
    pages = 'pages = { kind = "offset", param = "offset", size = 200, size_param = "limit", stop = "short" }, '
    shape = 'filter = { path = "day", exists = true }, rename = { name = "title" }, map = function(r) r.name = r.title; return r end, '
    configure(work, api, stream(more=pages + shape))
    serve(api, *[ledger(at, min(at + 200, 500)) for at in (0, 200, 400)])
    work.run("run")
    rows = rows_in(work, "bank", "rows")
    assert [(int(row["id"]), row["name"]) for row in rows] == [(n, f"No. {n}") for n in range(500)]
    assert [path.split("offset=")[1].split("&")[0] for path, _ in api.seen] == ["0", "200", "400"]


def test_what_does_not_fit_goes_to_the_rejects(work, api, database):
    configure(work, api, stream(), warehouse(database), defaults={"on_mismatch": "reject"})
    wrong = record(7)[:23] + b"20249999" + record(7)[31:]
    body = record(1) + wrong + record(2) + b"T%010d" % 3 + b" " * 52 + b"\n"
    serve(api, body)
    work.run("run")
    assert asked(database, "SELECT id FROM raw.rows ORDER BY id") == [["1"], ["2"]]
    assert [row[:2] for row in asked(database, "SELECT field, reason FROM _sluice.rejects")] == [["day", "type_mismatch"]]


def test_fields_that_nobody_declared(work, api):
    stream_of_cards = """rows = { path = "/rows", undeclared = "column", fields = { id = "integer" },
        format = { kind = "plugin", plugin = "cards", stream = true } }"""
    configure(work, api, stream_of_cards, parser="cards")
    serve(api, "".join(f"id={n}\nname=No. {n}\n{'late=yes' + chr(10) if n == 29_999 else ''}\n" for n in range(30_000)).encode())
    work.run("run")
    rows = rows_in(work, "bank", "rows")
    assert [(int(row["id"]), row["name"]) for row in rows] == [(n, f"No. {n}") for n in range(30_000)]


VALUES = "SELECT id, text, exact, about, flag, day, at, wall, doc, encode(bytes, 'hex'), big FROM %s.values ORDER BY id"


def test_values_of_every_kind_are_what_a_native_stream_makes_of_them(work, api, database):
    """The rows of `types`, once as a source's and once as a parser's: what does not fit, too."""
    types = (ABI / "good" / "types.c").read_text().replace("SLUICE_DELETE", "SLUICE_UPSERT")
    fields = re.search(r'"fields": ({.*?})', types, re.S)[1]
    before, _ = types.split("static const struct sluice_plugin PLUGIN")
    before = before.replace("static int page", "static int rows").replace("sluice_emit(session, 0, SLUICE_UPSERT,", "put(session,")
    work.write("parser.c", """
        #include <sluice/plugin.h>
        static const char *const NAMES[] = {%s}; /* in the order of the rows; a script's fields have none */
        static const struct sluice_slice *now;
        static int put(struct sluice_session *session, const struct sluice_value *row, uint32_t count)
        {
            struct sluice_value sorted[11];
            for (int i = 0; i < 11; i++) sorted[sluice_column_at(&now->tables[0], NAMES[i])] = row[i];
            return sluice_emit(session, 0, SLUICE_UPSERT, sorted, count);
        }
        static int begin(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
        {
            (void)session, (void)instance;
            now = slice;
            return 0;
        }
        """ % ", ".join(f'"{name}"' for name in json.loads(fields)) + before + """
        static int page(struct sluice_session *session, void *instance)
        {
            char bytes[10];
            size_t size = 1;
            while (size)
                if (sluice_input(session, bytes, sizeof bytes, &size) < 0) return -1;
            return rows(session, instance);
        }
        static const struct sluice_plugin PLUGIN = {SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "types", .version = "1",
                                                    .description = "{\\"parser\\": true}", .open = begin, .page = page};
        SLUICE_PLUGIN(PLUGIN);""")
    work.write("native.c", types)
    build(work.folder / "native.c", work.folder)
    declared = ", ".join(f'{name} = "{kind}"' for name, kind in json.loads(fields).items())
    configure(work, api, """values = { path = "/rows", primary_key = "id", write_mode = "append_dedup", fields = { %s },
        format = { kind = "plugin", plugin = "types" } }""" % declared, warehouse(database), parser=None)
    build(work.folder / "parser.c", work.folder / "connectors" / "bank", "types")
    serve(api, b"a body of over ten bytes")
    work.run("run")
    project = json.loads((work.folder / "sluice.yaml").read_text())
    project["pipelines"] = {"native": {"connector": "./native.so", "destination": "target"}}
    project["destinations"]["target"]["schema"] = "native"
    work.write("sluice.yaml", json.dumps(project))
    work.run("run")
    rows, native = asked(database, VALUES % "raw"), asked(database, VALUES % "native")
    assert len(rows) == 4 and "\ufffd" in rows[3][1]
    assert rows[3][8] == "{broken", "a text that is no JSON is a JSON string"
    rows[3][8] = ""
    assert rows == native
    assert asked(database, "SELECT field, reason FROM _sluice.rejects WHERE pipeline = 'bank'") == [["big", "type_mismatch"]]


@pytest.mark.parametrize("options", ["", ", stream = true"], ids=["at once", "streamed"])
def test_a_body_that_is_cut_never_counts(work, api, options):
    """The transfer breaks, in the first answer; then it does for good; then only the body is short, and only the parser sees it."""
    configure(work, api, stream(options=options))

    def breaks():
        yield ledger(0, 5000)[:100_000]
        raise OSError
    serve(api, (breaks, {}, "chunked"), ledger(0, 5000))
    work.run("run")
    assert len(rows_in(work, "bank", "rows")) == 5000
    serve(api, (breaks, {}, "chunked"))
    work.run("run", code=4)
    serve(api, ledger(0, 5000)[:64 * 1000])
    ended = work.run("run", code=4)
    assert "parser 'ledger': the ledger is cut: its trailer is missing" in ended.err
    serve(api, (ledger(0, 5000), {}, "close"))
    assert "nothing tells whether the answer is whole" in work.run("run", code=4).err
    assert len(rows_in(work, "bank", "rows")) == 5000, "what came whole is there, and nothing else"


def test_a_count_of_records_finds_what_is_cut_before_a_row_is_taken(work, api):
    configure(work, api, stream(options=', count_header = "X-Count"'))
    count = {"X-Count": 5000}
    serve(api, (ledger(0, 4000), count, "close"), (ledger(0, 5000)[:64 * 100], count, "close"))
    assert "its trailer is missing" in work.run("run", code=4).err
    serve(api, (ledger(0, 4000), count, "close"), (ledger(0, 5000), count, "close"))
    work.run("run")
    assert len(rows_in(work, "bank", "rows")) == 5000


@pytest.mark.parametrize("body, says", [
    (record(1) + b"X" * 63 + b"\n" + record(2), "the ledger is broken behind 1 records: no record"),
    (ledger(0, 10)[:-64] + b"T%010d" % 11 + b" " * 52 + b"\n", "its trailer says another number"),
    (ledger(0, 10) + record(11), "something follows the trailer"),
])
def test_a_parser_says_that_a_body_is_broken(work, api, body, says):
    configure(work, api, stream())
    serve(api, body)
    ended = work.run("run", code=5)
    assert says in ended.err and "have a look at the file that the source sends" in ended.err
    assert not staged_loads(work.folder / "out", "rows", "bank")


def test_streams_share_a_parser(work, api, database):
    configure(work, api, "".join(stream(name) for name in ("a", "b", "c")), warehouse(database), concurrency=3)
    for at, name in enumerate("abc"):
        serve(api, ledger(at, 20_000 + at), path=f"/{name}")
    work.run("run")
    for at, name in enumerate("abc"):
        assert asked(database, f"SELECT count(*), min(id) FROM raw.{name}") == [["20000", str(at)]]


def test_slices_parse_at_once(work, api, database):
    slices = 'partitions = { { name = "branch", values = { "x", "y", "z", "w" } } }, params = { branch = "{{slice.branch}}" }, '
    configure(work, api, stream(more=slices), warehouse(database))
    serve(api, *[ledger(at * 10_000, (at + 1) * 10_000) for at in range(4)])
    work.run("run")
    assert asked(database, "SELECT count(*), count(DISTINCT id), max(id) FROM raw.rows") == [["40000", "40000", "39999"]]
    assert {path.split("branch=")[1] for path, _ in api.seen} == {"x", "y", "z", "w"}


LONG = 5_000_000  # 320 MB


def long_ledger():
    for n in range(0, LONG, 10_000):
        yield b"".join(b"D%010d+00000001234" % i + b"20240101" + b"of a long ledger                \n" for i in range(n, n + 10_000))
    yield b"T%010d" % LONG + b" " * 52 + b"\n"


@pytest.mark.skipif(re.search("[at]san", os.environ.get("SLUICE_BIN", "")), reason="a sanitizer's shadow memory counts too")
def test_a_body_of_any_size_takes_flat_memory(work, api):
    configure(work, api, stream(options=", stream = true"), {"type": "csv", "path": "./out", "compression": "zstd"})
    serve(api, (long_ledger, {}, "chunked"))
    process = work.start("run")
    highest = peak(process)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    assert f"{LONG:,}".replace(",", "") in re.sub(r"[ ,]", "", out), out
    assert 0 < highest < LIMIT, f"{highest / 2**20:.1f} MiB"


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_an_end_at_any_moment_loses_and_doubles_nothing(work, api, database, end):
    configure(work, api, stream(options=", stream = true"), warehouse(database), commit={"bytes": "64KiB", "seconds": 1})
    serve(api, ledger(0, 60_000))
    for attempt in range(6):
        process = work.start("run")
        time.sleep(0.1 + 0.1 * attempt)
        process.send_signal(end)
        out, err = process.communicate(timeout=60)
        assert process.returncode in (-end, 128 + end, 0), out + err
    work.run("run", timeout=240)
    rows = asked(database, "SELECT count(*), count(DISTINCT id), max(id), sum(amount) FROM raw.rows")
    assert rows == [["60000", "60000", "59999", str(sum(n * 7 - 500 for n in range(60_000)) // 100) + ".00"]]


def test_preview_discover_plan_and_check(work, api):
    configure(work, api, stream(options=", stream = true"))
    serve(api, ledger(0, 50_000))
    assert "No. 3" in work.run("preview", "--stream", "rows").out
    assert "rows" in work.run("discover").out
    assert "rows (full_refresh" in work.run("plan").out
    work.run("check")


def test_cases_are_replayed_through_the_parser(work, api):
    configure(work, api, stream())
    serve(api, ledger(0, 3))
    work.run("run", "--record", "bank.http")
    serve(api, b"the source is not asked again")
    work.run("run", "--replay", "bank.http")
    assert len(api.seen) == 1
    case = {"config": {"base_url": f"http://127.0.0.1:{api.server_port}"}, "pipeline": {"network": {"allow_private": True}},
            "syncs": [{"cassette": "../../../bank.http", "rows": {"rows": ""}}]}
    work.write("connectors/bank/cases/first.yaml", json.dumps(case))
    ended = work.run("connector", "test", "bank", code=7)
    assert all(word in ended.out for word in ("-5", "-4.93", "2024-03-03", "No. 2")), ended
    case["syncs"][0]["rows"]["rows"] = "".join(line[line.index("{"):] + "\n" for line in ended.out.splitlines() if "No. " in line)
    work.write("connectors/bank/cases/first.yaml", json.dumps(case))
    assert "1 ok, 0 failed" in work.run("connector", "test", "bank").out


# --- names and files ---------------------------------------------------------------------------------------------------------


def test_a_parser_is_looked_up_beside_the_connector_then_where_connectors_are(work, api):
    configure(work, api, stream(), parser=None)
    ended = work.run("run", code=2)
    assert "connector 'bank': streams.rows.format: there is no parser 'ledger'" in ended.err
    assert "looked in ./connectors/bank, ./connectors," in ended.err
    serve(api, ledger(0, 3))
    build(ABI / "good" / "ledger.c", work.folder / "connectors")
    work.run("run")
    build(ABI / "bad" / "parser_idle.c", work.folder / "connectors" / "bank", "ledger")
    work.run("run", code=7)


def test_a_parser_that_others_may_write_is_not_loaded(work, api):
    configure(work, api, stream())
    (work.folder / "connectors" / "bank" / "ledger.so").chmod(0o757)
    ended = work.run("run", code=2)
    assert "cannot trust" in ended.err and "chmod go-w" in ended.err


def test_inspect_describe_and_lint_know_parsers(work, api):
    configure(work, api, stream())
    parser = "./connectors/bank/ledger.so"
    assert "ledger 1.0.0, profile parse" in work.run("connector", "inspect", parser).out
    assert "a parser of bodies" in work.run("connector", "describe", parser).out
    assert "Parser `ledger`" in work.run("connector", "docs", parser).out
    work.run("connector", "lint", parser)
    assert "connectors/bank/ledger.cases;" in work.run("connector", "test", parser, code=2).err
    assert "0 errors" in work.run("connector", "lint", "bank").out
    (work.folder / "connectors" / "bank" / "ledger.so").unlink()
    assert "there is no parser 'ledger'" in work.run("connector", "lint", "bank", code=2).out


def test_a_parser_is_no_connector_and_a_connector_no_parser(work, api):
    configure(work, api, stream())
    build(ABI / "good" / "types.c", work.folder / "connectors" / "bank", "ledger")
    ended = work.run("run", code=2)
    assert "parser 'ledger': it is a connector, and no parser" in ended.err
    build(ABI / "good" / "ledger.c", work.folder / "connectors")
    text = (work.folder / "sluice.yaml").read_text().replace('"bank", "destination"', '"ledger", "destination"')
    work.write("sluice.yaml", text.replace(json.dumps({"base_url": f"http://127.0.0.1:{api.server_port}"}), "{}"))
    assert "'ledger' is a parser, and reads no source" in work.run("run", code=2).err


def test_the_parsers_config_is_checked(work, api):
    configure(work, api, stream(options=", config = { pading = '.' }"))
    ended = work.run("run", code=2)
    assert "streams.rows.format.config: unknown key 'pading'" in ended.err and "did you mean 'padding'?" in ended.err
    configure(work, api, stream(options=", config = { padding = '{{config.base_url}}' }"))
    assert "streams.rows.format.config.padding: a template cannot stand here" in work.run("run", code=2).err


def test_the_parsers_config_may_be_chosen_by_the_connectors(work, api):
    choice = ', config = { padding = sluice.select("fill", { dots = ".", blanks = " " }) }'
    configure(work, api, stream(options=choice))
    path = work.folder / "connectors" / "bank" / "init.lua"
    path.write_text(path.read_text().replace("required = true }", 'required = true }, fill = { type = "enum", required = true, values = { "dots", "blanks" } }'))
    text = (work.folder / "sluice.yaml").read_text()
    work.write("sluice.yaml", text.replace('"config": {', '"config": {"fill": "dots", '))
    serve(api, ledger(0, 10, "."))
    work.run("run")
    assert all(map(is_right, rows_in(work, "bank", "rows")))


@pytest.mark.parametrize("more, says", [
    ('pages = { kind = "page", param = "page", more = "has_more" }, ', "rows have no field beside them"),
    ("records = function(page) return {} end, ", "a function that parses is given the body as it is"),
])
def test_what_does_not_go_together(work, api, more, says):
    configure(work, api, stream(more=more))
    assert says in work.run("run", code=2).err


# --- wrong ones --------------------------------------------------------------------------------------------------------------

BAD = {
    "parser_unread": (7, "it ended before it had seen the body's end"),
    "parser_stops": (7, "it ended before it had seen the body's end"),
    "parser_idle": (7, "it neither takes nor gives anything, and does not end"),
    "parser_reads_on": (7, "it neither takes nor gives anything, and does not end"),
    "parser_drip": (7, "it makes more pages than the body has bytes"),
    "parser_input_in_open": (7, "sluice_input was called outside of a parser's page"),
    "parser_no_room": (7, "sluice_input was called without room"),
    "parser_goes_on": (7, "sluice_emit was called with 1 values for the 2 columns of 'rows'"),
    "parser_both": (7, "sluice_emit and sluice_emit_bytes were called for one page"),
    "parser_request": (3, "requests cannot be sent here"),
    "parser_endless_line": (5, "cannot take a record of over 16 MiB"),
    "parser_crash_in_close": (7, "signal 6 (Aborted)"),
    "parser_short_row": (7, "sluice_emit was called with 1 values for the 2 columns of 'rows'"),
    "parser_deletes": (7, "it emits SLUICE_DELETE"),
    "parser_bomb": (5, "far more records than a body of"),
    "parser_crash": (7, "parser 'bad': its worker ended with signal 11 (Segmentation fault)"),
    "parser_hang": (7, "page used over 10 s of CPU time"),
    "parser_leak": (7, "signal 11 (Segmentation fault)"),
    "parser_ten_gigabytes": (7, "signal 11 (Segmentation fault)"),
    "parser_no_json": (7, "parser 'bad' gives no JSON"),
    "parser_half_line": (7, "parser 'bad' gives no JSON"),
    "parser_checkpoint": (7, "sluice_checkpoint was called by a parser"),
    "parser_open_a_file": (7, "signal 31 (Bad system call)"),
    "parser_network": (2, "it declares the profile network, and a parser gets parse"),
    "parser_no_page": (2, "it is a parser and has no page"),
    "parser_secret": (2, "config.key: a parser has no secrets"),
    "parser_with_streams": (2, "unknown key 'streams'"),
}
LOWER_WITH_SANITIZERS = {"parser_crash", "parser_leak", "parser_open_a_file", "parser_ten_gigabytes"}


def test_every_wrong_parser_has_a_row():
    assert {path.stem for path in (ABI / "bad").glob("parser_*.c")} == set(BAD)


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_wrong_parser_ends_its_own_sync_and_says_why(work, api, name):
    code, says = BAD[name]
    if name in LOWER_WITH_SANITIZERS and os.environ.get("SLUICE_PRESET") in ("asan", "tsan"):
        pytest.skip("a sanitizer is in its way")
    pages = 'pages = { kind = "page", param = "page", start = 1 }, '
    text = 'rows = { path = "/rows", format = { kind = "plugin", plugin = "bad" }, %s fields = { n = "integer", text = "string" } }'
    configure(work, api, text % pages, parser=None)
    build(ABI / "bad" / f"{name}.c", work.folder / "connectors" / "bank", "bad", flags=["-Wno-missing-field-initializers"])
    serve(api, ledger(0, 100))
    ended = work.run("run", code=code)
    assert says in ended.err, ended
    assert not staged_loads(work.folder / "out", "rows", "bank")
