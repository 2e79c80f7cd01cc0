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
            return self.answer(401, f"<html>{body} {json.dumps(form)} {' '.join(SECRETS.values())}</html>", **{"Content-Type": "text/html"})
        if form.get("grant_type") == "client_credentials":
            return self.answer(200, json.dumps({"access_token": SECRETS["access_cc"], "expires_in": 3600}))
        is_first = form.get("refresh_token") == SECRETS["refresh_first"]
        return self.answer(200, json.dumps({"access_token": SECRETS["access_one" if is_first else "access_two"], "expires_in": 3600,
                                            "refresh_token": SECRETS["refresh_second"]}))

    def listing(self, path, body):
        url = urllib.parse.urlsplit(path)
        _, mode, number = url.path.split("/")[:3]
        at = int(number) + 40 * (len(mode) % 9)
        self.server.paths.append(path)
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
        if mode in ("rejects", "mismatch"):  # escaped once more below; what is escaped twice in one way is not searched for
            words = [text for text in words if json.dumps(text, ensure_ascii=False)[1:-1] == text or text in SECRETS.values()]
        if mode == "rejects":
            word = words[at % len(words)]
            records = [{"secret": text, text: 1, "n": text} for text in words] + [word, [word, word]]
            return self.answer(200, json.dumps({"rows": records, "next": None}, ensure_ascii=at % 2 == 0))
        if mode == "mismatch":
            records = [{"id": i, "n": ("x" * i) + text, "at": text} for i, text in enumerate(words)]
            return self.answer(200, json.dumps({"rows": records, "next": None}, ensure_ascii=at % 2 == 0))
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
    server.asked, server.paths, server.known = [], [], list(CONFIGURED)
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


def lua(mode, auth="{ kind = 'none' }", extra="stable = true", count=26):
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


MODES = ["400", "401", "403", "404", "422", "html", "out", "loop", "rejects", "mismatch", "next", "broken"]


@pytest.mark.parametrize("target", ["postgres", "csv"])
def test_an_api_that_gives_them_back(work, api, request, target):
    setting = Setting(work, api, request.getfixturevalue("database") if target == "postgres" else None)
    modes = [mode for mode in MODES if mode != "broken"]
    setting.pipelines({f"p{mode}": lua(mode) for mode in modes})
    setting.run("run", "-v")
    assert {path.split("/")[1] for path in api.paths} == set(modes)
    setting.run("run", "-v", "--log-format", "json", "--json")
    setting.run("check")
    setting.run("preview", "pmismatch")
    setting.run("discover", "p401", "--json")
    setting.run("state", "show", "--json")
    assert any("rejects" in where or "reject" in text for where, text in setting.stored()), "no rejects were kept"
    setting.is_clean()
