"""Page kinds end to end, against a source that keeps its rules: what it gives is read once, though it is appended."""

import http.server
import json
import threading
import urllib.parse

import pytest

from conftest import staged_loads, staged_rows

COUNT, CAP = 57, 20
# Seconds hold more records than a page, and fewer than the cap.
SECONDS = [s for s, n in enumerate([2, 12, 3, 10, 1, 1, 9, 19]) for _ in range(n)]
RECORDS = [{"id": n + 1, "ts": SECONDS[n]} for n in range(COUNT)]


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, value, status=200, **headers):
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", "Content-Length": len(body), **headers}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        query = {k: v for k, v in urllib.parse.parse_qsl(url.query)}
        self.server.seen.append((url.path, query))
        size = int(query.get("size", 10))
        if size > self.server.largest and self.server.holds:
            self.server.over.wait(60)
            self.close_connection = True
            return None
        if size > self.server.largest:
            return self.answer({"error": "too large"}, 413)
        at = int(query.get("at", 0))
        if url.path == "/header":
            end = at + 10
            return self.answer(RECORDS[at:end], **{"Sluice-Locator": str(end) if end < COUNT else "null"})
        if url.path == "/last":
            end = int(query.get("after", 0)) + 10
            return self.answer({"data": RECORDS[end - 10:end], "has_more": end < COUNT})
        if url.path == "/offset":
            return self.answer({"data": RECORDS[at:at + size], "total": COUNT})
        if url.path == "/page":
            number = int(query["p"])
            return self.answer({"data": RECORDS[number * 10:number * 10 + 10], "pages": -(-COUNT // 10)})
        if url.path == "/gate":  # three pages answer when all three were asked for
            if at in (10, 20, 30):
                self.server.gate.wait(60)
            return self.answer({"data": RECORDS[at:at + size], "total": COUNT})
        if url.path == "/window":  # a query gives no more than the cap, and does not say so
            found = [r for r in RECORDS if int(query["from"]) < 100000 + r["ts"] * 3600 <= int(query["to"])]
            return self.answer({"data": [{"id": r["id"], "ts": 100000 + r["ts"] * 3600} for r in found[:CAP]][at:at + size]})
        if url.path == "/stingy":
            return self.answer({"data": RECORDS[at:at + 5], "total": COUNT})
        if url.path == "/growing":
            return self.answer({"data": RECORDS[at:at + size], "total": min(COUNT, at + 25)})
        if url.path == "/stumbling":
            times = sum(1 for path, asked in self.server.seen if asked.get("at") == query.get("at"))
            if at == 30 and times < 3:
                return self.answer({"error": "no"}, 404 if times == 1 else 503)
            return self.answer({"data": RECORDS[at:at + size], "total": COUNT})
        if url.path == "/export":
            rows = [r for r in RECORDS if r["ts"] >= int(query["start_time"])]
            end = size
            while end < len(rows) and rows[end]["ts"] == rows[end - 1]["ts"]:
                end += 1
            page = rows[:end]
            return self.answer({"data": page, "end_time": page[-1]["ts"] if page else int(query["start_time"]),
                                "end_of_stream": end >= len(rows)})
        return self.answer({}, 404)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, body))
        if self.path == "/graphql":
            at = int(body["variables"].get("after", 0))
            assert body["variables"]["kind"] == "x"
            more = at + body["variables"]["first"] < COUNT
            return self.answer({"data": RECORDS[at:at + body["variables"]["first"]], "end": at + body["variables"]["first"],
                                "more": more})
        clause = body["filters"][0]
        key, value = clause["field"], int(clause["value"])
        found = [r for r in RECORDS if r[key] > value or (r[key] == value and clause["op"] == "GTE")]
        at, size = int(body.get("after", 0)), body["limit"]
        if at + size > CAP:
            return self.answer({"message": "paging past the cap"}, 400)
        after = at + size
        paging = {"paging": {"next": {"after": str(after)}}} if after < len(found) else {}
        return self.answer({"data": found[at:after], "total": len(found), **paging})


@pytest.fixture
def api():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.gate = threading.Barrier(3)
    server.seen, server.largest, server.holds, server.over = [], 1000, False, threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


CONNECTOR = """
return sluice.connector { name = "all", version = "1.0.0", config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}", retry = { tries = 2, wait = "1ms" }, timeouts = { first_byte = "2s" } },
  streams = { things = { primary_key = "id", fields = { id = "integer", ts = { type = "timestamp", format = "epoch" } },
    write_mode = "append", %s } } }
"""


def sync(work, api, stream, code=0):
    path = work.write("connectors/all.lua", CONNECTOR % stream)
    work.configure(None, {"type": "csv", "path": str(work.folder / "staging"), "compression": "none"}, connector=path, name="all",
                   config={"base_url": f"http://127.0.0.1:{api.server_port}"})
    ended = work.run("run", code=code)
    loads = staged_loads(work.folder / "staging", "things", "all")
    return ended, [int(row["id"]) for load in loads for row in staged_rows(load)]


IDS = list(range(1, COUNT + 1))
SEARCH = """path = '/search', method = 'POST', idempotent = true, records = 'data',
  body = { filters = { { field = '%s', op = '%s', value = '{{page.key}}' } } },
  pages = { kind = 'capped_keyset', cap = 20, key = '%s', start = '%s', %s
    pages = { kind = 'cursor', into = 'body', param = 'after', size = %d, size_param = 'limit', next = 'paging.next.after' } }"""
STREAMS = {
    "header token": "path = '/header', pages = { kind = 'header_token', header = 'Sluice-Locator', param = 'at' }",
    "last record": "path = '/last', records = 'data', pages = { kind = 'last_record', field = 'id', param = 'after', more = 'has_more' }",
    "last record, short": "path = '/last', records = 'data', pages = { kind = 'last_record', field = 'id', param = 'after', "
                          "stop = 'short', size = 10 }",
    "time": "path = '/export', records = 'data', pages = { kind = 'time_next', param = 'start_time', next = 'end_time', "
            "last = 'end_of_stream', start = '0', size = 8, size_param = 'size' }",
    "time, from the cursor": "path = '/export', records = 'data', cursor = { field = 'ts', start = '1970-01-01T00:00:00Z' }, "
                             "pages = { kind = 'time_next', param = 'start_time', next = 'end_time', last = 'end_of_stream' }",
    "keyset": SEARCH % ("id", "GT", "id", "0", "", 10),
    "keyset, pages that do not divide the cap": SEARCH % ("id", "GT", "id", "0", "", 7),
    "keyset, inclusive": SEARCH % ("ts", "GTE", "ts", "0", "inclusive = true,", 8),
    "offset, parallel": "path = '/offset', records = 'data', pages = { kind = 'offset', param = 'at', size = 10, size_param = 'size', "
                        "total = 'total', parallel = 4 }",
    "page, parallel": "path = '/page', records = 'data', pages = { kind = 'page', param = 'p', start = 0, total_pages = 'pages', "
                      "parallel = 3 }",
    "graphql": "path = '/graphql', method = 'POST', idempotent = true, records = 'data', body = { query = 'q', variables = { kind = "
               "'x' } }, pages = { kind = 'cursor', into = 'body', param = 'variables.after', size = 10, "
               "size_param = 'variables.first', next = 'end', more = 'more' }",
}


@pytest.mark.parametrize("name", STREAMS)
def test_each_record_comes_once(work, api, name):
    _, ids = sync(work, api, STREAMS[name])
    assert sorted(ids) == IDS


PARALLEL = "path = '/%s', records = 'data', pages = { kind = 'offset', param = 'at', size = 10, size_param = 'size', total = " \
           "'total', parallel = 3 }"


@pytest.mark.parametrize("path", ["gate", "stingy", "growing", "stumbling"])
def test_pages_at_once_come_in_their_order(work, api, path):
    """Also from a source that gives less than is asked for, whose total moves, or that fails a page now and then."""
    _, ids = sync(work, api, PARALLEL % path)
    assert ids == IDS
    assert not api.gate.broken


@pytest.mark.parametrize("kind", ["offset", "cursor"])
def test_a_page_that_is_too_large_is_asked_for_in_parts(work, api, kind):
    api.largest = 6
    stream = {"offset": "path = '/offset', records = 'data', pages = { kind = 'offset', param = 'at', size = 20, size_param = 'size' }",
              "cursor": "path = '/export', records = 'data', pages = { kind = 'time_next', param = 'start_time', next = 'end_time', "
                        "last = 'end_of_stream', start = '0', size = 20, size_param = 'size' }"}[kind]
    _, ids = sync(work, api, stream)
    assert sorted(ids) == IDS
    sizes = [int(query["size"]) for _, query in api.seen]
    assert sizes[:3] == [20, 10, 5]
    if kind == "offset":
        assert sizes[11:14] == [5, 10, 5]  # tried again, and too large still


def test_a_page_that_takes_too_long_is_asked_for_in_parts(work, api):
    api.largest, api.holds = 12, True
    _, ids = sync(work, api, "path = '/offset', records = 'data', pages = { kind = 'offset', param = 'at', size = 20, size_param = "
                             "'size', total = 'total' }")
    assert sorted(ids) == IDS
    assert [int(query["size"]) for _, query in api.seen[:2]] == [20, 10]


def test_pages_by_number_cannot_shrink(work, api):
    api.largest = 6
    ended, _ = sync(work, api, "path = '/offset', records = 'data', pages = { kind = 'page', param = 'p', size = 20, size_param = "
                               "'size' }", code=4)
    assert "413" in ended.err and len(api.seen) == 1


def test_a_cap_is_an_error_that_names_it(work, api):
    ended, ids = sync(work, api, "path = '/offset', records = 'data', pages = { kind = 'offset', param = 'at', size = 10, cap = 20, "
                                 "total = 'total' }", code=5)
    assert "at most 20 records to one query (pages.cap)" in ended.err
    assert len(api.seen) == 1


def test_a_window_over_the_cap_is_read_in_halves(work, api):
    """As search endpoints are: what lies behind the cap is never given, whatever page is asked for."""
    cursor = ("kind = 'windowed', field = 'ts', format = 'epoch', param = 'from', until_param = 'to', bounds = '(]', start = '1970-01-01', "
              "step = '100000d', min_step = '1s'")
    ended, ids = sync(work, api, "path = '/window', records = 'data', pages = { kind = 'offset', param = 'at', size = 10, size_param = 'size', cap = 20 }, "
                                 "cursor = { %s }," % cursor)
    assert sorted(ids) == [r["id"] for r in RECORDS] and "in halves" in ended.err, ended
