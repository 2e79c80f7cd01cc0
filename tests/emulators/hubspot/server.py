#!/usr/bin/env python3
"""A server that behaves like the HubSpot CRM API. See README.md."""

import base64
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import data  # noqa: E402
import search  # noqa: E402
from common.limits import Bucket  # noqa: E402
from common.seeded import hexadecimal, iso_millis, mix  # noqa: E402
from common.server import Answer, Api, Refused, main, route  # noqa: E402
from common.table import Table  # noqa: E402
from common.tokens import Tokens  # noqa: E402

URL_MAX = 15000
ARCHIVE_MS = 90 * 86400000   # how long an archived object stays readable
POLICIES = {"general": ("TEN_SECONDLY_ROLLING", "ten_secondly_rolling"), "search": ("SECONDLY", "secondly"), "daily": ("DAILY", "daily")}
OTHERS = {"owners": 8, "deal_pipelines": 3, "ticket_pipelines": 2, "lists": 30, "forms": 3, "form_submissions": 120, "email_events": 60,
          "marketing_emails": 7, "email_campaigns": 5, "subscription_changes": 25}


class HubSpot(Api):
    name = "hubspot"
    retry_after = "none"  # it is often absent

    @classmethod
    def arguments(cls, parser):
        for kind, count in (("contacts", 120), ("companies", 40), ("deals", 60), ("tickets", 30)):
            parser.add_argument(f"--{kind}", type=int, default=count)
        parser.add_argument("--extra-properties", type=int, default=4, help="custom string properties of each type")
        parser.add_argument("--index-lag", type=float, default=0, help="seconds until a change is found by search")
        parser.add_argument("--same-stamp", action="store_true", help="all first objects of a type share one stamp")
        parser.add_argument("--search-cap", type=int, default=10000, help="results that a search reaches")
        parser.add_argument("--association-page", type=int, default=500, help="associations of one object that are listed at once")
        parser.add_argument("--token-ttl", type=int, default=1800)

    def __init__(self, options):
        super().__init__(options)
        counts = {kind: count if count is not None else getattr(options, kind) for kind, (_, count) in data.TYPES.items()}
        self.tables = {name: Table(name, count, options.seed, self.clock, options.same_stamp and name in data.TYPES, 1 if name in OTHERS else 101)
                       for name, count in {**counts, **OTHERS}.items()}
        self.defined = {kind: data.properties(kind, options.extra_properties) for kind in data.TYPES}
        self.kinds = {kind: {one["name"]: one["type"] for one in self.defined[kind]} for kind in data.TYPES}
        self.buckets = {"general": Bucket(190, 10, sliding=True), "search": Bucket(5, 1, sliding=True), "daily": Bucket(650000, 86400)}
        self.tokens = Tokens("hubspot", self.clock, options.seed, options.token_ttl, rotates=False)
        self.searches = {}
        self.static = "pat-eu1-" + hexadecimal(32, options.seed, "hubspot")
        self.client = ("hubspot-test-client", "hubspot-test-client-secret")
        self.secrets = [self.static, self.client[1]]

    # -- errors and gates

    def error(self, status, category, message, **more):
        body = {"status": "error", "message": message, "correlationId": self.correlation(), "category": category, **more}
        return Refused(status, body)

    def correlation(self):
        digits = hexadecimal(32, self.options.seed, "correlation", self.requests)
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def not_found(self, request):
        return self.error(404, "OBJECT_NOT_FOUND", "resource not found")

    def authorize(self, request, facts):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise self.error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found. This API supports OAuth 2.0 authentication")
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", token):
            raise Refused(530, "<html><body>error code: 1016</body></html>")
        if token == self.static and not self.tokens.revoked:
            return
        state = self.tokens.state(token)
        if state == "expired":
            raise self.error(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired")
        if state != "good":
            raise self.error(401, "INVALID_AUTHENTICATION", "The access token is invalid")

    def limit(self, request, facts):
        if facts.get("public"):
            return
        if len(request.target) > URL_MAX:
            raise Refused(414, "<html><body>414 Request-URI Too Large</body></html>")
        for name in ("daily", facts.get("limit", "general")):
            request.bucket = name
            if not self.buckets[name].take(self.now_ms()):
                policy, text = POLICIES[name]
                raise Refused(429, {"status": "error", "message": f"You have reached your {text} limit.", "errorType": "RATE_LIMIT",
                                    "correlationId": self.correlation(), "policyName": policy},
                              self.wait_headers(max(1, self.buckets[name].reset_s(self.now_ms()))))

    def finish(self, request, answer):
        if request.bucket == "search":  # search tells nothing
            return
        general, daily = self.buckets["general"], self.buckets["daily"]
        answer.headers.update({
            "X-HubSpot-RateLimit-Max": str(general.limit), "X-HubSpot-RateLimit-Remaining": str(general.remaining()),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(general.per_s * 1000)), "X-HubSpot-RateLimit-Daily": str(daily.limit),
            "X-HubSpot-RateLimit-Daily-Remaining": str(daily.remaining())})

    def table(self, kind):
        kind = data.CUSTOM["objectTypeId"] if kind in (data.CUSTOM["fullyQualifiedName"], data.CUSTOM["name"]) else kind
        if kind in self.forbidden:
            raise self.error(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.",
                             context={"requiredGranularScopes": [f"crm.objects.{kind}.read"]})
        if kind not in data.TYPES or kind in self.missing:
            raise self.error(400, "VALIDATION_ERROR", f"Unable to infer object type from: {kind}")
        return kind, self.tables[kind]

    def number(self, request, name, default, most):
        text = request.query.get(name, str(default))
        if not text.isdigit() or not 1 <= int(text) <= most:
            raise self.error(400, "VALIDATION_ERROR", f"{name} must be between 1 and {most}")
        return int(text)

    # -- account and OAuth

    @route("POST", r"/oauth/(?:v1|v3|2026-03)/token", public=True)
    def token(self, request):
        asked = request.form()
        if (asked.get("client_id"), asked.get("client_secret")) != self.client:
            raise Refused(400, {"status": "BAD_CLIENT_ID", "message": "missing or unknown client id", "correlationId": self.correlation()})
        if asked.get("grant_type") == "refresh_token" and (asked.get("refresh_token") != self.tokens.refresh or self.tokens.revoked):
            raise Refused(400, {"error": "invalid_grant", "error_description": "missing or unknown refresh token",
                                "status": "BAD_REFRESH_TOKEN", "message": "missing or unknown refresh token"})
        if asked.get("grant_type") not in ("refresh_token", "client_credentials"):
            raise Refused(400, {"error": "unsupported_grant_type", "error_description": "unsupported"})
        return {"access_token": self.tokens.grant(), "refresh_token": self.tokens.refresh, "expires_in": self.options.token_ttl,
                "token_type": "bearer", "token_use": "access_token", "hub_id": 4711, "scopes": ["crm.objects.contacts.read"], "user_id": 1}

    @route("GET", r"/account-info/v3/details")
    @route("GET", r"/account-info/2026-0[39]/details")
    def details(self, request):
        return {"portalId": 4711, "timeZone": "Europe/Oslo", "dataHostingLocation": "eu1", "accountType": "STANDARD"}

    @route("GET", r"/account-info/v3/api-usage/daily/private-apps")
    def usage(self, request):
        daily = self.buckets["daily"]
        return {"results": [{"name": "private-apps-api-calls-daily", "currentUsage": daily.used, "usageLimit": daily.limit, "fetchStatus":
                             "SUCCESS", "resetsAt": iso_millis(self.now_ms() + daily.reset_ms(self.now_ms()))}]}

    # -- objects

    def archived_visible(self, row):
        return row.deleted_ms is not None and row.into is None and self.now_ms() - row.deleted_ms < ARCHIVE_MS

    def associated(self, kind, row, other):
        """Ids of another type's objects this one hangs on, by version."""
        others = self.tables[other]
        count = mix(others.seed, "associations", kind, other, row.number, row.version) % 4
        ids = {others.rows[mix(row.number, row.version, other, n) % len(others.rows)].number for n in range(count) if others.rows}
        return sorted(ids)

    def render(self, kind, row, names, associations=()):
        table = self.tables[kind]
        record = {"id": str(row.number), "properties": {name: data.value(kind, table, row, name) for name in names if name in self.kinds[kind]},
                  "createdAt": iso_millis(row.created_ms), "updatedAt": iso_millis(row.updated_ms), "archived": row.deleted_ms is not None}
        if row.deleted_ms is not None:
            record["archivedAt"] = iso_millis(row.deleted_ms)
        found = {other: self.associated(kind, row, other) for other in associations if other in data.ASSOCIATIONS.get(kind, ())}
        shown = {other: {"results": [{"id": str(one), "type": f"{kind}_to_{other}"} for one in ids]} for other, ids in found.items() if ids}
        if shown:
            record["associations"] = shown
        return record

    def names(self, kind, text):
        """Asked properties and those that always come; unknown ones are left out silently."""
        asked = [name for name in text.split(",") if name]
        return sorted(set(asked) | {"createdate", "hs_object_id", data.TYPES[kind][0]}) if asked else data.default_properties(kind)

    def keyed_page(self, request, rows, size, identity):
        """Rows behind an opaque `after` -> (rows, paging)."""
        if request.query.get("after"):
            try:
                last = int(base64.urlsafe_b64decode(request.query["after"] + "==").decode().partition(":")[2])
            except (ValueError, UnicodeDecodeError):
                raise self.error(400, "VALIDATION_ERROR", "Invalid paging token") from None
            rows = [row for row in rows if identity(row) > last]
        page = [] if request.fault.get("empty") else rows[:size]
        if len(page) == len(rows):
            return page, None
        last = identity(page[-1]) if page else 0
        after = base64.urlsafe_b64encode(f"after:{last}".encode()).decode().rstrip("=")
        if request.fault.get("token_loop"):
            after = request.query.get("after", after)
        kept = "".join(f"&{name}={value}" for name, value in request.pairs if name != "after")
        return page, {"next": {"after": after, "link": f"{self.urls[0]}{request.path}?after={after}{kept}"}}

    @route("GET", r"/crm/v3/objects/([^/]+)")
    @route("GET", r"/crm/objects/2026-0[39]/([^/]+)")
    def list_objects(self, request, kind):
        kind, table = self.table(kind)
        history = "propertiesWithHistory" in request.query
        size = self.number(request, "limit", 10, 50 if history else 100)
        archived = request.query.get("archived", "false") == "true"
        rows = [row for row in table.rows if (self.archived_visible(row) if archived else row.deleted_ms is None)]
        page, paging = self.keyed_page(request, rows, size, lambda row: row.number)
        names = self.names(kind, request.query.get("properties", ""))
        associations = [name for name in request.query.get("associations", "").split(",") if name]
        results = [self.render(kind, row, names, associations) for row in page]
        if history:
            for row, record in zip(page, results):
                record["propertiesWithHistory"] = {
                    name: [{"value": data.value(kind, table, row, name), "timestamp": iso_millis(row.updated_ms), "sourceType": "API"}]
                    for name in request.query["propertiesWithHistory"].split(",") if name in self.kinds[kind]}
        return {"results": results, **({"paging": paging} if paging else {})}

    @route("GET", r"/crm/v3/objects/([^/]+)/(\d+)")
    @route("GET", r"/crm/objects/2026-0[39]/([^/]+)/(\d+)")
    def one_object(self, request, kind, number):
        kind, table = self.table(kind)
        row = table.get(int(number))
        row = row.into if row and row.into else row
        if row is None or row.deleted_ms is not None:
            raise self.error(404, "OBJECT_NOT_FOUND", "resource not found")
        return self.render(kind, row, self.names(kind, request.query.get("properties", "")))

    @route("POST", r"/crm/v3/objects/([^/]+)/batch/read")
    @route("POST", r"/crm/objects/2026-0[39]/([^/]+)/batch/read")
    def batch_read(self, request, kind):
        kind, table = self.table(kind)
        body = request.json() or {}
        asked = body.get("inputs", [])
        if len(asked) > 100:
            raise self.error(400, "VALIDATION_ERROR", "The maximum number of inputs is 100")
        rows = [table.get(int(one["id"])) for one in asked]
        found = [row for row in rows if row is not None and row.deleted_ms is None]
        names = self.names(kind, ",".join(body.get("properties", [])))
        return Answer({"status": "COMPLETE", "results": [self.render(kind, row, names) for row in found]}, 200 if len(found) == len(rows) else 207)

    def found(self, kind, groups, sorts):
        """All rows of a search in its order, remembered until something changes."""
        table, kinds = self.tables[kind], self.kinds[kind]
        name = (kind, json.dumps([groups, sorts], sort_keys=True), table.generation, self.now_ms() if self.options.index_lag else 0)
        if name not in self.searches:
            newest = self.now_ms() - self.options.index_lag * 1000
            rows = [row for row in table.rows if row.deleted_ms is None and (row.updated_ms <= newest or not self.options.index_lag)]
            if groups:
                rows = [row for row in rows if any(all(
                    search.matches(rule, kinds[rule["propertyName"]], data.value(kind, table, row, rule["propertyName"]))
                    for rule in group.get("filters", [])) for group in groups)]
            by = sorts[0]["propertyName"] if sorts else "createdate"
            order = {row.number: search.comparable(kinds[by], data.value(kind, table, row, by) or None) for row in rows}
            rows.sort(key=lambda row: (order[row.number] is not None, order[row.number] if order[row.number] is not None else 0),
                      reverse=bool(sorts) and sorts[0].get("direction") == "DESCENDING")
            if len(self.searches) >= 16:
                self.searches.clear()
            self.searches[name] = rows
        return self.searches[name]

    @route("POST", r"/crm/v3/objects/([^/]+)/search", limit="search")
    @route("POST", r"/crm/objects/2026-0[39]/([^/]+)/search", limit="search")
    def search_objects(self, request, kind):
        kind, body = self.table(kind)[0], request.json()
        try:
            if body is None:
                raise search.BadSearch("Invalid input JSON")
            groups, sorts, limit, after = search.check(body, self.kinds[kind], self.options.search_cap)
            rows = self.found(kind, groups, sorts)
        except search.BadSearch as bad:
            raise self.error(400, "VALIDATION_ERROR", str(bad)) from None
        page = rows[after:after + limit]
        answer = {"total": len(rows), "results": [self.render(kind, row, self.names(kind, ",".join(body.get("properties", [])))) for row in page]}
        if after + limit < len(rows):
            answer["paging"] = {"next": {"after": str(after + limit)}}
        return answer

    # -- associations, properties, schemas

    @route("POST", r"/crm/v4/associations/([^/]+)/([^/]+)/batch/read")
    @route("POST", r"/crm/associations/2026-0[39]/([^/]+)/([^/]+)/batch/read")
    def associations(self, request, kind, other):
        kind, table = self.table(kind)
        inputs = (request.json() or {}).get("inputs", [])
        if len(inputs) > 1000:
            raise self.error(400, "VALIDATION_ERROR", "The maximum number of inputs is 1000")
        results, errors = [], []
        for one in inputs:
            row = table.get(int(one["id"]))
            found = self.associated(kind, row, other) if row is not None and other in data.ASSOCIATIONS.get(kind, ()) else []
            at, size = int((one.get("after") or "MC0-0%3D")[4:-3]), self.options.association_page
            if found:
                more = {"paging": {"next": {"after": f"MC0-{at + size}%3D"}}} if at + size < len(found) else {}
                results.append({"from": {"id": one["id"]}, "to": [{"toObjectId": number, "associationTypes": [
                    {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": None}]} for number in found[at:at + size]], **more})
            else:
                errors.append({"status": "error", "category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                               "message": f"No {other} is associated with {kind} {one['id']}.", "context": {"fromObjectId": [one["id"]]}})
        answer = {"status": "COMPLETE", "results": results}
        if errors:
            answer.update(errors=errors, numErrors=len(errors))
        return Answer(answer, 207 if errors else 200)

    @route("GET", r"/crm/v3/properties/([^/]+)")
    @route("GET", r"/crm/properties/2026-0[39]/([^/]+)")
    def list_properties(self, request, kind):
        return {"results": self.defined[self.table(kind)[0]]}

    @route("GET", r"/crm-object-schemas/v3/schemas")
    @route("GET", r"/crm/v3/schemas")
    def schemas(self, request):
        kind = data.CUSTOM["objectTypeId"]
        return {"results": [{**data.CUSTOM, "id": "100001", "properties": self.defined[kind], "createdAt": iso_millis(0)}]}

    # -- owners, pipelines, lists, forms, events

    @route("GET", r"/crm/v3/owners/?")
    @route("GET", r"/crm/owners/2026-0[39]/?")
    def owners(self, request):
        archived = request.query.get("archived", "false") == "true"
        rows = [row for row in self.tables["owners"].rows if (row.deleted_ms is not None) == archived]
        page, paging = self.keyed_page(request, rows, self.number(request, "limit", 100, 500), lambda row: row.number)
        return {"results": [data.owner(self.tables["owners"], row) for row in page], **({"paging": paging} if paging else {})}

    @route("GET", r"/crm/v3/pipelines/(deal|ticket)s")
    @route("GET", r"/crm/pipelines/2026-0[39]/(deal|ticket)s")
    def pipelines(self, request, kind):
        table = self.tables[f"{kind}_pipelines"]
        return {"results": [data.pipeline(kind, table, row) for row in table.live()]}

    @route("POST", r"/crm/v3/lists/search")
    @route("POST", r"/crm/lists/2026-0[39]/search")
    def lists(self, request):
        body, rows = request.json() or {}, self.tables["lists"].live()
        at, size = int(body.get("offset", 0)), min(int(body.get("count", 20)), 500)
        return {"lists": [data.contact_list(self.tables["lists"], row) for row in rows[at:at + size]], "hasMore": at + size < len(rows),
                "offset": min(at + size, len(rows)), "total": len(rows)}

    @route("GET", r"/crm/v3/lists/(\d+)/memberships")
    @route("GET", r"/crm/lists/2026-0[39]/(\d+)/memberships")
    def memberships(self, request, number):
        rows = [row for row in self.tables["contacts"].live() if mix(row.number, int(number)) % 5 == 0]
        page, paging = self.keyed_page(request, rows, self.number(request, "limit", 100, 250), lambda row: row.number)
        results = [{"recordId": str(row.number), "membershipTimestamp": iso_millis(row.created_ms)} for row in page]
        return {"results": results, **({"paging": paging} if paging else {})}

    @route("GET", r"/marketing/v3/forms/?")
    @route("GET", r"/marketing/forms/2026-09/?")
    def forms(self, request):
        page, paging = self.keyed_page(request, self.tables["forms"].live(), self.number(request, "limit", 20, 100), lambda row: row.number)
        return {"results": [data.form(self.tables["forms"], row) for row in page], **({"paging": paging} if paging else {})}

    def submissions_of(self, number):
        """Newest first."""
        count = len(self.tables["forms"].rows)
        rows = [row for row in self.tables["form_submissions"].rows if row.number % count + 1 == number]
        return sorted(rows, key=lambda row: (-row.created_ms, -row.number))

    @route("GET", r"/form-integrations/v1/submissions/forms/form-(\d+)")
    def submissions(self, request, number):
        rows = self.submissions_of(int(number))
        page, paging = self.keyed_page(request, rows, self.number(request, "limit", 20, 50), lambda row: -row.number)
        return {"results": [data.submission(self.tables["form_submissions"], row) for row in page], **({"paging": paging} if paging else {})}

    @route("GET", r"/email/public/v1/events")
    def email_events(self, request):
        start, end = int(request.query.get("startTimestamp", 0)), int(request.query.get("endTimestamp", self.now_ms()))
        rows = [row for row in self.tables["email_events"].rows if start <= row.created_ms <= end]
        rows.sort(key=lambda row: (-row.created_ms, -row.number))
        page, paging = self.offset_page(request, rows)
        return {"events": [data.email_event(self.tables["email_events"], row) for row in page], **paging}

    @route("GET", r"/email/public/v1/subscriptions/timeline")
    def timeline(self, request):
        start, end = int(request.query.get("startTimestamp", 0)), int(request.query.get("endTimestamp", self.now_ms()))
        rows = [row for row in self.tables["subscription_changes"].rows if start <= row.created_ms <= end]
        rows.sort(key=lambda row: (-row.created_ms, -row.number))
        page, paging = self.offset_page(request, rows)
        return {"timeline": [data.subscription_change(self.tables["subscription_changes"], row) for row in page], **paging}

    @route("GET", r"/email/public/v1/campaigns/by-id")
    def campaign_ids(self, request):
        page, paging = self.offset_page(request, self.tables["email_campaigns"].live())
        return {"campaigns": [{name: value for name, value in data.campaign(self.tables["email_campaigns"], row).items()
                               if name in ("id", "appId", "appName")} for row in page], **paging}

    @route("GET", r"/email/public/v1/campaigns/(\d+)")
    def campaign(self, request, number):
        row = self.tables["email_campaigns"].get(int(number))
        found = data.campaign(self.tables["email_campaigns"], row) if row is not None else {}
        if request.query.get("appId", str(found.get("appId"))) != str(found.get("appId")) or not found:
            raise self.not_found(request)
        return found

    @route("GET", r"/marketing/v3/emails/?")
    @route("GET", r"/marketing/emails/2026-0[39]/?")
    def marketing_emails(self, request):
        table = self.tables["marketing_emails"]
        archived = request.query.get("archived", "false") == "true"
        rows = [row for row in table.rows if (row.deleted_ms is not None) == archived]
        page, paging = self.keyed_page(request, rows, self.number(request, "limit", 100, 100), lambda row: row.number)
        hidden = () if request.query.get("includeStats") == "true" else ("stats",)
        results = [{name: value for name, value in data.marketing_email(table, row).items() if name not in hidden} for row in page]
        return {"total": len(rows), "results": results, **({"paging": paging} if paging else {})}

    def offset_page(self, request, rows):
        """`offset` is opaque here, too."""
        at, size = int(request.query.get("offset") or "0", 36), self.number(request, "limit", 10, 1000)
        following = at + size
        digits = ""
        while following:
            following, digit = divmod(following, 36)
            digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        return rows[at:at + size], {"hasMore": at + size < len(rows), "offset": digits}

    # -- truth

    def streams(self):
        return sorted([*self.tables, *(f"{kind}_archived" for kind in data.TYPES), "owners_archived"])

    def oracle(self, stream):
        archived = stream.endswith("_archived")
        kind = stream[:-len("_archived")] if archived else stream
        table = self.tables[kind]
        if kind not in data.TYPES:
            made = {"owners": data.owner, "lists": data.contact_list, "forms": data.form, "email_events": data.email_event,
                    "marketing_emails": data.marketing_email, "email_campaigns": data.campaign, "subscription_changes": data.subscription_change,
                    "deal_pipelines": lambda t, r: data.pipeline("deal", t, r), "ticket_pipelines": lambda t, r: data.pipeline("ticket", t, r),
                    "form_submissions": lambda t, r: {**data.submission(t, r),
                                                      "formId": f"form-{r.number % len(self.tables['forms'].rows) + 1:04d}"}}[kind]
            key = {"lists": ["listId"], "form_submissions": ["formId", "conversionId"],
                   "subscription_changes": ["timestamp", "portalId", "recipient"]}.get(kind, ["id"])
            rows = [row for row in table.rows if (row.deleted_ms is not None) == archived]
            gone = [made(table, row) for row in table.rows if row.deleted_ms is not None] if kind == "owners" and not archived else []
            return {"key": key, "rows": [made(table, row) for row in rows], "deleted": gone}
        names, others = list(self.kinds[kind]), data.ASSOCIATIONS.get(kind, ())
        gone = [self.render(kind, row, names, others) for row in table.rows if self.archived_visible(row)]
        if archived:
            return {"key": ["id"], "rows": gone, "deleted": []}
        # A merged loser is deleted, too: its winner says so.
        gone += [{"id": str(row.number), "into": str(row.into.number)} for row in table.rows if row.into is not None]
        return {"key": ["id"], "rows": [self.render(kind, row, names, others) for row in table.live()], "deleted": gone}


if __name__ == "__main__":
    main(HubSpot)
