"""Tokens that the host gets and keeps: one call for all who share a credential, and nobody is locked out by a kill."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import signal
import threading
import time
import urllib.parse

import pytest
from conftest import staged_loads, staged_rows
from emulator import Emulator

ROWS = [{"id": number} for number in range(5)]
CONNECTOR = """
return sluice.connector { name = "rotating", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, refresh_token = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}", auth = %s },
  streams = { things = { path = "/things", records = "rows", primary_key = "id", fields = { id = "integer" } } } }
"""
REFRESH = """{ kind = "oauth2", grant = "refresh_token", token_url = "/token", client_id = "c", refresh_token = "{{config.refresh_token}}" }"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        api = self.server.api
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        api.calls.append(form)
        api.strike("asked")
        with api.lock:
            status, answer = api.token_answer(form)
        api.strike("renewed")
        with contextlib.suppress(OSError):
            self.answer(answer, status)
        api.strike("answered")

    def do_GET(self):
        api = self.server.api
        with api.lock:
            good = api.use(self.headers.get("Authorization", ""))
        api.strike("used")
        with contextlib.suppress(OSError):
            self.answer({"rows": ROWS} if good else {"error": "invalid_token"}, 200 if good else 401)


class Rotating:
    """An authorization server and its API. A renewal ends the pair before it: at once, or (`grace`) when the new access token
    is first used, as servers do that know of lost answers. `kill_at` names the instant at which `victim` is killed."""

    def __init__(self, grace=False):
        self.lock, self.calls, self.grace = threading.Lock(), [], grace
        self.number, self.access, self.refreshable = 0, None, {"refresh-0"}
        self.victim, self.kill_at, self.after_s = None, None, 0
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.api = self
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    def strike(self, instant):
        if self.kill_at != instant:
            return
        self.kill_at = None
        with self.lock:  # who starts the victim holds it until it is known
            victim = self.victim
        time.sleep(self.after_s)
        victim.send_signal(signal.SIGKILL)
        victim.wait()

    def token_answer(self, form):
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") not in self.refreshable:
            return 400, {"error": "invalid_grant", "error_description": "it has ended"}
        self.number += 1
        newest = f"refresh-{self.number}"
        self.refreshable = self.refreshable | {newest} if self.grace else {newest}
        self.access = f"access-{self.number}"
        return 200, {"access_token": self.access, "refresh_token": newest, "token_type": "bearer"}

    def use(self, authorization):
        if self.access is None or authorization != f"Bearer {self.access}":
            return False
        self.refreshable = {f"refresh-{self.number}"}
        return True


def configure(work, api, names=("one",), auth=REFRESH, secret="refresh-0"):
    path = work.write("connectors/rotating.lua", CONNECTOR % auth)
    pipeline = {"connector": str(path), "destination": "target", "network": {"allow_private": True},
                "config": {"base_url": api.url, "refresh_token": secret}}
    work.write("sluice.yaml", json.dumps({
        "destinations": {"target": {"type": "csv", "path": str(work.folder / "staging"), "compression": "none"}},
        "pipelines": {name: pipeline for name in names}}))


INSTANTS = [("asked", 0), ("renewed", 0), ("used", 0), *(("answered", ms / 1000) for ms in (0, 1, 2, 4, 8))]


@pytest.mark.parametrize("instant,after_s", INSTANTS)
def test_a_kill_at_any_instant_locks_nobody_out(work, instant, after_s):
    """Killed in the midst of a renewal: the next sync gets in, whether the renewal counted at the server or not."""
    with Rotating(grace=True) as api:
        configure(work, api)
        api.kill_at, api.after_s = instant, after_s
        with api.lock:
            api.victim = work.start("run")
        api.victim.communicate(timeout=60)
        assert api.calls
        api.kill_at = None
        work.run("run", timeout=60)
        work.run("run", timeout=60)


def test_what_was_used_was_stored_before(work):
    """A server without grace: once a request came with the new access token, the new refresh token is safe."""
    with Rotating() as api:
        configure(work, api)
        api.kill_at = "used"
        with api.lock:
            api.victim = work.start("run")
        api.victim.communicate(timeout=60)
        assert api.number == 1
        api.access = None  # so that it must be renewed
        work.run("run", timeout=60)
        assert api.calls[-1]["refresh_token"] == "refresh-1"


def test_pipelines_that_share_a_credential_renew_it_once(work):
    names = [f"p{number}" for number in range(4)]
    with Rotating() as api:
        configure(work, api, names)
        for calls in (1, 2):
            running = [work.start("run", name) for name in names]
            for process in running:
                out, err = process.communicate(timeout=120)
                assert process.returncode == 0, out + err
            assert len(api.calls) == calls
            api.access = "ended"


def test_a_login_that_has_ended_says_what_to_do(work):
    with Rotating() as api:
        configure(work, api)
        api.refreshable = set()
        ended = work.run("run", code=3)
        assert "invalid_grant" in ended.err and "configure the new refresh token" in ended.err
        assert len(api.calls) == 1 and "refresh-0" not in ended.out + ended.err


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(token, key=b"a shared secret"):
    """The claims of a token signed by HS256; a wrong signature fails."""
    message, _, signature = token.rpartition(".")
    assert decoded(signature) == hmac.new(key, message.encode(), hashlib.sha256).digest()
    head, claims = map(json.loads, map(decoded, message.split(".")))
    assert head == {"alg": "HS256", "typ": "JWT", "kid": "k1"} and claims["iat"] < time.time() + 5 and claims["exp"] > claims["iat"]
    return claims


SIGNED = "algorithm = 'HS256', key = '{{config.refresh_token}}', key_id = 'k1', issuer = 'me', claims = { admin = true }"
GRANTS = {
    "password": "{ kind = 'oauth2', grant = 'password', token_url = '/token', client_id = 'c', username = 'u', password = '{{config.refresh_token}}' }",
    "jwt_bearer": "{ kind = 'oauth2', grant = 'jwt_bearer', token_url = '/token', assertion = { %s } }" % SIGNED,
    "client_assertion": "{ kind = 'oauth2', grant = 'client_credentials', token_url = '/token', client_id = 'me', credentials = 'assertion', "
                        "assertion = { %s } }" % SIGNED,
    "exchange": "{ kind = 'jwt', %s, exchange = { url = '/token' } }" % SIGNED,
    "jwt": "{ kind = 'jwt', %s }" % SIGNED,
}


class Granting(Rotating):
    """Knows each grant by what its call has to say."""

    def token_answer(self, form):
        given = {"assertion": form.get("assertion"), "client_assertion": form.get("client_assertion")}
        for token in filter(None, given.values()):
            claims = claims_of(token)
            assert claims["iss"] == "me" and claims["aud"] == self.url + "/token" and claims["admin"] is True
        self.access = "granted"
        return 200, {"access_token": self.access, "token": self.access, "expires_in": "3600"}

    def use(self, authorization):
        if authorization.startswith("Bearer eyJ"):
            return claims_of(authorization.removeprefix("Bearer "))["iss"] == "me"
        return authorization == "Bearer granted"


@pytest.mark.parametrize("grant", GRANTS)
def test_grants(work, grant):
    with Granting() as api:
        configure(work, api, auth=GRANTS[grant], secret="a shared secret")
        for _ in range(2):  # the second time with the stored token
            ended = work.run("run")
            assert "a shared secret" not in ended.out + ended.err
        assert len(api.calls) == (0 if grant == "jwt" else 1)
        kept = [path for path in work.folder.rglob("tokens/*.json") if "granted" in path.read_text()]
        assert len(kept) == len(api.calls)


def test_a_key_that_cannot_sign_is_a_mistake_of_the_configuration(work):
    with Granting() as api:
        configure(work, api, auth="{ kind = 'jwt', key = '{{config.refresh_token}}' }", secret="no-key-at-all")
        ended = work.run("run", code=2)
        assert "http.auth.key" in ended.err and "private key" in ended.err and "no-key-at-all" not in ended.err


SALESFORCE = """
return sluice.connector { name = "salesforce", version = "1.0.0",
  config = { login_url = { type = "string", required = true }, host = { type = "string", required = true }, refresh_token = { type = "string", secret = true },
             client_id = { type = "string", secret = true }, client_secret = { type = "string", secret = true } },
  http = { base = "{{auth.instance_url}}/services/data/v67.0", hosts = { "{{config.host}}" },
    auth = { kind = "oauth2", grant = "refresh_token", token_url = "{{config.login_url}}/services/oauth2/token", client_id = "{{config.client_id}}",
             client_secret = "{{config.client_secret}}", refresh_token = "{{config.refresh_token}}", capture = { instance_url = "instance_url", issued = "issued_at" } } },
  streams = { accounts = { path = "/query", params = { q = "SELECT Id FROM Account", at = "{{auth.issued}}" }, records = "records", primary_key = "Id",
                           fields = { Id = "string" }, pages = { kind = "next_url", next = "nextRecordsUrl" } } } }
"""


def salesforce(work, login_url, host):
    path = work.write("connectors/salesforce.lua", SALESFORCE)
    work.write("sluice.yaml", json.dumps({
        "destinations": {"target": {"type": "csv", "path": str(work.folder / "staging"), "compression": "none"}},
        "pipelines": {"sf": {"connector": str(path), "destination": "target", "network": {"allow_private": True},
                             "config": {"login_url": login_url, "host": host, "refresh_token": "salesforce-test-refresh",
                                        "client_id": "salesforce-test-client", "client_secret": "salesforce-test-client-secret"}}}}))


def test_the_base_is_what_the_login_tells(work):
    with Emulator("salesforce", accounts=450) as org:
        salesforce(work, org.urls[0], org.urls[1].removeprefix("http://"))
        for loads in (1, 2):
            work.run("run")
            rows = staged_rows(staged_loads(work.folder / "staging", "accounts", "sf")[-1])
            assert len(rows) == 450
            assert len(org.requests("oauth2/token")) == 1  # the second sync knows the base from the store
            org_requests = org.requests("/query")
            assert all("at=1" in entry["query"] for entry in org_requests[:1])
        org.control(expire_tokens=True)
        work.run("check")
        assert len(org.requests("oauth2/token")) == 2


class Hostile(Rotating):
    """Its token answer names another place as the API's."""

    def token_answer(self, form):
        self.access = "granted-to-you"
        return 200, {"access_token": self.access, "instance_url": self.elsewhere, "issued_at": "1"}


@pytest.mark.parametrize("elsewhere,code", [("{other}", 3), ("https://evil.example", 3), ("http://user@{good}@{other}", 2), ("not a url", 2),
                                            ("", 2), ("file:///etc/passwd", 2), ("{good}\r\nX: y", 2)])
def test_a_token_answer_cannot_send_secrets_elsewhere(work, elsewhere, code):
    with Hostile() as api, Rotating() as other:
        seen = []
        other.use = lambda authorization: seen.append(authorization)
        api.elsewhere = elsewhere.format(other=other.url, good=api.url)
        salesforce(work, api.url, "127.0.0.1:1")
        ended = work.run("run", code=None)
        assert ended.code == code and len(api.calls) == 1, ended
        assert not seen and "granted-to-you" not in ended.out + ended.err
