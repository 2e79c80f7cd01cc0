"""The Salesforce connector passes what every bundled connector must, by queries and by bulk jobs."""

import json
import shutil
import uuid

import pytest

import acceptance
from emulator import Emulator
from integration import staged_loads, staged_rows

OBJECTS = ("Account", "Invoice__c", "OpportunityHistory", "User")
COLUMNS = {"Id": "text", "Name": "text", "Amount__c": "number", "Score__c": "number", "Seats__c": "number", "Rate__c": "number", "Active__c": "flag",
           "Stage__c": "text", "Areas__c": "text", "Due__c": "time", "Seen__c": "time", "Opens__c": "text", "Remark__c": "text", "Formula__c": "number",
           "Parent__c": "text", "CreatedDate": "time", "SystemModstamp": "time"}
START = "2020-01-01T00:00:00Z"
WINDOWS = 2  # of five years, from START to now


@pytest.fixture
def org():
    with Emulator("salesforce", accounts=450, bulk_queue_s=0.02, bulk_run_s=0.02) as running:
        yield running


@pytest.fixture
def fresh(postgres):
    return lambda: postgres.create_database("t" + uuid.uuid4().hex[:12])


def stream(org, name):
    def digits(column):
        return lambda record: None if record[column] is None else str(record[column])  # JSON became binary on the way to this test
    columns = {column: (digits(column) if kind == "number" else column, kind) for column, kind in COLUMNS.items()}
    if name == "Account":
        columns["BillingCity"] = ("BillingCity", "text")
    return acceptance.Stream(f'crm."{name}"', ["Id"], columns, lambda: org.oracle(name)["rows"], lambda: org.oracle(name)["deleted"])


def subject_of(work, org, api="rest", objects=OBJECTS, config=None, **settings):
    def configure(database):
        given = {"login_url": org.urls[0], "instance_host": org.urls[1].removeprefix("http://"), "auth": "client_credentials",
                 "client_id": "salesforce-test-client", "client_secret": org.secrets()[0], "api": api, "start": START, "batch_size": 200,
                 "page_size": 100, **(config or {})}
        pipeline = {"connector": "salesforce", "destination": "target", "network": {"allow_private": True}, "streams": list(objects),
                    "config": given, "commit": {"bytes": "16KiB", "seconds": 1}, **settings}
        work.write("sluice.yaml", json.dumps({
            "destinations": {"target": {"type": "postgres", "url": database.url, "schema": "crm"}}, "pipelines": {"sf": pipeline}}))
    return acceptance.Subject(work, org, configure, {name: stream(org, name) for name in objects}, org.secrets, org.violations)


@pytest.mark.parametrize("api, budget", [
    # a token, the list of objects, descriptions, and for each window of each object a query; Account has two pages more.
    ("rest", 2 + 4 + 4 * WINDOWS + 2),
    # a job is made, polled (at most five times here), downloaded and deleted; the history is no bulk entity.
    ("bulk", 2 + 4 + 3 * WINDOWS * 8 + 4 + WINDOWS)])
def test_full_sync(work, org, fresh, api, budget):
    acceptance.full_sync(subject_of(work, org, api), fresh(), budget)


def test_killed_at_a_request_and_resumed(work, org, fresh):
    acceptance.kill_and_resume(subject_of(work, org, "rest"), fresh, at=[2, 6, 9])


def test_killed_at_a_request_of_a_job_and_resumed(work, org, fresh):
    acceptance.kill_and_resume(subject_of(work, org, "bulk", ("Account",)), fresh, at=[2, 4, 6, 8])


@pytest.mark.parametrize("api", ["rest", "bulk"])
def test_rounds_of_changes(work, org, fresh, api):
    def change():
        org.mutate("Account", updates=7, creates=3, deletes=2, age_s=2)  # the second that a sync begins in is the next one's
        org.mutate("User", updates=2, age_s=2)
    database = fresh()
    acceptance.rounds(subject_of(work, org, api, ("Account", "User")), database, [change, change])
    assert database.one('SELECT count(*) FROM crm."Account" WHERE _sluice_deleted') == 4


def test_a_job_that_nobody_waits_for_any_more_is_ended(work, org, fresh):
    """The pipeline is asked for everything anew while a job of the run before still runs."""
    subject, database = subject_of(work, org, "bulk", ("Account",), {"start": "2025-01-01T00:00:00Z"}), fresh()
    subject.configure(database)
    org.control(jobs={"hold": True})
    process = work.start("run")
    stored = "SELECT to_regclass('_sluice.state') IS NOT NULL AND EXISTS (SELECT FROM _sluice.state WHERE kind = 'job')"
    while not (org.requests("/jobs/query/") and database.one(stored)):
        assert process.poll() is None
    process.kill()
    process.communicate()
    identity = org.requests("/jobs/query/")[0]["path"].rpartition("/")[2]
    org.control(jobs={"hold": False, "states": {identity: "InProgress"}}, clear_log=True)
    work.run("run", "--full-refresh")
    ended = [(entry["method"], entry["status"]) for entry in org.requests(identity) if entry["method"] in ("PATCH", "DELETE")]
    assert ended == [("PATCH", 200), ("DELETE", 204)]
    subject.look(database)


def error(code, message="x", status=400):
    return {"status": status, "body": [{"message": message, "errorCode": code}]}


@pytest.mark.parametrize("fault", [
    error("INVALID_SESSION_ID", "Session expired or invalid", 401), error("UNABLE_TO_LOCK_ROW"),
    error("SERVER_UNAVAILABLE", status=503), {"html": True}, {"truncate_at": 3000}], ids=str)
def test_what_passes_is_overcome(work, org, fresh, fault):
    subject, database = subject_of(work, org, objects=("Account",), config={"start": "2025-01-01T00:00:00Z"}), fresh()
    subject.configure(database)
    org.fault(match="/queryAll", after=1, **fault)
    subject.run()
    subject.look(database)


def test_a_session_that_ends(work, org, fresh):
    subject, database = subject_of(work, org, objects=("Account",)), fresh()
    subject.configure(database)
    subject.run()
    org.control(expire_tokens=True)
    org.mutate("Account", updates=5, age_s=2)
    subject.run()
    subject.look(database)
    assert len(org.requests("oauth2/token")) == 2


def test_a_window_that_takes_too_long_is_halved(work, org, fresh):
    subject, database = subject_of(work, org, objects=("Account",)), fresh()
    subject.configure(database)
    org.control(query_timeout_days=400)
    subject.run()
    subject.look(database)
    assert 8 <= len([entry for entry in org.requests("/queryAll") if entry["status"] == 200]) <= 20


@pytest.mark.parametrize("fault, code, said", [
    (error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403), 4, "run again in 2 h"),
    (error("API_DISABLED_FOR_ORG", status=403), 3, "API Enabled"),
    (error("INVALID_FIELD"), 4, "--refresh"),
    (error("TXN_SECURITY_METERING_ERROR", status=403), 2, "security policy"),
    ({"status": 414, "body": "<html>"}, 4, "api: bulk"),
    (error("MALFORMED_QUERY"), 4, "MALFORMED_QUERY")], ids=str)
def test_what_is_final_says_why(work, org, fresh, fault, code, said):
    subject = subject_of(work, org, objects=("Account",))
    subject.configure(fresh())
    org.fault(match="/queryAll", times=0, **fault)
    assert said in str(subject.run(code=code))
    assert len(org.requests("/queryAll")) <= WINDOWS


def test_an_object_that_may_not_be_read_leaves_the_others(work, org, fresh):
    subject, database = subject_of(work, org, objects=("Account", "Case")), fresh()
    subject.configure(database)
    org.control(forbid=["Case"])
    assert "Case" in subject.run(code=None).err
    del subject.streams["Case"]
    subject.look(database)


def staged(work, subject):
    """The pipeline's rows go to files: PostgreSQL has no room for 1,500 columns in a row. The rows, for what they are read with."""
    file = json.loads((work.folder / "sluice.yaml").read_text())
    file["destinations"]["target"] = {"type": "csv", "path": str(work.folder / "staging"), "compression": "none"}
    work.write("sluice.yaml", json.dumps(file))
    return lambda: [row for load in staged_loads(work.folder / "staging", "Account", "sf") for row in staged_rows(load)]


def test_an_object_of_more_fields_than_a_url_holds(work, fresh):
    """Several queries for a page, each of which Salesforce answers with fewer records than it is asked for."""
    with Emulator("salesforce", accounts=210, wide=1100, bulk_queue_s=0.02, bulk_run_s=0.02) as org:
        truth = {row["Id"]: row for row in org.oracle("Account")["rows"]}
        wide = [f"Wide_{n:03d}__c" for n in (0, 700, 1099)]
        for api in ("rest", "bulk"):
            subject = subject_of(work, org, api, ("Account",), {"batch_size": 500, "start": "2025-01-01T00:00:00Z"})
            subject.configure(fresh())
            read = staged(work, subject)
            shutil.rmtree(work.folder / "staging", ignore_errors=True)
            subject.run()
            rows = {row["Id"]: row for row in read()}
            assert rows.keys() == truth.keys()
            assert {key: [row[name] or None for name in wide] for key, row in rows.items()} == \
                {key: [row[name] for name in wide] for key, row in truth.items()}
        queries = org.requests("/queryAll")
        assert {entry["status"] for entry in queries} == {200} and len(queries) == 4, "two pages of two groups"


def test_records_that_change_between_the_queries_of_a_page(work, fresh):
    """They leave the window: the page is read again without them, and the next sync has them, whole."""
    with Emulator("salesforce", accounts=30, wide=1100) as org:
        subject = subject_of(work, org, objects=("Account",), config={"start": "2025-01-01T00:00:00Z"})
        subject.configure(fresh())
        read = staged(work, subject)
        org.control(clear_log=True, fault={"match": "/queryAll", "after": 1, "delay_ms": acceptance.HELD_MS})
        process = work.start("run")
        deadline = acceptance.time.monotonic() + acceptance.BOUND_S
        while len(org.requests("/queryAll")) < 2:
            assert process.poll() is None and acceptance.time.monotonic() < deadline, "the second query never came"
            acceptance.time.sleep(0.01)
        org.mutate("Account", updates=5)
        out, err = process.communicate(timeout=acceptance.BOUND_S)
        assert process.returncode == 0, out + err
        assert len(org.requests("/queryAll")) == 4, "both queries were sent again"
        assert len({row["Id"] for row in read()}) == 25
        org.control(advance=5)
        subject.run()
        rows = {row["Id"]: row for row in read()}  # the newest of each
        truth = {row["Id"]: row for row in org.oracle("Account")["rows"]}
        assert {key: (row["Wide_000__c"] or None, row["Wide_1099__c"] or None) for key, row in rows.items()} == \
            {key: (row["Wide_000__c"], row["Wide_1099__c"]) for key, row in truth.items()}


def test_a_wide_object_killed_between_the_queries_of_its_second_page(work, fresh):
    with Emulator("salesforce", accounts=210, wide=1100) as org:
        subject = subject_of(work, org, objects=("Account",), config={"start": "2025-01-01T00:00:00Z"})
        subject.configure(fresh())
        read = staged(work, subject)
        org.control(clear_log=True, fault={"match": "/queryAll", "after": 3, "delay_ms": acceptance.HELD_MS})
        process = work.start("run")
        deadline = acceptance.time.monotonic() + acceptance.BOUND_S
        while len(org.requests("/queryAll")) < 4:
            assert process.poll() is None and acceptance.time.monotonic() < deadline, "the query never came"
            acceptance.time.sleep(0.01)
        process.kill()
        process.communicate()
        subject.run()
        truth = {row["Id"]: row["Wide_1099__c"] for row in org.oracle("Account")["rows"]}
        rows = read()
        assert len(rows) == len(truth) and {row["Id"]: row["Wide_1099__c"] or None for row in rows} == truth
