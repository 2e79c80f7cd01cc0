"""The service's API: what its document says is what it does, and whoever sends rubbish gets the right status and nothing else."""

import contextlib
import hashlib
import http.client
import json
import socket
import subprocess
import threading

import jsonschema
import pytest

from feed import CONNECTOR, Feed
from test_serve import ROWS, Service, configure, target_of, wait_until

JSON = {"Content-Type": "application/json"}


class Api:
    """The API of a running service; every answer is held against its own document."""

    def __init__(self, service, token=None):
        self.service = service
        self.host, self.port = service.address()
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.document = json.loads(self.send("GET", "/api/v1/openapi.json")[2])

    def send(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def operation(self, method, path):
        """The part of the document that describes this request."""
        have = path.split("?")[0].split("/")
        for pattern, methods in self.document["paths"].items():
            want = pattern.split("/")
            if len(want) == len(have) and all(w == h or w.startswith("{") for w, h in zip(want, have)):
                if method.lower() in methods:
                    return methods[method.lower()]
        raise AssertionError(f"{method} {path} is not in the document")

    def check(self, schema, value):
        jsonschema.validate(value, {**schema, "components": self.document["components"]})

    def ask(self, method, path, body=None, status=200, headers=None):
        sent = {**JSON, **(headers or {})} if method != "GET" else headers
        described = self.operation(method, path)
        if body is not None and status < 300:
            self.check(described["requestBody"]["content"]["application/json"]["schema"], body)
        got, sent_headers, text = self.send(method, path, json.dumps(body) if body is not None else None, sent)
        assert got == status, text
        wanted = described["responses"].get(str(got), described["responses"]["default"] if got >= 400 else None)
        content = wanted.get("content") if wanted else None
        if content:
            (media, shape), = content.items()
            assert sent_headers["Content-Type"] == media
            self.check(shape["schema"], json.loads(text))
        return json.loads(text) if "json" in sent_headers["Content-Type"] else text.decode()

    def get(self, path, status=200):
        return self.ask("GET", path, status=status)

    def post(self, path, body=None, status=200, **headers):
        return self.ask("POST", path, body, status, {name.replace("_", "-"): value for name, value in headers.items()})

    def job_is(self, job, status):
        return lambda: self.get(f"/api/v1/jobs/{job}")["status"] == status

    def stream(self, path, until):
        """Server-sent events until `until(name, data)`; gives them all."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        told, name = [], None
        with contextlib.closing(connection):
            connection.request("GET", path, headers={**self.headers, "Accept": "text/event-stream"})
            answer = connection.getresponse()
            assert answer.status == 200 and answer.getheader("Content-Type") == "text/event-stream"
            for line in answer:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    told.append((name, json.loads(value)))
                    if until(*told[-1]):
                        return told
        return told


@contextlib.contextmanager
def serving(work, database, answer=lambda path, query: ROWS, token=None, words=(), pipelines=None, connector=None, **service):
    """A service with the pipeline `p`, which runs on request only."""
    with Feed(answer) as feed:
        configure(work, feed, target_of(database), pipelines or {"p": {}}, connector, **service)
        with Service(work, *words) as served:
            yield Api(served, token)


def held_back():
    """An answer that waits until it is let go."""
    gate = threading.Event()

    def answer(path, query):
        gate.wait(60)
        return ROWS

    return answer, gate


def test_a_sync_is_asked_for_and_seen(work, database):
    with serving(work, database) as api:
        listed = api.get("/api/v1/pipelines")["pipelines"]
        assert [entry["name"] for entry in listed] == ["p"] and listed[0]["status"] == "never ran"
        job = api.post("/api/v1/pipelines/p/jobs", {"streams": ["rows"]}, 202)
        assert job["trigger"] == "request" and job["streams"] == ["rows"]
        wait_until(api.job_is(job["id"], "succeeded"))
        seen = api.get("/api/v1/pipelines/p?history=5")
        assert seen["job"]["written"] == 1 and seen["status"] == "succeeded" and "history" not in seen
        events = api.get(f"/api/v1/jobs/{job['id']}/events")["events"]
        assert [event["data"]["event"] for event in events][-1] == "sync_ended"
        assert api.get(f"/api/v1/jobs/{job['id']}/events?after={events[0]['number']}")["events"] == events[1:]
        assert api.get(f"/api/v1/jobs/{job['id']}/progress") == {"streams": []}
        again = api.post("/api/v1/pipelines/p/jobs", {"full_refresh": True}, 202)
        wait_until(api.job_is(again["id"], "succeeded"))
        assert len(api.get("/api/v1/pipelines/p?history=5")["history"]) == 2
        first = api.get("/api/v1/jobs?limit=1&pipeline=p")
        assert [entry["id"] for entry in first["jobs"]] == [again["id"]]
        assert [entry["id"] for entry in api.get(f"/api/v1/jobs?before={first['next']}")["jobs"]] == [job["id"]]
        assert api.get("/api/v1/jobs?status=failed")["jobs"] == []


def test_a_key_makes_a_request_safe_to_repeat(work, database):
    answer, gate = held_back()
    with serving(work, database, answer) as api:
        job = api.post("/api/v1/pipelines/p/jobs", status=202, Idempotency_Key="k1")
        status, headers, text = api.send("POST", "/api/v1/pipelines/p/jobs", None, {**JSON, "Idempotency-Key": "k1"})
        assert status == 200 and json.loads(text)["id"] == job["id"] and headers["Location"] == f"/api/v1/jobs/{job['id']}"
        status, _, text = api.send("POST", "/api/v1/pipelines/p/jobs", None, JSON)
        assert status == 200 and json.loads(text)["id"] == job["id"], "a pipeline has one sync at a time"
        gate.set()
        wait_until(api.job_is(job["id"], "succeeded"))
        assert json.loads(api.send("POST", "/api/v1/pipelines/p/jobs", None, {**JSON, "Idempotency-Key": "k1"})[2])["id"] == job["id"]
        assert api.post("/api/v1/pipelines/p/jobs", status=202, Idempotency_Key="k2")["id"] != job["id"]


def test_a_job_is_cancelled(work, database):
    answer, gate = held_back()
    with serving(work, database, answer) as api:
        job = api.post("/api/v1/pipelines/p/jobs", status=202)
        wait_until(api.job_is(job["id"], "running"))
        api.post(f"/api/v1/jobs/{job['id']}/cancel", status=202)
        gate.set()
        wait_until(lambda: api.get(f"/api/v1/jobs/{job['id']}")["status"] in ("cancelled", "succeeded"))
        api.post(f"/api/v1/jobs/{job['id']}/cancel", status=409)
        api.post("/api/v1/jobs/999/cancel", status=404)


def test_pause_and_resume(work, database):
    with serving(work, database, pipelines={"p": {"schedule": "1h"}}) as api:
        wait_until(lambda: api.get("/api/v1/pipelines/p")["status"] == "succeeded")
        paused = api.post("/api/v1/pipelines/p/pause")
        assert paused["paused"] and paused["status"] == "paused" and "next_at" not in paused
        job = api.post("/api/v1/pipelines/p/jobs", status=202)
        wait_until(api.job_is(job["id"], "succeeded"))
        resumed = api.post("/api/v1/pipelines/p/resume")
        assert not resumed["paused"] and resumed["next_at"]


def test_what_a_job_tells_is_streamed(work, database):
    answer, gate = held_back()
    with serving(work, database, answer) as api:
        told = []
        watch = threading.Thread(target=lambda: told.extend(api.stream(
            "/api/v1/jobs/watch", lambda name, data: name == "job" and data["status"] == "succeeded")))
        watch.start()
        job = api.post("/api/v1/pipelines/p/jobs", status=202)
        seen = api.stream(f"/api/v1/jobs/{job['id']}/events", lambda name, data: gate.set() or name == "end")
        assert [name for name, _ in seen][-1] == "end" and seen[-1][1]["status"] == "succeeded"
        kinds = [data["data"]["event"] for name, data in seen if name == "told"]
        assert kinds == ["sync_started", "stream_started", "stream_ended", "sync_ended"]
        watch.join(timeout=30)
        assert told[0][0] == "ready" and told[-1][1]["id"] == job["id"]
        api.check({"$ref": "#/components/schemas/Job"}, told[-1][1])


def test_state_connectors_and_plans_are_asked_of_other_processes(work, database):
    stream = 'cursor = { field = "at", param = "since" }, primary_key = "id",'
    with serving(work, database, connector=CONNECTOR % ("1", "", stream, "")) as api:
        job = api.post("/api/v1/pipelines/p/jobs", status=202)
        wait_until(lambda: api.get(f"/api/v1/jobs/{job['id']}")["status"] in ("succeeded", "failed"))
        before = api.get("/api/v1/pipelines/p/state")
        assert any(entry["stream"] == "rows" for entry in before), before
        moved = api.ask("PUT", "/api/v1/pipelines/p/state", {"stream": "rows", "cursor": "2023-06-01T00:00:00Z"})
        assert any(str(entry["value"]).startswith("2023-06-01") for entry in moved), moved
        api.post("/api/v1/pipelines/p/state/reset", {"stream": "nix"}, 400)
        api.post("/api/v1/pipelines/p/state/reset", {"stream": "rows"})
        assert [entry["stream"] for entry in api.get("/api/v1/pipelines/p/streams")] == ["rows"]
        assert "rows" in json.dumps(api.get("/api/v1/pipelines/p/plan"))
        assert "shop" in [entry["name"] for entry in api.get("/api/v1/connectors")]
        assert api.get("/api/v1/connectors/shop")["type"] == "object"
        assert api.get("/api/v1/connectors/shop/docs").startswith("#")
        for name in ("nix", "-x", "..", "%2e%2e", "a.lua"):
            assert api.send("GET", f"/api/v1/connectors/{name}")[0] in (400, 404)
        assert api.post("/api/v1/pipelines/p/check") == {"status": "ok"}


def test_a_source_that_refuses_is_told_with_class_and_hint(work, database):
    with serving(work, database, lambda path, query: (401, {})) as api:
        problem = api.post("/api/v1/pipelines/p/check", status=502)
        assert problem["class"] == "auth" and problem["hint"]
        job = api.post("/api/v1/pipelines/p/jobs", status=202)
        wait_until(api.job_is(job["id"], "failed"))
        assert api.get(f"/api/v1/jobs/{job['id']}")["error"]["class"] == "auth"


def test_a_configuration_is_validated(work, database):
    """All its mistakes, with their lines; and nothing but the text is looked at."""
    secret = work.write("secret", "the content of a file")
    good = (work.folder / "sluice.yaml")
    with serving(work, database) as api:
        asked = lambda text: api.post("/api/v1/validate", {"config": text})
        assert asked(good.read_text()) == {"valid": True, "problems": []}
        begin = 'destinations: { target: { type: postgres, url: "${NO_SUCH_VARIABLE}" } }\npipelines:\n'
        found = asked(begin + "  a: { connector: none-of-that-name, destination: targt, webhok: 1 }\n")
        assert not found["valid"] and {problem["line"] for problem in found["problems"]} == {3}, found
        assert any("webhok" in problem["message"] and "webhook" in problem["hint"] for problem in found["problems"])
        found = asked(begin + '  b: { destination: target, webhook: { scheme: github, secret: "${file:%s}" }, schedule: "61 * * * *" }' % secret)
        assert ["61" in problem["message"] for problem in found["problems"]] == [True], "references are let alone"
        assert "content of a file" not in json.dumps(found) and "NO_SUCH_VARIABLE" not in json.dumps(found)
        bombs = ["a: &a [x, x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 50)}]\n" for i in range(12)),
                 "[" * 5000, "a: " + "b" * 900000, "pipelines: []", "", "- 1", "pipelines: {a: {destination: *x}}"]
        for text in bombs:
            found = asked(text)
            assert not found["valid"] and found["problems"], text[:50]
        for body in ({"config": 1}, {"config": "a\u0000b"}, {"configs": ""}):
            assert api.ask("POST", "/api/v1/validate", body, status=400)["class"] == "config"
        assert api.ask("POST", "/api/v1/validate", {}, status=400)["class"] == "config"


def test_columns_are_blocked_and_let_through(work, database):
    """From the next sync on; what sluice.yaml blocks it alone lets through."""
    rows = [{"id": "a", "at": "2024-01-01T00:00:00Z", "n": 1, "mail": "a@example.com", "phone": "1"}]
    pipelines = {"p": {"streams": {"rows": {"write_mode": "append_dedup", "columns": {"phone": {"enabled": False, "reason": "personal"}}}}}}
    with serving(work, database, answer=lambda path, query: {"rows": rows}, pipelines=pipelines) as api:
        column = lambda name: f"/api/v1/pipelines/p/streams/rows/columns/{name}"

        def sync(status="succeeded"):
            job = api.post("/api/v1/pipelines/p/jobs", status=202)
            wait_until(api.job_is(job["id"], status))
            return database.query("SELECT id, to_jsonb(rows) ->> 'mail', to_jsonb(rows) ->> 'extra' FROM raw_p.rows ORDER BY 1")

        config = {"stream": "rows", "column": "phone", "by": "config", "reason": "personal"}
        assert api.get("/api/v1/pipelines/p/blocks")["blocks"] == [config]
        assert sync() == [("a", "a@example.com", None)]
        answer = api.ask("PUT", column("mail"), {"blocked": True, "reason": "asked by privacy"})["blocks"]
        assert answer[0] == config and {**answer[1], "since": ""} == {
            "stream": "rows", "column": "mail", "by": "api", "reason": "asked by privacy", "since": ""}
        api.ask("PUT", column("extra"), {"blocked": True})
        rows.append({"id": "b", "at": "2024-01-02T00:00:00Z", "n": 2, "mail": "b@example.com", "extra": 1})
        assert [row for row in sync() if row[0] == "b"] == [("b", None, None)]
        assert database.one("SELECT count(*) FROM information_schema.columns WHERE table_schema = 'raw_p' AND column_name IN ('extra', 'phone')") == 0
        assert b"b@example.com" not in api.send("GET", "/api/v1/jobs")[2]
        api.ask("PUT", column("mail"), {"blocked": False})
        api.ask("PUT", column("extra"), {"blocked": False})
        api.ask("PUT", column("nothing"), {"blocked": False})
        assert [row for row in sync() if row[0] == "b"] == [("b", "b@example.com", "1")]
        assert api.ask("PUT", column("phone"), {"blocked": False}, status=409)["class"] == "conflict"
        # A key cannot be blocked: syncs say so until it is let through.
        api.ask("PUT", column("id"), {"blocked": True})
        sync("failed")
        assert "cannot be blocked, it is the primary key" in api.get("/api/v1/pipelines/p")["job"]["error"]["message"]
        api.ask("PUT", column("id"), {"blocked": False})
        sync()
        for body in ({}, {"blocked": 1}, {"blocked": True, "reason": 2}, {"blocked": True, "why": ""}):
            assert api.ask("PUT", column("mail"), body, status=400)["class"] == "config"
        assert api.ask("PUT", column("x" * 300), {"blocked": True}, status=400)["class"] == "config"
        for number in range(100):
            api.ask("PUT", column(f"c{number}"), {"blocked": True})
        assert "at most 100" in api.ask("PUT", column("c100"), {"blocked": True}, status=400)["detail"]
        sync()
        assert api.ask("PUT", "/api/v1/pipelines/q/streams/rows/columns/a", {"blocked": True}, status=404)["class"] == "not_found"
        assert "expected a JSON object" in work.run("run", "p", "--block", "mail", code=2).err
        assert "expected a list" in work.run("run", "p", "--block", '{"rows": "mail"}', code=2).err


@pytest.mark.parametrize("store", ["file", "postgres"])
def test_requests_of_every_kind_of_wrong(work, database, postgres, store):
    words = ["--store", postgres.create_database("store_" + database.name).url] if store == "postgres" else []
    with serving(work, database, words=words) as api:
        wrong = [
            ("GET", "/nothing", None, {}, 404),
            ("GET", "/api/v1/pipelines/nix", None, {}, 404),
            ("GET", "/api/v1/pipelines/p/", None, {}, 404),
            ("GET", "/api/v1/jobs/abc", None, {}, 404),
            ("GET", "/api/v1/jobs/0", None, {}, 404),
            ("GET", "/api/v1/jobs?limit=0", None, {}, 400),
            ("GET", "/api/v1/jobs?limit=99999999999999999999", None, {}, 400),
            ("GET", "/api/v1/jobs?status=odd", None, {}, 400),
            ("GET", "/api/v1/jobs?limit=%zz", None, {}, 200),
            ("GET", "/%2e%2e/etc/passwd", None, {}, 400),
            ("GET", "/ui/..%2f..%2fetc%2fpasswd", None, {}, 400),
            ("GET", "/ui/%00", None, {}, 400),
            ("GET", "/ui/nothing.js", None, {}, 404),
            ("GET", "/api/v1/pipelines/%ff", None, {}, 400),
            ("GET", "/api/v1/jobs?pipeline=%ff", None, {}, 200),
            ("DELETE", "/api/v1/pipelines/p", None, {}, 405),
            ("POST", "/api/v1/pipelines", "{}", JSON, 405),
            ("POST", "/api/v1/pipelines/p/jobs", "{}", {"Content-Type": "text/plain"}, 415),
            ("POST", "/api/v1/pipelines/p/jobs", "{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
            ("POST", "/api/v1/pipelines/p/jobs", "{}", {**JSON, "Origin": "https://evil.example"}, 403),
            ("POST", "/api/v1/pipelines/p/jobs", "{}", {**JSON, "Origin": "null"}, 403),
            ("POST", "/api/v1/pipelines/p/jobs", "{}", {**JSON, "Sec-Fetch-Site": "cross-site"}, 403),
            ("POST", "/api/v1/pipelines/p/jobs", "{", JSON, 400),
            ("POST", "/api/v1/pipelines/p/jobs", "[]", JSON, 400),
            ("POST", "/api/v1/pipelines/p/jobs", '{"stream": "rows"}', JSON, 400),
            ("POST", "/api/v1/pipelines/p/jobs", '{"streams": "rows"}', JSON, 400),
            ("POST", "/api/v1/pipelines/p/jobs", '{"streams": []}', JSON, 400),
            ("POST", "/api/v1/pipelines/p/jobs", '{"full_refresh": 1}', JSON, 400),
            ("POST", "/api/v1/pipelines/p/jobs", "[" * 60000, JSON, 400),
            ("POST", "/api/v1/pipelines/p/jobs", "x" * 100000, JSON, 413),
            ("POST", "/api/v1/pipelines/p/jobs", "{}", {**JSON, "Idempotency-Key": "k" * 300}, 400),
            ("POST", "/api/v1/pipelines/p/jobs", "{}", {**JSON, "Idempotency-Key": b"\xff"}, 400),
            ("GET", "/api/v1/jobs", None, {"Host": "evil.example"}, 421),
            ("GET", "/api/v1/jobs", None, {"Host": "127.0.0.1.evil.example"}, 421),
            ("GET", "/api/v1/jobs", None, {"Host": ""}, 421),
            ("GET", "/healthz", None, {"Host": "evil.example"}, 421),
            ("GET", "/healthz", None, {"Host": "[::1].evil.example"}, 421),
            ("GET", "/healthz", None, {"Host": "[::1"}, 421),
            ("GET", "/healthz", None, {"Host": "localhost:80@evil.example"}, 421),
            ("GET", "/healthz", None, {"Host": "[::1]:7077"}, 200),
            ("GET", "/api/v1/jobs", None, {"Host": "localhost"}, 200),
        ]
        for method, path, body, headers, status in wrong:
            got, _, text = api.send(method, path, body, headers)
            assert got == status, (method, path, body and body[:50], headers, text)
            if status >= 400:
                problem = json.loads(text)
                assert problem["status"] == status and problem["class"] and problem["detail"]
        assert api.get("/api/v1/jobs?limit=5")["jobs"] == [], "none of them did anything"


RAW = {
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
    "no version": b"GET /\r\n\r\n",
    "two lengths": b"POST /api/v1/pipelines/p/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
    "length and chunks": b"POST /api/v1/pipelines/p/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                         b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nzz\r\n",
    "a negative length": b"POST /api/v1/pipelines/p/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "a huge length": b"POST /api/v1/pipelines/p/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 99999999999999999999999\r\n\r\n",
    "a huge chunk": b"POST /api/v1/pipelines/p/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    "no host": b"GET /api/v1/jobs HTTP/1.1\r\n\r\n",
    "headers without end": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: " + b"a" * 70000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: a\r\n" % i for i in range(9000)) + b"\r\n",
    "a long target": b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "NUL in the target": b"GET /a\0b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an absolute target": b"GET http://evil.example/api/v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a connect": b"CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("name", RAW)
def test_bytes_that_are_no_request(work, database, name):
    with serving(work, database) as api:
        with socket.create_connection((api.host, api.port), timeout=60) as connection:
            try:
                connection.sendall(RAW[name])
                connection.shutdown(socket.SHUT_WR)
                answer = b""
                while piece := connection.recv(65536):
                    answer += piece
            except OSError as cut:
                assert not isinstance(cut, TimeoutError), "what is no request is cut"
                answer = b""
        assert answer == b"" or b" 4" in answer.split(b"\r\n")[0] or b" 5" in answer.split(b"\r\n")[0], answer[:200]
        assert api.get("/api/v1/jobs")["jobs"] == []


def test_a_body_in_chunks_is_capped(work, database):
    with serving(work, database) as api:
        with socket.create_connection((api.host, api.port), timeout=30) as connection:
            connection.sendall(b"POST /api/v1/pipelines/p/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n")
            try:
                for _ in range(100):
                    connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                connection.sendall(b"0\r\n\r\n")
                assert b" 413 " in connection.recv(65536).split(b"\r\n")[0]
            except (ConnectionResetError, BrokenPipeError):
                pass
        assert api.get("/api/v1/jobs")["jobs"] == []


def token_of(work):
    """A new token as `--new-token` prints it, with its digest."""
    made = work.run("serve", "--new-token")
    token = made.out.strip()
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert digest in made.err and token not in made.err
    return token, digest


def test_tokens_and_their_scopes(work, database):
    read, read_digest = token_of(work)
    run, run_digest = token_of(work)
    tokens = {"reader": {"sha256": read_digest}, "runner": {"sha256": run_digest, "scope": "run"}}
    with serving(work, database, token=run, tokens=tokens) as api:
        job = api.post("/api/v1/pipelines/p/jobs", status=202)
        wait_until(api.job_is(job["id"], "succeeded"))
        problem = api.ask("PUT", "/api/v1/pipelines/p/state", {"stream": "rows", "cursor": "1"}, 403)
        assert "admin" in problem["hint"]
        api.headers = {"Authorization": f"Bearer {read}"}
        api.get("/api/v1/jobs")
        api.post("/api/v1/pipelines/p/jobs", status=403)
        for header in ("Bearer wrong", "Basic " + read, "Bearer", "Bearer " + read[:-1], "Bearer " + read_digest):
            api.headers = {"Authorization": header}
            api.get("/api/v1/jobs", 401)
        api.headers = {}
        api.get("/api/v1/jobs", 401)
        assert api.send("GET", "/metrics")[0] == 401
        assert api.send("GET", "/healthz")[0] == 200 and api.send("GET", "/")[0] == 200
        assert not any(read in line or run in line for line in api.service.lines)


def test_others_may_reach_it_only_with_tokens(work, database):
    with Feed(lambda path, query: ROWS) as feed:
        configure(work, feed, target_of(database), {"p": {}})
        refused = work.run("serve", "--listen", "0.0.0.0:0", code=2)
        assert "service.tokens" in refused.err and "--new-token" in refused.err
        assert "no address" in work.run("serve", "--listen", "7077", code=2).err
        configure(work, feed, target_of(database), {"p": {}}, tokens={"a": {"sha256": "short"}})
        assert "64 hex digits" in work.run("serve", code=2).err
        with socket.create_server(("127.0.0.1", 0)) as taken:
            configure(work, feed, target_of(database), {"p": {}})
            assert "--listen" in work.run("serve", "--listen", f"127.0.0.1:{taken.getsockname()[1]}", code=2).err


def test_metrics_are_what_prometheus_reads(work, database):
    with serving(work, database) as api:
        job = api.post("/api/v1/pipelines/p/jobs", status=202)
        wait_until(api.job_is(job["id"], "succeeded"))
        text = api.send("GET", "/metrics")[2].decode()
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert 'sluice_syncs_total{pipeline="p",status="succeeded"} 1' in text
        assert 'sluice_rows_written_total{pipeline="p"} 1' in text and "sluice_running_syncs 0" in text


def test_it_says_when_it_stops_taking_work(work, database):
    answer, gate = held_back()
    with serving(work, database, answer) as api:
        assert api.get("/readyz") == {"status": "ok"}
        job = api.post("/api/v1/pipelines/p/jobs", status=202)
        wait_until(api.job_is(job["id"], "running"))
        api.service.process.terminate()
        with contextlib.suppress(OSError):  # it may be gone already: what runs is stopped at once
            while api.send("GET", "/readyz")[0] != 503:
                pass
        gate.set()
        assert api.service.process.wait(timeout=20) == 0


def test_stuck_connections_hold_nothing_up(work, database):
    with serving(work, database) as api:
        stuck = []
        with contextlib.ExitStack() as stack:
            for i in range(500):
                connection = stack.enter_context(socket.create_connection((api.host, api.port), timeout=30))
                connection.sendall(b"POST /api/v1/pipelines/p/jobs HTTP/1.1\r\nHost: localhost\r\n" if i % 2 else b"GE")
                stuck.append(connection)
            job = api.post("/api/v1/pipelines/p/jobs", status=202)
            wait_until(api.job_is(job["id"], "succeeded"))


def test_a_wrong_file_keeps_the_old_one_and_its_tokens(work, database):
    token, digest = token_of(work)
    with serving(work, database, token=token, tokens={"a": {"sha256": digest}}) as api:
        work.write("sluice.yaml", "pipelines: [")
        wait_until(lambda: api.service.said("goes on with what it was"))
        assert api.get("/api/v1/pipelines")["pipelines"][0]["name"] == "p"
        api.headers = {}
        api.get("/api/v1/pipelines", 401)
