"""The HubSpot emulator obeys its own rules."""

import pytest
from emulator import Emulator

NOW = "2026-03-01T00:00:00Z"


class Account:
    def __init__(self, emulator):
        self.emulator = emulator
        self.headers = {"Authorization": "Bearer " + emulator.secrets()[0]}

    def get(self, path):
        return self.emulator.call("GET", path, headers=self.headers)

    def post(self, path, body):
        return self.emulator.call("POST", path, body, headers=self.headers)

    def all(self, path, **query):
        """Every page of a list."""
        records, after = [], None
        while True:
            text = "&".join(f"{name}={value}" for name, value in {**query, **({"after": after} if after else {})}.items())
            status, _, answer = self.get(f"{path}?{text}")
            assert status == 200, answer
            records += answer["results"]
            after = answer.get("paging", {}).get("next", {}).get("after")
            if not after:
                return records


@pytest.fixture
def hubspot():
    with Emulator("hubspot", now=NOW, limit=["general=100000/10", "search=100000/1"]) as running:
        yield Account(running)


def test_list_with_properties_equals_the_oracle(hubspot):
    names = [one["name"] for one in hubspot.get("/crm/v3/properties/deals")[2]["results"]]
    listed = hubspot.all("/crm/v3/objects/deals", limit=17, properties=",".join(names + ["no_such"]), associations="contacts,companies,line_items")
    assert listed == hubspot.emulator.oracle("deals")["rows"] and len(listed) == 60
    assert all(value is None or isinstance(value, str) for record in listed for value in record["properties"].values())
    changed = hubspot.emulator.mutate("deals", deletes=3, updates=2, creates=1, merges=1)
    archived = hubspot.all("/crm/v3/objects/deals", limit=100, properties=",".join(names), archived="true")
    assert {record["id"] for record in archived} == {str(number) for number in changed["deletes"]}
    assert len(hubspot.all("/crm/v3/objects/deals", limit=100)) == 60 - 3 - 1 + 1
    assert len(hubspot.emulator.oracle("deals")["deleted"]) == 4
    for stream, path in (("owners", "/crm/v3/owners"), ("deal_pipelines", "/crm/v3/pipelines/deals"), ("forms", "/marketing/v3/forms")):
        assert hubspot.all(path) == hubspot.emulator.oracle(stream)["rows"]


def test_search_is_capped_and_restarts_by_id():
    with Emulator("hubspot", now=NOW, contacts=1250, search_cap=1000, same_stamp=True, limit="search=100000/1") as emulator:
        account, seen, last, after = Account(emulator), [], "0", 0
        while True:
            body = {"filterGroups": [{"filters": [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": "0"},
                                                  {"propertyName": "hs_object_id", "operator": "GT", "value": last}]}],
                    "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}], "limit": 200, "after": str(after)}
            status, headers, answer = account.post("/crm/v3/objects/contacts/search", body)
            if status == 400:
                assert after == 1000 and answer["category"] == "VALIDATION_ERROR"
                last, after = seen[-1], 0
                continue
            assert "X-HubSpot-RateLimit-Max" not in headers
            seen += [record["id"] for record in answer["results"]]
            if "paging" not in answer:
                break
            after = int(answer["paging"]["next"]["after"])
        assert seen == [record["id"] for record in emulator.oracle("contacts")["rows"]]


def test_search_refuses_unknown_properties_and_never_shows_archived(hubspot):
    def ask(**rule):
        return hubspot.post("/crm/v3/objects/companies/search", {"filterGroups": [{"filters": [rule]}], "limit": 200})
    assert ask(propertyName="no_such", operator="EQ", value="1")[0] == 400
    gone = hubspot.emulator.mutate("companies", deletes=2)["deletes"]
    found = ask(propertyName="hs_object_id", operator="IN", values=[str(gone[0]), "105", "106"])[2]
    assert str(gone[0]) not in {record["id"] for record in found["results"]} and found["total"] >= 1


def test_associations_answer_207(hubspot):
    ids = [record["id"] for record in hubspot.emulator.oracle("deals")["rows"]]
    status, _, answer = hubspot.post("/crm/v4/associations/deals/contacts/batch/read", {"inputs": [{"id": one} for one in [*ids, "99999"]]})
    assert status == 207 and answer["numErrors"] == len(answer["errors"]) > 0
    truth = {record["id"]: [one["id"] for one in record["associations"]["contacts"]["results"]]
             for record in hubspot.emulator.oracle("deals")["rows"] if "contacts" in record.get("associations", {})}
    assert {one["from"]["id"]: [str(to["toObjectId"]) for to in one["to"]] for one in answer["results"]} == truth


def test_two_buckets_and_tokens():
    with Emulator("hubspot", now=NOW) as emulator:
        account = Account(emulator)
        answers = [account.post("/crm/v3/objects/deals/search", {}) for _ in range(6)]
        assert [status for status, _, _ in answers] == [200] * 5 + [429]
        assert answers[5][2]["policyName"] == "SECONDLY" and "Retry-After" not in answers[5][1]
        assert account.get("/crm/v3/owners")[1]["X-HubSpot-RateLimit-Remaining"] == "189"
        emulator.control(advance=1)
        assert account.post("/crm/v3/objects/deals/search", {})[0] == 200 and emulator.violations() == {"search": 1}
        form = {"grant_type": "refresh_token", "client_id": "hubspot-test-client", "client_secret": "hubspot-test-client-secret",
                "refresh_token": "hubspot-test-refresh"}
        granted = emulator.call("POST", "/oauth/v1/token", form, form=True)[2]
        bearer = {"Authorization": "Bearer " + granted["access_token"]}
        assert granted["expires_in"] == 1800 and emulator.call("GET", "/crm/v3/owners", headers=bearer)[0] == 200
        emulator.control(advance=1801)
        assert emulator.call("GET", "/crm/v3/owners", headers=bearer)[2]["category"] == "EXPIRED_AUTHENTICATION"
        assert emulator.call("POST", "/oauth/v1/token", {**form, "refresh_token": "x"}, form=True)[0] == 400
        assert emulator.call("GET", "/crm/v3/owners", headers={"Authorization": "Bearer a b"})[0] == 530
