"""Tokens that the host gets and keeps: one call for all who share a credential, and nobody is locked out by a kill."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import signal
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

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
        work.run("run", "--record", "cassette.txt")  # with token calls of its own, which a replay needs
        assert len(org.requests("oauth2/token")) > 2
    text = (work.folder / "cassette.txt").read_text()
    assert "/services/oauth2/token" in text and "salesforce-test-refresh" not in text
    work.run("run", "--replay", "cassette.txt", "--state-dir", work.folder / "nowhere")
    assert not list((work.folder / "nowhere").rglob("tokens/*"))


def test_the_syncs_of_a_recorded_case_log_in_once(work):
    case = work.write("connectors/rotating.cases/two.yaml", "syncs:\n  - exchanges: |\n      > GET /\n      < 200\n  - exchanges: |\n      > GET /\n      < 200\n")
    with Rotating() as api:
        configure(work, api)
        words = ("connector", "test", "./connectors/rotating.lua", "two")
        work.run(*words, "--record", "one", "--state-dir", work.folder / "state" / "sluice")
        assert len(api.calls) == 1
        work.run("run")  # its token was kept: nobody is locked out
    text = case.read_text()
    assert text.count("> POST /token") == 1 and "access-1" not in text and "refresh-" not in text.replace("made-up-refresh_token", "")
    assert "2 syncs, 3 requests" in work.run(*words).out


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


LOGIN = """{ kind = "oauth2", grant = "authorization_code", authorize_url = "https://id.example/authorize?tenant=1", token_url = "/token", client_id = "c",
  client_secret = "{{config.refresh_token}}", scope = "read write", authorize_params = { access_type = "offline" } }"""


class Authorizing(Rotating):
    """An authorization server: a code is bound to the client, the redirect and the challenge it was asked with."""

    def __init__(self):
        super().__init__()
        self.codes = {}

    def consent(self, url):
        """What happens in the browser until it is sent back: the redirect's URL and the state."""
        parts = urllib.parse.urlparse(url)
        asked = dict(urllib.parse.parse_qsl(parts.query))
        assert (parts.netloc, parts.path, asked["tenant"], asked["access_type"]) == ("id.example", "/authorize", "1", "offline")
        assert asked["response_type"] == "code" and asked["client_id"] == "c" and asked["scope"] == "read write"
        assert asked["code_challenge_method"] == "S256" and len(asked["state"]) >= 32
        code = f"code+{len(self.codes)}/="
        self.codes[code] = asked
        return asked["redirect_uri"], asked["state"], code

    def token_answer(self, form):
        if form.get("grant_type") != "authorization_code":
            return super().token_answer(form)
        asked = self.codes.pop(form.get("code"), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if not asked or asked["code_challenge"] != challenge or asked["redirect_uri"] != form.get("redirect_uri") or form.get("client_secret") != "hush-hush":
            return 400, {"error": "invalid_grant"}
        self.number, self.refreshable = 1, {"refresh-1"}
        self.access = "access-1"
        return 200, {"access_token": self.access, "refresh_token": "refresh-1", "expires_in": 3600}


def come_back(redirect, **params):
    """The browser follows the redirect; the status and what the page says."""
    try:
        with urllib.request.urlopen(f"{redirect}?{urllib.parse.urlencode(params)}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@contextlib.contextmanager
def logging_in(work, api):
    """A `sluice auth login` that waits for the browser: the process, and what the authorization server says."""
    process = work.start("auth", "login", "one", "--no-browser")
    try:
        assert "open this URL" in process.stdout.readline()
        yield process, *api.consent(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def test_a_login_by_browser_lasts(work):
    with Authorizing() as api:
        configure(work, api, auth=LOGIN, secret="hush-hush")
        ended = work.run("run", code=3)
        assert "nobody has logged in" in ended.err and "sluice auth login one" in ended.err and not api.calls
        assert "has no token" in work.run("auth", "status").out
        with logging_in(work, api) as (process, redirect, state, code):
            assert urllib.parse.urlparse(redirect).hostname == "127.0.0.1"
            status, page = come_back(redirect, code=code, state=state)
            assert status == 200 and "logged in" in page
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0 and "logged in" in out, out + err
            assert "refresh-1" not in out + err and "access-1" not in out + err and code not in out + err
        assert "renewed at" in work.run("auth", "status").out
        work.run("run")
        api.access = None
        work.run("run")
        assert api.calls[-1]["grant_type"] == "refresh_token" and api.number == 2
        api.access, api.refreshable = None, set()
        ended = work.run("run", code=3)
        assert "invalid_grant" in ended.err and "sluice auth login one" in ended.err
        work.run("auth", "logout")
        assert "has no token" in work.run("auth", "status").out
        assert not [path for path in work.folder.rglob("tokens/*.json") if "refresh-" in path.read_text()]


def test_hostile_callbacks_do_not_end_a_login(work):
    with Authorizing() as api:
        configure(work, api, auth=LOGIN, secret="hush-hush")
        with logging_in(work, api) as (process, redirect, state, code):
            port = urllib.parse.urlparse(redirect).port
            assert come_back(redirect, code="stolen", state="guessed")[0] == 400
            assert come_back(redirect, error="access_denied")[0] == 400
            assert come_back(redirect, error="access_denied", state=state + "0")[0] == 400
            assert come_back(redirect, state=state)[0] == 400  # no code
            assert come_back(redirect + "/elsewhere", code=code, state=state)[0] == 404
            with contextlib.suppress(OSError):  # it may be cut off before it has read the answer
                assert come_back(redirect, code=code, state=state, big="x" * 40000)[0] == 431
            for junk in (b"\0" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", f"POST /callback?state={state}&code=x HTTP/1.1\r\n\r\n".encode(),
                         f"GET /callback?state={state}&state={state}&code=x HTTP/1.1\r\n\r\n".encode(),
                         f"GET /callback?state={state}&code=%0 HTTP/1.1\r\n\r\n".encode(), b""):
                with socket.create_connection(("127.0.0.1", port), 30) as raw:
                    raw.sendall(junk)
                    raw.shutdown(socket.SHUT_WR)
                    with contextlib.suppress(OSError):
                        assert b" 200 " not in raw.recv(1000)
            with contextlib.ExitStack() as idle:
                for _ in range(40):  # connections that say nothing, or half a line
                    idle.enter_context(socket.create_connection(("127.0.0.1", port), 30)).sendall(b"GET /callb")
                assert process.poll() is None and not api.calls
                assert come_back(redirect, code=code, state=state)[0] == 200
                out, err = process.communicate(timeout=60)
            assert process.returncode == 0, out + err
            assert len(api.calls) == 1
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), 30)


@pytest.mark.parametrize("answer,code", [({"error": "access_denied", "error_description": "no\nway"}, 3), ({"code": "of another login"}, 3)])
def test_a_login_that_is_refused(work, answer, code):
    with Authorizing() as api:
        configure(work, api, auth=LOGIN, secret="hush-hush")
        with logging_in(work, api) as (process, redirect, state, _):
            assert come_back(redirect, state=state, **answer)[0] == 200
            out, err = process.communicate(timeout=60)
            assert process.returncode == code and ("access_denied: no way" in err or "invalid_grant" in err), out + err
        assert "has no token" in work.run("auth", "status").out


def test_a_login_can_be_stopped(work):
    with Authorizing() as api:
        configure(work, api, auth=LOGIN, secret="hush-hush")
        with logging_in(work, api) as (process, *_):
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            assert process.returncode not in (0, None)
    configure(work, api)
    ended = work.run("auth", "login", code=2)
    assert "does not log in by a browser" in ended.err
    assert work.run("auth", "logon", code=2)


def test_a_login_asks_the_source_for_no_fields(work):
    """Fields that the source lists need a login: it must be possible before they are known."""
    with Authorizing() as api:
        configure(work, api, auth=LOGIN, secret="hush-hush")
        path = work.folder / "connectors/rotating.lua"
        path.write_text(path.read_text().replace('primary_key = "id"', 'primary_key = "id", fields_from = { path = "/fields", records = "rows", '
                                                                       'name = "name", type = "type" }'))
        assert "nobody has logged in" in work.run("run", code=3).err
        with logging_in(work, api) as (process, redirect, state, code):
            assert come_back(redirect, code=code, state=state)[0] == 200
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, out + err


DEVICE = """{ kind = "oauth2", grant = "device_code", token_url = "/token", device_authorization_url = "/device", client_id = "c", scope = "read",
              client_secret = "{{config.refresh_token}}" }"""


class Elsewhere(Rotating):
    """An authorization server whose codes are typed in on another device: `consent` is the person there."""

    def __init__(self, refuses=None):
        super().__init__()
        self.refuses, self.polls, self.consented = refuses, threading.Event(), False

    def token_answer(self, form):
        if "grant_type" not in form:
            assert form == {"client_id": "c", "client_secret": "hush-hush", "scope": "read"}
            return 200, {"device_code": "device-0", "user_code": "WDJB-MJHT", "verification_uri": "https://id.example/device", "expires_in": 900, "interval": 1}
        if not form["grant_type"].endswith(":device_code"):
            return super().token_answer(form)
        assert form["device_code"] == "device-0"
        self.polls.set()
        if self.refuses:
            return 400, {"error": self.refuses}
        if not self.consented:
            return 400, {"error": "authorization_pending"}
        self.number, self.refreshable, self.access = 1, {"refresh-1"}, "access-1"
        return 200, {"access_token": self.access, "refresh_token": "refresh-1", "expires_in": 3600}


@contextlib.contextmanager
def logging_in_elsewhere(work, *words):
    """A `sluice auth login` that waits for the other device."""
    process = work.start("auth", "login", "one", *words)
    try:
        assert "type in the code WDJB-MJHT" in process.stdout.readline()
        assert process.stdout.readline().strip() == "https://id.example/device"
        yield process
    finally:
        process.kill()
        process.communicate()


CHOICE = DEVICE.replace("device_code", "authorization_code").replace('token_url', 'authorize_url = "https://id.example/authorize", token_url')


@pytest.mark.parametrize("auth,words", [(DEVICE, []), (CHOICE, ["--device"])], ids=["grant", "option"])
def test_a_login_on_another_device_lasts(work, auth, words):
    with Elsewhere() as api:
        configure(work, api, auth=auth, secret="hush-hush")
        ended = work.run("run", code=3)
        assert "nobody has logged in" in ended.err and "sluice auth login one" in ended.err and not api.calls
        with logging_in_elsewhere(work, *words) as process:
            assert api.polls.wait(60)
            api.consented = True
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0 and "one: logged in" in out, out + err
            assert not any(secret in out + err for secret in ("refresh-1", "access-1", "device-0"))
        work.run("run")
        api.access = None
        work.run("run")
        assert api.calls[-1]["grant_type"] == "refresh_token" and api.number == 2
        api.access, api.refreshable = None, set()
        assert "sluice auth login one" in work.run("run", code=3).err


def test_a_login_on_another_device_that_is_refused(work):
    with Elsewhere(refuses="access_denied") as api:
        configure(work, api, auth=DEVICE, secret="hush-hush")
        with logging_in_elsewhere(work) as process:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 3 and "access_denied" in err and "somebody refused the login" in err, out + err
        assert "has no token" in work.run("auth", "status").out
        configure(work, api, auth=LOGIN, secret="hush-hush")
        ended = work.run("auth", "login", "one", "--device", code=2)
        assert "does not log in by another device" in ended.err
