"""Forty planted secrets, of every kind a sync knows, against an API that gives them back in every spelling wherever it can: none of
them appears in what is printed, logged, reported, stored as state, or kept of rejected records."""

import base64
import gzip
import http.server
import json
import os
import re
import stat
import subprocess
import threading
import time
import urllib.parse

import pytest

from postgres import free_port

# --- the secrets ------------------------------------------------------------------------------------------------------------

# Each value is unlike all others in every part, so that a piece of one is known for what it is.
LITERAL = {  # as they stand in sluice.yaml
    "plain": "Zq7pLm2xKd9vRt4w", "quotes": 'Wb"Gx\'Nf"84\'Hk"', "backslash": "Yc\\Tv\\\\Jm\\n92\\u0041", "percent": "Xd%41%zz%%Qp77%2F",
    "plus": "Ue+Ry+Hn+/63==", "url": "Vf/Sk?a=Bq&b=Mw#c;d", "spaces": " Og Pz  Lr 55 ", "newline": "Mh\nCj\r\nDk 48\n",
    "tab": "Ni\tEl\tFm27", "utf8": "Pj-žluťoučký-鍵-🔑-61", "json": '{"Qk":["Gn",3],"x":"Ho"}', "html": "<b>Rl&amp;Ip</b>", "short": "S9m!",
    "seven": "Tn4#Jq8", "digits": "86753091234567", "dots": "$.Uo.*..Kr[0]", "long": "Vp" + "aZ3kQ9xW7r" * 40,
}
ENVIRONMENT = {"env_plain": "Ab1Ls5Tc8Mu3Nd", "env_template": "{{config.Wq}}${Xr}", "env_equals": "Ce=Df==Eg", "env_stars": "***Fh***Gi***"}
FILES = {"file_plain": "Hj6Ot2Pu9Qv4Rw", "file_pem": "-----BEGIN KEY-----\nIk+Jl/Sx==\n-----END KEY-----", "file_quote": "Km'Ln\"Ty`", "file_utf8": "Uz→Mo→Np"}
AUTH = {
    "bearer": "b3Ar.Va7.Oq1", "basic_user": "Wc8Pr2user", "basic_password": "Xd:9Qs%Rt+ë", "header_key": "Ye5-St8-Tu2", "query_key": "Zf+Uv/Vw=&1",
    "client_secret": "Ag~Wx7~Xy3", "access_cc": "Bh.acc1.Yz", "refresh_first": "Ci/ref1+Za==", "refresh_second": "Dj/ref2+Ab==",
    "access_one": "Ek.acc2.Bc", "access_two": "Fl.acc3.Cd", "client_secret_two": "Gm!De9!Ef", "sign_key": "Hn-Fg-sign-4Gh",
    "database": "Io p@ss:w/rd%5é", "database_url": "Jp%Hi",
}
SECRETS = {**LITERAL, **ENVIRONMENT, **FILES, **AUTH}
CONFIGURED = {**LITERAL, **ENVIRONMENT, **FILES}  # those of the connector's own config table


def test_there_are_forty():
    assert len(SECRETS) == len(set(SECRETS.values())) == 40


def base64_cores(value):
    """What base64 makes of it at each alignment, without the characters that hold bits of a neighbour."""
    for alignment in range(3):
        text = base64.b64encode(b"\0" * alignment + value).decode()
        first, last = -(-alignment * 8 // 6), (alignment + len(value)) * 8 // 6
        yield text[first:last]


def spellings(secret):
    """How it may look, as far as that does not depend on what stands beside it."""
    value = secret.encode()
    found = [secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], value.hex(), value.hex().upper()]
    for quoted in (urllib.parse.quote(secret, safe=""), urllib.parse.quote(secret), urllib.parse.quote_plus(secret)):
        found += [quoted, lower_escapes(quoted)]
    found += with_alphabets(secret)
    return [text for text in dict.fromkeys(found) if len(text) >= (4 if text == secret else 5)]


def lower_escapes(quoted):
    return re.sub("%..", lambda escape: escape[0].lower(), quoted)


def written(secret):
    """The same as someone would write it: base64 with something before and behind it in its text."""
    plain = [text for text in spellings(secret) if text not in {core for core in with_alphabets(secret)}]
    for before in (b"", b"u", b"us"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            plain.append(encode(before + secret.encode() + before).decode())
    return list(dict.fromkeys(plain))


def with_alphabets(secret):
    for core in base64_cores(secret.encode()):
        yield from (core, core.replace("+", "-").replace("/", "_"))


def leaks(text):
    """Which secrets are in it. A long one may not be there in part either."""
    found = set()
    for name, secret in SECRETS.items():
        wanted = spellings(secret)
        if len(secret) >= 14 and name != "long":
            wanted += [secret[:10], secret[-10:]]
        found |= {(name, spelling) for spelling in wanted if spelling in text}
    return found


def test_the_search_finds_what_it_is_for():
    for name, secret in SECRETS.items():
        for text in written(secret)[:-6 if len(secret) < 7 else None]:  # four letters are too short to be known in base64
            assert name in {found for found, _ in leaks(f"before {text} after")}, name


# --- an API that says too much ----------------------------------------------------------------------------------------------

class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def told(self, at):
        """One secret in all its spellings, which one is first depending on what was asked; then some of all others. Only those that the
        pipelines have: nobody else could know them for secrets."""
        names = self.server.known
        name = names[at % len(names)]
        all_of_it = written(SECRETS[name])
        first = at // len(names) % len(all_of_it)
        rest = [SECRETS[other] for other in names[at % 7::5]]
        return all_of_it[first:] + all_of_it[:first] + rest

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.asked.append((self.path, body))
        if self.path.startswith("/token"):
            return self.token(body)
        return self.listing(self.path, body)

    def do_GET(self):
        return self.listing(self.path, "")

    def token(self, body):
        form = dict(urllib.parse.parse_qsl(body))
        if self.path == "/token/refused":
            return self.answer(400, json.dumps({"error": "invalid_grant", "error_description": f"no: {body} {' '.join(self.told(33))}"}))
        if self.path == "/token/html":
            return self.answer(401, f"<html>{body} {json.dumps(form)} {' '.join(SECRETS[name] for name in self.server.known)}</html>", **{"Content-Type": "text/html"})
        if form.get("grant_type") == "client_credentials":
            return self.answer(200, json.dumps({"access_token": SECRETS["access_cc"], "expires_in": 3600}))
        is_first = form.get("refresh_token") == SECRETS["refresh_first"]
        return self.answer(200, json.dumps({"access_token": SECRETS["access_one" if is_first else "access_two"], "expires_in": 3600,
                                            "refresh_token": SECRETS["refresh_second"]}))

    def listing(self, path, body):
        url = urllib.parse.urlsplit(path)
        _, mode, number = url.path.split("/")[:3]
        at = 2 * int(number) + 53 * (sum(map(ord, mode)) % 11)  # every other secret, and each mode another spelling first
        self.server.paths.append(path)
        if self.server.hold:
            self.server.hold.wait(60)
        words = self.told(at)
        echo = "\n".join([path, body, str(self.headers), *words])
        header = urllib.parse.quote(words[0])
        if mode in ("400", "401", "403", "404", "422"):
            return self.answer(int(mode), json.dumps({"error": {"message": echo, "words": words}, words[1]: words[0]}, ensure_ascii=at % 2 == 0),
                               **{"WWW-Authenticate": f'Bearer realm="{header}"', "X-Request-Id": header, "X-Echo": str(self.headers.get("Authorization"))})
        if mode == "html":
            return self.answer(404, f"<html><title>{words[0]}</title><body>{echo}</body></html>", **{"Content-Type": f"text/html; x={header}"})
        if mode == "out":
            return self.answer(302, "", Location=f"http://elsewhere-{at}.invalid/{header}?key={header}")
        if mode == "loop":
            return self.answer(302, "", Location=f"/loop/{number}/{header}?key={header}&{urllib.parse.quote_plus(words[0])}")
        if mode in ("rejects", "mismatch", "shown"):  # escaped once more below; what is escaped twice in one way is not searched for
            words = [text for text in words if json.dumps(text, ensure_ascii=False)[1:-1] == text or text in SECRETS.values()]
        if mode == "rejects":
            word = words[at % len(words)]
            records = [{"secret": text, text: 1, "n": text} for text in words] + [word, [word, word]]
            return self.answer(200, json.dumps({"rows": records, "next": None}, ensure_ascii=at % 2 == 0))
        if mode == "mismatch":
            records = [{"id": i, "n": ("x" * i) + text, "at": text} for i, text in enumerate(words)]
            return self.answer(200, json.dumps({"rows": records, "next": None}, ensure_ascii=at % 2 == 0))
        if mode == "shown":  # as values and names, in a preview: a sync would write what it was sent
            records = [{"id": i, "text": text, "nested": [{text: text}], text[:40]: i} for i, text in enumerate(words)]
            return self.answer(200, json.dumps({"rows": records, "next": None}))
        if mode == "next":  # a position that holds a secret, and then an end without one
            is_second = "after=" in url.query
            position = next(text for text in words if "%" not in text or text in SECRETS.values())
            return self.answer(404 if is_second else 200, json.dumps({"rows": [{"id": 1, "n": 1}], "next": position}))
        if mode == "broken":
            return self.answer(200, '{"rows": [{"id": 1}, ' + json.dumps(words[0])[:-1] + "\x01 " + words[0])
        return self.answer(200, json.dumps({"rows": [{"id": 1, "n": 1}], "next": None}))


@pytest.fixture
def api():
    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Api)
    server.asked, server.paths, server.known, server.hold = [], [], list(CONFIGURED), None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


# --- a connector that uses them everywhere -----------------------------------------------------------------------------------

CONNECTOR = """
local names = { %(names)s }
local config = { base_url = { type = "string", required = true } }
local body = {}
for _, name in ipairs(names) do
  config[name] = { type = "string", secret = true }
  body[name] = "say {{config." .. name .. "}} twice {{config." .. name .. "}}"
end
local streams = {}
for at = 0, %(count)d - 1 do
  streams["s" .. at] = { path = "/%(mode)s/" .. at, method = "POST", idempotent = true, body = body, records = "rows", primary_key = "id",
    params = { key = "{{config.plus}}", other = "{{config.utf8}}" }, headers = { ["X-Key"] = "{{config.plain}}" },
    pages = { kind = "cursor", param = "after", next = "next" }, fields = { id = "integer", n = "integer", at = "timestamp" },
    %(extra)s }
end
return sluice.connector { name = "told", version = "1.0.0", config = config, streams = streams,
  http = { base = "{{config.base_url}}", auth = %(auth)s } }
"""


def lua(mode, auth="{ kind = 'none' }", extra="stable = true", count=13):
    return CONNECTOR % {"names": ", ".join(f'"{name}"' for name in CONFIGURED), "mode": mode, "auth": auth, "extra": extra, "count": count}


class Setting:
    """A workspace whose pipelines know every secret; collects what comes out of it."""

    def __init__(self, work, api, database=None):
        self.work, self.database = work, database
        self.staging = work.folder / "staging"
        for name, value in ENVIRONMENT.items():
            work.environment[name.upper()] = value
        for name, value in FILES.items():
            path = work.write(f"keys/{name}", value + "\n")
            os.chmod(path, 0o600)
        self.config = {"base_url": f"http://127.0.0.1:{api.server_port}", **LITERAL,
                       **{name: "${%s}" % name.upper() for name in ENVIRONMENT}, **{name: "${file:keys/%s}" % name for name in FILES}}
        # the password is part of the URL, as people write it; the server trusts anyone
        self.destination = {"type": "csv", "path": str(self.staging)}
        if database:
            password = urllib.parse.quote(SECRETS["database"], safe="")
            api.known.append("database")
            self.destination = {"type": "postgres", "url": database.url.replace("sluice@", f"sluice:{password}@"), "schema": "raw"}
        self.said = []

    def pipelines(self, scripts, **settings):
        pipelines = {}
        for name, script in scripts.items():
            path = self.work.write(f"connectors/{name}.lua", script)
            pipelines[name] = {"connector": str(path), "destination": "target", "network": {"allow_private": True}, "config": self.config, **settings}
        self.work.write("sluice.yaml", json.dumps({"destinations": {"target": self.destination}, "pipelines": pipelines}, ensure_ascii=False, indent=1))

    def run(self, *words, code=None):
        ended = self.work.run(*words, code=code)
        self.said.append((" ".join(words), ended.out + ended.err))
        return ended

    def stored(self):
        """State, ledger, builds and rejects; in staging whatever is no published part."""
        if self.database:
            for (table,) in self.database.query("SELECT tablename FROM pg_tables WHERE schemaname = '_sluice'"):
                yield table, "\n".join(str(row[0]) for row in self.database.query(f'SELECT t::text FROM _sluice."{table}" t'))
        for path in self.staging.rglob("*"):
            if path.is_file() and not path.name.startswith("part-"):
                raw = path.read_bytes()
                yield str(path.relative_to(self.staging)), (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode(errors="replace")

    def is_clean(self):
        wrong = []
        for where, text in [*self.said, *self.stored()]:
            for name, spelling in leaks(text):
                at = text.find(spelling)
                wrong.append(f"{where}: {name} as {spelling[:60]!r} in {text[max(0, at - 90):at + 60]!r}")
        assert not wrong, f"{len(wrong)} leaks:\n" + "\n".join(wrong[:12])


MODES = ["400", "401", "403", "404", "422", "html", "out", "loop", "rejects", "mismatch", "next"]


@pytest.mark.parametrize("target, modes", [("postgres", MODES), ("csv", ["401", "rejects", "mismatch", "next"])])
def test_an_api_that_gives_them_back(work, api, request, target, modes):
    setting = Setting(work, api, request.getfixturevalue("database") if target == "postgres" else None)
    setting.pipelines({f"p{mode}": lua(mode) for mode in [*modes, "shown"]})
    setting.run("run", "-v", *[f"p{mode}" for mode in modes])
    assert {path.split("/")[1] for path in api.paths} == set(modes)
    setting.run("run", "-v", "--log-format", "json", "--json", *[f"p{mode}" for mode in modes[::2]])
    setting.run("check", "p401", "--json")
    setting.run("check", "pnext")
    setting.run("preview", "pmismatch")
    api.known = list(CONFIGURED)  # a preview has nothing to do with the destination, and so not with its password
    setting.run("preview", "pshown", "--json")
    setting.run("preview", "pshown")
    setting.run("discover", "p401", "--json")
    setting.run("state", "show", "--json")
    assert any("reject" in where and "type_mismatch" in text for where, text in setting.stored()), "no rejects were kept"
    setting.is_clean()


AUTHS = {
    "bearer": "{ kind = 'bearer', token = '{{config.a}}' }",
    "basic": "{ kind = 'basic', username = '{{config.a}}', password = '{{config.b}}' }",
    "header": "{ kind = 'api_key', name = 'X-Api-Key', key = '{{config.a}}' }",
    "query": "{ kind = 'api_key', into = 'query', name = 'key', key = '{{config.a}}' }",
    "cc": "{ kind = 'oauth2', grant = 'client_credentials', token_url = '/token', client_id = 'me', client_secret = '{{config.a}}' }",
    "refresh": "{ kind = 'oauth2', grant = 'refresh_token', token_url = '/token', client_id = 'me', client_secret = '{{config.b}}', "
               "credentials = 'basic', refresh_token = '{{config.a}}', sign = { key = '{{config.c}}', message = '{{sign.timestamp}}{{sign.body}}', "
               "headers = { ['X-Sign'] = '{{sign.signature}}' } } }",
    "refused": "{ kind = 'oauth2', grant = 'refresh_token', token_url = '/token/refused', client_id = 'me', client_secret = '{{config.b}}', "
               "refresh_token = '{{config.a}}' }",
    "page": "{ kind = 'oauth2', grant = 'client_credentials', token_url = '/token/html', client_id = 'me', client_secret = '{{config.a}}' }",
}
HELD = {"bearer": ["bearer"], "basic": ["basic_user", "basic_password"], "header": ["header_key"], "query": ["query_key"], "cc": ["client_secret"],
        "refresh": ["refresh_first", "client_secret_two", "sign_key"], "refused": ["refresh_first", "client_secret_two"], "page": ["client_secret"]}
RECEIVED = {"cc": ["access_cc"], "refresh": ["access_one", "access_two", "refresh_second"]}

AUTH_CONNECTOR = """
return sluice.connector { name = "authenticated", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, a = { type = "string", secret = true }, b = { type = "string", secret = true },
             c = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}", auth = %s },
  streams = { one = { path = "/401/0", records = "rows", fields = { id = "integer" } }, two = { path = "/404/1", records = "rows", fields = { id = "integer" } } } }
"""


@pytest.mark.parametrize("kind", AUTHS)
def test_what_proves_who_asks(work, api, kind):
    """By every kind of authentication, what goes out and what a token call brings in: the API gives back all of it."""
    api.known = [*HELD[kind], *RECEIVED.get(kind, [])]
    setting = Setting(work, api)
    setting.config = {"base_url": setting.config["base_url"], **dict(zip("abc", (SECRETS[name] for name in HELD[kind])))}
    setting.pipelines({"p": AUTH_CONNECTOR % AUTHS[kind]})
    for words in (("run", "-v"), ("run", "-v", "--log-format", "json", "--json"), ("check",), ("preview",), ("state", "show", "--json")):
        setting.run(*words, "--state-dir", str(work.folder / "tokens")) if words[0] != "state" else setting.run(*words)
    assert api.paths or kind in ("refused", "page")
    setting.is_clean()
    # Tokens that rotate are kept by the host, and nowhere else: in files that nobody but the user may read.
    kept = [path for path in (work.folder / "tokens").rglob("*") if path.is_file()]
    for path in kept:
        if leaks(path.read_text(errors="replace")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700, path


SCRIPTS = {
    "error": "error('it is ' .. ctx.config.plain)", "tostring": "error('it is ' .. tostring(ctx.config.plain))",
    "format": "error(('it is %s'):format(ctx.config.quotes))", "concat": "error(table.concat({ tostring(ctx.config.plain), '!' }))",
    "print": "print(ctx.config.plain, ctx.config, 'x' .. ctx.config.utf8) error('printed')", "record": "return { id = 1, key = ctx.config.plain }",
    "inside": "return { id = 1, key = { 'a', { ctx.config.plain } } }", "length": "return { id = #ctx.config.plain }",
    "index": "return { id = ctx.config.plain:sub(1, 3) }", "compare": "return { id = ctx.config.plain < 'm' }",
    "json": "return { id = sluice.json.encode({ ctx.config.plain }) }", "base64": "return { id = sluice.crypto.base64(ctx.config.plain) }",
    "key": "return { [ctx.config.plain] = 1 }", "pairs": "for k, v in pairs(ctx.config.plain) do print(k, v) end error('looked')",
    "metatable": "error(tostring(getmetatable(ctx.config.plain)))", "number": "return { id = ctx.config.digits + 1 }",
    "gsub": "return { id = ('x'):gsub('x', ctx.config.plain) }", "raw": "error(tostring(rawlen(ctx.config.plain)))",
}


def test_scripts_that_try_to_read_them(work, api):
    """A handle can be put into a request and nowhere else: each of these ends its pipeline, and none shows anything."""
    setting = Setting(work, api)
    streams = "map = function(record, ctx) %s end"
    setting.pipelines({name: lua("200", extra=streams % code, count=1) for name, code in SCRIPTS.items()})
    ended = setting.run("run", "-v", code=None)
    for name in SCRIPTS:
        assert f"{name}.s0: connector '{name}'" in ended.err, f"{name} did not fail\n{ended}"
    setting.run("run", "-v", "--log-format", "json", code=7)
    setting.is_clean()


def test_destinations_that_refuse(work, api, postgres, database):
    """A database that is not there, one that does not know the user, and URLs that cannot be read; the password in all of them."""
    for name in ("database", "database_url"):
        password = urllib.parse.quote(SECRETS[name], safe="")
        rest = f"127.0.0.1:{postgres.port}"
        for url in (f"postgresql://sluice:{password}@127.0.0.1:{free_port()}/none", f"postgresql://nobody:{password}@{rest}/{database.name}",
                    f"postgresql://sluice:{password}@{rest}/there_is_none", f"postgresql://sluice:{password}@{rest}:x/{database.name}",
                    f"postgresql://sluice:{password}@[::1/{database.name}", f"postgresql://sluice@{rest}/{database.name}?password={password}&nonsense=1",
                    f"host=127.0.0.1 port={postgres.port} user=nobody password='{password}' dbname={database.name}",
                    f"postgresql://sluice:{password}@no-such-host.invalid/none", f"postgresql://sluice:{password}@{rest}/{database.name}?sslmode=require"):
            setting = Setting(work, api)
            setting.destination = {"type": "postgres", "url": url, "schema": "raw"}
            setting.pipelines({"p": lua("200", count=1)})
            assert setting.run("run", "-v", "--log-format", "json" if name == "database" else "text", code=None).code in (2, 6)
            setting.is_clean()


def test_configurations_that_are_wrong(work, api):
    """Mistakes beside secrets, and in them: what is told is where, not what."""
    setting = Setting(work, api)
    name, good = "plain", dict(setting.config)
    for wrong in ({name: [good[name]]}, {name: {good[name]: good[name]}}, {f"{name}s": 1, "base_url": 7}, {"base_url": ""},
                  {"file_plain": "${file:keys/none}"}, {"env_plain": "${NOT_THERE}"}):
        setting.config = {**good, **wrong}
        setting.pipelines({"p": lua("200", count=1)})
        setting.run("run", "-v", code=None)
        setting.run("check", code=None)
    setting.config = good
    os.chmod(work.folder / "keys" / "file_plain", 0o644)
    setting.run("run", "-v", code=2)
    setting.is_clean()


def test_nobody_sees_them_among_the_processes(work, api):
    """What `ps` shows of the program, its children and workers, for as long as they live."""
    setting = Setting(work, api)
    held = threading.Event()
    api.hold = held
    setting.pipelines({name: lua("200", count=1, extra="map = function(record) return record end") for name in ("a", "b")})
    process = work.start("run")
    try:
        while not api.paths and process.poll() is None:
            time.sleep(0.01)
        shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    finally:
        held.set()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    setting.said += [("ps", shown), ("run", out + err)]
    setting.is_clean()
