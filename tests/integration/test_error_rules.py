"""Rules that say what an answer means, end to end: the source answers as the test scripts it, page by page."""

import http.server
import json
import threading
import urllib.parse

import pytest


class Source:
    """An API. `answer(path, query, number)` gives (status, value or bytes, headers) for the number-th request to that path."""

    def __init__(self, answer):
        self.answer, self.requests, self.tokens, self.keys = answer, [], 0, []
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                source.keys.append(self.headers.get("Idempotency-Key"))
                if source.keys[-1]:
                    return self.reply(*(rows(1) if len(source.keys) > 1 else (503, {}, {})))
                source.tokens += 1
                self.reply(200, {"access_token": f"token-{source.tokens}", "expires_in": 3600}, {})

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                source.requests.append((url.path, query, self.headers.get("Authorization")))
                number = sum(path == url.path for path, _, _ in source.requests)
                self.reply(*source.answer(url.path, query, number))

            def reply(self, status, value, headers):
                body = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                for name, text in {"Content-Type": "application/json", "Content-Length": len(body), **headers}.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def count(self, path):
        return sum(asked == path for asked, _, _ in self.requests)


CONNECTOR = """
return sluice.connector { name = "ruled", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}", retry = { tries = 3, wait = "5ms" }, %s },
  streams = { %s } }
"""
STREAM = '%s = { path = "/%s", records = "rows", primary_key = "id", fields = { id = "integer" }, %s },'
TOKENS = 'pages = { kind = "cursor", param = "after", next = "next" },'


def stream(name="things", keys=""):
    return STREAM % (name, name, keys)


def rows(*ids, **more):
    return 200, {"rows": [{"id": i} for i in ids], **more}, {}


def configure(work, source, database, http_keys="", streams=None, **settings):
    path = work.write("ruled.lua", CONNECTOR % (http_keys, streams or stream()))
    work.configure(source, {"type": "postgres", "url": database.url, "schema": "raw"}, connector=path, name="ruled", **settings)


def ids(database, table="things"):
    return [row[0] for row in database.query(f"SELECT id FROM raw.{table} ORDER BY 1")]


def statuses(ended):
    return {row["stream"]: row["status"] for row in json.loads(ended.out)}


def test_a_200_that_says_no_is_asked_again(work, database):
    """As Slack does it: the status is fine, `ok` is not."""
    errors = 'errors = { { path = "error", equals = "busy", action = "retry" }, { path = "ok", equals = false, action = "fail" } }'

    def answer(path, query, number):
        return (200, {"ok": False, "error": "busy"}, {}) if number == 1 else rows(1, 2, ok=True)

    with Source(answer) as source:
        configure(work, source, database, errors)
        work.run("run")
        assert ids(database) == [1, 2] and source.count("/things") == 2


def test_a_200_that_says_no_for_good(work, database):
    errors = """errors = { { path = "error", contains = "token", action = "fail", class = "auth", hint = "make a new token" },
                           { path = "ok", equals = false, action = "fail" } }"""
    with Source(lambda *_: (200, {"ok": False, "error": "bad_token"}, {})) as source:
        configure(work, source, database, errors)
        ended = work.run("run", code=3)
        assert "error: auth: ruled.things: GET" in ended.err and "answered 200" in ended.err, ended
        assert "; make a new token" in ended.err and source.count("/things") == 1, ended
        source.answer = lambda *_: (200, {"ok": False, "error": "other"}, {})
        assert "error: source: " in work.run("run", code=4).err


def test_a_declared_wait_of_a_200_holds_everybody_back(work, database):
    """GraphQL: throttled inside a 200. The wait over the limit ends the sync and says when to come back."""
    errors = 'errors = { { path = "errors.*.code", equals = "THROTTLED", action = "rate_limited", wait = "%s" } }'
    throttled = 200, {"errors": [{"code": "THROTTLED"}]}, {}
    with Source(lambda path, query, number: throttled if number == 1 else rows(1)) as source:
        configure(work, source, database, errors % "1s")
        work.run("run")
        assert ids(database) == [1] and source.count("/things") == 2
        source.answer = lambda *_: throttled
        configure(work, source, database, errors % "2h")
        assert "run again in 2 h" in work.run("run", code=4).err


def test_the_rules_of_a_stream_come_before_those_of_http(work, database):
    with Source(lambda *_: (404, {"error": "gone"}, {})) as source:
        configure(work, source, database, 'errors = { { status = "4xx", action = "fail", class = "data" } }',
                  stream("one", 'errors = { { status = 404, action = "ignore" } },') + stream("two"))
        ended = work.run("run", "--json", code=8)
        assert statuses(ended) == {"one": "done", "two": "failed"}
        assert ids(database, "one") == [] and "error: data: ruled.two: " in ended.err


def test_new_credentials_when_a_400_says_that_they_ended(work, database):
    """Salesforce says it in the body."""
    keys = """auth = { kind = "oauth2", grant = "client_credentials", token_url = "/token", client_id = "me",
                       client_secret = "{{config.api_key}}" },
              errors = { { status = { 400, 401 }, path = "*.errorCode", equals = "SESSION", action = "refresh_auth" } }"""
    with Source(None) as source:
        source.answer = lambda path, query, number: (400, [{"errorCode": "SESSION"}], {}) if number == 1 else rows(1)
        configure(work, source, database, keys)
        work.run("run")
        assert [a for _, _, a in source.requests] == ["Bearer token-1", "Bearer token-2"] and ids(database) == [1]
        source.answer = lambda *_: (400, [{"errorCode": "SESSION"}], {})
        asked = len(source.requests)
        assert "error: auth: " in work.run("run", code=3).err
        assert len(source.requests) == asked + 2, "a fresh token is tried once"


def test_a_stream_that_cannot_be_had_is_left_out(work, database):
    """403 for want of a plan: the table it has stays, also under overwrite, and the others are loaded."""
    errors = 'errors = { { status = 403, action = "skip_stream" } }'
    allowed = True

    def answer(path, query, number):
        return rows(1, 2) if path == "/two" or allowed else (403, {"message": "not in your plan"}, {})

    with Source(answer) as source:
        configure(work, source, database, errors, stream("one") + stream("two"))
        work.run("run")
        allowed = False
        ended = work.run("run", "--json")
        assert statuses(ended) == {"one": "skipped", "two": "done"}
        assert "warning: ruled.one: skipped: GET" in ended.err and "not in your plan" in ended.err and "error" not in ended.err, ended
        assert ids(database, "one") == [1, 2], "a table was emptied"
        ended = work.run("run", "--stream", "one", code=3)
        assert "error: permission: ruled: cannot load anything: every stream was skipped" in ended.err, ended


def test_a_slice_that_is_not_there_is_passed_over(work, database):
    keys = """cursor = { kind = "windowed", field = "at", param = "from", until_param = "to", start = "2024-01-01T00:00:00Z", step = "200d" },
              errors = { { status = 404, action = "skip_slice" } },"""
    fields = '{ id = "integer", at = "timestamp" }'

    def answer(path, query, number):
        if query["from"].startswith("2024-01-01"):
            return 404, {"error": "too old"}, {}
        return 200, {"rows": [{"id": number, "at": query["to"]}]}, {}

    with Source(answer) as source:
        configure(work, source, database, streams=stream("things", keys).replace('{ id = "integer" }', fields))
        ended = work.run("run")
        assert "skipping the rest of slice '2024-01-01T00:00:00Z': GET" in ended.err, ended
        assert len(ids(database)) == len(source.requests) - 1 > 0
        work.run("run")
        assert sum(query["from"].startswith("2024-01-01") for _, query, _ in source.requests) == 1, "what was passed over is done"


@pytest.mark.parametrize("write_mode", ["append", "append_dedup", "overwrite"])
def test_tokens_that_expire_begin_again(work, database, write_mode):
    """No row is lost or doubled, whatever was read before; and it ends when they expire again and again."""
    keys = TOKENS + 'errors = { { status = 400, path = "error", equals = "expired", action = "reset_pages" } },'
    pages = {None: rows(*range(50), next="a"), "a": rows(*range(50, 100), next="b"), "b": rows(*range(100, 150))}

    def answer(path, query, number):
        return (400, {"error": "expired"}, {}) if query.get("after") == "b" and number < 7 else pages[query.get("after")]

    with Source(answer) as source:
        configure(work, source, database, streams=stream("things", keys), commit={"bytes": "1KiB", "seconds": 1},
                  defaults={"write_mode": write_mode, "sync_mode": "full_refresh"})
        ended = work.run("run")
        assert ids(database) == list(range(150)) and len(source.requests) == 9, ended
        assert ended.err.count("starting over with the pages: GET") == 2, ended
        assert database.query("SELECT * FROM _sluice.loads WHERE emitted <> written + unchanged + deduplicated + rejected + discarded") == []
        source.answer = lambda path, query, number: pages[None] if not query.get("after") else (400, {"error": "expired"}, {})
        ended = work.run("run", code=4)
        assert "the source made us start over 3 times" in ended.err, ended


@pytest.mark.parametrize("write_mode", ["append", "append_dedup"])
def test_beginning_again_behind_a_checkpoint(work, database, write_mode):
    """Rows before the checkpoint are visible already when the tokens end."""
    fields = '{ id = "integer", at = "integer" }'
    keys = TOKENS + """cursor = { field = "at", param = "since", start = "0", order = "ascending" },
                       errors = { { status = 410, action = "reset_pages" } },"""
    expired = []

    def answer(path, query, number):
        first = max(int(query["since"]), int(query.get("after", 0))) + 1
        if first > 60 and not expired:
            expired.append(query)
            return 410, {}, {}
        last = min(first + 9, 100)
        return 200, {"rows": [{"id": i, "at": i} for i in range(first, last + 1)], "next": str(last) if last < 100 else None}, {}

    with Source(answer) as source:
        configure(work, source, database, streams=stream("things", keys).replace('{ id = "integer" }', fields),
                  commit={"bytes": "1KiB", "seconds": 1}, defaults={"write_mode": write_mode})
        work.run("run")
        assert ids(database) == list(range(1, 101))


def test_an_answer_that_is_rejected_is_kept(work, database):
    keys = TOKENS + 'errors = { { status = 422, action = "reject" } },'

    def answer(path, query, number):
        return (422, {"why": "record 7 is broken"}, {}) if query else rows(1, 2, next="x")

    with Source(answer) as source:
        configure(work, source, database, streams=stream("things", keys))
        ended = work.run("run")
        assert ids(database) == [1, 2] and "1 record was rejected" in ended.err
        (reason, record), = database.query("SELECT reason, convert_from(record, 'UTF8') FROM _sluice.rejects")
        assert reason == "refused_by_source" and "record 7 is broken" in record
        assert database.query("SELECT emitted, written, rejected FROM _sluice.loads WHERE emitted > 0") == [(3, 2, 1)]


def test_a_function_decides(work, database):
    """It sees status, headers and body; what it says is checked; nil leaves it to the status."""
    function = """errors = function(response, ctx)
        if response.status == 404 then return "ignore" end
        if response.headers["x-wait"] then return { action = "rate_limited", wait = tonumber(response.headers["x-wait"]) } end
        if response.status == 200 and not response:json().ok then return { action = "fail", class = "data", hint = "ask " .. ctx.config.base_url } end
      end"""
    answers = {"/one": [(404, {}, {})], "/two": [(503, {}, {"X-Wait": "1"}), rows(1, ok=True)], "/three": [rows(1)], "/four": [(400, {}, {})]}

    def answer(path, query, number):
        return answers[path][min(number, len(answers[path])) - 1]

    with Source(answer) as source:
        configure(work, source, database, function, "".join(map(stream, ["one", "two", "three", "four"])))
        ended = work.run("run", "--json", code=8)
        assert statuses(ended) == {"one": "done", "two": "done", "three": "failed", "four": "failed"}
        assert f"error: data: ruled.three: GET" in ended.err and f"; ask {source.url}" in ended.err
        assert "error: source: ruled.four: " in ended.err


def test_a_rule_asks_a_function(work, database):
    """Only when its condition holds; a wrong word from it is the connector's mistake."""
    rule = 'errors = { { status = 403, action = function(response) return response:json().action end } }'
    says = {"action": None}
    with Source(lambda *_: (403, says, {})) as source:
        configure(work, source, database, rule)
        assert "error: permission: " in work.run("run", code=3).err
        says["action"] = "ignore"
        work.run("run")
        says["action"] = "ignroe"
        ended = work.run("run", code=7)
        assert "function 'http.errors.0.action': " in ended.err and "did you mean 'ignore'?" in ended.err, ended


def test_mistakes_in_rules_are_listed_at_once(work, database):
    with Source(lambda *_: rows()) as source:
        configure(work, source, database, 'errors = { { status = "40x", action = "ignore" }, { action = "skip" }, { path = "a", equals = "b" } }')
        ended = work.run("run", code=2)
        for said in ["http.errors.0.status: '40x' is no status", "http.errors.1.action", "http.errors.2"]:
            assert said in ended.err, ended
        assert source.requests == []


def test_a_post_with_a_key_is_sent_again(work, database):
    """The source answers the first try with 503, so whether it has done what was asked is not known."""
    with Source(None) as source:
        configure(work, source, database, streams=stream("things", 'method = "POST", idempotency_key = "Idempotency-Key",'))
        work.run("run")
        assert len(source.keys) == 2 and source.keys[0] == source.keys[1] and len(source.keys[0]) == 32
        assert ids(database) == [1]
