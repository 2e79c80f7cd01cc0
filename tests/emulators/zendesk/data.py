"""What Zendesk's records look like. A record is a function of its row."""

from common.seeded import NAMES, TEXTS, iso_seconds, mix, pick

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
SCRUB_MS = 30 * 86400000
# id, title, type of the tickets' dynamic fields
FIELDS = ((9001, "Product", "tagger"), (9002, "Seats", "integer"), (9003, "Price", "decimal"), (9004, "VIP", "checkbox"),
          (9005, "Due", "date"), (9006, "Areas", "multiselect"), (9007, "Remark", "textarea"))
# Plain lists: stream -> (path below /api/v2, how many at first, does a deleted one stay visible and by which field)
LISTS = {
    "groups": ("groups", 7, "deleted"), "group_memberships": ("group_memberships", 25, None),
    "organization_memberships": ("organization_memberships", 25, None), "macros": ("macros", 12, None),
    "triggers": ("triggers", 9, None), "automations": ("automations", 5, None), "brands": ("brands", 3, "is_deleted"),
    "sla_policies": ("slas/policies", 3, None), "ticket_fields": ("ticket_fields", len(FIELDS), None),
    "ticket_forms": ("ticket_forms", 2, None), "user_fields": ("user_fields", 3, None),
    "organization_fields": ("organization_fields", 3, None), "custom_roles": ("custom_roles", 4, None),
    "schedules": ("business_hours/schedules", 2, None), "views": ("views", 6, None),
    "custom_statuses": ("custom_statuses", 5, None), "tags": ("tags", 150, None),
}


def custom_fields(bits):
    values = (("crm", "erp", None)[bits % 3], bits % 500, f"{bits % 100000 / 100:.2f}", bits & 1 == 1, "2025-03-%02d" % (bits % 28 + 1),
              ["north", "south", "east"][:bits % 4], TEXTS[bits % len(TEXTS)])
    return [{"id": field[0], "value": value} for field, value in zip(FIELDS, values)]


def ticket(table, row, now_ms):
    bits = table.bits(row)
    deleted = row.deleted_ms is not None
    scrubbed = deleted and now_ms - row.deleted_ms > SCRUB_MS
    custom = [{**field, "value": None} for field in custom_fields(bits)] if scrubbed else custom_fields(bits)
    return {"id": row.number, "url": f"/api/v2/tickets/{row.number}.json", "subject": "SCRUBBED" if scrubbed else f"Ticket {row.number}",
            "description": "SCRUBBED" if scrubbed else TEXTS[bits % len(TEXTS)],
            "status": "deleted" if deleted else STATUSES[bits >> 8 & 3], "priority": (None, "low", "normal", "urgent")[bits >> 12 & 3],
            "requester_id": 100000 + (bits >> 16) % 50, "organization_id": 5000 + (bits >> 24) % 20, "tags": ["a", "b", "c"][:bits >> 32 & 3],
            "custom_fields": custom, "fields": custom, "created_at": iso_seconds(row.created_ms), "updated_at": iso_seconds(row.updated_ms),
            "generated_timestamp": row.moved_ms // 1000}


def ticket_metric(table, row):
    bits = table.bits(row, 1)
    return {"id": 700000 + row.number, "ticket_id": row.number, "reopens": bits & 3, "replies": bits >> 4 & 15,
            "reply_time_in_minutes": {"calendar": bits >> 8 & 1023, "business": None},
            "created_at": iso_seconds(row.created_ms), "updated_at": iso_seconds(row.updated_ms)}


def user(table, row):
    bits = table.bits(row)
    return {"id": row.number, "name": NAMES[bits & 7], "email": f"user{row.number}@example.com", "role": ("end-user", "agent")[bits >> 8 & 1],
            "active": row.deleted_ms is None, "user_fields": {"plan": ("free", "pro", None)[bits >> 16 & 1], "score": bits >> 20 & 255},
            "created_at": iso_seconds(row.created_ms), "updated_at": iso_seconds(row.updated_ms)}


def organization(table, row):
    bits = table.bits(row)
    return {"id": row.number, "name": f"Org {row.number}", "details": TEXTS[bits % len(TEXTS)], "domain_names": [f"o{row.number}.example"],
            "organization_fields": {"region": ("emea", "apac")[bits & 1]}, "created_at": iso_seconds(row.created_ms),
            "updated_at": iso_seconds(row.updated_ms), "deleted_at": iso_seconds(row.deleted_ms) if row.deleted_ms else None}


def ticket_event(table, row, comments):
    bits = table.bits(row)
    children = [{"id": row.number * 10, "via": "web", "event_type": "Change", "status": STATUSES[bits & 3]}]
    if bits >> 8 & 1:
        comment = {"id": row.number * 10 + 1, "event_type": "Comment", "type": "Comment", "public": bool(bits >> 9 & 1),
                   "author_id": 100000 + (bits >> 16) % 50, "created_at": iso_seconds(row.created_ms)}
        children.append({**comment, "body": TEXTS[bits % len(TEXTS)]} if comments else {**comment, "comment_present": True})
    return {"id": row.number, "ticket_id": (bits >> 24) % 200 + 1, "timestamp": row.created_ms // 1000, "updater_id": 100000 + bits % 50,
            "via": "Web form", "created_at": iso_seconds(row.created_ms), "event_type": "Audit", "child_events": children}


def metric_event(table, row):
    bits = table.bits(row)
    return {"id": row.number, "ticket_id": (bits >> 24) % 200 + 1, "metric": ("reply_time", "agent_work_time")[bits & 1],
            "instance_id": bits >> 4 & 3, "type": ("activate", "fulfill", "pause")[bits % 3], "time": iso_seconds(row.created_ms)}


def audit(table, row):
    bits = table.bits(row)
    return {"id": row.number, "ticket_id": (bits >> 24) % 200 + 1, "created_at": iso_seconds(row.created_ms), "author_id": 100000 + bits % 50,
            "events": [{"id": row.number * 10, "type": "Change", "field_name": "status", "value": STATUSES[bits & 3]}]}


def rating(table, row):
    bits = table.bits(row)
    return {"id": row.number, "ticket_id": bits % 200 + 1, "score": ("good", "bad", "offered")[bits >> 8 & 1], "comment": TEXTS[bits % 12],
            "created_at": iso_seconds(row.created_ms), "updated_at": iso_seconds(row.updated_ms)}


def listed(stream, table, row):
    """A record of a plain list."""
    bits = table.bits(row)
    stamps = {"created_at": iso_seconds(row.created_ms), "updated_at": iso_seconds(row.updated_ms)}
    if stream == "tags":
        return {"name": f"tag-{row.number}", "count": bits & 255}
    record = {"id": row.number, "url": f"/api/v2/{stream}/{row.number}.json", **stamps}
    if stream == "ticket_fields":
        known = FIELDS[(row.number - 9001) % len(FIELDS)]
        return {**record, "type": known[2], "title": known[1], "active": True, "position": row.number}
    if stream == "group_memberships":
        return {**record, "user_id": 100000 + bits % 50, "group_id": 1 + bits % 7, "default": bits & 1 == 1}
    if stream == "organization_memberships":
        return {**record, "user_id": 100000 + bits % 50, "organization_id": 5000 + bits % 20}
    record.update(name=f"{stream} {row.number}", title=f"{stream} {row.number}", description=pick(TEXTS, bits), position=mix(bits) % 100)
    if LISTS[stream][2]:
        record[LISTS[stream][2]] = row.deleted_ms is not None
    return record
