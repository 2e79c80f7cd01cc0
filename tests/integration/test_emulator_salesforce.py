"""The Salesforce emulator obeys its own rules."""

import csv
import io
import urllib.parse

import pytest
from emulator import Emulator

NOW = "2026-03-01T00:00:00Z"
BASE = "/services/data/v67.0"
CLIENT = {"client_id": "salesforce-test-client", "client_secret": "salesforce-test-client-secret"}


class Org:
    def __init__(self, emulator):
        self.emulator = emulator
        self.login()

    def login(self, refresh="salesforce-test-refresh"):
        status, _, answer = self.emulator.call("POST", "/services/oauth2/token",
                                               {"grant_type": "refresh_token", "refresh_token": refresh, **CLIENT}, form=True)
        if status == 200:
            self.url, self.headers = answer["instance_url"], {"Authorization": "Bearer " + answer["access_token"]}
        return status, answer

    def ask(self, method, path, body=None, **headers):
        path = path if path.startswith("/services") else BASE + path
        return self.emulator.call(method, self.url + path, body, {**self.headers, **headers})

    def query(self, text, verb="query", size=200):
        """Every record of a query, following nextRecordsUrl."""
        status, _, answer = self.ask("GET", f"/{verb}?q={urllib.parse.quote(text)}", **{"Sforce-Query-Options": f"batchSize={size}"})
        assert status == 200, answer
        records = answer["records"]
        while not answer["done"]:
            answer = self.ask("GET", answer["nextRecordsUrl"])[2]
            records += answer["records"]
        return records


@pytest.fixture
def org():
    with Emulator("salesforce", now=NOW, accounts=450) as running:
        yield Org(running)


def names_of(org, name, without=()):
    fields = org.ask("GET", f"/sobjects/{name}/describe")[2]["fields"]
    return [field["name"] for field in fields if field["type"] not in without]


def test_query_by_described_fields_equals_the_oracle(org):
    columns = ", ".join(names_of(org, "Account"))
    records = org.query(f"SELECT {columns} FROM Account ORDER BY SystemModstamp, Id")
    assert sorted(records, key=lambda r: r["Id"]) == org.emulator.oracle("Account")["rows"] and len(records) == 450
    assert records[0]["SystemModstamp"].endswith("+0000")
    changed = org.emulator.mutate("Account", deletes=3, merges=1, updates=5, late=2)
    live, every = org.query("SELECT Id FROM Account"), org.query("SELECT Id, IsDeleted, MasterRecordId FROM Account", "queryAll")
    assert len(live) == 448 and len(every) == 452
    gone = [record for record in every if record["IsDeleted"]]
    assert len(gone) == 4 and sum(record["MasterRecordId"] is not None for record in gone) == 1
    assert {record["Id"] for record in gone} == {record["Id"] for record in org.emulator.oracle("Account")["deleted"]}
    newer = org.query("SELECT Id FROM Account WHERE SystemModstamp >= 2026-02-28T23:59:00.000Z AND SystemModstamp < 2026-03-02T00:00:00Z")
    truth = [record["Id"] for record in org.emulator.oracle("Account")["rows"] if record["SystemModstamp"] >= "2026-02-28T23:59:00"]
    assert sorted(record["Id"] for record in newer) == truth and len(truth) >= len(changed["late"]) + 1


def test_windows_cut_without_gap_or_overlap(org):
    bounds = ["2025-01-01T00:00:00Z", "2025-01-20T06:00:00Z", "2025-02-10T00:00:00+01:00", "2026-03-01T00:00:00.000+0000"]
    seen = []
    for low, high in zip(bounds, bounds[1:]):
        seen += [r["Id"] for r in org.query(f"SELECT Id FROM Contact WHERE SystemModstamp >= {low} AND SystemModstamp < {high}")]
    assert sorted(seen) == [record["Id"] for record in org.emulator.oracle("Contact")["rows"]]
    assert len(org.query(f"SELECT Id FROM Contact WHERE Id IN ('{seen[0]}', '{seen[1]}') ORDER BY Id DESC LIMIT 1")) == 1
    org.emulator.control(query_timeout_days=10)
    status, _, answer = org.ask("GET", "/query?q=" + urllib.parse.quote("SELECT Id FROM Contact WHERE SystemModstamp >= 2025-01-01T00:00:00Z"))
    assert status == 400 and answer[0]["errorCode"] == "QUERY_TIMEOUT"


def test_errors_are_arrays(org):
    for text, code in (("SELECT Nope FROM Account", "INVALID_FIELD"), ("SELECT Id FROM Nope", "INVALID_TYPE"), ("SELECT Id", "MALFORMED_QUERY"),
                       ("SELECT Id FROM Account WHERE SystemModstamp > 2025-01-01T00:00:00 0000", "MALFORMED_QUERY"),
                       ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY")):
        status, _, answer = org.ask("GET", "/query?q=" + urllib.parse.quote(text))
        assert (status, answer[0]["errorCode"]) == (400, code)
    assert org.ask("GET", "/query/01gNOSUCH-200")[2][0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    assert org.ask("GET", "/sobjects/Account/describe", **{"If-Modified-Since": "Sun, 01 Mar 2026 00:00:00 GMT"})[0] == 304
    batch = org.ask("POST", "/composite/batch", {"batchRequests": [{"method": "GET", "url": "v67.0/sobjects/User/describe"}] * 2})[2]
    assert [one["statusCode"] for one in batch["results"]] == [200, 200]


def test_bulk_job_by_the_clock(org):
    columns = names_of(org, "Account", without=("address", "base64"))
    create = {"operation": "queryAll", "query": f"SELECT {', '.join(columns)} FROM Account", "contentType": "CSV"}
    job = org.ask("POST", "/jobs/query", create)[2]
    assert job["state"] == "UploadComplete" and org.ask("GET", f"/jobs/query/{job['id']}/results")[0] == 400
    org.emulator.control(advance=0.06)
    assert org.ask("GET", f"/jobs/query/{job['id']}")[2]["state"] == "InProgress"
    org.emulator.control(advance=1)
    told = org.ask("GET", f"/jobs/query/{job['id']}")[2]
    assert told["state"] == "JobComplete" and told["numberRecordsProcessed"] == 450
    rows, locator, pages = [], "", 0
    while locator != "null":
        _, headers, text = org.ask("GET", f"/jobs/query/{job['id']}/results?maxRecords=200" + (f"&locator={locator}" if locator else ""))
        page = list(csv.DictReader(io.StringIO(text, newline="")))
        assert len(page) == int(headers["Sforce-NumberOfRecords"])
        rows, locator, pages = rows + page, headers["Sforce-Locator"], pages + 1
    truth = {record["Id"]: record for record in org.emulator.oracle("Account")["rows"]}
    assert pages == 3 and {row["Id"] for row in rows} == truth.keys() and len(rows) == 450
    assert all(row["Remark__c"] == (truth[row["Id"]]["Remark__c"] or "") and row["CreatedDate"].endswith(".000Z") for row in rows)
    assert org.ask("DELETE", f"/jobs/query/{job['id']}")[0] == 204 and org.ask("GET", f"/jobs/query/{job['id']}")[0] == 404
    compound = org.ask("POST", "/jobs/query", {**create, "query": "SELECT Id, BillingAddress FROM Account"})[2]
    held = org.emulator.control(advance=1) and org.ask("GET", f"/jobs/query/{compound['id']}")[2]
    assert held["state"] == "Failed" and "compound data not supported" in held["errorMessage"]
    assert org.ask("POST", "/jobs/query", {**create, "query": "SELECT Id FROM OpportunityHistory"})[2][0]["errorCode"] == "INVALIDENTITY"


def test_sessions_limits_and_rotation(org):
    assert org.ask("GET", "/limits")[1]["Sforce-Limit-Info"] == "api-usage=1/100000"
    assert org.emulator.call("GET", BASE + "/limits", headers=org.headers)[0] == 404, "the login host is not the instance"
    org.emulator.control(advance=7300)
    assert org.ask("GET", "/limits")[2][0]["errorCode"] == "INVALID_SESSION_ID"
    status, answer = org.login()
    assert status == 200 and "expires_in" not in answer and "refresh_token" not in answer and org.ask("GET", "/limits")[0] == 200
    org.emulator.control(quota={"api": {"limit": 3}})
    assert org.ask("GET", "/limits")[0] == 200
    status, _, answer = org.ask("GET", "/limits")
    assert status == 403 and answer[0]["message"] == "TotalRequests Limit exceeded." and org.emulator.violations() == {"api": 1}
    with Emulator("salesforce", now=NOW, rotate=True) as emulator:
        rotating = Org(emulator)
        assert rotating.login() == (400, {"error": "invalid_grant", "error_description": "expired access/refresh token"})
