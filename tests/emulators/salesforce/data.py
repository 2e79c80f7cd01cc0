"""Salesforce's objects: their fields as `describe` tells them, and the values of records."""

from common.seeded import NAMES, TEXTS, iso_millis, mix

OBJECTS = {"Account": 150, "Contact": 80, "Lead": 20, "Opportunity": 60, "OpportunityLineItem": 30, "OpportunityHistory": 25, "Campaign": 5,
           "CampaignMember": 20, "Case": 40, "Task": 30, "Event": 15, "User": 8, "Product2": 10, "PricebookEntry": 10, "Order": 15,
           "OrderItem": 25, "Contract": 6, "Invoice__c": 25}
PREFIXES = {"Account": "001", "Contact": "003", "User": "005", "Opportunity": "006", "Lead": "00Q", "Case": "500", "Task": "00T", "Event": "00U",
            "Campaign": "701", "Product2": "01t", "Invoice__c": "a00"}
NO_ISDELETED = {"User", "OpportunityHistory"}
# Objects that describe lists and a connector has to leave out: name -> (queryable, why not)
RESTRICTED = {"AccountFeed": True, "AccountChangeEvent": False, "ContentDocumentLink": True, "FieldDefinition": True, "Legacy__x": True}
BULK_UNSUPPORTED = {"OpportunityHistory"}
# name, type, what more describe says
FIELDS = (
    ("Id", "id", {"nillable": False}), ("IsDeleted", "boolean", {"nillable": False}), ("Name", "string", {"length": 255}),
    ("Amount__c", "currency", {"precision": 18, "scale": 2}), ("Score__c", "double", {"precision": 18, "scale": 4}), ("Seats__c", "int", {}),
    ("Rate__c", "percent", {"precision": 5, "scale": 2}), ("Active__c", "boolean", {}), ("Stage__c", "picklist", {}), ("Areas__c", "multipicklist", {}),
    ("Due__c", "date", {}), ("Seen__c", "datetime", {}), ("Opens__c", "time", {}), ("Remark__c", "textarea", {"length": 32768}), ("Phone", "phone", {}),
    ("Website", "url", {}), ("Email__c", "email", {}), ("Formula__c", "double", {"calculated": True}), ("Parent__c", "reference", {"referenceTo": ["Account"]}),
    ("BillingAddress", "address", {"filterable": False}), ("BillingStreet", "textarea", {"compoundFieldName": "BillingAddress"}),
    ("BillingCity", "string", {"compoundFieldName": "BillingAddress"}), ("Body__c", "base64", {"filterable": False}),
    ("CreatedDate", "datetime", {"nillable": False}), ("LastModifiedDate", "datetime", {"nillable": False}),
    ("SystemModstamp", "datetime", {"nillable": False}), ("MasterRecordId", "reference", {"referenceTo": ["Account"]}))
COMPOUND = {"address", "location"}
CITIES = ("Oslo", "Zürich", "São Paulo", "東京")


def has_field(name, field):
    if field == "IsDeleted":
        return name not in NO_ISDELETED
    if field == "MasterRecordId":
        return name in ("Account", "Contact", "Lead")
    if field in ("BillingAddress", "BillingStreet", "BillingCity"):
        return name in ("Account", "Order")
    if field == "Body__c":
        return name == "Case"
    return True


def fields(name, extra):
    """{field name: what describe says of it}"""
    known = [field for field in FIELDS if has_field(name, field[0])] + [(f"Wide_{n:03d}__c", "string", {"length": 80}) for n in range(extra)]
    return {field: {"name": field, "label": field.replace("__c", ""), "type": kind, "soapType": f"xsd:{kind}", "length": 0, "precision": 0, "scale": 0,
                    "nillable": True, "custom": field.endswith("__c"), "calculated": False, "compoundFieldName": None, "referenceTo": [],
                    "relationshipName": None, "filterable": True, "sortable": kind not in ("address", "base64", "textarea"),
                    "picklistValues": [{"value": v, "active": True} for v in ("Open", "Won", "Lost")] if "picklist" in kind else [], **more}
            for field, kind, more in known}


def summary(name):
    """An object as the list of all objects tells it."""
    queryable = RESTRICTED.get(name, True)
    return {"name": name, "label": name, "queryable": queryable, "retrieveable": queryable, "replicateable": name in OBJECTS,
            "custom": name.endswith("__c"), "deprecatedAndHidden": False, "keyPrefix": prefix(name)}


def prefix(name):
    return PREFIXES.get(name) or "0" + "%02d" % (mix(name) % 90 + 10)


def identity(name, number):
    """18 characters; the last three follow from nothing here."""
    return f"{prefix(name)}5e{number:010d}AAA"


def value(name, table, row, field, kind):
    """A field's value as Python has it; instants as ms."""
    if field == "Id":
        return identity(name, row.number)
    if field == "IsDeleted":
        return row.deleted_ms is not None
    if field == "MasterRecordId":
        return identity(name, row.into.number) if row.into else None
    if field == "CreatedDate":
        return row.created_ms // 1000 * 1000
    if field in ("LastModifiedDate", "SystemModstamp"):
        return (row.updated_ms if field == "LastModifiedDate" else row.moved_ms) // 1000 * 1000
    bits = mix(table.bits(row), field)
    if field == "Body__c":
        return f"/services/data/v67.0/sobjects/{name}/{identity(name, row.number)}/{field}"
    if kind == "address":
        return {"street": value(name, table, row, "BillingStreet", "textarea"), "city": value(name, table, row, "BillingCity", "string"), "country": "NO"}
    if bits & 15 == 0 and field != "Name":
        return None
    if field == "BillingCity":
        return CITIES[bits >> 8 & 3]
    if field == "Name":
        return f"{name} {row.number} {NAMES[bits >> 8 & 7]}"
    return {"currency": bits % 10000000 / 100, "double": bits % 100000 / 10000 if field != "Formula__c" else bits % 1000 * 1e9, "int": bits % 1000,
            "percent": bits % 10000 / 100, "boolean": bits >> 8 & 1 == 1, "picklist": ("Open", "Won", "Lost")[bits % 3],
            "multipicklist": ("Open", "Open;Won", "Lost;Open;Won")[bits % 3], "date": "2025-04-%02d" % (bits % 28 + 1),
            "datetime": (row.created_ms + bits % 86400000) // 1000 * 1000, "time": "%02d:30:00.000Z" % (bits % 24), "phone": f"+47{bits % 100000000:08d}",
            "url": f"https://a{row.number}.example/", "email": f"a{row.number}@example.com",
            "reference": identity("Account", bits % 50 + 1)}.get(kind, TEXTS[bits % len(TEXTS)])


def as_json(kind, found):
    return iso_millis(found, "+0000") if kind == "datetime" and found is not None else found


def as_csv(kind, found):
    if found is None:
        return ""
    if kind == "datetime":
        return iso_millis(found)
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, float) and found >= 1e7:
        return f"{found:E}"
    return str(found)
