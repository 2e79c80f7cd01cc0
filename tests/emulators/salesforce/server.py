#!/usr/bin/env python3
"""A server that behaves like Salesforce: a login host and an instance, on two ports. See README.md."""

import base64
import email.utils
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import data  # noqa: E402
import jobs  # noqa: E402
import soql  # noqa: E402
from common.limits import Bucket  # noqa: E402
from common.seeded import hexadecimal, iso_millis, parse_ms  # noqa: E402
from common.server import Answer, Api, Refused, Request, main, route  # noqa: E402
from common.table import START_MS, Table  # noqa: E402
from common.tokens import Tokens  # noqa: E402

VERSION = "v67.0"
BASE = f"/services/data/{VERSION}"
URI_MAX = 16384
WIDE_FIELDS, WIDE_BATCH = 200, 200  # a query of more fields gives so many records at a time, whatever it asks for
LOCATORS_MAX = 10
LOCATOR_MS = 2 * 86400000
RECYCLE_MS = 15 * 86400000


def refuse(status, code, message, **more):
    """API errors are arrays."""
    return Refused(status, [{"message": message, "errorCode": code, **more}])


class Salesforce(Api):
    name = "salesforce"
    ports = 2  # login host, instance

    @classmethod
    def arguments(cls, parser):
        parser.add_argument("--accounts", type=int, default=data.OBJECTS["Account"])
        parser.add_argument("--wide", type=int, default=0, help="so many more text fields per object")
        parser.add_argument("--same-stamp", action="store_true", help="all first records of an object share one SystemModstamp")
        parser.add_argument("--session-ttl", type=int, default=7200, help="seconds; no answer tells it")
        parser.add_argument("--rotate", action="store_true", help="each refresh brings a new refresh token and ends the old one")
        parser.add_argument("--bulk-queue-s", type=float, default=0.05)
        parser.add_argument("--bulk-run-s", type=float, default=0.05)

    def __init__(self, options):
        super().__init__(options)
        self.tables = {name: Table(name, options.accounts if name == "Account" else count, options.seed, self.clock, options.same_stamp)
                       for name, count in data.OBJECTS.items()}
        self.fields = {name: data.fields(name, options.wide) for name in data.OBJECTS}
        self.buckets = {"api": Bucket(100000, 86400, sliding=True), "bulk-jobs": Bucket(10000, 86400, sliding=True)}
        self.concurrent = 25
        self.tokens = Tokens("salesforce", self.clock, options.seed, options.session_ttl, rotates=options.rotate)
        self.client = ("salesforce-test-client", "salesforce-test-client-secret")
        self.secrets = [self.client[1]]
        self.locators, self.jobs, self.jobs_made = {}, {}, 0
        self.pace = {"queue_s": options.bulk_queue_s, "run_s": options.bulk_run_s, "hold": False, "fail": 0}
        self.query_timeout_days = None

    # -- gates

    def authorize(self, request, facts):
        if request.port != int(self.urls[1].rpartition(":")[2]):
            raise Refused(404, "<html><body>URL No Longer Exists</body></html>")
        if len(request.target) > URI_MAX:
            raise Refused(414, "<html><body>URI Too Long</body></html>")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or self.tokens.state(token) != "good":
            raise refuse(401, "INVALID_SESSION_ID", "Session expired or invalid")
        self.tokens.ends[token] = self.now_ms() + self.options.session_ttl * 1000  # it lives on while it is used

    def limit(self, request, facts):
        if facts.get("public"):
            return
        request.bucket = "api"
        if not self.buckets["api"].take(self.now_ms()):
            raise refuse(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if self.in_flight > self.concurrent:
            raise refuse(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")

    def finish(self, request, answer):
        answer.headers["Sforce-Limit-Info"] = f"api-usage={self.buckets['api'].used}/{self.buckets['api'].limit}"

    def not_found(self, request):
        return refuse(404, "NOT_FOUND", "The requested resource does not exist")

    def control_more(self, spec):
        """jobs: {queue_s, run_s, hold, fail: n, states: {id: state}}, concurrent: n, query_timeout_days: n or null"""
        change = spec.pop("jobs", {})
        for identity, state in change.pop("states", {}).items():
            self.jobs[identity].forced = state
        self.pace.update(change)
        for job in self.jobs.values():
            job.pace["hold"] = self.pace["hold"]
        self.concurrent = spec.pop("concurrent", self.concurrent)
        self.query_timeout_days = spec.pop("query_timeout_days", self.query_timeout_days)
        return super().control_more(spec)

    # -- OAuth, on the login host

    @route("POST", r"/services/oauth2/token", public=True)
    def token(self, request):
        asked = request.form()
        grant = asked.get("grant_type")
        basic = "Basic " + base64.b64encode(":".join(self.client).encode()).decode()
        if grant == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            self.check_assertion(asked.get("assertion", ""))
        elif (asked.get("client_id"), asked.get("client_secret")) != self.client and request.headers.get("Authorization") != basic:
            raise Refused(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
        elif grant == "refresh_token":
            if asked.get("refresh_token") != self.tokens.refresh or self.tokens.revoked:
                raise Refused(400, {"error": "invalid_grant", "error_description": "expired access/refresh token"})
        elif grant != "client_credentials":
            raise Refused(400, {"error": "unsupported_grant_type", "error_description": "grant type not supported"})
        access = self.tokens.grant(rotates=self.options.rotate and grant == "refresh_token")
        answer = {"access_token": access, "instance_url": self.urls[1], "id": f"{self.urls[0]}/id/00D5e000000001/0055e000000001", "token_type":
                  "Bearer", "issued_at": str(self.now_ms()), "signature": hexadecimal(43, access), "scope": "api refresh_token"}
        if grant == "refresh_token" and self.options.rotate:
            answer["refresh_token"] = self.tokens.refresh
        return answer

    def check_assertion(self, text):
        """The claims of a JWT; its signature is not verified."""
        try:
            head, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in text.split(".")[:2])
            good = head["alg"] == "RS256" and claims["iss"] == self.client[0] and claims["sub"] and \
                0 < claims["exp"] - self.now_ms() / 1000 <= 240
        except (ValueError, KeyError, TypeError):
            good = False
        if not good:
            raise Refused(400, {"error": "invalid_grant", "error_description": "user hasn't approved this consumer"})

    # -- describe

    def known(self, name):
        if name in self.missing or name not in self.fields:
            raise refuse(404, "NOT_FOUND", "The requested resource does not exist")
        return name

    @route("GET", r"/services/data/?")
    def versions(self, request):
        return [{"label": "Summer '26", "url": BASE, "version": VERSION[1:]}]

    @route("GET", BASE + r"/limits/?")
    def limits(self, request):
        for bucket in self.buckets.values():
            bucket.settle(self.now_ms())
        return {"DailyApiRequests": {"Max": self.buckets["api"].limit, "Remaining": self.buckets["api"].remaining()},
                "DailyBulkV2QueryJobs": {"Max": self.buckets["bulk-jobs"].limit, "Remaining": self.buckets["bulk-jobs"].remaining()},
                "DailyBulkV2QueryFileStorageMB": {"Max": 976562, "Remaining": 976562}}

    @route("GET", BASE + r"/sobjects/?")
    def sobjects(self, request):
        return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [data.summary(name) for name in [*data.OBJECTS, *data.RESTRICTED]
                                                                       if name not in self.missing]}

    @route("GET", BASE + r"/sobjects/([A-Za-z0-9_]+)/describe/?")
    def describe(self, request, name):
        modified = email.utils.formatdate(START_MS / 1000, usegmt=True)
        since = request.headers.get("If-Modified-Since")
        if since and email.utils.parsedate_to_datetime(since).timestamp() * 1000 >= START_MS:
            return Answer(None, 304, {"Last-Modified": modified})
        if name in data.RESTRICTED:
            return {**data.summary(name), "fields": []}
        return Answer({**data.summary(self.known(name)), "fields": list(self.fields[name].values())}, headers={"Last-Modified": modified})

    @route("POST", BASE + r"/composite/batch/?")
    def batch(self, request):
        asked = (request.json() or {}).get("batchRequests", [])
        if len(asked) > 25:
            raise refuse(400, "LIMIT_EXCEEDED", "at most 25 requests")
        results = []
        for one in asked:
            inner = Request(one.get("method", "GET"), "/services/data/" + one["url"].lstrip("/"), request.headers, b"", request.port, {})
            answer = self.dispatch(inner)
            results.append({"statusCode": answer.status, "result": answer.body})
        return {"hasErrors": any(one["statusCode"] >= 400 for one in results), "results": results}

    @route("GET", BASE + r"/sobjects/([A-Za-z0-9_]+)/deleted/?")
    def deleted(self, request, name):
        table = self.tables[self.known(name)]
        try:
            start, end = (parse_ms(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", request.query[key])) for key in ("start", "end"))
        except (KeyError, ValueError):
            raise refuse(400, "INVALID_FIELD", "start and end must be dates") from None
        if end - start >= 30 * 86400000 or end <= start:
            raise refuse(400, "INVALID_REPLICATION_DATE", "the range must be positive and less than 30 days")
        latest = min(end, self.now_ms())
        gone = [row for row in table.rows if row.deleted_ms is not None and start <= row.deleted_ms < latest]
        return {"deletedRecords": [{"id": data.identity(name, row.number), "deletedDate": iso_millis(row.deleted_ms, "+0000")} for row in gone],
                "earliestDateAvailable": iso_millis(START_MS, "+0000"), "latestDateCovered": iso_millis(latest // 1000 * 1000, "+0000")}

    # -- queries

    def visible(self, row, with_deleted):
        return row.deleted_ms is None or (with_deleted and self.now_ms() - row.deleted_ms < RECYCLE_MS)

    def select(self, text, with_deleted):
        """A query -> (query, its object's rows in order, its columns)."""
        try:
            query = soql.Query(text)
        except soql.BadQuery as bad:
            raise refuse(400, bad.code, str(bad)) from None
        name = query.object
        if name in data.RESTRICTED:
            raise refuse(400, "MALFORMED_QUERY", f"Implementation restriction: {name} requires a filter by a single Id")
        if name not in self.fields or name in self.missing:
            raise refuse(400, "INVALID_TYPE", f"sObject type '{name}' is not supported.")
        if name in self.forbidden:
            raise refuse(403, "INSUFFICIENT_ACCESS", f"no access to {name}")
        known = {field.lower(): field for field in self.fields[name]}

        def resolve(field):
            if field.lower() not in known:
                raise refuse(400, "INVALID_FIELD", f"\nSELECT {field} FROM {name}\n       ^\nERROR at Row:1:Column:8\nNo such column '{field}' "
                                                   f"on entity '{name}'.")
            return known[field.lower()]
        if query.all_fields and (query.limit is None or query.limit > 200):
            raise refuse(400, "MALFORMED_QUERY", "The SOQL FIELDS function must have a LIMIT of at most 200")
        columns = list(self.fields[name]) if query.all_fields else [] if query.counts else [resolve(field) for field in query.fields]
        table, kinds = self.tables[name], {field: facts["type"] for field, facts in self.fields[name].items()}

        def cell(row, field):
            return data.value(name, table, row, field, kinds[field])
        rows = [row for row in table.rows if self.visible(row, with_deleted)]
        self.check_span(query)
        for field, sign, wanted in query.conditions:
            field = resolve(field)
            if not self.fields[name][field]["filterable"]:
                raise refuse(400, "INVALID_FIELD", f"field '{field}' can not be filtered in a query call")
            if kinds[field] == "datetime" and isinstance(wanted, (str, float)):
                raise refuse(400, "INVALID_FIELD", f"value of filter criterion for field '{field}' must be of type dateTime")
            try:
                rows = [row for row in rows if soql.holds(sign, cell(row, field), wanted)]
            except TypeError:
                raise refuse(400, "INVALID_FIELD", f"value of filter criterion for field '{field}' is of another type") from None
        for field, descending in reversed(query.order):
            field = resolve(field)
            rows.sort(key=lambda row: (cell(row, field) is not None, cell(row, field) if cell(row, field) is not None else 0), reverse=descending)
        return query, rows[:query.limit] if query.limit is not None else rows, columns

    def check_span(self, query):
        """`query_timeout_days`: a range of instants that is wider takes too long."""
        bounds = {sign[0]: wanted for _, sign, wanted in query.conditions if sign in ("<", "<=", ">", ">=") and isinstance(wanted, int)}
        if self.query_timeout_days is not None and bounds and \
                bounds.get("<", self.now_ms()) - bounds.get(">", START_MS) > self.query_timeout_days * 86400000:
            raise refuse(400, "QUERY_TIMEOUT", "Your query request was running for too long.")

    def render(self, name, row, columns):
        kinds = self.fields[name]
        url = f"{BASE}/sobjects/{name}/{data.identity(name, row.number)}"
        return {"attributes": {"type": name, "url": url}, **{
            field: data.as_json(kinds[field]["type"], data.value(name, self.tables[name], row, field, kinds[field]["type"])) for field in columns}}

    @route("GET", BASE + r"/(query|queryAll)/?")
    def query(self, request, verb):
        query, rows, columns = self.select(request.query.get("q", ""), verb == "queryAll")
        if query.counts:
            return {"totalSize": len(rows), "done": True, "records": []}
        found = re.search(r"batchSize=(\d+)", request.headers.get("Sforce-Query-Options", ""))
        size = max(200, min(2000, int(found[1]))) if found else 2000
        size = min(size, WIDE_BATCH) if len(columns) > WIDE_FIELDS else size
        if len(rows) <= size:
            return self.batch_of(query.object, rows, columns, 0, size, None)
        while len(self.locators) >= LOCATORS_MAX:
            del self.locators[next(iter(self.locators))]
        locator = "01g5e" + hexadecimal(13, self.options.seed, "locator", self.requests)
        self.locators[locator] = (query.object, rows, columns, size, self.now_ms())
        return self.batch_of(query.object, rows, columns, 0, size, locator)

    def batch_of(self, name, rows, columns, at, size, locator):
        page, done = rows[at:at + size], at + size >= len(rows)
        answer = {"totalSize": len(rows), "done": done}
        if not done:
            answer["nextRecordsUrl"] = f"{BASE}/query/{locator}-{at + size}"
        return {**answer, "records": [self.render(name, row, columns) for row in page]}

    @route("GET", BASE + r"/(?:query|queryAll)/(01g[0-9a-zA-Z]+)-(\d+)")
    def more(self, request, locator, at):
        found = self.locators.get(locator)
        if found is None or self.now_ms() - found[4] > LOCATOR_MS:
            raise refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        name, rows, columns, size, _ = found
        return self.batch_of(name, rows, columns, int(at), size, locator)

    # -- Bulk API 2.0

    @route("POST", BASE + r"/jobs/query/?")
    def create_job(self, request):
        body = request.json()
        if body is None or body.get("operation") not in ("query", "queryAll"):
            raise refuse(400, "INVALIDJOB", "operation must be query or queryAll")
        if not self.buckets["bulk-jobs"].take(self.now_ms()):
            raise refuse(400, "LIMIT_EXCEEDED", "Max number of query jobs in 24 hours exceeded")
        query, rows, columns = self.select(body.get("query", ""), body["operation"] == "queryAll")
        if query.object in data.BULK_UNSUPPORTED:
            raise refuse(400, "INVALIDENTITY", f"Entity '{query.object}' is not supported by the Bulk API.")
        if query.counts or query.all_fields:
            raise refuse(400, "API_ERROR", "Aggregate Relationship not supported in Bulk Query")
        kinds, table = self.fields[query.object], self.tables[query.object]
        self.jobs_made += 1
        identity = "7505e" + "%010dAAA" % self.jobs_made
        records = [[data.as_csv(kinds[field]["type"], data.value(query.object, table, row, field, kinds[field]["type"])) for field in columns]
                   for row in rows]
        job = self.jobs[identity] = jobs.Job(identity, body, query.object, columns, records, self.now_ms(), self.pace)
        if any(kinds[field]["type"] in data.COMPOUND for field in columns):
            job.error = "FeatureNotEnabled : Selecting compound data not supported in Bulk Query"
        elif any(kinds[field]["type"] == "base64" for field in columns):
            job.error = "InvalidBatch : Selecting base64 data not supported in Bulk Query"
        elif self.pace["fail"] > 0:
            self.pace["fail"] -= 1
            job.error = "InternalServerError : Retried more than fifteen times"
        return job.describe(self.now_ms())

    def job(self, identity):
        job = self.jobs.get(identity)
        if job is None or self.now_ms() - job.made_ms > jobs.LIFE_MS:
            raise refuse(404, "NOT_FOUND", "The requested resource does not exist")
        return job

    @route("GET", BASE + r"/jobs/query/([0-9A-Za-z]+)/?")
    def poll_job(self, request, identity):
        return self.job(identity).describe(self.now_ms())

    @route("PATCH", BASE + r"/jobs/query/([0-9A-Za-z]+)/?")
    def abort_job(self, request, identity):
        job = self.job(identity)
        if (request.json() or {}).get("state") != "Aborted" or job.state(self.now_ms()) not in ("UploadComplete", "InProgress"):
            raise refuse(400, "INVALIDJOBSTATE", "only a running job can be aborted")
        job.forced = "Aborted"
        return job.describe(self.now_ms())

    @route("DELETE", BASE + r"/jobs/query/([0-9A-Za-z]+)/?")
    def delete_job(self, request, identity):
        if self.job(identity).state(self.now_ms()) in ("UploadComplete", "InProgress"):
            raise refuse(400, "API_ERROR", "the job is still running")
        del self.jobs[identity]
        return Answer(None, 204)

    @route("GET", BASE + r"/jobs/query/([0-9A-Za-z]+)/results/?")
    def results(self, request, identity):
        job = self.job(identity)
        if job.state(self.now_ms()) != "JobComplete":
            raise refuse(400, "INVALIDJOBSTATE", "the job has no results yet")
        locator, most = request.query.get("locator", ""), request.query.get("maxRecords", "50000")
        try:
            at = jobs.decode_locator(locator) if locator else 0
        except (ValueError, UnicodeDecodeError):
            raise refuse(400, "INVALID_QUERY_LOCATOR", "invalid locator") from None
        text, count, following = job.results(at, max(1, int(most)) if most.isdigit() else 50000)
        return Answer(text, headers={"Sforce-Locator": following, "Sforce-NumberOfRecords": str(count)}, kind="text/csv; charset=UTF-8")

    # -- truth

    def oracle(self, stream):
        table, columns = self.tables[stream], list(self.fields[stream])
        gone = [] if stream in data.NO_ISDELETED else [row for row in table.rows if row.deleted_ms is not None and self.visible(row, True)]
        return {"key": ["Id"], "rows": [self.render(stream, row, columns) for row in table.live()],
                "deleted": [self.render(stream, row, columns) for row in gone]}


if __name__ == "__main__":
    main(Salesforce)
