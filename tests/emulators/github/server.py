#!/usr/bin/env python3
"""A server that behaves like GitHub's REST API. See README.md."""

import base64
import hashlib
import json
import os
import re
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import data  # noqa: E402
from common.limits import Bucket  # noqa: E402
from common.seeded import hexadecimal, iso_seconds, parse_ms  # noqa: E402
from common.server import Answer, Api, Refused, main, route  # noqa: E402
from common.table import Table  # noqa: E402
from common.tokens import Tokens  # noqa: E402

SEARCH_CAP = 1000
PAGES_CAP = 400
EVENTS_CAP = 300
PER_REPOSITORY = ("issues", "comments", "commits", "releases", "workflow_runs", "stargazers", "events", "branches")
DOCS = "https://docs.github.com/rest"


class GitHub(Api):
    name = "github"

    @classmethod
    def arguments(cls, parser):
        for kind, count in (("issues", 90), ("comments", 70), ("commits", 80), ("releases", 6), ("workflow-runs", 40), ("stargazers", 35),
                            ("events", 50), ("branches", 9)):
            parser.add_argument(f"--{kind}", type=int, default=count, help="per repository")
        parser.add_argument("--same-stamp", action="store_true")
        parser.add_argument("--tokens", type=int, default=1, help="personal access tokens, each of a user of its own")

    def __init__(self, options):
        super().__init__(options)
        full = [name for name, kind in data.REPOSITORIES.items() if kind is None]
        for name in full:
            for kind in PER_REPOSITORY:
                self.tables[f"{name}/{kind}"] = Table(f"{name}/{kind}", getattr(options, kind), options.seed, self.clock, options.same_stamp)
        self.tables.update(repositories=Table("repositories", len(data.REPOSITORIES), options.seed, self.clock),
                           members=Table("members", 12, options.seed, self.clock), teams=Table("teams", 4, options.seed, self.clock))
        self.buckets = {f"{name}{self.user(number)}": Bucket(limit, per_s) for number in range(options.tokens)
                        for name, limit, per_s in (("core", 5000, 3600), ("search", 30, 60), ("points", 900, 60))}
        self.concurrent = 100
        self.tokens = Tokens("github", self.clock, options.seed, 3600, rotates=False)
        self.app = "4711"
        self.secrets = ["ghp_" + hexadecimal(36, options.seed, "github", *([number] if number else [])) for number in range(options.tokens)]
        self.gone = set()  # tokens by number that were revoked
        self.pending = {}  # repository -> how often its statistics are still pending

    @staticmethod
    def user(number):
        """What the names of a user's limits end in: nothing of the first one's."""
        return f"-{number}" if number else ""

    # -- gates

    def error(self, status, message, headers=None, **more):
        return Refused(status, {"message": message, "documentation_url": DOCS, "status": str(status), **more}, headers)

    def not_found(self, request):
        return self.error(404, "Not Found")

    def authorize(self, request, facts):
        if not request.headers.get("User-Agent"):
            raise Refused(403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        number = self.secrets.index(token) if token in self.secrets else None
        known = number is not None and number not in self.gone and not self.tokens.revoked or self.tokens.state(token) == "good"
        request.user = self.user(number or 0)
        if scheme.lower() not in ("bearer", "token") or not known:
            raise self.error(401, "Bad credentials" if token else "Requires authentication")

    def limit(self, request, facts):
        """The primary limit is taken in `finish`, since a 304 is free; here it is only asked whether anything is left."""
        now_ms = self.now_ms()
        request.bucket = facts.get("limit", "core") + request.user
        points = self.buckets["points" + request.user]
        bucket = self.buckets[request.bucket]
        bucket.settle(now_ms)
        if not bucket.remaining():
            bucket.refused += 1
            raise self.error(403, "API rate limit exceeded for user ID 1.")
        if self.in_flight > self.concurrent or not points.take(now_ms, 1 if request.method == "GET" else 5):
            wait = self.wait_headers(max(1, points.reset_s(now_ms)))
            raise self.error(403, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", wait)

    def finish(self, request, answer):
        if answer.status == 200 and request.method == "GET" and answer.kind.startswith("application/json"):
            tag = 'W/"' + hashlib.sha256(answer.data() + answer.headers.get("Link", "").encode()).hexdigest() + '"'
            answer.headers["ETag"] = tag
            if request.headers.get("If-None-Match") == tag:
                answer.status, answer.body = 304, None
        if request.bucket:
            now_ms, bucket = self.now_ms(), self.buckets[request.bucket]
            if answer.status not in (304, 401, 429) and not (answer.status == 403 and not bucket.remaining()):
                bucket.take(now_ms)
            answer.headers.update({
                "x-ratelimit-limit": str(bucket.limit), "x-ratelimit-remaining": str(bucket.remaining()), "x-ratelimit-used": str(bucket.used),
                "x-ratelimit-reset": str((now_ms + bucket.reset_ms(now_ms)) // 1000 + 1), "x-ratelimit-resource": request.bucket.partition("-")[0]})

    def control_more(self, spec):
        """concurrent: n, pending: {repository: n}, revoke_token: n"""
        if "revoke_token" in spec:
            self.gone.add(int(spec.pop("revoke_token")))
        self.concurrent = spec.pop("concurrent", self.concurrent)
        self.pending.update(spec.pop("pending", {}))
        return super().control_more(spec)

    # -- pages

    def paged(self, request, rows, render, cap=None, wrap=None):
        """One page with its Link header. A page past the end is empty."""
        size, number = (request.query.get(name, default) for name, default in (("per_page", "30"), ("page", "1")))
        size = min(max(int(size), 1), 100) if size.isdigit() else 30
        number = max(int(number), 1) if number.isdigit() else 1
        if cap is not None and (number - 1) * size >= cap:
            raise self.error(422, f"Only the first {cap} search results are available")
        if number > PAGES_CAP:
            raise self.error(422, "In order to keep the API fast for everyone, pagination is limited for this resource.")
        reached = rows[:cap] if cap is not None else rows
        last = max(1, -(-len(reached) // size))
        kept = [(name, value) for name, value in request.pairs if name not in ("page", "per_page")]

        def link(page, rel):
            query = urllib.parse.urlencode([*kept, ("per_page", size), ("page", page)])
            return f'<{self.urls[0]}{request.path}?{query}>; rel="{rel}"'
        links = [link(number - 1, "prev")] * (number > 1) + [link(number + 1, "next"), link(last, "last")] * (number < last) \
            + [link(1, "first")] * (number > 1)
        if request.fault.get("token_loop"):
            links = [link(number, "next")]
        page = reached[(number - 1) * size:number * size]
        records = [render(row) for row in page]
        return Answer(wrap(records, len(rows)) if wrap else records, headers={"Link": ", ".join(links)} if links else {})

    def since(self, request, rows, stamp):
        text = request.query.get("since")
        if not text:
            return rows
        try:
            at = parse_ms(text)
        except ValueError:
            raise self.error(422, "Validation Failed", errors=[{"field": "since", "code": "invalid"}]) from None
        return [row for row in rows if getattr(row, stamp) // 1000 * 1000 >= at]

    def sorted(self, request, rows, default="created"):
        stamp = {"updated": "updated_ms"}.get(request.query.get("sort", default), "created_ms")
        return sorted(rows, key=lambda row: (getattr(row, stamp) // 1000, row.number), reverse=request.query.get("direction", "desc") == "desc")

    def repository(self, owner, name):
        """Raises unless the repository can be read."""
        kind = data.REPOSITORIES.get(name, "missing")
        if owner != data.OWNER or kind == "missing" or name in self.missing:
            raise self.error(404, "Not Found")
        if name in self.forbidden:
            raise self.error(403, "Resource not accessible by personal access token")
        if kind == "blocked":
            raise self.error(451, "Repository access blocked", block={"reason": "dmca"})
        return kind

    def rows(self, owner, name, kind):
        return [] if self.repository(owner, name) == "empty" else self.tables[f"{name}/{kind}"].live()

    @staticmethod
    def base(name):
        """What urls in records begin with: the real host, so that the records do not hang on our port."""
        return f"https://api.github.com/repos/{data.OWNER}/{name}"

    # -- account

    @route("POST", r"/app/installations/(\d+)/access_tokens", public=True)
    def installation_token(self, request, installation):
        """The claims of an app's JWT; its signature is not verified."""
        try:
            head, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
                            for part in request.headers.get("Authorization", "").removeprefix("Bearer ").split(".")[:2])
            good = head["alg"] == "RS256" and str(claims["iss"]) == self.app and 0 < claims["exp"] - self.now_ms() / 1000 <= 600
        except (ValueError, KeyError, TypeError):
            good = False
        if not good or self.tokens.revoked:
            raise self.error(401, "A JSON web token could not be decoded")
        token = self.tokens.grant()
        return Answer({"token": token, "expires_at": iso_seconds(self.tokens.ends[token]), "permissions": {"issues": "read"}}, 201)

    @route("GET", r"/rate_limit")
    def rate_limit(self, request):
        own = {name: self.buckets[name + request.user] for name in ("core", "search")}
        return {"resources": {name: {"limit": bucket.limit, "remaining": bucket.remaining(), "used": bucket.used} for name, bucket in own.items()}}

    @route("GET", r"/orgs/([^/]+)/(repos|members|teams)")
    def organization(self, request, owner, what):
        if owner != data.OWNER:
            raise self.error(404, "Not Found")
        table = self.tables[{"repos": "repositories"}.get(what, what)]
        names = list(data.REPOSITORIES)
        render = {"repos": lambda row: data.repository(table, row, names), "members": lambda row: data.member(table, row),
                  "teams": lambda row: data.team(table, row)}[what]
        return self.paged(request, table.live(), render)

    # -- a repository

    @route("GET", r"/repos/([^/]+)/([^/]+)/issues")
    def issues(self, request, owner, name):
        rows = self.since(request, self.rows(owner, name, "issues"), "updated_ms")
        state, table = request.query.get("state", "open"), self.tables.get(f"{name}/issues")
        if state != "all":
            rows = [row for row in rows if data.pull(table, row)["state"] == state]
        return self.paged(request, self.sorted(request, rows), lambda row: data.issue(table, row, self.base(name)))

    @route("GET", r"/repos/([^/]+)/([^/]+)/issues/comments")
    def comments(self, request, owner, name):
        rows, table = self.since(request, self.rows(owner, name, "comments"), "updated_ms"), self.tables.get(f"{name}/comments")
        request.query.setdefault("direction", "asc")
        return self.paged(request, self.sorted(request, rows), lambda row: data.comment(table, row, self.base(name), self.options.issues))

    @route("GET", r"/repos/([^/]+)/([^/]+)/pulls")
    def pulls(self, request, owner, name):
        """No `since` here: by updated, newest first, and stop."""
        table, state = self.tables.get(f"{name}/issues"), request.query.get("state", "open")
        rows = [row for row in self.rows(owner, name, "issues") if data.is_pull(table, row)]
        if state != "all":
            rows = [row for row in rows if data.pull(table, row)["state"] == state]
        return self.paged(request, self.sorted(request, rows), lambda row: data.pull(table, row))

    @route("GET", r"/repos/([^/]+)/([^/]+)/pulls/(\d+)/reviews")
    def reviews(self, request, owner, name, number):
        self.repository(owner, name)
        table = self.tables.get(f"{name}/issues")
        row = table.get(int(number)) if table else None
        if row is None or row.deleted_ms is not None or not data.is_pull(table, row):
            raise self.error(404, "Not Found")
        return self.paged(request, range(table.bits(row) % 3), lambda count: data.review(table, row, count))

    @route("GET", r"/repos/([^/]+)/([^/]+)/commits")
    def commits(self, request, owner, name):
        if self.repository(owner, name) == "empty":
            raise self.error(409, "Git Repository is empty.")
        rows = self.since(request, self.rows(owner, name, "commits"), "created_ms")
        rows = sorted(rows, key=lambda row: (row.created_ms // 1000, row.number), reverse=True)
        return self.paged(request, rows, lambda row: data.commit(self.tables[f"{name}/commits"], row))

    @route("GET", r"/repos/([^/]+)/([^/]+)/(releases|events)")
    def newest_first(self, request, owner, name, kind):
        rows = sorted(self.rows(owner, name, kind), key=lambda row: (row.created_ms, row.number), reverse=True)
        render = {"releases": data.release, "events": data.event}[kind]
        rows = rows[:EVENTS_CAP] if kind == "events" else rows
        return self.paged(request, rows, lambda row: render(self.tables[f"{name}/{kind}"], row))

    @route("GET", r"/repos/([^/]+)/([^/]+)/actions/runs")
    def runs(self, request, owner, name):
        """`created` is >=a, <=a, or a..b; what it finds is capped."""
        rows, text = self.rows(owner, name, "workflow_runs"), request.query.get("created", "")
        try:
            low, high = text.split("..") if ".." in text else (text[2:], "*") if text.startswith(">=") else ("*", text[2:]) if text else ("*", "*")
            low, high = 0 if low == "*" else parse_ms(low), 1 << 60 if high == "*" else parse_ms(high)
        except ValueError:
            raise self.error(422, "Validation Failed") from None
        rows = [row for row in rows if low <= row.created_ms // 1000 * 1000 <= high]
        rows.sort(key=lambda row: (row.created_ms, row.number), reverse=True)
        return self.paged(request, rows, lambda row: data.run(self.tables[f"{name}/workflow_runs"], row), SEARCH_CAP if text else None,
                          lambda records, total: {"total_count": total, "workflow_runs": records})

    @route("GET", r"/repos/([^/]+)/([^/]+)/stargazers")
    def stargazers(self, request, owner, name):
        """With starred_at only under the media type that asks for it."""
        table, starred = self.tables.get(f"{name}/stargazers"), "star+json" in request.headers.get("Accept", "")
        return self.paged(request, self.rows(owner, name, "stargazers"),
                          lambda row: data.star(table, row) if starred else data.star(table, row)["user"])

    @route("GET", r"/repos/([^/]+)/([^/]+)/branches")
    def branches(self, request, owner, name):
        return self.paged(request, self.rows(owner, name, "branches"), lambda row: data.branch(self.tables[f"{name}/branches"], row))

    @route("GET", r"/repos/([^/]+)/([^/]+)/stats/contributors")
    def statistics(self, request, owner, name):
        self.repository(owner, name)
        if self.pending.setdefault(name, 1) > 0:
            self.pending[name] -= 1
            return Answer({}, 202)
        return [{"author": {"login": "user-1", "id": 1}, "total": len(self.rows(owner, name, "commits")), "weeks": []}]

    @route("GET", r"/search/issues", limit="search")
    def search(self, request):
        """q: repo:OWNER/NAME, updated:>=instant."""
        found = re.search(r"repo:([^/ ]+)/(\S+)", request.query.get("q", ""))
        if not found:
            raise self.error(422, "Validation Failed", errors=[{"field": "q", "code": "missing"}])
        rows, name = self.rows(found[1], found[2], "issues"), found[2]
        after = re.search(r"updated:>=(\S+)", request.query["q"])
        if after:
            rows = [row for row in rows if row.updated_ms // 1000 * 1000 >= parse_ms(after[1])]
        return self.paged(request, self.sorted(request, rows), lambda row: data.issue(self.tables[f"{name}/issues"], row, self.base(name)), SEARCH_CAP,
                          lambda records, total: {"total_count": total, "incomplete_results": False, "items": records})

    # -- truth

    def streams(self):
        return ["repositories", "members", "teams", "pulls", "reviews", *PER_REPOSITORY]

    def oracle(self, stream):
        """Rows of all repositories; each has `repository` beside what the API tells."""
        if stream in ("repositories", "members", "teams"):
            table, names = self.tables[stream], list(data.REPOSITORIES)
            render = {"repositories": lambda row: data.repository(table, row, names), "members": lambda row: data.member(table, row),
                      "teams": lambda row: data.team(table, row)}[stream]
            return {"key": ["id"], "rows": [render(row) for row in table.live()], "deleted": []}
        rows = []
        for name, kind in data.REPOSITORIES.items():
            if kind is None and name not in self.missing and name not in self.forbidden:
                rows += [{**record, "repository": f"{data.OWNER}/{name}"} for record in self.records(stream, name)]
        key = {"commits": ["repository", "sha"], "stargazers": ["repository", "user.id"], "branches": ["repository", "name"]}.get(stream, ["id"])
        return {"key": key, "rows": rows, "deleted": []}

    def records(self, stream, name):
        table = self.tables[f"{name}/{'issues' if stream in ('pulls', 'reviews') else stream}"]
        rows, base = table.live(), self.base(name)
        if stream == "events":
            rows = sorted(rows, key=lambda row: (row.created_ms, row.number), reverse=True)[:EVENTS_CAP]
        if stream in ("pulls", "reviews"):
            rows = [row for row in rows if data.is_pull(table, row)]
        if stream == "reviews":
            return [{**data.review(table, row, count), "pull_number": row.number} for row in rows for count in range(table.bits(row) % 3)]
        render = {"issues": lambda t, r: data.issue(t, r, base), "comments": lambda t, r: data.comment(t, r, base, self.options.issues),
                  "pulls": data.pull, "commits": data.commit, "releases": data.release, "workflow_runs": data.run, "stargazers": data.star,
                  "events": data.event, "branches": data.branch}[stream]
        return [render(table, row) for row in rows]


if __name__ == "__main__":
    main(GitHub)
