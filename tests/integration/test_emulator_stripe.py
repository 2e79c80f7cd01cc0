"""The Stripe emulator obeys its own rules."""

import base64

import pytest
from emulator import Emulator

NOW = "2026-03-01T00:00:00Z"


class Account:
    def __init__(self, emulator):
        self.emulator = emulator
        self.headers = {"Authorization": "Bearer " + emulator.secrets()[0]}

    def get(self, path):
        return self.emulator.call("GET", "/v1/" + path, headers=self.headers)

    def all(self, path, limit=7):
        records, after = [], ""
        while True:
            status, _, answer = self.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{after}")
            assert status == 200, answer
            records += answer["data"]
            if not answer["has_more"]:
                return records
            after = "&starting_after=" + records[-1]["id"]


@pytest.fixture
def stripe():
    with Emulator("stripe", now=NOW, limit="account=100000/1") as running:
        yield Account(running)


def test_a_walk_by_the_last_record_equals_the_oracle(stripe):
    for stream in ("customers", "charges", "invoices", "balance_transactions", "subscriptions?status=all"):
        seen = stripe.all(stream)
        truth = stripe.emulator.oracle(stream.partition("?")[0])["rows"]
        assert sorted(seen, key=lambda r: r["id"][-8:]) == truth and [r["created"] for r in seen] == sorted([r["created"] for r in seen], reverse=True)
    assert 0 < len(stripe.all("subscriptions")) < 30
    invoices = stripe.all("invoices")
    lines = [line for one in invoices for line in (stripe.all(f"invoices/{one['id']}/lines") if one["lines"]["has_more"] else one["lines"]["data"])]
    assert any(one["lines"]["has_more"] for one in invoices)
    assert sorted(map(str, lines)) == sorted(map(str, stripe.emulator.oracle("invoice_lines")["rows"]))
    items = [item for one in stripe.all("subscriptions?status=all", 100) for item in stripe.all(f"subscription_items?subscription={one['id']}", 5)]
    assert sorted(map(str, items)) == sorted(map(str, stripe.emulator.oracle("subscription_items")["rows"]))
    assert stripe.get("subscription_items")[0] == 400 and stripe.get("subscription_items?subscription=sub_0")[0] == 404


def test_events_bring_the_changes_for_30_days(stripe):
    held = {record["id"]: record for record in stripe.all("customers", 100)}
    changed = stripe.emulator.mutate("customers", updates=5, deletes=2, creates=3)
    stripe.emulator.mutate("subscriptions", updates=1)
    assert {event["data"]["object"]["object"] for event in stripe.all("events?type=customer.*", 3)} == {"customer", "subscription"}
    assert stripe.get("events?types[]=customer.*")[2]["data"] == []
    assert stripe.get("events?types[]=customer.created&type=customer.*")[0] == 400 and stripe.get("events?" + "types[]=a&" * 21)[0] == 400
    events = stripe.all("events?types[]=customer.created&types[]=customer.updated&types[]=customer.deleted&created[gte]=1770000000", 3)
    assert len(events) == 10 and {event["type"] for event in events} == {"customer.created", "customer.updated", "customer.deleted"}
    for event in reversed(events):
        record = event["data"]["object"]
        if event["type"].endswith(".deleted"):
            del held[record["id"]]
        else:
            held[record["id"]] = record
    oracle = stripe.emulator.oracle("customers")
    assert sorted(held.values(), key=lambda r: r["id"][-8:]) == oracle["rows"] and len(oracle["deleted"]) == len(changed["deletes"])
    assert stripe.get("customers/" + oracle["deleted"][0]["id"])[2] == oracle["deleted"][0]
    stripe.emulator.control(advance=31 * 86400)
    assert stripe.all("events") == []
    assert stripe.emulator.call("POST", "/__ctl", {"mutate": {"stream": "charges", "deletes": 1}})[0] == 400


def test_errors_and_limits(stripe):
    assert stripe.get("charges?limit=101")[2]["error"]["param"] == "limit"
    assert stripe.get("charges?starting_after=ch_none")[2]["error"]["code"] == "resource_missing"
    stripe.emulator.control(locks=1, forbid=["payouts"], missing=["disputes"], quota={"account": {"limit": 2, "used": 0}})
    status, headers, answer = stripe.get("charges")
    assert (status, answer["error"]["code"], headers["Stripe-Should-Retry"]) == (429, "lock_timeout", "true")
    assert stripe.get("payouts")[0] == 403
    status, headers, answer = stripe.get("charges")
    assert (status, answer["error"]["code"]) == (429, "rate_limit") and "Retry-After" not in headers
    stripe.emulator.control(advance=1)
    assert stripe.get("disputes")[0] == 404 and stripe.emulator.violations() == {"account": 1}
    basic = {"Authorization": "Basic " + base64.b64encode((stripe.emulator.secrets()[0] + ":").encode()).decode()}
    assert stripe.emulator.call("GET", "/v1/account", headers=basic)[0] == 200
    stripe.emulator.control(revoke=True)
    assert stripe.emulator.call("GET", "/v1/account", headers=basic)[0] == 401
