"""The Zendesk connector passes what every bundled connector must: exports by token and by time, and lists."""

import datetime
import json
import socket
import urllib.request
import uuid

import pytest

import acceptance
from emulator import Emulator

# Column -> (where it is in the oracle's record, kind); a name alone is where it is, too.
IDS = {"id": "number"}
STAMPS = {"created_at": "time", "updated_at": "time"}


COLUMNS = {
    "tickets": {**IDS, **STAMPS, "subject": "text", "description": "text", "status": "text", "priority": "text", "requester_id": "number",
                "organization_id": "number", "tags": "json", "custom_fields": "json"},
    "users": {**IDS, **STAMPS, "name": "text", "email": "text", "role": "text", "active": "flag"},
    "organizations": {**IDS, **STAMPS, "name": "text", "details": "text", "domain_names": "json", "deleted_at": "time"},
    "ticket_events": {**IDS, "ticket_id": "number", "updater_id": "number", "created_at": "time", "event_type": "text"},
    "ticket_metric_events": {**IDS, "ticket_id": "number", "metric": "text", "type": "text", "instance_id": "number", "time": "time"},
    "ticket_metrics": {**IDS, **STAMPS, "ticket_id": "number", "reopens": "number", "replies": "number", "reply_time_in_minutes": "json"},
    "ticket_custom_fields": {"ticket_id": "number", **IDS, "value": "json"},
    "ticket_comments": {**IDS, "ticket_id": "number", "public": "flag", "author_id": "number", "created_at": "time"},
    "satisfaction_ratings": {**IDS, **STAMPS, "ticket_id": "number", "score": "text", "comment": "text"},
    "ticket_audits": {**IDS, "ticket_id": "number", "author_id": "number", "created_at": "time", "events": "json"},
    "groups": {**IDS, **STAMPS, "name": "text", "deleted": "flag"},
    "brands": {**IDS, **STAMPS, "name": "text", "is_deleted": "flag"},
    "group_memberships": {**IDS, **STAMPS, "user_id": "number", "group_id": "number", "default": "flag"},
    "organization_memberships": {**IDS, **STAMPS, "user_id": "number", "organization_id": "number"},
    "ticket_fields": {**IDS, **STAMPS, "type": "text", "title": "text", "position": "number", "active": "flag"},
    "tags": {"name": "text", "count": "number"},
    **{name: {**IDS, **STAMPS, "position": "number"}
       for name in ("macros", "triggers", "automations", "views", "sla_policies", "ticket_forms", "user_fields", "organization_fields")},
    **{name: {**IDS, **STAMPS, "name": "text"} for name in ("custom_roles", "schedules")},
    "custom_statuses": {**IDS, **STAMPS},
}
EXPLODED = ("ticket_metrics", "ticket_custom_fields", "ticket_comments")
EXPORTS = ("tickets", "ticket_metrics", "ticket_custom_fields", "users", "organizations", "ticket_events", "ticket_comments", "ticket_metric_events")
KEYS = {"tags": ["name"], "ticket_custom_fields": ["ticket_id", "id"]}
LISTED_GONE = ("groups", "brands")  # a list that is read as a whole has the deleted ones, too
AMPLE = {"requests": 1000, "per": "1s"}
USUAL = {"auth": "api_token", "email": "agent@example.com", "api_token": "zendesk-test-api-token"}


@pytest.fixture
def zendesk():
    with Emulator("zendesk", tickets=2050) as running:
        yield running


@pytest.fixture
def fresh(postgres):
    return lambda: postgres.create_database("t" + uuid.uuid4().hex[:12])


@pytest.fixture
def ample():
    """With limits for tests that make more syncs in a minute than anyone does."""
    limits = [f"{name}=1000/60" for name in ("incremental-exports", "incremental-exports-cursor", "users-cursor")]
    with Emulator("zendesk", tickets=2050, limit=limits) as running:
        yield running


def custom_fields(zendesk):
    return [{"ticket_id": ticket["id"], "id": field["id"], "value": json.dumps(field["value"])}
            for ticket in zendesk.oracle("tickets")["rows"] for field in ticket["custom_fields"]]


def stream(zendesk, name):
    def truth():
        if name == "ticket_custom_fields":
            return custom_fields(zendesk)
        found = zendesk.oracle(name)
        return found["rows"] + (found["deleted"] if name in LISTED_GONE else [])
    columns = {column: (column, kind) for column, kind in COLUMNS[name].items()}
    return acceptance.Stream(f'desk."{name}"', KEYS.get(name, ["id"]), columns, truth,
                             (lambda: []) if name in (*LISTED_GONE, "ticket_custom_fields") else lambda: zendesk.oracle(name)["deleted"])


def subject_of(work, zendesk, names=EXPORTS, config=None, **settings):
    def configure(database):
        pipeline = {"connector": "zendesk", "destination": "target", "network": {"allow_private": True}, "streams": list(names),
                    "config": {"url": zendesk.url, **(config or USUAL)}, "commit": {"bytes": "64KiB", "seconds": 1}, **settings}
        work.write("sluice.yaml", json.dumps({
            "destinations": {"target": {"type": "postgres", "url": database.url, "schema": "desk"}}, "pipelines": {"support": pipeline}}))
    return acceptance.Subject(work, zendesk, configure, {name: stream(zendesk, name) for name in names}, zendesk.secrets, zendesk.violations)


def test_full_sync(work, zendesk, fresh):
    # Tickets take 3 pages, tags 2, audits and ratings 3 each, all others one.
    streams = [name for name in COLUMNS if name not in EXPLODED]
    acceptance.full_sync(subject_of(work, zendesk, COLUMNS), fresh(), len(streams) + 2 + 1 + 2 + 2)


def test_killed_at_a_request_and_resumed(work, ample, fresh):
    streams = ("tickets", "ticket_metrics", "ticket_events", "ticket_comments", "tags")
    acceptance.kill_and_resume(subject_of(work, ample, streams, rate_limit=AMPLE), fresh, at=[0, 2, 4])


CHANGES = {"tickets": {"updates": 9, "creates": 4, "deletes": 3, "drift": 5}, "users": {"updates": 3, "creates": 2, "deletes": 2},
           "organizations": {"updates": 3, "creates": 1, "deletes": 1}, "ticket_metric_events": {"creates": 4},
           "groups": {"updates": 1, "deletes": 1}, "group_memberships": {"creates": 1, "deletes": 4}, "tags": {"creates": 2},
           "satisfaction_ratings": {"updates": 2, "creates": 2}, "ticket_audits": {"creates": 5}}


def change(zendesk):
    zendesk.control(advance=600)
    for name, changes in CHANGES.items():
        zendesk.mutate(name, **changes)
    zendesk.control(advance=120)  # the newest minute is not exported


def test_rounds_of_changes(work, ample, fresh):
    database = fresh()
    subject = subject_of(work, ample, [*CHANGES, "ticket_metrics", "ticket_custom_fields", "ticket_events", "ticket_comments"], rate_limit=AMPLE)
    acceptance.rounds(subject, database, [lambda: change(ample)] * 2)
    assert database.one("SELECT count(*) FROM desk.tickets WHERE _sluice_deleted") == 6
    assert database.one("SELECT count(*) FROM desk.users WHERE _sluice_deleted") == 4
    assert database.one("SELECT count(*) FROM desk.organizations WHERE _sluice_deleted") == 2


def test_a_sync_without_changes_asks_each_export_once(work, zendesk, fresh):
    subject = subject_of(work, zendesk)
    subject.configure(fresh())
    subject.run()
    zendesk.control(clear_log=True)
    subject.run()
    assert len(zendesk.requests()) == 5
    assert "cursor=" in zendesk.requests("tickets/cursor")[0]["query"]


@pytest.mark.parametrize("fault", [
    {"empty": True}, {"duplicate": 7}, {"status": 429, "headers": {"Retry-After": "1"}, "body": {"error": "APIRateLimitExceeded"}},
    {"status": 503}, {"html": True}, {"truncate_at": 3000}, {"reset": True}], ids=str)
def test_what_passes_is_overcome(work, zendesk, fresh, fault):
    subject, database = subject_of(work, zendesk, ("tickets", "ticket_metrics")), fresh()
    subject.configure(database)
    zendesk.fault(match="cursor=", **fault)
    subject.run()
    subject.look(database)


def test_pages_of_one_second(work, fresh):
    """More records in a second than a page holds: a time export gives them all at once."""
    with Emulator("zendesk", tickets=1500, events=1500, same_stamp=True) as zendesk:
        acceptance.full_sync(subject_of(work, zendesk), fresh(), 7)


LOGINS = {"refresh_token": {"refresh_token": "zendesk-test-refresh"}, "client_credentials": {}}


@pytest.mark.parametrize("kind", LOGINS)
def test_a_token_that_ends(work, zendesk, fresh, kind):
    client = {"auth": kind, "client_id": "zendesk-test-client", "client_secret": "zendesk-test-client-secret", **LOGINS[kind]}
    subject, database = subject_of(work, zendesk, ("users", "groups"), config=client), fresh()
    subject.configure(database)
    subject.run()
    zendesk.control(expire_tokens=True, advance=600)
    zendesk.mutate("users", updates=5)
    zendesk.control(advance=120)
    subject.run()
    subject.look(database)
    assert len(zendesk.requests("oauth/tokens")) == 2
    zendesk.control(expire_tokens=True, revoke=True)
    assert "exit" not in subject.run(code=3).err


def test_a_login_by_browser(work, zendesk, fresh):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = {"client_id": "zendesk-test-client", "client_secret": "zendesk-test-client-secret", "redirect_url": f"http://127.0.0.1:{port}/callback"}
    subject, database = subject_of(work, zendesk, ("users",), config=client), fresh()
    subject.configure(database)
    process = work.start("auth", "login", "support", "--no-browser")
    try:
        assert "open this URL" in process.stdout.readline()
        with urllib.request.urlopen(process.stdout.readline().strip(), timeout=60) as page:
            assert page.status == 200
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate()
    zendesk.control(expire_tokens=True)
    subject.run()
    subject.look(database)


def test_what_the_plan_lacks_leaves_the_others(work, zendesk, fresh):
    subject, database = subject_of(work, zendesk, ("users", "sla_policies", "ticket_forms")), fresh()
    subject.configure(database)
    zendesk.control(forbid=["sla_policies"], missing=["ticket_forms"])
    said = subject.run().err
    assert "sla_policies" in said and "ticket_forms" in said
    del subject.streams["sla_policies"], subject.streams["ticket_forms"]
    subject.look(database)


def test_a_start_within_the_last_minute_has_nothing_yet(work, zendesk, fresh):
    start = datetime.datetime.fromtimestamp(zendesk.control()["now_ms"] // 1000, datetime.timezone.utc).isoformat()
    subject, database = subject_of(work, zendesk, ("tickets", "organizations"), config={**USUAL, "start": start}), fresh()
    subject.configure(database)
    subject.run()
    zendesk.control(advance=600)
    zendesk.mutate("tickets", updates=2)
    zendesk.control(advance=120)
    subject.run()
    assert database.one("SELECT count(*) FROM desk.tickets") == 2


def test_a_refused_token_of_an_export_is_replaced(work, zendesk, fresh):
    """The export begins anew at the newest change that is known."""
    subject, database = subject_of(work, zendesk, ("tickets",)), fresh()
    subject.configure(database)
    subject.run()
    zendesk.control(advance=600)
    zendesk.mutate("tickets", updates=5, drift=5)
    zendesk.control(advance=120)
    zendesk.fault(match="cursor=", status=400, body={"errors": [{"code": "InvalidCursor", "title": "Invalid cursor", "detail": "gone"}]})
    subject.run()
    subject.look(database)
    assert len(zendesk.requests("start_time=")) == 2
