#!/usr/bin/env python3
"""A server that behaves like the Stripe API. See README.md."""

import base64
import fnmatch
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import data  # noqa: E402
from common.limits import Bucket  # noqa: E402
from common.seeded import hexadecimal  # noqa: E402
from common.server import Api, Refused, main, route  # noqa: E402
from common.table import Table  # noqa: E402

RETENTION_S = 30 * 86400
MOST_TYPES = 20
VERSION = "2025-09-30.clover"
COMPARE = {"gt": int.__gt__, "gte": int.__ge__, "lt": int.__lt__, "lte": int.__le__}


class Stripe(Api):
    name = "stripe"
    retry_after = "none"  # it is not sent

    @classmethod
    def arguments(cls, parser):
        for stream, (_, _, _, count, _) in data.OBJECTS.items():
            parser.add_argument("--" + stream.replace("_", "-"), type=int, default=count)
        parser.add_argument("--same-stamp", action="store_true", help="all first objects share one second")

    def __init__(self, options):
        super().__init__(options)
        self.events = []  # oldest first
        for stream in data.OBJECTS:
            table = Table(stream, getattr(options, stream), options.seed, self.clock, options.same_stamp)
            table.on_change = self.changed
            self.tables[stream] = table
        self.buckets = {"account": Bucket(100, 1, sliding=True)}
        self.key = "sk_test_" + hexadecimal(24, options.seed, "stripe")
        self.revoked = False
        self.secrets = [self.key]
        self.locks = 0  # so many requests more meet a lock_timeout

    def changed(self, table, row, kind):
        """Every change is an event, with the object as it is then."""
        if table.name in data.SILENT or kind == "drifted":
            return
        stream, number = table.name, len(self.events) + 1
        shown = {**data.render(stream, table, row), **({"deleted": True} if kind == "deleted" else {})}
        self.events.append({
            "id": f"evt_{hexadecimal(6, table.seed, 'event', number)}{number:08d}", "object": "event", "api_version": VERSION,
            "created": row.moved_ms // 1000, "data": {"object": shown, **({"previous_attributes": {"metadata": {}}} if kind == "updated" else {})},
            "livemode": False, "pending_webhooks": 0, "request": {"id": None, "idempotency_key": None},
            "type": data.event_type(stream, kind)})

    def mutate(self, spec):
        facts = data.OBJECTS.get(spec.get("stream"))
        if facts and spec.get("deletes") and not facts[4]:
            raise ValueError(f"{spec['stream']} cannot be deleted")
        return super().mutate(spec)

    # -- gates

    def error(self, status, kind, message, code=None, param=None, **headers):
        body = {"type": kind, "message": message, **({"code": code} if code else {}), **({"param": param} if param else {})}
        return Refused(status, {"error": body}, {name.replace("_", "-"): value for name, value in headers.items()})

    def not_found(self, request):
        return self.error(404, "invalid_request_error", f"Unrecognized request URL ({request.method}: {request.path}).")

    def authorize(self, request, facts):
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            try:
                value = base64.b64decode(value).decode().partition(":")[0]
            except ValueError:
                value = ""
        if not value:
            raise self.error(401, "invalid_request_error", "You did not provide an API key.")
        if value != self.key or self.revoked:
            raise self.error(401, "invalid_request_error", f"Invalid API Key provided: sk_test_****{value[-4:]}")

    def limit(self, request, facts):
        request.bucket = "account"
        if not self.buckets["account"].take(self.now_ms()):
            wait = self.wait_headers(1)
            refused = self.error(429, "invalid_request_error", "Request rate limit exceeded.", code="rate_limit", Stripe_Should_Retry="true")
            refused.headers.update(wait)
            raise refused
        if self.locks > 0:
            self.locks -= 1
            raise self.error(429, "invalid_request_error", "This object cannot be accessed right now because another API request or Stripe "
                             "process is currently accessing it.", code="lock_timeout", Stripe_Should_Retry="true")

    def finish(self, request, answer):
        answer.headers["Request-Id"] = "req_" + hexadecimal(14, self.options.seed, self.requests)
        answer.headers["Stripe-Version"] = request.headers.get("Stripe-Version", VERSION)

    def revoke(self, gone):
        self.revoked = gone

    def control_more(self, spec):
        """locks: n requests meet lock_timeout"""
        self.locks = spec.pop("locks", self.locks)
        return super().control_more(spec)

    # -- lists

    def created(self, request, stamp):
        """True when a stamp in seconds passes created=, created[gte]= and the like."""
        for name, value in request.pairs:
            found = re.fullmatch(r"created(?:\[(gte?|lte?)\])?", name)
            if found:
                if not value.isdigit():
                    raise self.error(400, "invalid_request_error", f"Invalid integer: {value}", param="created")
                if not (COMPARE[found[1]](stamp, int(value)) if found[1] else stamp == int(value)):
                    return False
        return True

    def listing(self, request, items, identity, render):
        """A page of items that are newest first."""
        text = request.query.get("limit", "10")
        if not text.isdigit() or not 1 <= int(text) <= 100:
            raise self.error(400, "invalid_request_error", "This value must be between 1 and 100.", code="parameter_invalid_integer", param="limit")
        size, start = int(text), 0
        for name in ("starting_after", "ending_before"):
            if name in request.query:
                wanted = request.query[name]
                at = next((i for i, item in enumerate(items) if identity(item) == wanted), None)
                if at is None:
                    raise self.error(400, "invalid_request_error", f"No such object: '{wanted}'", code="resource_missing", param=name)
                if name == "ending_before":
                    items = items[:at]
                    start = max(0, at - size)
                else:
                    start = at + 1
        page = items[start:start + size]
        more = start > 0 if "ending_before" in request.query else start + size < len(items)
        if request.fault.get("duplicate") and page:
            page = page + page[-request.fault["duplicate"]:]
        return {"object": "list", "data": [render(item) for item in page], "has_more": more, "url": request.path}

    def id_of(self, stream):
        return lambda row: data.identity(stream, self.options.seed, row.number)

    @route("GET", r"/v1/account")
    def account(self, request):
        return {"id": "acct_emulator", "object": "account", "default_currency": "usd"}

    @route("GET", r"/v1/events")
    def list_events(self, request):
        """The last 30 days; `type` may be a group, `customer.*` (with the events of all below it), `types[]` are names."""
        names, groups = request.all("types[]"), request.all("type")
        if names and groups:
            raise self.error(400, "invalid_request_error", "You may only specify one of these parameters: type, types.")
        if len(names) > MOST_TYPES:
            raise self.error(400, "invalid_request_error", f"You may pass up to {MOST_TYPES} types.", param="types")
        oldest = self.now_ms() // 1000 - RETENTION_S

        def takes(event):
            return event["created"] >= oldest and self.created(request, event["created"]) and (
                not names or event["type"] in names) and all(fnmatch.fnmatchcase(event["type"], group) for group in groups)
        found = [event for event in self.events if takes(event)]
        found.sort(key=lambda event: (event["created"], event["id"][-8:]), reverse=True)
        return self.listing(request, found, lambda event: event["id"], lambda event: event)

    @route("GET", r"/v1/invoices/(in_\w+)/lines")
    def invoice_lines(self, request, identity):
        table, row = self.tables["invoices"], self.one("invoices", identity, live=True)
        lines = [data.line(table.seed, row, at) for at in range(data.line_count(table, row))]
        return self.listing(request, lines, lambda one: one["id"], lambda one: one)

    @route("GET", r"/v1/subscription_items")
    def subscription_items(self, request):
        if "subscription" not in request.query:
            raise self.error(400, "invalid_request_error", "Missing required param: subscription.", code="parameter_missing", param="subscription")
        table, row = self.tables["subscriptions"], self.one("subscriptions", request.query["subscription"], live=True)
        return self.listing(request, data.items(table, row), lambda one: one["id"], lambda one: one)

    @route("GET", r"/v1/([a-z_]+)")
    def list_objects(self, request, path):
        if path in self.missing or path not in data.OBJECTS:
            raise self.not_found(request)
        if path in self.forbidden:
            raise self.error(403, "invalid_request_error", "The provided key does not have the required permissions for this endpoint.",
                             code="more_permissions_required")
        table = self.tables[path]
        rows = [row for row in table.live() if self.created(request, row.created_ms // 1000)]
        if path == "subscriptions" and request.query.get("status") != "all":
            wanted = request.query.get("status")
            rows = [row for row in rows if (data.render(path, table, row)["status"] == wanted if wanted else
                                            data.render(path, table, row)["status"] != "canceled")]
        rows.sort(key=lambda row: (row.created_ms // 1000, row.number), reverse=True)
        return self.listing(request, rows, self.id_of(path), lambda row: data.render(path, table, row))

    def one(self, stream, identity, live=False):
        number = data.number_of(identity)
        row = self.tables[stream].get(number) if number is not None else None
        if row is None or self.id_of(stream)(row) != identity or live and row.deleted_ms is not None:
            raise self.error(404, "invalid_request_error", f"No such {data.OBJECTS[stream][1]}: '{identity}'", code="resource_missing", param="id")
        return row

    def tombstone(self, stream, row):
        return {"id": self.id_of(stream)(row), "object": data.OBJECTS[stream][1], "deleted": True}

    @route("GET", r"/v1/([a-z_]+)/([a-z]+_\w+)")
    def one_object(self, request, path, identity):
        if path not in data.OBJECTS:
            raise self.not_found(request)
        row = self.one(path, identity)
        return self.tombstone(path, row) if row.deleted_ms is not None else data.render(path, self.tables[path], row)

    # -- truth

    def streams(self):
        return [*self.tables, "events", "invoice_lines", "subscription_items"]

    def oracle(self, stream):
        if stream == "events":
            return {"key": ["id"], "rows": self.events, "deleted": []}
        if stream == "invoice_lines":
            table = self.tables["invoices"]
            rows = [data.line(table.seed, row, at) for row in table.live() for at in range(data.line_count(table, row))]
            return {"key": ["invoice", "id"], "rows": rows, "deleted": []}
        if stream == "subscription_items":
            table = self.tables["subscriptions"]
            return {"key": ["id"], "rows": [item for row in table.live() for item in data.items(table, row)], "deleted": []}
        table = self.tables[stream]
        return {"key": ["id"], "rows": [data.render(stream, table, row) for row in table.live()],
                "deleted": [self.tombstone(stream, row) for row in table.rows if row.deleted_ms is not None]}


if __name__ == "__main__":
    main(Stripe)
