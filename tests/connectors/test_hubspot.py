"""The HubSpot connector passes what every bundled connector must; so do the views of its README."""

import json
import pathlib
import re
import uuid

import pytest

import acceptance
from emulator import Emulator
from integration import staged_loads, staged_rows

README = pathlib.Path(__file__).parents[2] / "connectors" / "hubspot" / "README.md"
CHANGED = {"contacts": "lastmodifieddate"}
OF_ALL = {"createdate": "time", "hs_merged_object_ids": "text"}
OWN = {"contacts": {"email": "text", "firstname": "text", "lastname": "text", "phone": "text"},
       "companies": {"name": "text", "domain": "text", "phone": "text"},
       "deals": {"dealname": "text", "amount": "number", "closedate": "time"},
       "products": {"name": "text"}}
STAMPS = {"createdAt": "time", "updatedAt": "time"}
OTHERS = {"owners": (["id"], {"id": "text", "email": "text", "firstName": "text", "userId": "number", "archived": "flag", "teams": "json", **STAMPS}),
          "deal_pipelines": (["id"], {"id": "text", "label": "text", "displayOrder": "number", "stages": "json", **STAMPS}),
          "ticket_pipelines": (["id"], {"id": "text", "label": "text", "stages": "json", **STAMPS}),
          "forms": (["id"], {"id": "text", "name": "text", "formType": "text", "archived": "flag", **STAMPS}),
          "form_submissions": (["formId", "conversionId"], {"formId": "text", "conversionId": "text", "pageUrl": "text", "values": "json"}),
          "email_events": (["id"], {"id": "text", "type": "text", "recipient": "text", "emailCampaignId": "number"}),
          "marketing_emails": (["id"], {"id": "text", "name": "text", "isPublished": "flag", "publishDate": "time", "stats": "json", **STAMPS}),
          "email_campaigns": (["id"], {"id": "number", "name": "text", "contentId": "number", "numIncluded": "number", "counters": "json"}),
          "subscription_changes": (["recipient"], {"recipient": "text", "portalId": "number", "changes": "json"}),
          "lists": (["listId"], {"listId": "text", "name": "text", "processingType": "text", **STAMPS})}


@pytest.fixture
def hubspot():
    with Emulator("hubspot", contacts=450, companies=40, deals=210) as running:
        yield running


@pytest.fixture
def fresh(postgres):
    return lambda: postgres.create_database("t" + uuid.uuid4().hex[:12])


def objects(hubspot, name, table=None):
    """A stream of objects, as the oracle tells of it."""
    changed = CHANGED.get(name, "hs_lastmodifieddate")
    columns = {column: (f"properties.{column}", kind) for column, kind in {**OF_ALL, changed: "time", **OWN[name]}.items()}
    columns["id"] = ("id", "text")
    return acceptance.Stream(table or f"crm.{name}", ["id"], columns, lambda: hubspot.oracle(name)["rows"], lambda: hubspot.oracle(name)["deleted"])


def listing(hubspot, name, key, columns):
    def truth():
        return [row for half in ([name, name + "_archived"] if name == "owners" else [name]) for row in hubspot.oracle(half)["rows"]]
    return acceptance.Stream(f"crm.{name}", key, {column: (column, kind) for column, kind in columns.items()}, truth)


def associated(hubspot, one, these, those):
    def truth():
        return [{one: row["id"], "toObjectId": other["id"]} for row in hubspot.oracle(these)["rows"]
                for other in row.get("associations", {}).get(those, {}).get("results", [])]
    return acceptance.Stream(f"crm.{these}_{those}", [one, "toObjectId"], {one: (one, "text"), "toObjectId": ("toObjectId", "text")}, truth)


def subject_of(work, hubspot, streams, config=None, **settings):
    def configure(database):
        pipeline = {"connector": "hubspot", "destination": "target", "network": {"allow_private": True}, "streams": sorted(selected(streams)),
                    "config": {"base_url": hubspot.url, "plan": "professional", **(config or {"access_token": hubspot.secrets()[0]})},
                    "commit": {"bytes": "16KiB", "seconds": 1}, **settings}
        work.write("sluice.yaml", json.dumps({
            "destinations": {"target": {"type": "postgres", "url": database.url, "schema": "crm"}}, "pipelines": {"hubspot": pipeline}}))
    return acceptance.Subject(work, hubspot, configure, streams, hubspot.secrets, hubspot.violations)


def selected(streams):
    """A view's stream is made of two."""
    return {part for name, stream in streams.items() for part in ([name, name + "_archived"] if stream.table.endswith("_current") else [name])}


def current(database, name):
    """The README's view of what is in HubSpot now, for one type."""
    statement = re.search(r"```sql\n(.*?)```", README.read_text(), re.S)[1].replace("contacts", name).replace("lastmodifieddate", CHANGED.get(name, "hs_lastmodifieddate"))
    database.query(statement + " SELECT 1")


def test_full_sync(work, hubspot, fresh):
    streams = {name: objects(hubspot, name) for name in OWN}
    streams.update({name: listing(hubspot, name, *shape) for name, shape in OTHERS.items()})
    streams["deals_companies"] = associated(hubspot, "deal_id", "deals", "companies")
    streams["calls_contacts"] = associated(hubspot, "call_id", "calls", "contacts")
    # Properties, pages of objects, the other lists (owners twice, submissions for each of three forms, forms for these, five campaigns one by
    # one), and deals and calls for what they are associated with.
    acceptance.full_sync(subject_of(work, hubspot, streams), fresh(), budget=4 + 7 + len(OTHERS) + 2 + 3 + 5 + 3 + 2)


def test_killed_at_a_request_and_resumed(work, hubspot, fresh):
    streams = {name: objects(hubspot, name) for name in ("contacts", "deals")}
    acceptance.kill_and_resume(subject_of(work, hubspot, streams), fresh, at=[0, 1, 2, 4])


def test_more_than_a_query_gives(work, fresh):
    """All objects share one stamp, so that no window of time could be cut: in a first sync, and when a bulk edit changed them all."""
    with Emulator("hubspot", contacts=2100, search_cap=2000, same_stamp=True, limit=["general=100000/1", "search=100000/1"]) as hubspot:
        subject, database = subject_of(work, hubspot, {"contacts": objects(hubspot, "contacts")}, rate_limit={"requests": 10000, "per": "1s"}), fresh()
        acceptance.full_sync(subject, database, budget=12)
        hubspot.mutate("contacts", updates=2080, same_stamp=True, age_s=2)
        hubspot.control(clear_log=True)
        subject.run()
        subject.look(database)
        assert len(hubspot.requests("search")) == 11  # pages of 200, behind ids


def test_refused_for_its_limits(work, hubspot, fresh):
    """Others use the account, too: a second's limit is waited for, the day's ends the sync, and the next one goes on."""
    streams = {name: objects(hubspot, name) for name in ("contacts", "deals")}
    subject, database = subject_of(work, hubspot, streams), fresh()
    subject.configure(database)

    def refusal(policy):
        return {"status": "error", "message": "You have reached your limit.", "errorType": "RATE_LIMIT", "policyName": policy}
    hubspot.fault(match="contacts/search", after=1, status=429, body=refusal("SECONDLY"))
    hubspot.fault(match="deals/search", after=1, times=0, status=429, body=refusal("DAILY"))
    assert "DAILY" in subject.run(code=8).err  # of two streams one is done
    assert database.one("SELECT count(*) FROM crm.contacts") == 450
    hubspot.control(clear_faults=True)
    subject.run()
    subject.look(database)


def test_what_changes_while_it_is_read_moves_nothing(work, hubspot, fresh):
    """Between two pages, objects of the first one are changed and archived: what is left of the result moves up."""
    database = fresh()
    subject = subject_of(work, hubspot, {"contacts": objects(hubspot, "contacts")})
    subject.configure(database)
    hubspot.control(clear_log=True, fault={"match": "search", "after": 1, "delay_ms": acceptance.HELD_MS})
    process = work.start("run")
    deadline = acceptance.time.monotonic() + acceptance.BOUND_S
    while len(hubspot.requests("search")) < 2:
        assert process.poll() is None and acceptance.time.monotonic() < deadline, "the request never came"
        acceptance.time.sleep(0.01)
    hubspot.mutate("contacts", updates=20, ids=list(range(101, 121)))
    hubspot.mutate("contacts", deletes=10, ids=list(range(131, 141)))
    out, err = process.communicate(timeout=acceptance.BOUND_S)
    assert process.returncode == 0, out + err
    stored = {row[0] for row in database.query("SELECT id FROM crm.contacts")}
    assert {str(number) for number in range(101, 551)} == stored


def test_rounds_of_changes(work, hubspot, fresh):
    """Archived objects and those that were merged are gone from the README's view, and come back when they are restored. Associations end,
    too, some with all others of their object."""
    names = ("contacts", "companies")
    streams = {name: objects(hubspot, name, f"crm.{name}_current") for name in names}
    streams["owners"] = listing(hubspot, "owners", *OTHERS["owners"])
    streams["deals_companies"] = associated(hubspot, "deal_id", "deals", "companies")
    subject, database = subject_of(work, hubspot, streams), fresh()
    subject.configure(database)
    subject.run()
    for name in names:
        current(database, name)

    def change(**how):
        def mutate():
            for name in (*names, "owners", "deals"):
                hubspot.mutate(name, age_s=2, **{key: n for key, n in how.items() if name != "owners" or key != "merges"})
        return mutate
    acceptance.rounds(subject, database, [change(updates=5, creates=3, deletes=2), change(merges=1, deletes=1, late=2), change(undeletes=2, updates=3)])


def test_more_associations_of_an_object_than_are_listed_at_once(work, fresh):
    """Such objects are asked about alone, page by page; a request that fails on the way is sent again."""
    with Emulator("hubspot", deals=40, association_page=2) as hubspot:
        streams = {"deals_contacts": associated(hubspot, "deal_id", "deals", "contacts"), "deals_companies": associated(hubspot, "deal_id", "deals", "companies")}
        subject, database = subject_of(work, hubspot, streams, rate_limit={"requests": 10000, "per": "1s"}), fresh()
        hubspot.control(fault={"match": "deals/contacts/batch/read", "after": 2, "status": 502, "body": "bad gateway"})
        subject.configure(database)
        subject.run()
        many = [row for row in hubspot.oracle("deals")["rows"] if len(row.get("associations", {}).get("contacts", {}).get("results", [])) > 2]
        assert many, "no deal has that many"
        subject.look(database)
        assert len(hubspot.requests("deals/contacts/batch/read")) == 1 + 2 * len(many) + 1


def test_more_properties_than_a_url_takes(work, fresh):
    """Search takes them in its body, all at once. PostgreSQL has no room for so many columns in a row, files have."""
    with Emulator("hubspot", contacts=30, extra_properties=1600) as hubspot:
        subject, database = subject_of(work, hubspot, {"contacts": objects(hubspot, "contacts")}), fresh()
        subject.configure(database)
        file = json.loads((work.folder / "sluice.yaml").read_text())
        file["destinations"]["target"] = {"type": "csv", "path": str(work.folder / "staging"), "compression": "none"}
        work.write("sluice.yaml", json.dumps(file))
        subject.run()
        rows = {row["id"]: row for load in staged_loads(work.folder / "staging", "contacts", "hubspot") for row in staged_rows(load)}
        truth = {row["id"]: row["properties"] for row in hubspot.oracle("contacts")["rows"]}
        assert {key: (row["custom_000"] or None, row["custom_1599"] or None) for key, row in rows.items()} == \
            {key: (row["custom_000"], row["custom_1599"]) for key, row in truth.items()}


def test_a_change_that_search_shows_late(work, fresh):
    with Emulator("hubspot", contacts=30, index_lag=30) as hubspot:
        subject, database = subject_of(work, hubspot, {"contacts": objects(hubspot, "contacts")}), fresh()
        subject.configure(database)
        subject.run()
        subject.look(database)
        hubspot.mutate("contacts", updates=4, creates=2, age_s=2)
        subject.run()
        assert database.one("SELECT count(*) FROM crm.contacts") == 30, "search was not late"
        hubspot.control(advance=60)
        subject.run()
        subject.look(database)


def test_login_that_ends_between_pages(work, fresh):
    with Emulator("hubspot", contacts=450) as hubspot:
        secrets = {"auth": "refresh_token", "client_id": "hubspot-test-client", "client_secret": "hubspot-test-client-secret", "refresh_token": "hubspot-test-refresh"}
        subject, database = subject_of(work, hubspot, {"contacts": objects(hubspot, "contacts")}, secrets), fresh()
        subject.configure(database)
        hubspot.fault(match="search", after=1, status=401, body={"category": "EXPIRED_AUTHENTICATION", "message": "expired"})
        subject.run()
        subject.look(database)
        assert len(hubspot.requests("/oauth/")) == 2


def test_a_missing_scope_leaves_the_stream_out(work, hubspot, fresh):
    subject, database = subject_of(work, hubspot, {name: objects(hubspot, name) for name in ("contacts", "deals")}), fresh()
    subject.configure(database)
    hubspot.control(forbid=["deals"])
    assert "deals" in subject.run().err
    assert database.one("SELECT count(*) FROM crm.contacts") == 450


def test_custom_objects_are_streams(work, hubspot, fresh):
    kind = "2-100001"
    columns = {"id": ("id", "text"), "name": ("properties.name", "text"), "amount": ("properties.amount", "number")}
    cars = acceptance.Stream("crm.p4711_cars", ["id"], columns, lambda: hubspot.oracle(kind)["rows"])
    subject, database = subject_of(work, hubspot, {"p4711_cars": cars}), fresh()
    subject.configure(database)
    subject.run()
    subject.look(database)
    hubspot.mutate(kind, updates=3, creates=1, age_s=2)
    subject.run()
    subject.look(database)
