"""The Stripe connector passes what every bundled connector must. How lists and events meet is in test_event_feed.py."""

import json
import uuid

import pytest

import acceptance
from emulator import Emulator

ALL = {"id": "text", "object": "text", "livemode": "flag", "metadata": "json"}
MONEY = {"amount": "number", "currency": "text", "status": "text"}
OBJECTS = {
    "customers": {"email": "text", "name": "text", "balance": "number", "delinquent": "flag"},
    "charges": {**MONEY, "customer": "text"},
    "payment_intents": {**MONEY, "customer": "text"},
    "invoices": {"customer": "text", "total": "number", "status": "text", "lines": "json"},
    "subscriptions": {"customer": "text", "status": "text"},
    "products": {"name": "text", "active": "flag"},
    "prices": {"unit_amount": "number", "currency": "text", "product": "text", "active": "flag"},
    "refunds": {**MONEY, "charge": "text"},
    "disputes": {**MONEY, "charge": "text"},
    "payouts": MONEY,
    "balance_transactions": {**MONEY, "fee": "number", "net": "number", "type": "text", "source": "text"},
}
DELETABLE = ("customers", "products", "invoices")
BY_CREATION = ("balance_transactions", "refunds")
PARTS = {  # of which each parent is asked for -> columns
    "invoice_lines": (["invoice_id", "id"], {"invoice_id": ("invoice", "text"), "id": ("id", "text"), "amount": ("amount", "number"),
                                             "description": ("description", "text")}),
    "subscription_items": (["id"], {"subscription_id": ("subscription", "text"), "id": ("id", "text"), "quantity": ("quantity", "number"),
                                    "price": ("price", "json")}),
}


@pytest.fixture
def stripe():
    with Emulator("stripe") as running:
        yield running


@pytest.fixture
def fresh(postgres):
    return lambda: postgres.create_database("t" + uuid.uuid4().hex[:12])


def stream(stripe, name):
    if name in PARTS:
        key, columns = PARTS[name]
        return acceptance.Stream(f"stripe.{name}", key, columns, lambda: stripe.oracle(name)["rows"])
    columns = {column: (column, kind) for column, kind in {**ALL, **OBJECTS[name]}.items()}
    return acceptance.Stream(f"stripe.{name}", ["id"], columns, lambda: stripe.oracle(name)["rows"], lambda: stripe.oracle(name)["deleted"])


def subject_of(work, stripe, names=tuple(OBJECTS), **settings):
    def configure(database):
        pipeline = {"connector": "stripe", "destination": "target", "network": {"allow_private": True}, "streams": sorted(names),
                    "config": {"base_url": stripe.url, "api_key": stripe.secrets()[0]}, "commit": {"bytes": "16KiB", "seconds": 1}, **settings}
        work.write("sluice.yaml", json.dumps({
            "destinations": {"target": {"type": "postgres", "url": database.url, "schema": "stripe"}}, "pipelines": {"stripe": pipeline}}))
    return acceptance.Subject(work, stripe, configure, {name: stream(stripe, name) for name in names}, stripe.secrets, stripe.violations)


def test_full_sync_and_rounds_of_changes(work, stripe, fresh):
    """The second sync and those after it ask for events alone, in a request for each object; where events do not tell all, for what was made lately."""
    subject, database = subject_of(work, stripe), fresh()
    acceptance.full_sync(subject, database, budget=len(OBJECTS) + 1)
    stripe.control(clear_log=True)

    again = {}

    def change():
        for name in OBJECTS:
            if name not in BY_CREATION:
                stripe.mutate(name, updates=3, creates=1, **({"deletes": 1} if name in DELETABLE else {}))
        again.update(ids=stripe.mutate("refunds", creates=2, **({"updates": 1, **again} if again else {}))["creates"][:1])
    acceptance.rounds(subject, database, [change, change])
    listed = [entry["path"] for entry in stripe.requests() if entry["path"].rpartition("/")[2] not in ("events", *BY_CREATION)]
    assert not listed
    assert len(stripe.requests("/v1/events")) == 3 * (len(OBJECTS) - len(BY_CREATION))


def test_killed_at_a_request_and_resumed(work, stripe, fresh):
    acceptance.kill_and_resume(subject_of(work, stripe), fresh, at=[0, 4, 9])


def test_all_lines_of_invoices_and_items_of_subscriptions(work, stripe, fresh):
    """More than the ten that come with their parent. A parent that is deleted while they are read takes nothing along but its own."""
    subject, database = subject_of(work, stripe, PARTS, rate_limit={"requests": 90, "per": "1s"}), fresh()
    subject.configure(database)
    subject.run()
    subject.look(database)
    stripe.mutate("invoices", updates=2, creates=1, deletes=1)
    stripe.mutate("subscriptions", updates=5, creates=1)
    subject.run()
    subject.look(database)
    stripe.fault(match="/lines", after=3, status=404, body={"error": {"type": "invalid_request_error", "code": "resource_missing"}})
    assert "invoice_lines" in subject.run().err


def test_what_a_key_may_not_read_is_left_out(work, stripe, fresh):
    subject, database = subject_of(work, stripe, ("customers", "payouts", "disputes")), fresh()
    subject.configure(database)
    stripe.control(forbid=["payouts"], missing=["disputes"])
    said = subject.run().err
    assert "payouts" in said and "disputes" in said
    subject.streams = {"customers": subject.streams["customers"]}
    subject.look(database)


def test_locks_and_limits_are_waited_for(work, stripe, fresh):
    subject, database = subject_of(work, stripe, ("customers",)), fresh()
    subject.configure(database)
    stripe.control(locks=2, fault={"match": "customers", "status": 429, "body": {"error": {"code": "rate_limit"}}})
    subject.run()
    subject.look(database)
