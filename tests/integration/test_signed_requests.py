"""Requests that are signed one by one: a source that checks each signature as its own documentation says, from what came on the
wire, and takes no nonce twice."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import threading
import time
import urllib.parse

import pytest
from conftest import staged_loads, staged_rows

SECRETS = {"key": "consumer-Kq71", "secret": "Zx&c 93/=secret", "token": "tok-Wm48", "token_secret": "Hv#58+tokensecret"}
CONNECTOR = """
return sluice.connector { name = "signed", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, key = { type = "string", secret = true },
             secret = { type = "string", secret = true }, token = { type = "string", secret = true },
             token_secret = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}", auth = %s },
  streams = {
    things = { path = "/things", params = { q = 'last > "01/15/2024" & a+b', e = "" }, records = "rows", primary_key = "id",
               pages = { kind = "page", param = "page", more = "more" }, fields = { id = "integer" } },
    posted = { path = "/posted", method = "POST", body = { q = "SELECT ž" }, records = "rows",
               primary_key = "id", fields = { id = "integer" } } } }
"""
OAUTH1 = """{ kind = "oauth1", consumer_key = "{{config.key}}", consumer_secret = "{{config.secret}}",
              token = "{{config.token}}", token_secret = "{{config.token_secret}}", realm = "1234567_SB1", method = "%s" }"""
IN_HEADERS = """{ kind = "hmac", key = "{{config.secret}}", encoding = "base64", algorithm = "sha512",
                  message = "{{sign.method}}\\n{{sign.target}}\\n{{sign.timestamp_ms}}\\n{{sign.nonce}}\\n{{sign.body_sha256}}",
                  headers = { ["X-Key"] = "{{config.key}}", ["X-Time"] = "{{sign.timestamp_ms}}", ["X-Nonce"] = "{{sign.nonce}}",
                              ["X-Sign"] = "v1={{sign.signature}}" } }"""
IN_QUERY = """{ kind = "hmac", key = "{{config.secret}}", message = "{{sign.query}}{{sign.body}}",
                headers = { ["X-Key"] = "{{config.key}}" },
                params = { timestamp = "{{sign.timestamp_ms}}", nonce = "{{sign.nonce}}", signature = "{{sign.signature}}" } }"""


def quote(text):
    return urllib.parse.quote(text, safe="-._~")


def oauth1_fields(authorization):
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "OAuth"
    pairs = (part.strip().partition("=") for part in rest.split(","))
    return {name: urllib.parse.unquote(value.strip('"')) for name, _, value in pairs}


def check_oauth1(request):
    fields = oauth1_fields(request.headers["Authorization"])
    assert fields.pop("realm") == "1234567_SB1"
    assert fields["oauth_consumer_key"] == SECRETS["key"] and fields["oauth_token"] == SECRETS["token"]
    signature, url = fields.pop("oauth_signature"), urllib.parse.urlsplit(request.path)
    params = sorted((quote(name), quote(value)) for name, value in
                    [*fields.items(), *urllib.parse.parse_qsl(url.query, keep_blank_values=True)])
    base = "&".join([request.command, quote(f"http://{request.headers['Host']}{url.path}"),
                     quote("&".join(f"{name}={value}" for name, value in params))])
    key = quote(SECRETS["secret"]) + "&" + quote(SECRETS["token_secret"])
    hashes = {"HMAC-SHA256": hashlib.sha256, "HMAC-SHA1": hashlib.sha1}
    method = fields["oauth_signature_method"]
    expected = key if method == "PLAINTEXT" else base64.b64encode(
        hmac.new(key.encode(), base.encode(), hashes[method]).digest()).decode()
    assert signature == expected, base
    return int(fields["oauth_timestamp"]) * 1000, fields["oauth_nonce"]


def check_headers(request):
    headers = request.headers
    assert headers["X-Key"] == SECRETS["key"]
    message = "\n".join([request.command, request.path, headers["X-Time"], headers["X-Nonce"],
                         hashlib.sha256(request.body).hexdigest()])
    code = hmac.new(SECRETS["secret"].encode(), message.encode(), hashlib.sha512).digest()
    assert headers["X-Sign"] == "v1=" + base64.b64encode(code).decode()
    return int(headers["X-Time"]), headers["X-Nonce"]


def check_query(request):
    assert request.headers["X-Key"] == SECRETS["key"]
    query, _, signature = request.path.partition("?")[2].rpartition("&signature=")
    assert signature == hmac.new(SECRETS["secret"].encode(), query.encode() + request.body, hashlib.sha256).hexdigest()
    params = dict(urllib.parse.parse_qsl(query))
    return int(params["timestamp"]), params["nonce"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        api = self.server.api
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answer = 200, {"rows": [{"id": 1}, {"id": 2}], "more": "page=2" not in self.path}
        with api.lock:
            api.paths.append(self.path)
            try:
                at_ms, nonce = api.check(self)
                assert abs(at_ms - time.time() * 1000) < 600_000
                assert nonce not in api.nonces
                api.nonces.add(nonce)
            except (AssertionError, KeyError, TypeError) as problem:
                api.problems.append(f"{self.command} {self.path}: {problem!r}")
                # Says what it got, as servers do that help.
                status, answer = 401, {"error": "INVALID_LOGIN", "got": str(self.headers)}
        body = json.dumps(answer).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    do_POST = do_GET


class Signed:
    def __init__(self, check):
        self.lock, self.check, self.nonces, self.problems, self.paths = threading.Lock(), check, set(), [], []
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.api = self
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


def configure(work, api, auth, **secrets):
    path = work.write("connectors/signed.lua", CONNECTOR % auth)
    work.write("sluice.yaml", json.dumps({
        "destinations": {"target": {"type": "csv", "path": str(work.folder / "staging"), "compression": "none"}},
        "pipelines": {"one": {"connector": str(path), "destination": "target", "network": {"allow_private": True},
                              "config": {"base_url": api.url, **SECRETS, **secrets}}}}))


def assert_silent(text):
    for value in SECRETS.values():
        assert value not in text and quote(value) not in text


@pytest.mark.parametrize("auth,check", [
    (OAUTH1 % "HMAC-SHA256", check_oauth1), (OAUTH1 % "HMAC-SHA1", check_oauth1), (OAUTH1 % "PLAINTEXT", check_oauth1),
    (IN_HEADERS, check_headers), (IN_QUERY, check_query)], ids=["oauth1-sha256", "oauth1-sha1", "oauth1-plaintext", "headers", "query"])
def test_every_request_is_signed(work, auth, check):
    """Pages, parameters of every kind and a body; and a recording of it holds no secret, and is replayed although each signature,
    time and nonce is another one then."""
    with Signed(check) as api:
        configure(work, api, auth)
        ended = work.run("run", "--verbose", "--record", "tape.cassette", timeout=60)
        assert not api.problems
        assert len(api.nonces) == 3
        requests = len(api.paths)
        tape = (work.folder / "tape.cassette").read_text()
        assert_silent(ended.out + ended.err + tape)
        work.run("run", "--replay", "tape.cassette", "--state-dir", str(work.folder / "other"), timeout=60)
        assert len(api.paths) == requests
    for stream in ("things", "posted"):
        assert [row["id"] for row in staged_rows(staged_loads(work.folder / "staging", stream, "one")[0])]


@pytest.mark.parametrize("auth,check", [(OAUTH1 % "PLAINTEXT", check_oauth1), (IN_QUERY, check_query)], ids=["oauth1", "query"])
def test_a_wrong_secret_ends_the_sync_and_is_not_told(work, auth, check):
    with Signed(check) as api:
        configure(work, api, auth, secret="Pk6-wrong&secret")
        ended = work.run("run", "--verbose", code=3, timeout=60)
        assert api.problems
        for text in (ended.out, ended.err):
            assert "Pk6-wrong" not in text
            assert_silent(text)
