"""What HubSpot's objects and their properties look like. Every property value is text or null."""

from common.seeded import NAMES, TEXTS, iso_millis, mix

# type -> (name of the cursor property, how many at first)
TYPES = {
    "contacts": ("lastmodifieddate", None), "companies": ("hs_lastmodifieddate", None), "deals": ("hs_lastmodifieddate", None),
    "tickets": ("hs_lastmodifieddate", None), "leads": ("hs_lastmodifieddate", 12), "calls": ("hs_lastmodifieddate", 15),
    "emails": ("hs_lastmodifieddate", 15), "meetings": ("hs_lastmodifieddate", 15), "notes": ("hs_lastmodifieddate", 15),
    "tasks": ("hs_lastmodifieddate", 15), "products": ("hs_lastmodifieddate", 10), "line_items": ("hs_lastmodifieddate", 20),
    "quotes": ("hs_lastmodifieddate", 5), "2-100001": ("hs_lastmodifieddate", 14),
}
CUSTOM = {"objectTypeId": "2-100001", "name": "cars", "fullyQualifiedName": "p4711_cars", "primaryDisplayProperty": "name",
          "labels": {"singular": "Car", "plural": "Cars"}, "archived": False}
# from type -> types it has associations to
ASSOCIATIONS = {"contacts": ("companies",), "companies": ("contacts",), "deals": ("contacts", "companies", "line_items"),
                "tickets": ("contacts", "companies"),
                **{kind: ("contacts", "companies", "deals") for kind in ("calls", "emails", "meetings", "notes", "tasks")}}
OWN = {"contacts": ("email", "firstname", "lastname"), "companies": ("name", "domain"), "deals": ("dealname", "amount", "closedate")}
# name, type, fieldType of what every type has besides its own
COMMON = (("name", "string", "text"), ("amount", "number", "number"), ("count", "number", "number"), ("vip", "bool", "booleancheckbox"),
          ("due", "date", "date"), ("seen_at", "datetime", "date"), ("areas", "enumeration", "checkbox"), ("stage", "enumeration", "select"),
          ("phone", "phone_number", "phonenumber"), ("extra", "json", "text"), ("remark", "string", "textarea"))


def properties(kind, extra):
    """The definitions of /crm/v3/properties."""
    cursor = TYPES[kind][0]
    defined = [("hs_object_id", "number", "number"), ("createdate", "datetime", "date"), (cursor, "datetime", "date"),
               ("hs_merged_object_ids", "enumeration", "checkbox")]
    defined += [(name, "string", "text") for name in OWN.get(kind, ()) if name not in ("amount", "closedate", "name")]
    defined += COMMON + tuple((f"custom_{n:03d}", "string", "text") for n in range(extra))
    return [{"name": name, "label": name.replace("_", " "), "type": form, "fieldType": field, "groupName": f"{kind}information",
             "calculated": False, "hidden": False, "archived": False, "hasUniqueValue": name == "hs_object_id", "dataSensitivity":
             "non_sensitive", "options": [{"label": o, "value": o} for o in ("north", "south", "east")] if name in ("areas", "stage") else []}
            for name, form, field in defined]


def default_properties(kind):
    """What an answer holds when none are asked for."""
    return ["createdate", *OWN.get(kind, ("name",)), "hs_object_id", TYPES[kind][0]]


def value(kind, table, row, name):
    """One property's value: text or null."""
    if name == "hs_object_id":
        return str(row.number)
    if name == "createdate":
        return iso_millis(row.created_ms)
    if name == TYPES[kind][0]:
        return iso_millis(row.updated_ms)
    if name == "hs_merged_object_ids":
        return ";".join(map(str, row.absorbed)) or None
    bits = mix(table.bits(row), name)
    if bits & 15 == 0:
        return None
    made = {"amount": f"{bits % 1000000 / 100:.2f}", "count": str(bits % 1000), "vip": ("true", "false", "")[bits >> 8 & 1 if bits & 48 else 2],
            "due": "2025-06-%02d" % (bits % 28 + 1), "seen_at": iso_millis(row.created_ms + bits % 86400000),
            "areas": ("north", "north;south", "east;north;south", "")[bits >> 8 & 3], "stage": ("north", "south")[bits >> 8 & 1],
            "phone": f"+47{bits % 100000000:08d}", "extra": '{"a": 1}', "email": f"contact{row.number}@example.com",
            "firstname": NAMES[bits >> 8 & 7].split()[0], "lastname": NAMES[bits >> 8 & 7].split()[-1], "domain": f"c{row.number}.example",
            "dealname": f"Deal {row.number}", "closedate": iso_millis(row.created_ms + 86400000), "name": f"{kind} {row.number}"}.get(name)
    return made if made is not None else TEXTS[bits % len(TEXTS)]


def owner(table, row):
    bits = table.bits(row)
    return {"id": str(row.number), "email": f"owner{row.number}@example.com", "firstName": NAMES[bits & 7].split()[0],
            "lastName": NAMES[bits & 7].split()[-1], "userId": 9000 + row.number, "createdAt": iso_millis(row.created_ms),
            "updatedAt": iso_millis(row.updated_ms), "archived": row.deleted_ms is not None, "teams": []}


def pipeline(kind, table, row):
    stages = [{"id": f"{row.number}-{n}", "label": f"Stage {n}", "displayOrder": n, "metadata": {"probability": str(n / 4)},
               "createdAt": iso_millis(row.created_ms), "updatedAt": iso_millis(row.updated_ms), "archived": False}
              for n in range(1 + table.bits(row) % 4)]
    first = row.number == 1
    return {"id": "default" if first else str(row.number), "label": f"{kind} pipeline {row.number}", "displayOrder": row.number, "stages":
            stages, "createdAt": iso_millis(0 if first else row.created_ms), "updatedAt": iso_millis(row.updated_ms), "archived": False}


def form(table, row):
    return {"id": f"form-{row.number:04d}", "name": f"Form {row.number}", "formType": "hubspot", "archived": False,
            "createdAt": iso_millis(row.created_ms), "updatedAt": iso_millis(row.updated_ms)}


def submission(table, row):
    bits = table.bits(row)
    return {"conversionId": f"conv-{row.number:06d}", "submittedAt": row.created_ms, "pageUrl": "https://example.com/",
            "values": [{"name": "email", "value": f"s{bits % 1000}@example.com", "objectTypeId": "0-1"}]}


def email_event(table, row):
    bits = table.bits(row)
    return {"id": f"ev-{row.number:06d}", "created": row.created_ms, "type": ("SENT", "DELIVERED", "OPEN", "CLICK")[bits & 3],
            "recipient": f"r{bits >> 8 & 255}@example.com", "portalId": 4711, "emailCampaignId": bits >> 16 & 1023}


def subscription_change(table, row):
    bits = table.bits(row)
    return {"timestamp": row.created_ms, "portalId": 4711, "recipient": f"r{row.number}@example.com", "changes": [
        {"change": ("SUBSCRIBED", "UNSUBSCRIBED", "BOUNCED")[bits % 3], "source": "SOURCE_RECIPIENT", "portalId": 4711, "changeType":
         "SUBSCRIPTION_STATUS", "causedByEvent": {"id": f"ev-{row.number:06d}", "created": row.created_ms}}]}


def campaign(table, row):
    """What marketing emails are sent as; `emailCampaignId` of their events."""
    bits = table.bits(row)
    return {"id": row.number, "appId": 113 + row.number % 2, "appName": "Batch", "contentId": 9000000000 + row.number, "name": f"Campaign {row.number}",
            "subject": TEXTS[bits % len(TEXTS)], "type": "BATCH_EMAIL", "subType": "BATCH", "numIncluded": bits % 5000, "numQueued": 0,
            "counters": {"sent": bits % 5000, "delivered": bits % 4000, "open": bits % 300}}


def marketing_email(table, row):
    bits = table.bits(row)
    return {"id": str(9000000000 + row.number), "name": f"Newsletter {row.number}", "subject": TEXTS[bits % len(TEXTS)], "type": "BATCH_EMAIL",
            "state": "PUBLISHED", "isPublished": True, "archived": row.deleted_ms is not None, "createdAt": iso_millis(row.created_ms),
            "updatedAt": iso_millis(row.updated_ms), "publishDate": iso_millis(row.created_ms + 3600000),
            "content": {"templatePath": "@hubspot/email/dnd/welcome.html", "widgets": {}}, "from": {"fromName": "Acme", "replyTo": "a@example.com"},
            "stats": {"counters": {"sent": bits % 5000, "open": bits % 300}, "ratios": {"openratio": bits % 100}}}


def contact_list(table, row):
    return {"listId": str(row.number), "name": f"List {row.number}", "processingType": ("MANUAL", "DYNAMIC")[table.bits(row) & 1],
            "objectTypeId": "0-1", "createdAt": iso_millis(row.created_ms), "updatedAt": iso_millis(row.updated_ms)}
