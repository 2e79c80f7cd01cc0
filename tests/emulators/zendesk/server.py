#!/usr/bin/env python3
"""A server that behaves like Zendesk Support. See README.md."""

import base64
import hashlib
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import data  # noqa: E402
from common.limits import Bucket  # noqa: E402
from common.seeded import iso_seconds, parse_ms  # noqa: E402
from common.server import Answer, Api, Refused, main, route  # noqa: E402
from common.table import Table  # noqa: E402
from common.tokens import Tokens  # noqa: E402

HIDDEN_S = 60          # the newest minute is never exported
OFFSET_CAP = 10000     # records that offset paging reaches
SEARCH_CAP = 1000
TIME_EXPORTS = {"users": ("users", "moved_ms"), "organizations": ("organizations", "moved_ms"), "tickets": ("tickets", "moved_ms"),
                "ticket_events": ("ticket_events", "created_ms"), "ticket_metric_events": ("ticket_metric_events", "created_ms")}
EVENT_STREAMS = ("ticket_events", "ticket_metric_events", "ticket_audits", "satisfaction_ratings")


def encode(*parts):
    return base64.urlsafe_b64encode("||".join(map(str, parts)).encode()).decode().rstrip("=")


def decode(text, count):
    """The whole numbers of a cursor; ValueError when it is none."""
    parts = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split("||")
    if len(parts) != count:
        raise ValueError(text)
    return [int(float(part)) for part in parts]


def listed_error(status, code, title, detail):
    return Refused(status, {"errors": [{"code": code, "title": title, "detail": detail}]})


class Zendesk(Api):
    name = "zendesk"

    @classmethod
    def arguments(cls, parser):
        parser.add_argument("--tickets", type=int, default=200)
        parser.add_argument("--users", type=int, default=50)
        parser.add_argument("--organizations", type=int, default=20)
        parser.add_argument("--events", type=int, default=300, help="ticket events, metric events, audits")
        parser.add_argument("--same-stamp", action="store_true", help="all first records share one second")
        parser.add_argument("--token-ttl", type=int, default=172800, help="seconds an access token lives")

    def __init__(self, options):
        super().__init__(options)
        counts = {"tickets": (options.tickets, 1), "users": (options.users, 100000), "organizations": (options.organizations, 5000),
                  **{name: (options.events, 1) for name in EVENT_STREAMS},
                  **{name: (count, 9001 if name == "ticket_fields" else 1) for name, (_, count, _) in data.LISTS.items()}}
        self.tables = {name: Table(name, count, options.seed, self.clock, options.same_stamp, first)
                       for name, (count, first) in counts.items()}
        self.tables["tickets"].on_change = self.ticket_changed
        self.buckets = {"account": Bucket(700, 60), "incremental-exports": Bucket(10, 60),
                        "incremental-exports-cursor": Bucket(10, 60), "users-cursor": Bucket(20, 60)}
        self.tokens = Tokens("zendesk", self.clock, options.seed, options.token_ttl, rotates=True)
        self.client = ("zendesk-test-client", "zendesk-test-client-secret")
        self.user = ("agent@example.com", "zendesk-test-api-token")
        self.secrets = [self.client[1], self.user[1]]
        self.codes = {}  # of logins that are not exchanged yet -> what was asked for

    def ticket_changed(self, _table, row, kind):
        """A change of a ticket is an event, too."""
        if kind != "drifted":
            events = self.tables["ticket_events"]
            events.rows.append(type(row)(events.first + len(events.rows), row.moved_ms))
            events.generation += 1

    # -- gates

    def authorize(self, request, facts):
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        basic = base64.b64encode(f"{self.user[0]}/token:{self.user[1]}".encode()).decode()
        if scheme == "Basic" and value == basic and not self.tokens.revoked:
            return
        if scheme == "Bearer" and self.tokens.state(value) == "good":
            return
        if scheme == "Bearer":
            raise Refused(401, {"error": "invalid_token", "error_description": "The access token provided is expired, revoked, malformed "
                                "or invalid for other reasons."}, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        raise Refused(401, {"error": "Couldn't authenticate you"})

    def limit(self, request, facts):
        for name in ([] if facts.get("public") else ["account"]) + ([facts["limit"]] if "limit" in facts else []):
            request.bucket = name
            if not self.buckets[name].take(self.now_ms()):
                wait_s = max(1, self.buckets[name].reset_s(self.now_ms()))
                raise Refused(429, {"error": "APIRateLimitExceeded", "description": "Number of allowed API requests per minute exceeded"},
                              self.wait_headers(wait_s))

    def finish(self, request, answer):
        account = self.buckets["account"]
        answer.headers.update({"X-Rate-Limit": str(account.limit), "X-Rate-Limit-Remaining": str(account.remaining()),
                               "ratelimit-limit": str(account.limit), "ratelimit-remaining": str(account.remaining()),
                               "ratelimit-reset": str(account.reset_s(self.now_ms()))})
        if request.bucket and request.bucket != "account":
            own = self.buckets[request.bucket]
            name = "incremental-exports-cursor" if request.bucket == "users-cursor" else request.bucket  # two limits, one name
            answer.headers[f"Zendesk-RateLimit-{name}"] = \
                f"total={own.limit}; remaining={own.remaining()}; resets={own.reset_s(self.now_ms())}"

    def not_found(self, request):
        return Refused(404, {"error": "InvalidEndpoint", "description": "Not found"})

    def allow(self, stream):
        if stream in self.forbidden:
            raise Refused(403, {"error": {"title": "Forbidden", "message": "You do not have access to this page. Please contact the "
                                                                           "account owner of this help desk for further help."}})
        if stream in self.missing:
            raise self.not_found(None)

    def count(self, request, name, default, cap):
        text = request.query.get(name, str(default))
        if not text.isdigit() or not 1 <= int(text):
            raise Refused(400, {"error": "InvalidValue", "description": f"{name} must be a positive number",
                                "details": {name: [{"error": "InvalidValue", "description": f"{name}: is invalid"}]}})
        return min(int(text), cap)

    # -- OAuth

    @route("GET", r"/oauth/authorizations/new", public=True)
    def authorization(self, request):
        """The page on which a person says yes; here it says so itself."""
        asked = request.query
        if asked.get("client_id") != self.client[0] or asked.get("response_type") != "code" or not asked.get("scope"):
            raise Refused(400, "<!DOCTYPE html><title>Invalid Authorization Request</title>")
        code = self.tokens.make("code")
        self.codes[code] = asked
        back = urllib.parse.urlencode({"code": code, **({"state": asked["state"]} if "state" in asked else {})})
        return Answer(status=302, headers={"Location": f"{asked['redirect_uri']}?{back}"})

    def exchanges(self, asked):
        """Is this a code of ours, with what it was asked for?"""
        login = self.codes.pop(asked.get("code"), None)
        if login is None or login["redirect_uri"] != asked.get("redirect_uri"):
            return False
        digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        return login.get("code_challenge") in (None, base64.urlsafe_b64encode(digest).decode().rstrip("="))

    @route("POST", r"/oauth/tokens", public=True)
    def token(self, request):
        asked = request.json() or request.form()
        if (asked.get("client_id"), asked.get("client_secret")) != self.client:
            raise Refused(401, {"error": "invalid_client", "error_description": "Client authentication failed."})
        grant = asked.get("grant_type")
        if grant not in ("client_credentials", "refresh_token", "authorization_code"):
            raise Refused(400, {"error": "unsupported_grant_type", "error_description": f"{grant}"})
        good = {"client_credentials": lambda: True, "refresh_token": lambda: asked.get("refresh_token") == self.tokens.refresh,
                "authorization_code": lambda: self.exchanges(asked)}[grant]()
        if not good or self.tokens.revoked:
            raise Refused(400, {"error": "invalid_grant", "error_description": "The provided authorization grant is invalid, expired or "
                                                                               "revoked."})
        access = self.tokens.grant(rotates=grant != "client_credentials")
        answer = {"access_token": access, "token_type": "bearer", "scope": asked.get("scope", "read"), "expires_in": self.options.token_ttl}
        if grant != "client_credentials":
            answer.update(refresh_token=self.tokens.refresh, refresh_token_expires_in=90 * 86400)
        return answer

    @route("GET", r"/api/v2/oauth/tokens/current(?:\.json)?")
    def current_token(self, request):
        token = request.headers["Authorization"].partition(" ")[2]
        end_ms = self.tokens.ends.get(token)
        return {"token": {"id": 1, "scopes": ["read"], "expires_at": iso_seconds(end_ms) if end_ms else None}}

    # -- exports

    def render(self, stream, row):
        table = self.tables[stream]
        if stream == "tickets":
            return data.ticket(table, row, self.now_ms())
        if stream == "ticket_events":
            return data.ticket_event(table, row, True)
        made = {"users": data.user, "organizations": data.organization, "ticket_metric_events": data.metric_event,
                "ticket_audits": data.audit, "satisfaction_ratings": data.rating}.get(stream)
        return made(table, row) if made else data.listed(stream, table, row)

    def exported(self, stream, stamp):
        """Rows old enough to be exported, by (second, id)."""
        until_s = self.now_ms() // 1000 - HIDDEN_S
        rows = self.tables[stream].ordered(lambda row: (getattr(row, stamp) // 1000, row.number), stamp)
        return [row for row in rows if getattr(row, stamp) // 1000 <= until_s]

    def start_time(self, request):
        text = request.query.get("start_time", "")
        if not text.isdigit():
            raise listed_error(400, "InvalidValue", "Invalid attribute", "start_time is not a unix time")
        if int(text) > self.now_ms() // 1000 - HIDDEN_S:
            raise Refused(422, {"error": "StartTimeTooRecent", "description": "Too recent start_time. Use a start_time older than 60 seconds"})
        return int(text)

    def export_cursor(self, request, stream):
        self.allow(stream)
        size = self.count(request, "per_page", 1000, 1000)
        if "cursor" in request.query:
            try:
                second, number = decode(request.query["cursor"], 2)
            except (ValueError, UnicodeDecodeError):
                raise listed_error(400, "InvalidCursor", "Invalid cursor", "cursor is not valid") from None
        else:
            second, number = self.start_time(request), 0
        behind = [row for row in self.exported(stream, "moved_ms") if (row.moved_ms // 1000, row.number) > (second, number)]
        if request.query.get("exclude_deleted") == "true":
            behind = [row for row in behind if row.deleted_ms is None]
        page = [] if request.fault.get("empty") else behind[:size]
        if page:
            second, number = page[-1].moved_ms // 1000, page[-1].number
        shown = page + (page[-request.fault["duplicate"]:] if request.fault.get("duplicate") else [])
        cursor = request.query.get("cursor") if request.fault.get("token_loop") else encode(f"{second}.{5 if request.fault.get('empty') else 0}", number)
        included = request.query.get("include", "").split(",")
        if stream == "tickets" and "last_audits" in included:
            raise Refused(400, {"error": "InvalidInclude", "description": "last_audits cannot be included"})
        records = [self.render(stream, row) for row in shown]
        if stream == "tickets" and "metric_sets" in included:  # inside each ticket; a deleted one has none
            records = [record if row.deleted_ms is not None else {**record, "metric_set": data.ticket_metric(self.tables["tickets"], row)}
                       for record, row in zip(records, shown)]
        return {stream: records, "after_cursor": cursor,
                "after_url": f"{self.urls[0]}{request.path}?cursor={cursor}&per_page={size}", "before_cursor": None, "before_url": None,
                "end_of_stream": len(page) == len(behind) and not request.fault.get("empty")}

    @route("GET", r"/api/v2/incremental/tickets/cursor(?:\.json)?", limit="incremental-exports-cursor")
    def tickets_cursor(self, request):
        return self.export_cursor(request, "tickets")

    @route("GET", r"/api/v2/incremental/users/cursor(?:\.json)?", limit="users-cursor")
    def users_cursor(self, request):
        return self.export_cursor(request, "users")

    @route("GET", r"/api/v2/incremental/(tickets|ticket_events|users|organizations|ticket_metric_events)(?:\.json)?",
           limit="incremental-exports")
    def export_time(self, request, name):
        """A page ends with its last second whole, so that the next start_time loses nothing; that second comes again."""
        stream, stamp = TIME_EXPORTS[name]
        self.allow(stream)
        start_s, size = self.start_time(request), self.count(request, "per_page", 1000, 1000)
        behind = [row for row in self.exported(stream, stamp) if getattr(row, stamp) // 1000 >= start_s]
        page = behind[:size]
        while len(page) < len(behind) and getattr(behind[len(page)], stamp) // 1000 == getattr(page[-1], stamp) // 1000:
            page.append(behind[len(page)])
        end_s = getattr(page[-1], stamp) // 1000 if page else start_s
        comments = "comment_events" in request.query.get("include", "").split(",")
        records = [data.ticket_event(self.tables[stream], row, comments) if stream == "ticket_events" else self.render(stream, row)
                   for row in page]
        return {name: records, "count": len(records), "end_time": end_s, "end_of_stream": len(page) == len(behind),
                "next_page": f"{self.urls[0]}{request.path}?start_time={end_s}&per_page={size}"}

    # -- lists

    def visible(self, stream):
        """Rows a plain list shows, by id."""
        shows = data.LISTS.get(stream, (None, None, None))[2]
        rows = self.tables[stream].rows
        return rows if shows else [row for row in rows if row.deleted_ms is None]

    def page(self, request, key, rows, render):
        """One page of a list, in the style the request asks for."""
        if "page[size]" in request.query or "page[after]" in request.query:
            size = self.count(request, "page[size]", 100, 100)
            at = 0
            if request.query.get("page[after]"):
                try:
                    last = decode(request.query["page[after]"], 1)[0]
                except (ValueError, UnicodeDecodeError):
                    raise listed_error(400, "InvalidCursor", "Invalid cursor", "page[after] is not valid") from None
                at = next((i + 1 for i, row in enumerate(rows) if row.number == last), len(rows))
            page = rows[at:at + size]
            more = at + size < len(rows)
            cursor = encode(page[-1].number) if page else None
            following = f"{self.urls[0]}{request.path}?page[size]={size}&page[after]={cursor}" if more else None
            return {key: [render(row) for row in page], "meta": {"has_more": more, "after_cursor": cursor, "before_cursor": None},
                    "links": {"next": following, "prev": None}}
        size, number = self.count(request, "per_page", 100, 100), self.count(request, "page", 1, 1 << 40)
        if number * size > OFFSET_CAP:
            raise Refused(400, {"error": "InvalidPaginationDepth", "description": "Number of records requested is beyond 10,000"})
        page = rows[(number - 1) * size:number * size]
        more = number * size < len(rows)
        kept = "".join(f"&{name}={value}" for name, value in request.pairs if name not in ("page", "per_page"))
        return {key: [render(row) for row in page], "count": len(rows), "previous_page": None,
                "next_page": f"{self.urls[0]}{request.path}?page={number + 1}&per_page={size}{kept}" if more else None}

    @route("GET", r"/api/v2/([a-z_/]+?)(?:\.json)?")
    def plain_list(self, request, path):
        stream = next((name for name, facts in data.LISTS.items() if facts[0] == path), path)
        self.allow(stream)
        if stream == "search":
            return self.search(request)
        if stream == "search/export":
            return self.search_export(request)
        if stream == "ticket_metrics":
            rows = self.visible("tickets")
            return self.page(request, "ticket_metrics", rows, lambda row: data.ticket_metric(self.tables["tickets"], row))
        if stream == "deleted_users":
            rows = [row for row in self.tables["users"].rows if row.deleted_ms is not None]
            return self.page(request, "deleted_users", rows, lambda row: data.user(self.tables["users"], row))
        if stream == "ticket_audits":
            rows = sorted(self.tables[stream].rows, key=lambda row: (row.created_ms, row.number), reverse=True)
            return self.page(request, "audits", rows, lambda row: self.render(stream, row))
        if stream not in self.tables or stream in ("ticket_events", "ticket_metric_events"):
            raise self.not_found(request)
        rows = self.visible(stream)
        if stream == "satisfaction_ratings" and "start_time" in request.query:
            start_ms = int(request.query["start_time"]) * 1000
            rows = [row for row in rows if row.updated_ms >= start_ms]
        if request.query.get("sort_by") == "updated_at" and "page[size]" not in request.query:  # ignored with cursors
            rows = sorted(rows, key=lambda row: (row.updated_ms, row.number), reverse=request.query.get("sort_order") == "desc")
        return self.page(request, stream, rows, lambda row: self.render(stream, row))

    @route("GET", r"/api/v2/tickets/(\d+)(?:\.json)?")
    def one_ticket(self, request, number):
        row = self.tables["tickets"].get(int(number))
        if row is None or row.deleted_ms is not None:
            raise Refused(404, {"error": "RecordNotFound", "description": "Not found"})
        return {"ticket": self.render("tickets", row)}

    @route("GET", r"/api/v2/tickets/(\d+)/metrics(?:\.json)?")
    def one_metric(self, request, number):
        row = self.tables["tickets"].get(int(number))
        if row is None or row.deleted_ms is not None:
            raise Refused(404, {"error": "RecordNotFound", "description": "Not found"})
        return {"ticket_metric": data.ticket_metric(self.tables["tickets"], row)}

    def found(self, request):
        """Tickets of a search: `type:ticket` and updated>, updated>=, updated<, created> with an instant."""
        rows = self.visible("tickets")
        for word in request.query.get("query", "").split():
            for sign in (">=", "<=", ">", "<"):
                name, found, text = word.partition(sign)
                if found and name in ("updated", "created"):
                    at = parse_ms(text)
                    test = {">=": at.__le__, "<=": at.__ge__, ">": at.__lt__, "<": at.__gt__}[sign]
                    rows = [row for row in rows if test(getattr(row, name + "_ms") // 1000 * 1000)]
                    break
        return rows

    def search(self, request):
        size, number = self.count(request, "per_page", 100, 100), self.count(request, "page", 1, 1 << 40)
        if number * size > SEARCH_CAP:
            raise Refused(422, {"error": "Invalid search", "description": "Invalid search: Requested response size was greater than Search "
                                                                          "Response Limits"})
        return self.page(request, "results", self.found(request), lambda row: {**self.render("tickets", row), "result_type": "ticket"})

    def search_export(self, request):
        given = request.query.get("page[after]")
        made_ms = self.now_ms()
        if given:
            try:
                last, made_ms = decode(given, 2)
            except (ValueError, UnicodeDecodeError):
                raise listed_error(400, "InvalidCursor", "Invalid cursor", "page[after] is not valid") from None
            if self.now_ms() - made_ms > 3600000:
                raise listed_error(400, "InvalidCursor", "Invalid cursor", "the cursor has expired")
        rows, size = self.found(request), self.count(request, "page[size]", 100, 1000)
        rows = [row for row in rows if not given or row.number > last]
        page, more = rows[:size], len(rows) > size
        cursor = encode(page[-1].number, made_ms) if page else None
        return {"results": [{**self.render("tickets", row), "result_type": "ticket"} for row in page],
                "meta": {"has_more": more, "after_cursor": cursor}, "links": {"next": None}}

    # -- truth

    def streams(self):
        return sorted([*self.tables, "ticket_metrics", "ticket_comments", "deleted_users"])

    def oracle(self, stream):
        if stream == "ticket_metrics":
            rows = [data.ticket_metric(self.tables["tickets"], row) for row in self.tables["tickets"].live()]
            return {"key": ["id"], "rows": rows, "deleted": []}
        if stream == "ticket_comments":
            events = [self.render("ticket_events", row) for row in self.tables["ticket_events"].rows]
            rows = [{**child, "ticket_id": event["ticket_id"]} for event in events for child in event["child_events"]
                    if child["event_type"] == "Comment"]
            return {"key": ["id"], "rows": rows, "deleted": []}
        if stream == "deleted_users":
            return {"key": ["id"], "rows": [self.render("users", row) for row in self.tables["users"].rows if row.deleted_ms], "deleted": []}
        table = self.tables[stream]
        shows = stream in ("tickets", "users", "organizations") or data.LISTS.get(stream, (0, 0, None))[2]
        gone = [self.render(stream, row) for row in table.rows if shows and row.deleted_ms is not None]
        return {"key": ["name"] if stream == "tags" else ["id"], "rows": [self.render(stream, row) for row in table.live()], "deleted": gone}


if __name__ == "__main__":
    main(Zendesk)
