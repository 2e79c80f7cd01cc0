"""Logins: a token or cookie that a call gives, got once, shared, and got again when it is refused."""

import contextlib
import http.server
import json
import threading
import urllib.parse

import pytest
from conftest import staged_loads, staged_rows

USER, PASSWORD = "me@example.com", "Zx7 &pass=Word"
CONNECTOR = """
return sluice.connector { name = "logging_in", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, user = { type = "string" }, password = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}", auth = %s },
  streams = { things = { path = "/things", records = "rows", primary_key = "id", fields = { id = "integer" },
                         pages = { kind = "page", param = "page", more = "more" } } } }
"""
TOKEN = """{ kind = "session", login_url = "/login", params = { auth = { user = "{{config.user}}", password = "{{config.password}}" } },
             token = "data.key", name = "X-Session", capture = { tenant = "data.tenant" } }"""
COOKIE = """{ kind = "session", login_url = "/login", body = "form", params = { user = "{{config.user}}", password = "{{config.password}}" },
              from = "cookie", token = "sid" }"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, value, status=200, **headers):
        body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, text in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), text)
            self.end_headers()
            self.wfile.write(body)

    def do_POST(self):
        api, text = self.server.api, self.rfile.read(int(self.headers["Content-Length"])).decode()
        is_json = self.headers["Content-Type"] == "application/json"
        given = json.loads(text)["auth"] if is_json else dict(urllib.parse.parse_qsl(text))
        with api.lock:
            api.logins.append(given)
            if api.says_instead:
                return self.answer(*api.says_instead)
            if given != {"user": USER, "password": PASSWORD}:
                return self.answer({"error": f"no user {given}"}, 401)
            api.session = f"session-{len(api.logins)}-Wq83"
        if is_json:
            return self.answer({"data": {"key": api.session, "tenant": "t1"}})
        return self.answer("", 302, Location="/home", Set_Cookie=f"sid={api.session}; Path=/; HttpOnly")

    def do_GET(self):
        api = self.server.api
        with api.lock:
            api.reads += 1
            shown = self.headers.get("X-Session") or self.headers.get("Cookie", "").removeprefix("sid=")
            if api.reads in api.ends_before:
                api.session = None
            good = api.session is not None and shown == api.session and self.path.startswith("/things")
        page = int(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("page", ["1"])[0])
        if not good:
            return self.answer({"error": f"no session {shown}"}, 401)
        return self.answer({"rows": [{"id": page}], "more": page < 4})


class Api:
    def __init__(self, ends_before=(), says_instead=None):
        self.lock, self.logins, self.session, self.reads = threading.Lock(), [], None, 0
        self.ends_before, self.says_instead = ends_before, says_instead
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.api = self
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


def configure(work, api, auth, password=PASSWORD):
    path = work.write("connectors/logging_in.lua", CONNECTOR % auth)
    work.write("sluice.yaml", json.dumps({
        "destinations": {"target": {"type": "csv", "path": str(work.folder / "staging"), "compression": "none"}},
        "pipelines": {"one": {"connector": str(path), "destination": "target", "network": {"allow_private": True},
                              "config": {"base_url": api.url, "user": USER, "password": password}}}}))


def assert_silent(text):
    for secret in ("-Wq83", PASSWORD, urllib.parse.quote(PASSWORD), urllib.parse.quote_plus(PASSWORD)):
        assert secret not in text


@pytest.mark.parametrize("auth", [TOKEN, COOKIE], ids=["token", "cookie"])
def test_one_login_serves_all_runs_until_it_is_refused(work, auth):
    with Api(ends_before={3}) as api:
        configure(work, api, auth)
        first = work.run("run", "--verbose", "--record", "tape.cassette", timeout=60)
        assert len(api.logins) == 2  # one at first, one when page 3 was refused
        second = work.run("run", "--verbose", timeout=60)
        assert len(api.logins) == 2
        tape = (work.folder / "tape.cassette").read_text()
        assert_silent(first.out + first.err + second.out + second.err + tape)
        reads = api.reads
        work.run("run", "--replay", "tape.cassette", "--state-dir", str(work.folder / "other"), timeout=60)
        assert (len(api.logins), api.reads) == (2, reads)
        assert "has a token, which is renewed when it is refused" in work.run("auth", "status", timeout=60).out
    rows = staged_rows(staged_loads(work.folder / "staging", "things", "one")[0])
    assert sorted(int(row["id"]) for row in rows) == [1, 2, 3, 4]


def test_a_session_that_never_works_is_asked_for_twice_and_no_more(work):
    with Api(ends_before=set(range(1, 100))) as api:
        configure(work, api, TOKEN)
        ended = work.run("run", "--verbose", code=3, timeout=60)
        assert len(api.logins) == 2
        assert_silent(ended.out + ended.err)


@pytest.mark.parametrize("instead,says", [
    (None, "answered 401: {\"error\": \"no user"),
    (("<html>Please log in</html>",), "without a token at 'data.key'; it is no JSON object"),
    (({"data": {"token": "other-Wq83"}},), "without a token at 'data.key'; it has data"),
], ids=["refused", "html", "no-token"])
def test_a_login_that_fails_is_tried_once_and_tells_no_secret(work, instead, says):
    with Api(says_instead=instead) as api:
        configure(work, api, TOKEN, password=PASSWORD if instead else "wrong-Wq83-password")
        ended = work.run("run", "--verbose", code=3, timeout=60)
        assert says in ended.err
        assert len(api.logins) == 1
        assert_silent(ended.out + ended.err)
