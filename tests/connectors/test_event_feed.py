"""A stream that is listed first and follows events later, against the API the kind was made for: no change is missed between the two,
none is undone, what is deleted is marked, and after too long a pause the list is read again."""

import time
import uuid

import pytest

import acceptance
from emulator import Emulator
from feed import Feed, configure

CONNECTOR = """
return sluice.connector {
  name = "payments", version = "1.0.0",
  http = { base = "{{config.base_url}}", auth = { kind = "bearer", token = "{{config.api_key}}" } },
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  streams = { customers = {
    path = "/v1/customers", records = "data", primary_key = "id",
    pages = { kind = "last_record", field = "id", param = "starting_after", more = "has_more", size = 20, size_param = "limit" },
    cursor = {
      kind = "event_feed", field = "changed_at", format = "epoch", retention = "30d",
      events = {
        path = "/v1/events", records = "data",
        params = { ["types[]"] = { "customer.created", "customer.updated", "customer.deleted" } },
        pages = { kind = "last_record", field = "id", param = "starting_after", more = "has_more", size = 3, size_param = "limit" },
        param = "created[gte]", record = "data.object", time = "created",
        deleted = { path = "type", ends_with = ".deleted" },
      },
    },
    fields = { id = "string", changed_at = "timestamp", email = "string", balance = "integer", metadata = "json", created = "integer" },
    undeclared = "drop",
  } },
}
"""
COLUMNS = {"id": ("id", "text"), "email": ("email", "text"), "balance": ("balance", "number"), "metadata": ("metadata", "json"),
           "created": ("created", "number")}


@pytest.fixture
def stripe():
    with Emulator("stripe", limit="account=100000/1") as running:
        yield running


@pytest.fixture
def fresh(postgres):
    return lambda: postgres.create_database("t" + uuid.uuid4().hex[:12])


@pytest.fixture
def subject(work, stripe):
    return subject_of(work, stripe)


def subject_of(work, stripe, connector=CONNECTOR, write_mode="append_dedup"):
    path = work.write("payments.lua", connector)

    def configure(database):
        target = {"type": "postgres", "url": database.url, "schema": "raw"}
        work.configure(stripe, target, {"customers": {"write_mode": write_mode}}, config={"api_key": stripe.secrets()[0]},
                       connector=path, name="p", commit={"bytes": "8KiB", "seconds": 1})
    stream = acceptance.Stream("raw.customers", ["id"], COLUMNS, lambda: stripe.oracle("customers")["rows"],
                               lambda: stripe.oracle("customers")["deleted"])
    return acceptance.Subject(work, stripe, configure, {"customers": stream}, stripe.secrets, stripe.violations)


def wait_for_request(stripe, process, at):
    deadline = time.monotonic() + acceptance.BOUND_S
    while len(stripe.requests()) <= at:
        assert process.poll() is None and time.monotonic() < deadline, "the request never came"
        time.sleep(0.01)


def test_rounds_of_changes_and_no_list_is_read_again(subject, stripe, fresh):
    database = fresh()
    acceptance.full_sync(subject, database, budget=3)
    stripe.control(clear_log=True)

    def change():
        stripe.mutate("customers", updates=5, creates=2, deletes=1)
    acceptance.rounds(subject, database, [change, change, change])
    assert not [entry for entry in stripe.requests() if "customers" == entry["path"].rpartition("/")[2]]
    assert database.one("SELECT count(*) FROM raw.customers WHERE _sluice_deleted") == 3
    stripe.mutate("customers", undeletes=2)
    subject.run()
    subject.look(database)
    assert database.one("SELECT count(*) FROM raw.customers WHERE _sluice_deleted") == 1


def test_of_changes_within_one_second_the_newest_counts(subject, stripe, fresh):
    """Events come newest first, and all of these have one time; they reach over several pages."""
    database = fresh()
    subject.configure(database)
    subject.run()
    for _ in range(5):
        for number in (1, 2, 3):
            stripe.mutate("customers", updates=1, ids=[number])
    subject.run()
    subject.look(database)
    subject.run()  # reads them again
    subject.look(database)


def test_what_changes_while_the_list_is_read_is_not_missed(work, subject, stripe, fresh):
    """The record on the first page changes when that page is long read; so does one that is deleted."""
    database = fresh()
    subject.configure(database)
    stripe.control(clear_log=True, fault={"after": 2, "delay_ms": 2000})
    process = work.start("run")
    wait_for_request(stripe, process, 2)
    stripe.mutate("customers", updates=10)
    stripe.mutate("customers", deletes=3)
    assert process.wait(60) == 0, process.communicate()
    process.communicate()
    stripe.control(clear_faults=True)
    subject.run()
    subject.look(database)


def test_killed_while_the_list_is_read(subject, fresh):
    acceptance.kill_and_resume(subject, fresh, at=[0, 2])


def test_killed_while_events_are_read(work, subject, stripe, fresh):
    database = fresh()
    subject.configure(database)
    subject.run()
    for at in (0, 1, 3):
        stripe.mutate("customers", updates=8, creates=1, deletes=1)
        stripe.control(clear_log=True, fault={"after": at, "delay_ms": acceptance.HELD_MS})
        process = work.start("run")
        wait_for_request(stripe, process, at)
        process.kill()
        process.communicate()
        stripe.control(clear_faults=True)
        subject.run()
        subject.look(database)


def test_after_a_pause_beyond_the_retention_the_list_is_read_again(subject, stripe, fresh):
    database = fresh()
    subject.configure(database)
    subject.run()
    database.query("UPDATE _sluice.state SET value = '2020-01-01T00:00:00Z' WHERE kind = 'read_at' RETURNING 1")
    stripe.mutate("customers", updates=5)
    stripe.control(clear_log=True)
    ended = subject.run()
    assert "does not keep changes for that long; reading from the beginning" in ended.err
    assert stripe.requests("/v1/customers") and not stripe.requests("/v1/events")
    subject.look(database)
    subject.run()
    assert stripe.requests("/v1/events")
    subject.look(database)


def test_appended_events_are_there_once(work, stripe, fresh):
    """Each version is a row; what is newer than the sync's start less the delay is the next sync's."""
    database = fresh()
    subject = subject_of(work, stripe, CONNECTOR.replace('retention = "30d"', 'delay = "0s"'), "append")
    subject.configure(database)
    subject.run()
    seen = database.one("SELECT count(*) FROM raw.customers")
    assert seen == 60
    for _ in range(3):
        stripe.mutate("customers", updates=4, deletes=1)
        subject.run()
    events = len(stripe.oracle("events")["rows"])
    deadline = time.monotonic() + acceptance.BOUND_S
    while database.one("SELECT count(*) FROM raw.customers") < 60 + events and time.monotonic() < deadline:
        subject.run()
    subject.run()
    assert database.one("SELECT count(*) FROM raw.customers") == 60 + events
    assert database.one("SELECT count(*) FROM raw.customers WHERE _sluice_deleted") == 0


def test_an_event_without_a_record_or_a_time_is_rejected(work, database):
    events = [{"at": 1893456000, "type": "x", "object": {"id": "r1", "n": 2}}, {"at": 1893456000, "object": None}, {"at": 1893456000},
              {"object": {"id": "r3", "n": 1}}, {"at": 1893456001, "type": "gone", "object": {"id": "r2"}}]
    cursor = ('cursor = { kind = "event_feed", field = "at", format = "epoch", events = { path = "/events", records = "rows", param = '
              '"since", record = "object", time = "at", deleted = { path = "type", equals = "gone" } } }')

    def answer(path, query):
        return {"rows": events if path == "/events" else [{"id": "r1", "n": 1, "at": "a field of that name"}, {"id": "r2", "n": 1}]}
    with Feed(answer) as source:
        configure(work, source, database, cursor, "append_dedup")
        work.run("run")
        work.run("run")
        assert database.query("SELECT id, n, _sluice_deleted FROM raw.rows ORDER BY id") == [("r1", 2, False), ("r2", 1, True)]
        reasons = sorted(reason for reason, in database.query("SELECT reason FROM _sluice.rejects"))
        assert reasons == ["missing_cursor", "no_record", "no_record"]
        assert [path for path, _ in source.requests] == ["/rows", "/events"] and int(source.requests[1][1]["since"]) > 0
