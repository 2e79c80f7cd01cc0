"""The search body: filter groups (OR) of filters (AND), one sort, a numeric `after`, and the cap."""

from common.seeded import parse_ms

PAGE_MAX = 200
GROUPS_MAX, FILTERS_MAX, ALL_FILTERS_MAX = 5, 6, 18
OPERATORS = {"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY", "CONTAINS_TOKEN",
             "NOT_CONTAINS_TOKEN"}


class BadSearch(ValueError):
    """A search that is refused with 400."""


def comparable(kind, text):
    """A property's or a filter's text as what it is ordered by."""
    if text is None:
        return None
    try:
        if kind == "number":
            return float(text)
        if kind in ("datetime", "date"):
            return int(text) if text.lstrip("-").isdigit() else parse_ms(text)
    except ValueError:
        raise BadSearch(f"{text} is not a valid {kind}") from None
    return text.lower()


def matches(rule, kind, text):
    operator, mine = rule["operator"], comparable(kind, text or None)
    if operator == "HAS_PROPERTY":
        return mine is not None
    if operator == "NOT_HAS_PROPERTY":
        return mine is None
    if operator in ("IN", "NOT_IN"):
        return (mine in [comparable(kind, str(one)) for one in rule["values"]]) == (operator == "IN")
    wanted = comparable(kind, str(rule["value"]))
    if operator in ("NEQ", "NOT_CONTAINS_TOKEN") and mine is None:
        return True
    if mine is None:
        return False
    if operator == "BETWEEN":
        return wanted <= mine <= comparable(kind, str(rule["highValue"]))
    if operator.endswith("CONTAINS_TOKEN"):
        return (wanted.strip("*") in mine) == (operator == "CONTAINS_TOKEN")
    return {"EQ": mine == wanted, "NEQ": mine != wanted, "LT": mine < wanted, "LTE": mine <= wanted, "GT": mine > wanted,
            "GTE": mine >= wanted}[operator]


def check(body, kinds, cap):
    """(groups, sorts, limit, after) of a search body; BadSearch says what is wrong. `kinds`: property -> type."""
    groups, sorts = body.get("filterGroups", []), body.get("sorts", [])
    limit, after = body.get("limit", 10), body.get("after", "0")
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups) or not isinstance(sorts, list):
        raise BadSearch("filterGroups and sorts must be lists")
    if len(groups) > GROUPS_MAX or any(len(g.get("filters", [])) > FILTERS_MAX for g in groups) or \
            sum(len(g.get("filters", [])) for g in groups) > ALL_FILTERS_MAX:
        raise BadSearch("too many filters")
    for rule in (rule for group in groups for rule in group.get("filters", [])):
        if rule.get("operator") not in OPERATORS:
            raise BadSearch(f"Invalid operator {rule.get('operator')}")
        if rule.get("propertyName") not in kinds:
            raise BadSearch(f"There was a problem with the request: property {rule.get('propertyName')} does not exist")
        wants = {"IN": "values", "NOT_IN": "values", "HAS_PROPERTY": None, "NOT_HAS_PROPERTY": None}.get(rule["operator"], "value")
        if wants and wants not in rule or rule["operator"] == "BETWEEN" and "highValue" not in rule:
            raise BadSearch(f"operator {rule['operator']} requires {wants}")
    if len(sorts) > 1:
        raise BadSearch("only one sort is allowed")
    sorts = [{"propertyName": one, "direction": "ASCENDING"} if isinstance(one, str) else one for one in sorts]
    if sorts and sorts[0].get("propertyName") not in kinds:
        raise BadSearch(f"cannot sort by {sorts[0].get('propertyName')}")
    if not isinstance(limit, int) or not 1 <= limit <= PAGE_MAX:
        raise BadSearch(f"limit must be between 1 and {PAGE_MAX}")
    if not str(after).isdigit():
        raise BadSearch("after must be a number")
    if int(after) + limit > cap:
        raise BadSearch(f"Paging past {cap} results is not supported: after + limit must not exceed it")
    return groups, sorts, limit, int(after)
