"""Every page kind, auth kind and function of the vocabulary, end to end, against a small API that has them all."""

import base64
import http.server
import json
import threading
import urllib.parse

import pytest

from conftest import staged_loads, staged_rows

COUNT, PAGE = 57, 10
RECORDS = [{"id": n, "amount": f"{n}.10", "ts": 1_700_000_000 + n * 3600, "tags": ["a", {"x": n}], "big": 9007199254740993 + n}
           for n in range(COUNT)]


def page(number):
    return RECORDS[number * PAGE:(number + 1) * PAGE]


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

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.path, dict(self.headers), body.decode()))
        if self.path == "/token":
            form = dict(urllib.parse.parse_qsl(body.decode()))
            current = self.server.refresh_token
            if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != current:
                return self.answer({"error": "invalid_grant"}, 400)
            self.server.refresh_token = f"r{int(current[1:]) + 1}"  # rotates: the old one is dead
            self.server.access_token = "access-" + self.server.refresh_token
            return self.answer({"access_token": self.server.access_token, "expires_in": "3600",
                                "refresh_token": self.server.refresh_token})
        wanted = json.loads(body)
        offset, limit = int(wanted["offset"]), int(wanted["limit"])
        return self.answer({"data": {"items": RECORDS[offset:offset + limit]}, "total": COUNT})

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers), ""))
        url = urllib.parse.urlparse(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        number = int(query.get("p", 0))
        more = (number + 1) * PAGE < COUNT
        here = f"http://127.0.0.1:{self.server.server_port}"
        kind = url.path[1:]
        if kind == "offset":
            offset = int(query.get("offset", 0))
            return self.answer({"items": RECORDS[offset:offset + PAGE]})
        if kind == "link":
            link = {"Link": f'<{here}/link?p={number + 1}>; rel="next", <{here}/link>; rel="first"'} if more else {}
            return self.answer(page(number), **link)
        if kind == "next":
            return self.answer({"records": page(number), "links": {"next": f"/next?p={number + 1}" if more else None}})
        if kind == "rows":
            return self.answer({"rows": page(number), "more": more})
        if kind == "token":
            return self.answer({"rows": page(number), "after": number + 1 if more else None})
        if kind == "window":
            return self.answer([r for r in RECORDS if int(query["from"]) < r["ts"] <= int(query["to"])])
        authorization = self.headers.get("Authorization")
        allowed = {"basic": authorization == "Basic " + base64.b64encode(b"me:p w&=").decode(),
                   "bearer": authorization == "Bearer p w&=",
                   "header": self.headers.get("X-Api-Key") == "p w&=",
                   "query": query.get("key") == "p w&=",
                   "oauth2": authorization == f"Bearer {self.server.access_token}"}.get(kind)
        return self.answer({"m": {str(r["id"]): r for r in RECORDS}} if allowed else {"error": "no"}, 200 if allowed else 401)


@pytest.fixture
def api():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.seen, server.refresh_token, server.access_token = [], "r1", "none"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


HEAD = """
local fields = { id = "integer", amount = "decimal", ts = { type = "timestamp", format = "epoch" }, big = "integer" }
return sluice.connector { name = "all", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}", auth = %s },
  streams = { things = { primary_key = "id", fields = fields, %s } } }
"""


def sync(work, api, stream, auth="{ kind = 'none' }", key="p w&=", code=0):
    path = work.write("connectors/all.lua", HEAD % (auth, stream))
    work.configure(None, {"type": "csv", "path": str(work.folder / "staging"), "compression": "none"}, connector=path, name="all",
                   config={"base_url": f"http://127.0.0.1:{api.server_port}", "api_key": key})
    ended = work.run("run", code=code)
    loads = staged_loads(work.folder / "staging", "things", "all")
    return staged_rows(loads[-1]) if loads else ended


def whole(rows):
    assert sorted(int(row["id"]) for row in rows) == list(range(COUNT))
    assert {row["big"] for row in rows} == {str(record["big"]) for record in RECORDS}
    assert rows[0]["ts"].startswith("2023-11-1") and rows[0]["amount"].endswith(".10")


PAGES = {
    "offset": "path = '/offset', records = 'items', pages = { kind = 'offset', param = 'offset', size = 10 }",
    "offset into a body": "path = '/search', method = 'POST', idempotent = true, records = 'data.items', body = { limit = "
                          "'{{page.size}}', offset = '{{page.offset}}' }, pages = { kind = 'offset', param = 'offset', "
                          "into = 'body', size = 20, total = 'total' }",
    "link header": "path = '/link', pages = { kind = 'link_header' }",
    "next url": "path = '/next', records = 'records', pages = { kind = 'next_url', next = 'links.next' }",
    "page": "path = '/rows', records = 'rows', pages = { kind = 'page', param = 'p', start = 0, more = 'more' }",
    "cursor": "path = '/token', records = 'rows', pages = { kind = 'cursor', param = 'p', next = 'after' }",
    "windows": "path = '/window', cursor = { field = 'ts', param = 'from', until_param = 'to', format = 'epoch', "
               "start = '2023-11-14T00:00:00Z', step = '1w', bounds = '(]', order = 'ascending' }",
}


@pytest.mark.parametrize("kind", PAGES)
def test_page_kinds(work, api, kind):
    whole(sync(work, api, PAGES[kind]))


AUTHS = {
    "basic": "{ kind = 'basic', username = 'me', password = '{{config.api_key}}' }",
    "bearer": "{ kind = 'bearer', token = '{{config.api_key}}' }",
    "header": "{ kind = 'api_key', name = 'X-Api-Key', key = '{{config.api_key}}' }",
    "query": "{ kind = 'api_key', into = 'query', name = 'key', key = '{{config.api_key}}' }",
}


@pytest.mark.parametrize("kind", AUTHS)
def test_auth_kinds(work, api, kind):
    whole(sync(work, api, f"path = '/{kind}', records = 'm.*'", AUTHS[kind]))
    ended = sync(work, api, f"path = '/{kind}', records = 'm.*', write_mode = 'append'", AUTHS[kind], key="wrong-key-wrong", code=3)
    assert "wrong-key-wrong" not in str(ended)


def test_rotated_refresh_token_survives_the_run(work, api):
    auth = ("{ kind = 'oauth2', grant = 'refresh_token', token_url = '{{config.base_url}}/token', client_id = 'c', "
            "refresh_token = '{{config.api_key}}' }")
    for round_number in range(3):
        path = work.write("connectors/all.lua", HEAD % (auth, "path = '/oauth2', records = 'm.*'"))
        work.configure(None, {"type": "csv", "path": str(work.folder / "staging"), "compression": "none"}, connector=path, name="all",
                       config={"base_url": f"http://127.0.0.1:{api.server_port}", "api_key": "r1"})
        ended = work.run("run", "--state-dir", work.folder / "state")
        assert api.refresh_token == f"r{round_number + 2}"
        assert api.access_token not in ended.out + ended.err
        api.access_token = "ended"  # what is stored of it is refused: the next run renews it
    work.run("run", "--state-dir", work.folder / "elsewhere", code=3)  # r1 is dead: log in again


FUNCTIONS = """
    path = function(ctx) return "/rows" end,
    params = function(ctx) return { extra = "a b&c" } end,
    headers = function(ctx) return { ["X-Signed"] = "key " .. ctx.config.api_key } end,
    records = function(page, ctx) return page:json().rows end,
    map = function(record, ctx)
      if record.id % 2 == 1 then return nil end
      return { record, { id = record.id + 1000, big = record.big, note = "copy of " .. record.id } }
    end,
    pages = { kind = "page", param = "p", start = 0, more = "more" },
"""


def test_functions_for_every_part_of_a_request_and_for_records(work, api):
    rows = sync(work, api, FUNCTIONS)
    evens = [record for record in RECORDS if record["id"] % 2 == 0]
    assert len(rows) == 2 * len(evens)
    by_id = {int(row["id"]): row for row in rows}
    for record in evens:
        assert by_id[record["id"]]["big"] == by_id[record["id"] + 1000]["big"] == str(record["big"])
        assert by_id[record["id"] + 1000]["note"] == f"copy of {record['id']}"
    path, headers, _ = next(seen for seen in api.seen if seen[0].startswith("/rows"))
    assert "extra=a%20b%26c" in path or "extra=a+b%26c" in path
    assert headers["X-Signed"] == "key p w&="


def test_next_page_by_a_function(work, api):
    stream = """path = '/rows', records = 'rows', pages = { kind = 'cursor', param = 'p', next = function(ctx, page)
        local body = page:json()
        if body.more then return (ctx.page.token and tonumber(ctx.page.token) or 0) + 1 end
      end }"""
    whole(sync(work, api, stream))


def test_a_record_cannot_name_a_secret(work, api):
    """What a function returns is literal, never a template."""
    stream = """path = '/rows', records = 'rows', pages = { kind = 'page', param = 'p', start = 0, more = 'more' },
      params = function(ctx) return { q = "{{config.api_key}}" } end"""
    sync(work, api, stream)
    assert all("p%20w" not in path and "p+w" not in path for path, _, _ in api.seen)
    assert any("config.api_key" in urllib.parse.unquote(path) for path, _, _ in api.seen)
