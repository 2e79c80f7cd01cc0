"""Asynchronous jobs end to end: made, polled, downloaded, deleted; killed at each of these steps and gone on with; and a source that
answers as it should not."""

import http.server
import json
import signal
import threading
import urllib.parse

import pytest

from emulator import Emulator
from test_waits import until


class Jobs:
    """An API whose `GET /rows` needs a job. What each request does can be replaced: `on["poll"] = function`."""

    def __init__(self, rows=40, page=10):
        self.total, self.page = rows, page
        self.jobs = {}  # id -> polls left until it is done
        self.polls = 2
        self.on = {}
        self.log = []
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                url = urllib.parse.urlsplit(self.path)
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
                query = dict(urllib.parse.parse_qsl(url.query))
                api.log.append((self.command, url.path, query))
                kind = "create" if self.command == "POST" else "delete" if self.command == "DELETE" else \
                    "rows" if url.path.endswith("/rows") else "poll"
                status, answer, headers = api.on.get(kind, getattr(api, kind))(url.path, query, body)
                if status is None:
                    self.close_connection = True
                    return
                text = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def create(self, path, query, body):
        identity = f"j{self.count('POST')}"
        self.jobs[identity] = self.polls
        return 200, {"id": identity, "state": "Queued"}, {}

    def poll(self, path, query, body):
        identity = path.split("/")[2]
        if identity not in self.jobs:
            return 404, {"error": "no such job"}, {}
        self.jobs[identity] -= 1
        done = self.jobs[identity] < 0
        return 200, {"state": "Done" if done else "Running", "url": f"{self.url}/jobs/{identity}/rows?signature=a%2Fb"}, {}

    def rows(self, path, query, body):
        identity = path.split("/")[2]
        if identity not in self.jobs:
            return 404, {"error": "no such job"}, {}
        at = int(query.get("locator", 0))
        lines = ["id,n"] + [f"r{n},{n}" for n in range(at, min(at + self.page, self.total))]
        following = at + self.page
        return 200, "\n".join(lines) + "\n", {"Locator": str(following) if following < self.total else "null"}

    def delete(self, path, query, body):
        self.jobs.pop(path.split("/")[2], None)
        return 204, "", {}

    def count(self, method, ending=""):
        return sum(1 for told in self.log if told[0] == method and told[1].endswith(ending))


CONNECTOR = """
return sluice.connector {
  name = "feed", version = "1.0.0", http = { base = "{{config.base_url}}", retry = { tries = 2, wait = "1ms" } },
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  check = { path = "/health" },
  streams = { rows = {
    job = { create = { path = "/jobs", body = { query = "rows" }, %s }, capture = { url = "url" },
            poll = { path = "/jobs/{{job.id}}", state = "state", done = { "Done" }, failed = { "Failed" }, error = "why",
                     every = "1ms", up_to = "50ms" },
            delete = { path = "/jobs/{{job.id}}" }, timeout = "%s", %s },
    path = "%s", format = "csv", primary_key = "id", fields = { id = "string", n = "integer" }, %s
    pages = { kind = "header_token", header = "Locator", param = "locator" } } },
}
"""


def configure(work, api, database, create="", timeout="1h", job="", path="/jobs/{{job.id}}/rows", stream="", mode="append"):
    connector = work.write("feed.lua", CONNECTOR % (create, timeout, job, path, stream))
    work.configure(api, {"type": "postgres", "url": database.url, "schema": "raw"}, name="p", connector=connector,
                   streams={"rows": {"write_mode": mode}}, commit={"bytes": "1KiB", "seconds": 1})


def assert_all_once(database, api):
    assert database.one("SELECT count(*) FROM raw.rows") == api.total
    assert database.one("SELECT count(DISTINCT id) FROM raw.rows") == api.total


def stored_job(database):
    there = database.one("SELECT to_regclass('_sluice.state') IS NOT NULL")
    return there and database.one("SELECT max(value) FROM _sluice.state WHERE kind = 'job'")


@pytest.mark.parametrize("path", ["/jobs/{{job.id}}/rows", "{{job.url}}"])
def test_a_job_is_made_polled_downloaded_and_deleted(work, database, path):
    with Jobs() as api:
        configure(work, api, database, path=path)
        work.run("run")
        assert_all_once(database, api)
        assert api.count("POST") == 1 and api.count("DELETE") == 1 and not api.jobs
        assert not stored_job(database)
        polls = [told for told in api.log if told[0] == "GET" and not told[1].endswith("/rows")]
        assert len(polls) == 3, "it is asked until it is done, and not after"


@pytest.mark.parametrize("stable", ["", "stable = true,"])
@pytest.mark.parametrize("step", ["poll", "rows"])
def test_killed_while_polling_or_downloading_it_goes_on_with_the_same_job(work, database, step, stable):
    with Jobs() as api:
        held, seen = threading.Event(), threading.Event()
        usual = {"poll": api.poll, "rows": api.rows}[step]

        def hold(path, query, body):
            if step == "poll" or query.get("locator") == "20":
                seen.set()
                held.wait(60)
            return usual(path, query, body)

        api.on[step] = hold
        configure(work, api, database, stream=stable)
        process = work.start("run")
        assert seen.wait(60)
        until(lambda: stored_job(database), "the job is stored")
        process.kill()
        process.communicate()
        held.set()
        api.on.clear()
        work.run("run")
        assert_all_once(database, api)
        assert api.count("POST") == 1, "another job was made"
        assert not api.jobs and not stored_job(database)


def test_killed_before_the_answer_to_create_it_makes_another(work, database):
    with Jobs() as api:
        held, seen = threading.Event(), threading.Event()

        def hold(path, query, body):
            seen.set()
            held.wait(60)
            return None, "", {}

        api.on["create"] = hold
        configure(work, api, database)
        process = work.start("run")
        assert seen.wait(60)
        process.kill()
        process.communicate()
        held.set()
        api.on.clear()
        work.run("run")
        assert_all_once(database, api)


@pytest.mark.parametrize("stable", ["", "stable = true,"])
def test_a_stored_job_that_is_gone_is_made_anew(work, database, stable):
    with Jobs() as api:
        held, seen = threading.Event(), threading.Event()
        usual = api.rows

        def hold(path, query, body):
            if query.get("locator") == "20":
                seen.set()
                held.wait(60)
            return usual(path, query, body)

        api.on["rows"] = hold
        configure(work, api, database, stream=stable)
        process = work.start("run")
        assert seen.wait(60)
        until(lambda: stored_job(database), "the job is stored")
        process.kill()
        process.communicate()
        held.set()
        api.on.clear()
        api.jobs.clear()
        ended = work.run("run")
        assert "job" in ended.err and ("is gone" in ended.err or "starting over" in ended.err)
        assert_all_once(database, api)
        assert api.count("POST") == 2


def test_stopped_politely_while_polling_it_goes_on_with_the_same_job(work, database):
    with Jobs() as api:
        api.polls = 10 ** 9
        configure(work, api, database)
        process = work.start("run")
        until(lambda: stored_job(database) and api.count("GET") > 2, "it polls")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 143, out + err
        assert api.count("DELETE") == 0
        api.jobs = {name: 0 for name in api.jobs}
        work.run("run")
        assert_all_once(database, api)
        assert api.count("POST") == 1


def test_a_job_that_fails_is_made_again_as_often_as_declared(work, database):
    with Jobs() as api:
        configure(work, api, database, job="retries = 1")
        usual = api.poll
        api.on["poll"] = lambda path, query, body: \
            (200, {"state": "Failed", "why": "out of luck"}, {}) if "/j1" in path else usual(path, query, body)
        ended = work.run("run")
        assert "out of luck" in ended.err and api.count("POST") == 2 and api.count("DELETE") == 2
        assert_all_once(database, api)
        api.on["poll"] = lambda path, query, body: (200, {"state": "Failed", "why": "out of luck"}, {})
        ended = work.run("run", code=4)
        assert "the job ended as 'Failed': out of luck" in ended.err and api.count("POST") == 4 and api.count("DELETE") == 4


def test_a_create_whose_answer_is_lost_is_sent_again_only_where_declared(work, database):
    with Jobs() as api:
        usual = api.create
        api.on["create"] = lambda path, query, body: (None, "", {}) if api.count("POST") % 2 else usual(path, query, body)
        configure(work, api, database)
        assert "POST" in work.run("run", code=4).err and api.count("POST") == 1
        api.log.clear()
        configure(work, api, database, create="idempotent = true")
        work.run("run")
        assert api.count("POST") == 2
        assert_all_once(database, api)


@pytest.mark.parametrize("step, answer, code, said", [
    ("create", (200, {"state": "Queued"}, {}), 5, "no id of the job at 'id'"),
    ("create", (200, {"id": {"a": 1}}, {}), 5, "no id of the job at 'id'"),
    ("create", (200, {"id": "x" * 70000}, {}), 5, "is longer than"),
    ("create", (200, "<html>", {}), 4, "HTML"),
    ("create", (200, {"id": ".."}, {}), 2, "holds '.' or '..'"),
    ("poll", (200, {"status": "Done"}, {}), 5, "no state of the job at 'state'"),
    ("poll", (200, "", {}), 4, "an empty answer"),
    ("poll", (200, {"state": "Pondering"}, {}), 4, "still 'Pondering' after"),
    ("poll", (200, {"state": "Done", "url": "http://elsewhere.invalid/rows"}, {}), 3, "elsewhere.invalid"),
    ("poll", (200, {"state": "Done"}, {}), 2, "there is no path"),
    ("rows", (302, "", {"Location": "http://elsewhere.invalid/rows"}), 3, "elsewhere.invalid"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_answers_that_cannot_be_taken(work, database, step, answer, code, said):
    with Jobs() as api:
        api.on[step] = lambda path, query, body: answer
        configure(work, api, database, timeout="300ms", path="{{job.url}}")
        ended = work.run("run", code=code)
        assert said in ended.err, ended.err


SALESFORCE = """
return sluice.connector {
  name = "sf", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, login = { type = "string", required = true },
             secret = { type = "string", secret = true, required = true },
             api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}/services/data/v67.0",
           auth = { kind = "oauth2", grant = "client_credentials", token_url = "{{config.login}}/services/oauth2/token",
                    client_id = "salesforce-test-client", client_secret = "{{config.secret}}" } },
  check = { path = "/limits" },
  streams = { accounts = {
    job = {
      create = { path = "/jobs/query", body = { operation = "query", contentType = "CSV", query = "SELECT Id, Name, SystemModstamp FROM \
Account WHERE SystemModstamp >= {{cursor.from | format:'%Y-%m-%dT%H:%M:%SZ'}} AND SystemModstamp < {{cursor.until | format:'%Y-%m-%dT%H:%M:%SZ'}}" } },
      poll = { path = "/jobs/query/{{job.id}}", state = "state", done = { "JobComplete" }, failed = { "Failed", "Aborted" },
               error = "errorMessage", every = "10ms", up_to = "100ms" },
      delete = { path = "/jobs/query/{{job.id}}" }, slots = 2 },
    path = "/jobs/query/{{job.id}}/results", params = { maxRecords = 50 }, stable = true,
    format = { kind = "csv", count_header = "Sforce-NumberOfRecords" },
    pages = { kind = "header_token", header = "Sforce-Locator", param = "locator" },
    cursor = { field = "SystemModstamp", start = "2025-01-01T00:00:00Z", step = "12mo", bounds = "[)" },
    primary_key = "Id", fields = { Id = "string", Name = "string", SystemModstamp = "timestamp" } } },
}
"""


def test_salesforce_bulk_jobs_by_windows(work, database):
    with Emulator("salesforce", accounts=450, bulk_queue_s=0.02, bulk_run_s=0.02) as org:
        work.configure(org, {"type": "postgres", "url": database.url, "schema": "raw"}, name="p", connector=work.write("sf.lua", SALESFORCE),
                       streams={"accounts": {"write_mode": "append"}}, config={"login": org.urls[0], "base_url": org.urls[1], "secret": "${SF_SECRET}"})
        work.environment["SF_SECRET"] = org.secrets()[0]
        work.run("run")
        truth = {record["Id"] for record in org.oracle("Account")["rows"]}
        assert database.one("SELECT count(*) FROM raw.accounts") == len(truth)
        assert database.one('SELECT count(DISTINCT "Id") FROM raw.accounts') == len(truth)
        log = org.requests("/jobs/query")
        made = [entry for entry in log if entry["method"] == "POST"]
        assert made and len(made) == len([entry for entry in log if entry["method"] == "DELETE"])


CASE = """
config: { base_url: "https://jobs.test" }
pipeline: { streams: [rows] }
syncs:
  - exchanges: |
      > POST /jobs
      >
      > {"query": "rows"}
      < 200
      <
      < {"id": "7"}

      > GET /jobs/7
      < 200
      <
      < {"state": "Running"}

      after: 10m
      > GET /jobs/7
      < 200
      <
      < {"state": "Done"}

      > GET /jobs/7/rows
      < 200
      < Content-Type: text/csv
      <
      < id,n
      < a,1

      > DELETE /jobs/7
      < 204
    rows:
      rows: |
        {"id": "a", "n": 1}
"""


def test_a_case_waits_for_a_job_without_waiting(work):
    text = CONNECTOR % ("", "1h", "", "/jobs/{{job.id}}/rows", "")
    work.write("feed/init.lua", text.replace('every = "1ms", up_to = "50ms"', 'every = "10m", up_to = "20m"'))
    work.write("feed/cases/job.yaml", CASE)
    assert "1 ok, 0 failed" in work.run("connector", "test", "./feed").out


def test_jobs_of_a_plan_that_is_given_up_are_deleted(work, database):
    with Jobs() as api:
        api.polls = 10 ** 9
        cursor = 'cursor = { field = "id", param = "above", into = "body" },'
        configure(work, api, database, stream=cursor, mode="append_dedup")
        process = work.start("run")
        until(lambda: stored_job(database), "the job is stored")
        process.kill()
        process.communicate()
        api.polls = 1
        work.run("run", "--full-refresh")
        assert api.count("POST") == 2 and api.count("DELETE", "/j1") == 1 and not api.jobs
        assert_all_once(database, api)
        assert not stored_job(database)


def test_a_preview_leaves_no_job_behind(work, database):
    with Jobs() as api:
        configure(work, api, database)
        assert "r0" in work.run("preview", "--stream", "rows").out
        assert api.count("POST") == 1 and api.count("DELETE") == 1 and not api.jobs
