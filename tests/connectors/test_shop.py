"""The shop connector passes what every bundled connector must."""

import uuid

import pytest

import acceptance
from integration import API_KEY, API_SECRET, SHAPES
from shop import KEYS

STREAMS = ("orders", "customers", "order_events")


@pytest.fixture
def fresh(postgres):
    return lambda: postgres.create_database("t" + uuid.uuid4().hex[:12])


@pytest.fixture
def subject(work, shop):
    def configure(database):
        target = {"type": "postgres", "url": database.url, "schema": "shop_raw"}
        work.configure(shop, target, list(STREAMS), config={"page_size": 50}, commit={"bytes": "16KiB", "seconds": 1})

    def stream(name):
        columns = {column: (column, kind) for column, kind in SHAPES[name].items()}
        return acceptance.Stream(f"shop_raw.{name}", list(KEYS[name]), columns, lambda: shop.oracle(name).values())
    return acceptance.Subject(work, shop, configure, {name: stream(name) for name in STREAMS}, lambda: [API_KEY, API_SECRET],
                              lambda: {entry["status"]: 1 for entry in shop.requests() if entry["status"] == 429})


def test_full_sync(subject, fresh):
    acceptance.full_sync(subject, fresh(), budget=14)


def test_killed_at_a_request_and_resumed(subject, fresh):
    acceptance.kill_and_resume(subject, fresh, at=[0, 2, 5, 9])


def test_rounds_of_changes(subject, shop, fresh):
    def change():
        for stream in STREAMS:
            shop.mutate(stream, inserts=3, **({"updates": 5} if stream != "order_events" else {}))
    acceptance.rounds(subject, fresh(), [change, change, change])


def test_what_is_wrong_is_seen(subject, fresh):
    database = fresh()
    acceptance.full_sync(subject, database, budget=14)
    with pytest.raises(AssertionError, match="requests, at most 1 are expected"):
        acceptance.full_sync(subject, fresh(), budget=1)
    for change, message in (("UPDATE shop_raw.customers SET email = 'x' WHERE id = 'cus_000000003'", "customers: 1 differ"),
                            ("DELETE FROM shop_raw.customers WHERE id = 'cus_000000004'", "customers: 1 lost"),
                            ("UPDATE shop_raw.orders SET _sluice_deleted = true WHERE id = 'ord_000000004'", "orders: 1 lost")):
        database.query(change + " RETURNING 1")
        with pytest.raises(AssertionError, match=message):
            subject.look(database)
    with pytest.raises(AssertionError, match="a secret was printed"):
        subject.look_for_secrets(f"token {API_KEY}")
