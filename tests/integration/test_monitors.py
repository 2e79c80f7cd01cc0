"""Monitors and alerts: who is to know is told once, again while it lasts, and when it is over; nobody else waits for that."""

import http.server
import json
import socket
import threading

import pytest

from feed import Feed
from test_serve import ROWS, Service, configure, has_ended, target_of, wait_until
from test_serve_api import Api


class Listener:
    """A server that takes alerts; it answers with `status`, after `hold` is set when there is one."""

    def __init__(self, status=200, hold=None):
        self.texts, self.status, self.hold = [], status, hold
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                listener.texts.append(body["text"])
                if listener.hold:
                    listener.hold.wait(60)
                self.send_response(listener.status)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/T0/secret-of-the-url"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_a_failure_is_told_and_its_end(work, database):
    answers = [(401, {})]
    seen = work.folder / "seen.json"
    with Feed(lambda path, query: answers[0]) as feed, Listener() as listener:
        configure(work, feed, target_of(database), {"p": {"schedule": "24h"}, "q": {}}, alerts=[
            {"webhook": listener.url, "allow_private": True}, {"command": ["/bin/sh", "-c", f"cat >> {seen}; echo >> {seen}"]},
            {"command": ["/bin/false"], "on": ["volume"]}])
        with Service(work) as service:
            api = Api(service)
            wait_until(lambda: listener.texts and seen.exists())
            assert listener.texts[0].startswith("p: the newest sync failed: ") and "401" in listener.texts[0]
            assert [(alert["pipeline"], alert["kind"]) for alert in api.get("/api/v1/alerts")["alerts"]] == [("p", "failed")]
            assert "failed: p: the newest sync failed" in work.run("status").out
            answers[0] = ROWS
            api.post("/api/v1/pipelines/p/jobs", status=202)
            wait_until(lambda: len(listener.texts) == 2)
            assert listener.texts[1].startswith("p: well again; it was: the newest sync failed")
            wait_until(lambda: api.get("/api/v1/alerts")["alerts"] == [])
            wait_until(lambda: seen.read_text().count("\n") == 2)  # the command is told after the webhook
            told = [json.loads(line) for line in seen.read_text().splitlines()]
            assert [(alert["pipeline"], alert["kind"], alert["is_over"]) for alert in told] == [("p", "failed", False), ("p", "failed", True)]
            assert "secret-of-the-url" not in "".join(service.lines)
            service.stop()


def test_what_could_not_be_told_is_told_later(work, database):
    with Feed(lambda path, query: (401, {})) as feed, Listener(status=500) as listener:
        configure(work, feed, target_of(database), {"p": {"schedule": "24h"}, "q": {}}, alerts=[{"webhook": listener.url, "allow_private": True}])
        with Service(work) as service:
            wait_until(lambda: service.said("the alert's webhook answered 500"))
            assert "secret-of-the-url" not in "".join(service.lines)
            service.kill()
        listener.status = 200
        told = len(listener.texts)
        with Service(work) as service:
            work.run("run", "--queued", "q", code=None)
            api = Api(service)
            api.post("/api/v1/pipelines/q/jobs", status=202)
            wait_until(lambda: any(text.startswith("p: ") for text in listener.texts[told:]))
            wait_until(has_ended(work, "q", "failed"))
            service.stop()


def test_alerts_hold_nothing_up(work, database):
    """A server that never answers, one that sends us elsewhere, a command that does not end: syncs go on, and the service stops."""
    hold = threading.Event()
    with Feed(lambda path, query: (401, {})) as feed, Listener(hold=hold) as stuck, Listener(status=302) as elsewhere:
        configure(work, feed, target_of(database), {"p": {"schedule": "24h"}, "q": {}}, alerts=[
            {"webhook": elsewhere.url, "allow_private": True}, {"webhook": stuck.url, "allow_private": True}, {"command": ["/bin/sleep", "600"]}])
        with Service(work) as service:
            api = Api(service)
            wait_until(lambda: stuck.texts)
            assert service.said("the alert's webhook answered 302")
            job = api.post("/api/v1/pipelines/q/jobs", status=202)
            wait_until(api.job_is(job["id"], "failed"))
            service.stop()
        hold.set()


def test_an_address_of_the_own_network_needs_leave(work, database):
    with Feed(lambda path, query: (401, {})) as feed, Listener() as listener:
        configure(work, feed, target_of(database), {"p": {"schedule": "24h"}}, alerts=[{"webhook": listener.url}])
        with Service(work) as service:
            wait_until(lambda: service.said("the alert's webhook could not be reached (permission)"))
            assert not listener.texts
            service.stop()


def test_new_columns_are_told_as_an_event(work, database):
    """Of a table that was there, once; to a DogStatsD server."""
    rows = [{"id": "a", "at": "2024-01-01T00:00:00Z", "n": 1, "first": 1}]
    with Feed(lambda path, query: {"rows": rows}) as feed, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(60)
        configure(work, feed, target_of(database), {"p": {"schedule": "24h"}}, alerts=[
            {"statsd": f"127.0.0.1:{statsd.getsockname()[1]}", "on": ["schema"]}])
        with Service(work) as service:
            api = Api(service)
            wait_until(has_ended(work, "p"))
            assert api.get("/api/v1/alerts")["alerts"] == [], "all columns of a new table are new"
            rows.append({"id": "b", "at": "2024-01-02T00:00:00Z", "n": 2, "première": {"a": [1]}, "x|y": "text"})
            job = api.post("/api/v1/pipelines/p/jobs", status=202)
            wait_until(api.job_is(job["id"], "succeeded"))
            text = statsd.recv(2000).decode()
            title, said = "sluice: schema of p", "p: rows: new columns: première, x|y"
            assert text == f"_e{{{len(title)},{len(said.encode())}}}:{title}|{said}|t:error|#pipeline:p,kind:schema"
            assert "sluice_stream_last_success_timestamp_seconds{pipeline=\"p\",stream=\"rows\"} 1" in api.send("GET", "/metrics")[2].decode()
            service.stop()


MISTAKES = [({"alerts": [{}]}, "expected one of webhook, command, statsd"), ({"alerts": [{"command": ["mail"]}]}, "whole path of a program"),
            ({"alerts": [{"webhook": "x", "command": ["/bin/true"]}]}, "expected one of webhook, command, statsd"),
            ({"alerts": [{"webhook": "x", "on": ["stale", "late"]}]}, "expected failed, stale, rejects, volume or schema"),
            ({"alerts": [{"statsd": "127.0.0.1:8125", "webhook": "x"}]}, "expected one of webhook, command, statsd")]


@pytest.mark.parametrize("service, text", MISTAKES)
def test_mistakes_are_said(work, database, service, text):
    with Feed(lambda path, query: ROWS) as feed:
        configure(work, feed, target_of(database), {"p": {}}, **service)
        assert text in work.run("serve", code=2).err
