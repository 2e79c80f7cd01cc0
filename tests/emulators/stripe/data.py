"""What Stripe's objects look like. Money is whole minor units, instants are unix seconds."""

from common.seeded import NAMES, hexadecimal, mix

# stream -> (path, object, prefix of ids, how many at first, can it be deleted for good)
OBJECTS = {
    "customers": ("customers", "customer", "cus", 60, True), "charges": ("charges", "charge", "ch", 120, False),
    "payment_intents": ("payment_intents", "payment_intent", "pi", 50, False), "invoices": ("invoices", "invoice", "in", 40, True),
    "subscriptions": ("subscriptions", "subscription", "sub", 30, False), "products": ("products", "product", "prod", 12, True),
    "prices": ("prices", "price", "price", 20, False), "refunds": ("refunds", "refund", "re", 15, False),
    "disputes": ("disputes", "dispute", "dp", 5, False), "payouts": ("payouts", "payout", "po", 10, False),
    "balance_transactions": ("balance_transactions", "balance_transaction", "txn", 60, False),
}
# Objects that never change once they are there, or tell of no change.
SILENT = {"balance_transactions"}
# Where events are not called OBJECT.created, .updated, .deleted.
EVENT_PREFIXES = {"subscriptions": "customer.subscription", "disputes": "charge.dispute"}
EVENT_KINDS = {("charges", "created"): "succeeded", ("payment_intents", "updated"): "processing"}
CURRENCIES = ("usd", "eur", "jpy")


def identity(stream, seed, number):
    return f"{OBJECTS[stream][2]}_{hexadecimal(6, seed, stream, number)}{number:08d}"


def event_type(stream, kind):
    return EVENT_PREFIXES.get(stream, OBJECTS[stream][1]) + "." + EVENT_KINDS.get((stream, kind), kind)


def number_of(text):
    """The number in an id, or None."""
    digits = text[-8:]
    return int(digits) if "_" in text and digits.isdigit() else None


def some(stream, seed, bits, count):
    return identity(stream, seed, bits % max(count, 1) + 1)


def nested(records, url):
    """A list within an object: its first ten."""
    return {"object": "list", "data": records[:10], "has_more": len(records) > 10, "total_count": len(records), "url": url}


def line(seed, row, at):
    bits = mix(seed, "line", row.number, row.version, at)
    return {"id": f"il_{hexadecimal(6, seed, row.number)}{row.number:06d}{at:03d}", "object": "line_item", "amount": bits % 100000,
            "currency": CURRENCIES[0], "description": f"Line {at}", "quantity": bits >> 20 & 15, "invoice": identity("invoices", seed, row.number)}


def line_count(table, row):
    """One invoice in four has more lines than come with it."""
    bits = mix(table.seed, "lines", row.number)
    return 14 if bits & 3 == 0 else bits >> 8 & 7


def items(table, row):
    """The items of a subscription, newest first; one in eight has more than come with it."""
    seed, identity_of = table.seed, identity("subscriptions", table.seed, row.number)
    bits = mix(seed, "items", row.number)
    count = 12 if bits & 7 == 0 else 1 + (bits >> 8) % 3
    return [{"id": f"si_{hexadecimal(6, seed, row.number)}{row.number:06d}{at:03d}", "object": "subscription_item", "created": row.created_ms // 1000,
             "metadata": {}, "price": {"id": some("prices", seed, bits >> at, 20), "object": "price"},
             "quantity": mix(seed, "quantity", row.number, row.version, at) % 9 + 1, "subscription": identity_of} for at in reversed(range(count))]


def render(stream, table, row):
    bits, seed = table.bits(row), table.seed
    record = {"id": identity(stream, seed, row.number), "object": OBJECTS[stream][1], "created": row.created_ms // 1000, "livemode": False,
              "metadata": {"version": str(row.version), "note": NAMES[bits & 7]}}
    amount = {"amount": 9007199254740993 if bits % 997 == 0 else bits % 1000000, "currency": CURRENCIES[bits >> 8 & 1]}
    if stream == "customers":
        record.update(email=f"c{row.number}@example.com", name=NAMES[bits >> 8 & 7], balance=bits % 1000 - 500, delinquent=bits >> 16 & 1 == 1)
    elif stream == "subscriptions":
        status = ("active", "past_due", "canceled")[bits % 3]
        record.update(customer=some("customers", seed, bits >> 8, 60), status=status, canceled_at=row.updated_ms // 1000 if status == "canceled" else None,
                      items=nested(items(table, row), f"/v1/subscription_items?subscription={record['id']}"))
    elif stream == "products":
        record.update(name=f"Product {row.number}", active=bits & 8 == 0, updated=row.updated_ms // 1000)
    elif stream == "prices":
        record.update(unit_amount=bits % 100000, currency="usd", product=some("products", seed, bits >> 8, 12), active=True)
    elif stream == "invoices":
        lines = [line(seed, row, at) for at in range(line_count(table, row))]
        record.update(customer=some("customers", seed, bits >> 8, 60), total=sum(one["amount"] for one in lines), currency="usd", status="draft",
                      lines=nested(lines, f"/v1/invoices/{record['id']}/lines"))
    elif stream == "balance_transactions":
        record.update(**amount, fee=bits >> 12 & 1023, net=amount["amount"] - (bits >> 12 & 1023), type="charge",
                      source=some("charges", seed, bits >> 8, 120), status="available")
    elif stream in ("refunds", "disputes"):
        record.update(**amount, charge=some("charges", seed, bits >> 8, 120), status=("pending", "succeeded")[bits >> 20 & 1])
    else:
        record.update(**amount, customer=some("customers", seed, bits >> 8, 60), status=("succeeded", "pending", "failed")[bits % 3])
    return record
