"""Bulk API 2.0 query jobs: a state by the clock, or by the control API; results in CSV pages by locator."""

import base64
import csv
import io

import data
from common.seeded import iso_millis

LIFE_MS = 7 * 86400000


class Job:
    """The results are those of the instant it was made."""

    def __init__(self, identity, body, name, columns, records, now_ms, pace):
        self.identity, self.body, self.name, self.columns, self.records, self.made_ms = identity, body, name, columns, records, now_ms
        self.pace = dict(pace)  # queue_s, run_s, hold
        self.error = None
        self.forced = None

    def state(self, now_ms):
        if self.forced:
            return self.forced
        if self.pace["hold"]:
            return "InProgress"
        passed_s = (now_ms - self.made_ms) / 1000
        if passed_s < self.pace["queue_s"]:
            return "UploadComplete"
        if passed_s < self.pace["queue_s"] + self.pace["run_s"]:
            return "InProgress"
        return "Failed" if self.error else "JobComplete"

    def describe(self, now_ms):
        state = self.state(now_ms)
        told = {"id": self.identity, "operation": self.body["operation"], "object": self.name, "createdById": data.identity("User", 1),
                "createdDate": iso_millis(self.made_ms, "+0000"), "systemModstamp": iso_millis(now_ms, "+0000"), "state": state,
                "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": 67.0, "lineEnding": self.body.get("lineEnding", "LF"),
                "columnDelimiter": self.body.get("columnDelimiter", "COMMA")}
        if state in ("JobComplete", "Failed", "InProgress"):
            told.update(numberRecordsProcessed=len(self.records) if state == "JobComplete" else 0, retries=0, totalProcessingTime=100)
        if state == "Failed":
            told["errorMessage"] = self.error or "stopped"
        return told

    def results(self, at, size):
        """One page with its header row -> (CSV, records, next locator or the text null)."""
        end = "\r\n" if self.body.get("lineEnding") == "CRLF" else "\n"
        out = io.StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=end)
        writer.writerow(self.columns)
        page = self.records[at:at + size]
        for record in page:
            writer.writerow(record)
        text = out.getvalue()
        following = at + size
        return text, len(page), encode_locator(following) if following < len(self.records) else "null"


def encode_locator(at):
    return base64.urlsafe_b64encode(f"loc{at}".encode()).decode().rstrip("=")


def decode_locator(text):
    """ValueError when it is none."""
    return int(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().removeprefix("loc"))
