"""Every format an answer may have, end to end: whole bodies are loaded, cut ones are not, and a body of any size takes no more
memory than a page."""

import csv
import gzip
import http.server
import io
import json
import os
import re
import threading
import zipfile

import pytest

from conftest import staged_loads, staged_rows
from test_memory import LIMIT, peak

COUNT = 500
RECORDS = [{"id": n, "name": None if n % 7 == 0 else f'No. "{n}", one\r\nof many', "big": 9007199254740993 + n, "on": n % 2 == 0,
            "at": f"2024-01-{1 + n % 28:02}T00:00:00Z"} for n in range(COUNT)]


def spelled(value):
    return "" if value is None else json.dumps(value) if isinstance(value, (bool, int)) else value


def as_csv(records, **dialect):
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, **dialect)
    writer.writerow(RECORDS[0])
    writer.writerows([spelled(value) for value in record.values()] for record in records)
    return out.getvalue().encode()


def as_xml(records):
    def escaped(text):
        return text.replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#13;")
    rows = "".join("<row id='%d'>%s</row>" % (record["id"], "".join(
        f"<{name}/>" if record[name] is None else f"<{name}>{escaped(spelled(record[name]))}</{name}>"
        for name in ("name", "big", "on", "at"))) for record in records)
    return f"<?xml version='1.0'?><d:all xmlns:d='urn:x'><d:rows>{rows}</d:rows></d:all>".encode()


def as_ndjson(records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def zipped(body):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export/data", body)
    return out.getvalue()


class Api(http.server.BaseHTTPRequestHandler):
    """Answers with what `server.answers` has for a path: bytes, headers, and how the end is told."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.path.partition("?")[0]
        self.server.seen.append((self.path, dict(self.headers)))
        answers = self.server.answers[path]
        body, headers, end = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(200)
        pieces = body() if callable(body) else [body]
        if end == "length":
            headers = {"Content-Length": len(body), **headers}
        elif end == "chunked":
            headers = {"Transfer-Encoding": "chunked", **headers}
        else:
            headers = {"Connection": "close", **headers}
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        try:
            for piece in pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if end == "chunked" else piece)
            if end == "chunked":
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True


@pytest.fixture
def api():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.answers, server.seen = {}, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


CONNECTOR = """
return sluice.connector { name = "f", version = "1.0.0",
  config = { base_url = { type = "string", required = true } },
  http = { base = "{{config.base_url}}", retry = { tries = 2, wait = "10ms" } },
  streams = { rows = { path = "/rows", primary_key = "id",
    fields = { id = "integer", name = "string", big = "integer", on = "boolean", at = "timestamp" }, %s } } }
"""


def sync(work, api, stream, *answers, code=0, **settings):
    api.answers["/rows"] = [answer if isinstance(answer, tuple) else (answer, {}, "length") for answer in answers]
    path = work.write("connectors/f.lua", CONNECTOR % stream)
    work.configure(None, {"type": "csv", "path": str(work.folder / "staging"), "compression": "none"}, connector=path, name="f",
                   config={"base_url": f"http://127.0.0.1:{api.server_port}", "api_key": None}, **settings)
    config = json.loads((work.folder / "sluice.yaml").read_text())
    del config["pipelines"]["f"]["config"]["api_key"]
    work.write("sluice.yaml", json.dumps(config))
    ended = work.run("run", code=code)
    loads = staged_loads(work.folder / "staging", "rows", "f")
    return staged_rows(loads[-1]) if code == 0 and loads else ended


def whole(rows, records=RECORDS):
    found = {int(row["id"]): row for row in rows}
    assert len(found) == len(rows) == len(records)
    for record in records:
        row = found[record["id"]]
        assert row["big"] == str(record["big"]) and row["on"] == ("true" if record["on"] else "false")
        assert (row["name"] or None) == record["name"]
        assert row["at"].startswith(record["at"][:10])


FORMATS = {
    "csv": ("format = 'csv'", as_csv(RECORDS), {}),
    "csv of another dialect": ("format = { kind = 'csv', delimiter = ';', quote = \"'\", columns = {'id','name','big','on','at'} }",
                               as_csv(RECORDS, delimiter=";", quotechar="'").split(b"\n", 1)[1], {}),
    "ndjson": ("format = 'ndjson'", as_ndjson(RECORDS), {}),
    "xml": ("format = 'xml', records = 'all.rows.row', map = function(r) r.id = r['@id']; return r end", as_xml(RECORDS), {}),
    "gzip by its type": ("format = 'ndjson'", gzip.compress(as_ndjson(RECORDS)), {"Content-Type": "application/gzip"}),
    "gzip in gzip": ("format = { kind = 'csv', compression = 'gzip' }", gzip.compress(gzip.compress(as_csv(RECORDS))),
                     {"Content-Encoding": "gzip"}),
    "gzip that is none": ("format = { kind = 'csv', compression = 'gzip' }", gzip.compress(as_csv(RECORDS)),
                          {"Content-Encoding": "gzip"}),
    "zip": ("format = { kind = 'json', compression = 'zip' }", zipped(json.dumps(RECORDS)), {}),
    "streamed zip": ("format = { kind = 'csv', compression = 'zip', stream = true }", zipped(as_csv(RECORDS)), {}),
    "streamed json": ("format = { kind = 'json', stream = true }, records = 'a.b'", json.dumps({"a": {"b": RECORDS}}).encode(), {}),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_formats(work, api, kind):
    stream, body, headers = FORMATS[kind]
    whole(sync(work, api, stream, (body, headers, "length")))
    if "csv" in stream:
        assert api.seen[0][1]["Accept"] == "text/csv"


def test_pages_of_rows_are_counted(work, api):
    pages = [as_csv(RECORDS[at:at + 200]) for at in range(0, COUNT + 200, 200)]
    rows = sync(work, api, "format = 'csv', pages = { kind = 'offset', param = 'offset', size = 200, size_param = 'limit', "
                           "stop = 'short' }", *pages)
    whole(rows)
    assert [path.split("offset=")[1].split("&")[0] for path, _ in api.seen] == ["0", "200", "400"]


@pytest.mark.parametrize("kind, streamed", [("csv", "false"), ("ndjson", "true")])
def test_rows_without_a_proved_end_are_refused(work, api, kind, streamed):
    write = as_csv if kind == "csv" else as_ndjson
    body, at_a_line = write(RECORDS), write(RECORDS[:300])
    ended = sync(work, api, f"format = {{ kind = '{kind}', stream = {streamed} }}", (at_a_line, {}, "close"), code=4)
    assert "nothing tells whether the answer is whole" in ended.err and "count_header" in ended.err
    assert not staged_loads(work.folder / "staging", "rows", "f")
    counted = f"format = {{ kind = '{kind}', stream = {streamed}, count_header = 'X-Count' }}"
    count = {"X-Count": COUNT}
    whole(sync(work, api, counted, (at_a_line, count, "close"), (body, count, "close")))
    ended = sync(work, api, counted, (at_a_line, count, "length"), code=4)
    assert "X-Count says 500" in ended.err


def test_a_broken_row_of_csv_goes_to_the_rejects(work, api, database):
    body = as_csv(RECORDS[:50]) + b"1,2\n" + as_csv(RECORDS[50:60]).split(b"\n", 1)[1]
    api.answers["/rows"] = [(body, {}, "length")]
    path = work.write("connectors/f.lua", CONNECTOR % "format = 'csv'")
    work.write("sluice.yaml", json.dumps({
        "destinations": {"target": {"type": "postgres", "url": database.url}},
        "pipelines": {"f": {"connector": str(path), "destination": "target", "network": {"allow_private": True},
                            "config": {"base_url": f"http://127.0.0.1:{api.server_port}"}}}}))
    work.run("run")
    assert database.one("SELECT count(*) FROM public.rows") == 60
    rejects = database.query("SELECT reason, detail FROM _sluice.rejects")
    assert rejects == [("malformed_row", rejects[0][1])] and "2 cells for 5 columns" in rejects[0][1]


def test_bombs_of_xml_are_refused(work, api):
    bomb = b"<!DOCTYPE a [<!ENTITY b 'x'><!ENTITY c '&b;&b;'>]><all><row>&c;</row></all>"
    ended = sync(work, api, "format = 'xml', records = 'all.row'", bomb, code=5)
    assert "document type" in ended.err


STREAM_ROWS = 150_000  # about 35 MB as JSON, over the limit of a page and of the sync's memory


def long_json():
    yield b'{"data":['
    for n in range(0, STREAM_ROWS, 1000):
        rows = ",".join('{"id":%d,"name":"%s","big":%d}' % (i, "x" * 200, i) for i in range(n, n + 1000))
        yield (("," if n else "") + rows).encode()
    yield b'],"more":false}'


def long_csv():
    yield b"id,name,big\n"
    for n in range(0, STREAM_ROWS, 1000):
        yield "".join('%d,"%s",%d\n' % (i, "x" * 200, i) for i in range(n, n + 1000)).encode()


@pytest.mark.skipif(re.search("[at]san", os.environ.get("SLUICE_BIN", "")), reason="a sanitizer's shadow memory counts too")
@pytest.mark.parametrize("kind, body", [("json", long_json), ("csv", long_csv)])
def test_a_body_of_any_size_takes_flat_memory(work, api, kind, body):
    stream = f"format = {{ kind = '{kind}', stream = true }}" + (", records = 'data'" if kind == "json" else "")
    api.answers["/rows"] = [(body, {}, "chunked")]
    path = work.write("connectors/f.lua", CONNECTOR % stream)
    work.write("sluice.yaml", json.dumps({
        "destinations": {"target": {"type": "csv", "path": str(work.folder / "staging")}},
        "pipelines": {"f": {"connector": str(path), "destination": "target", "network": {"allow_private": True},
                            "config": {"base_url": f"http://127.0.0.1:{api.server_port}"}}}}))
    process = work.start("run")
    highest = peak(process)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    rows = sum(len(staged_rows(load)) for load in staged_loads(work.folder / "staging", "rows", "f"))
    assert rows == STREAM_ROWS
    assert 0 < highest < LIMIT, f"{highest / 2**20:.1f} MiB"


def test_a_stream_that_breaks_is_read_again(work, api):
    """The first answer is cut in the middle of a chunk; nothing of it was taken."""
    def cut():
        body = json.dumps({"a": RECORDS}).encode()
        yield body[:len(body) // 2]
        raise OSError
    rows = sync(work, api, "format = { kind = 'json', stream = true }, records = 'a'", (cut, {}, "chunked"),
                json.dumps({"a": RECORDS}).encode())
    whole(rows)
    assert len(api.seen) == 2
    left = [name for name in (work.folder / "state" / "sluice").rglob("*") if "spool" in name.name]
    assert left == []


def test_records_are_reshaped(work, api):
    """Every step together, behind a format, in front of a map, with templates in what is added."""
    body = json.dumps({"cols": ["id", "big"], "rows": [
        {"v": [n, 9007199254740993 + n], "p": {"name": f"n{n}", "_links": 1}, "c": [{"id": "on", "value": n % 2 == 0}],
         "gone": n % 5 == 0} for n in range(COUNT)]}).encode()
    stream = """records = "rows", filter = { path = "gone", equals = false }, zip = { names = "cols", from = "v" },
      pairs = { c = {} }, flatten = { fields = { "p", "c" }, prefix = false }, drop = { "_links", "gone" },
      rename = { name = "title" }, add = { page = "{{now}}", at = "2024-01-01T00:00:00Z" },
      map = function(r) r.name = r.title; return r end"""
    rows = sync(work, api, stream, body)
    assert len(rows) == COUNT - COUNT // 5
    for row in rows:
        n = int(row["id"])
        assert row["big"] == str(9007199254740993 + n) and row["name"] == row["title"] == f"n{n}"
        assert row["on"] == ("true" if n % 2 == 0 else "false") and row["page"].startswith("20")
        assert "gone" not in row and "_links" not in row
