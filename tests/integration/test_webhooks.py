"""Webhooks: what was acknowledged is loaded, once, whoever is killed; and nobody gets in who did not sign."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import random
import socket
import threading
import time
import urllib.parse

import pytest

from conftest import Workspace
from feed import CONNECTOR, Feed
from test_serve import ROWS, Service, has_ended, target_of, wait_until

SECRET = "s3cret of the sender"


def signature(body, secret=SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Sender:
    """Sends to a running service, signed as GitHub signs."""

    def __init__(self, address, path="/webhooks/events/events"):
        self.address, self.path = address, path

    def send(self, value, headers=None, method="POST", path=None, delivery=None, secret=SECRET):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        sent = {"Content-Type": "application/json", "X-Hub-Signature-256": signature(body, secret),
                **({"X-GitHub-Delivery": delivery} if delivery else {}), **(headers or {})}
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path or self.path, body, {name: value for name, value in sent.items() if value is not None})
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())


def configure(work, target, pipelines, **service):
    work.environment["HOOK_SECRET"] = SECRET
    work.write("sluice.yaml", json.dumps({"destinations": {"target": target}, "service": service,
                                          "pipelines": {name: {"destination": "target", **own} for name, own in pipelines.items()}}))


def github(**more):
    return {"scheme": "github", "secret": "${HOOK_SECRET}", "load_every": "1s", **more}


@contextlib.contextmanager
def receiving(work, database, webhook=None, **service):
    configure(work, target_of(database), {"events": {"webhook": webhook or github()}}, **service)
    with Service(work) as served:
        yield served, Sender(served.address())


def rows(database, columns="_event_id", table="raw.events"):
    if database.one("SELECT to_regclass(%s)", table) is None:
        return []
    return database.query(f"SELECT {columns} FROM {table} ORDER BY 1")


def test_events_are_loaded(work, database):
    with receiving(work, database) as (service, sender):
        assert sender.send({"id": 9007199254740993, "text": "a\nb"}, delivery="d1")[0] == 200
        assert sender.send({"id": 9007199254740993, "text": "a\nb"}, delivery="d1")[0] == 200, "sent again"
        assert sender.send([{"id": 2}, {"id": 3}], delivery="d2")[0] == 200
        assert sender.send(b'{ "id":\n 4 }')[0] == 200
        assert sender.send([])[0] == 200
        wait_until(lambda: len(rows(database)) == 4)
        first = rows(database, "_event_id, _received_at, xmin::text")
        assert sender.send({"id": 9007199254740993, "text": "changed by the way"}, delivery="d1")[0] == 200, "sent again, much later"
        assert sender.send({"id": 5}, delivery="d3")[0] == 200
        wait_until(lambda: len(rows(database)) == 5)
        assert set(first) < set(rows(database, "_event_id, _received_at, xmin::text")), "an event that is there is left alone"
        assert {("d1", 9007199254740993), ("d2-0", 2), ("d2-1", 3)} < {(key, int(number)) for key, number in rows(database, "_event_id, id")}
        assert ("d1", "a\nb") in rows(database, "_event_id, text")
        assert SECRET not in "".join(service.lines)
        service.stop()


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_forms_are_loaded(work, database):
    with receiving(work, database) as (_, sender):
        assert sender.send(b"payload=" + urllib.parse.quote_plus('{"id": 1, "text": "a+b \u00e4"}').encode(), FORM, delivery="d1")[0] == 200
        assert sender.send(b"n=2&tags=a+b%21&tags=c", FORM, delivery="d2")[0] == 200
        assert sender.send(b"id=3", {"Content-Type": "text/plain"})[0] == 400
        wait_until(lambda: len(rows(database)) == 2)
        assert rows(database, "_event_id, text, n, tags::text") == [("d1", "a+b \u00e4", None, None), ("d2", None, "2", '["a b!", "c"]')]


def test_a_form_that_twilio_signed(work, database):
    url, fields = "https://hooks.example.com/webhooks/events/events", {"MessageSid": "SM1", "Body": "Hello & goodbye", "To": "+18005551212"}

    def signed(fields):
        text = url + "".join(name + fields[name] for name in sorted(fields))
        return {**FORM, "X-Twilio-Signature": base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).digest()).decode()}

    with receiving(work, database, {"scheme": "twilio", "secret": "${HOOK_SECRET}", "url": url, "load_every": "1s", "required": ["MessageSid"]}) as (_, sender):
        body = urllib.parse.urlencode(fields).encode()
        assert sender.send(body, {**signed(fields), "I-Twilio-Idempotency-Token": "t1"})[0] == 200
        assert sender.send(body.replace(b"Hello", b"Hallo"), signed(fields))[0] == 401
        assert sender.send(b'{"MessageSid": "SM2"}', {**signed({}), "Content-Type": "application/json"})[0] == 401, "its body would not be signed"
        assert sender.send(b"To=1", signed({"To": "1"}))[0] == 400
        wait_until(lambda: len(rows(database)) == 1)
        assert rows(database, '_event_id, "MessageSid", "Body"') == [("t1", "SM1", "Hello & goodbye")]


def test_what_is_sent_while_nobody_loads_is_not_lost(work, database):
    """A service that is stopped answers what it took; the next one loads it."""
    with receiving(work, database, github(load_every="1h")) as (service, sender):
        for i in range(20):
            assert sender.send({"n": i}, delivery=f"d{i}")[0] == 200
        service.stop()
    work.run("run", "events")
    assert len(rows(database)) == 20


BAD = [
    ("a wrong secret", {"secret": "another"}, 401), ("no signature", {"headers": {"X-Hub-Signature-256": None}}, 401),
    ("an empty signature", {"headers": {"X-Hub-Signature-256": ""}}, 401),
    ("half a signature", {"headers": {"X-Hub-Signature-256": "sha256=00"}}, 401),
    ("another's signature", {"headers": {"X-Hub-Signature-256": signature(b"{}")}}, 401),
    ("no JSON", {"value": b"a=b"}, 400), ("half of it", {"value": b'{"order_id":'}, 400), ("a number", {"value": b"1"}, 400),
    ("nothing", {"value": b""}, 400), ("a field too few", {"value": {"order_id": 1}}, 400), ("a null", {"value": {"order_id": None, "at": 1}}, 400),
    ("too much", {"value": {"order_id": 1, "at": 1, "text": "x" * 5000}}, 413), ("far too much", {"value": b" " * 6000000}, 413),
    ("another stream", {"path": "/webhooks/events/other"}, 404), ("another pipeline", {"path": "/webhooks/other/events"}, 404),
    ("no stream", {"path": "/webhooks/events"}, 404), ("one that is polled", {"path": "/webhooks/polled/rows"}, 404),
    ("a path trick", {"path": "/webhooks/events/..%2fevents"}, 400), ("another method", {"method": "PUT"}, 405),
    ("a deep one", {"value": b'{"order_id":1,"at":' + b"[" * 600 + b"]" * 600 + b"}"}, 400),
    ("a NUL", {"value": b'{"order_id":1,"at":"\0"}'}, 200), ("another host", {"headers": {"Host": "hooks.example.com"}}, 200),
    ("another site", {"headers": {"Origin": "https://evil.example"}}, 200), ("another type", {"headers": {"Content-Type": "text/plain"}}, 200),
]


def test_requests_of_every_kind_of_wrong(work, database):
    with Feed(lambda path, query: ROWS) as feed:
        path = work.write("feed.lua", CONNECTOR % ("1", "", 'primary_key = "id",', ""))
        configure(work, target_of(database), {
            "events": {"webhook": github(required=["order_id", "at"], max_body="4KiB")},
            "polled": {"connector": str(path), "config": {"base_url": feed.url}, "network": {"allow_private": True}}},
            tokens={"me": {"sha256": "0" * 64}})
        with Service(work) as service:
            sender = Sender(service.address())
            for name, sent, status in BAD:
                try:
                    got, text, _ = sender.send(**{"value": {"order_id": 1, "at": name}, **sent})
                except (BrokenPipeError, ConnectionResetError):
                    got, text = 413, b'{"status": 413}'  # cut while it was still sending
                assert got == status, (name, got, text[:300])
                if status >= 400:
                    assert json.loads(text)["status"] == status and SECRET not in text.decode()
            assert b"Missing required fields: at" in sender.send({"order_id": 1})[1]
            good = sum(status == 200 for _, _, status in BAD)
            wait_until(lambda: len(rows(database)) == good)
            assert sender.send({}, path="/api/v1/pipelines", method="GET")[0] == 401, "the API has its own door"
            service.stop()


def test_raw_bytes_that_are_no_request(work, database):
    with receiving(work, database) as (service, sender):
        for raw in (b"POST /webhooks/events/events HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
                    b"POST /webhooks/events/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
                    b"POST /webhooks/events/events HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{}"):
            with socket.create_connection(sender.address, timeout=60) as connection:
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
                answer = b""
                with contextlib.suppress(ConnectionResetError):
                    while piece := connection.recv(4096):
                        answer += piece
                assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer
        assert sender.send({"n": 1})[0] == 200
        wait_until(lambda: len(rows(database)) == 1)
        service.stop()


def test_times_and_questions(work, database):
    work.environment["SLACK"] = "slack secret"
    configure(work, target_of(database), {
        "slack": {"webhook": {"scheme": "slack", "secret": "${SLACK}", "load_every": "1s"}},
        "meta": {"webhook": {"scheme": "meta", "secret": "x", "verify_token": "tok en"}},
        "own": {"webhook": {"scheme": "hmac", "secret": ["old", "new"], "header": "X-Sign", "algorithm": "sha512", "encoding": "base64",
                            "message": "{timestamp}/{body}", "timestamp": "X-Time", "tolerance": "10s", "load_every": "1s"}}})
    with Service(work) as service:
        sender = Sender(service.address())

        def slack(value, at):
            body = json.dumps(value).encode()
            digest = hmac.new(b"slack secret", b"v0:%d:" % at + body, hashlib.sha256).hexdigest()
            return sender.send(body, {"X-Slack-Signature": f"v0={digest}", "X-Slack-Request-Timestamp": str(at)}, path="/webhooks/slack/slack")

        now = int(time.time())
        status, text, headers = slack({"type": "url_verification", "challenge": "3eZ"}, now)
        assert (status, json.loads(text), headers["Content-Type"]) == (200, {"challenge": "3eZ"}, "application/json")
        assert slack({"event_id": "E1"}, now)[0] == 200
        assert slack({"event_id": "E2"}, now - 400)[0] == 401 and slack({"event_id": "E3"}, now + 400)[0] == 401
        query = "hub.mode=subscribe&hub.verify_token=tok%20en&hub.challenge=1158201444"
        assert sender.send(b"", path=f"/webhooks/meta/meta?{query}", method="GET")[:2] == (200, b"1158201444")
        assert sender.send(b"", path=f"/webhooks/meta/meta?{query}x".replace("tok", "tik"), method="GET")[0] == 403
        assert sender.send(b"", path=f"/webhooks/slack/slack?{query}", method="GET")[0] == 403

        import base64
        for secret, status in (("old", 200), ("new", 200), ("older", 401)):
            body = json.dumps({"by": secret}).encode()
            digest = base64.b64encode(hmac.new(secret.encode(), b"%d/" % now + body, hashlib.sha512).digest()).decode()
            assert sender.send(body, {"X-Sign": digest, "X-Time": str(now)}, path="/webhooks/own/own")[0] == status
        wait_until(lambda: len(rows(database, table="raw.own")) == 2 and rows(database, table="raw.slack") == [("E1",)])
        service.stop()


def test_a_poison_event_blocks_nothing(work, database):
    """A value of another type than the column has goes where such values go; what comes behind it is loaded."""
    with receiving(work, database) as (service, sender):
        assert sender.send({"n": 1}, delivery="a")[0] == 200
        wait_until(lambda: len(rows(database)) == 1)
        assert sender.send({"n": {"deep": [1]}}, delivery="b")[0] == 200
        assert sender.send({"n": 3}, delivery="c")[0] == 200
        wait_until(lambda: len(rows(database)) == 3)
        assert rows(database, "_event_id, n::text") == [("a", "1"), ("b", None), ("c", "3")]
        service.stop()


def test_senders_are_told_to_come_back(work, database):
    """The destination is away: events are kept up to a limit, and loaded when it is back."""
    configure(work, {"type": "postgres", "url": "postgres://nobody@127.0.0.1:1/none"},
              {"events": {"webhook": github(max_backlog="2KiB")}}, retry={"first": "1s", "longest": "1s"})
    with Service(work) as service:
        sender, taken = Sender(service.address()), 0
        while True:
            status, text, headers = sender.send({"n": taken, "text": "x" * 200}, delivery=f"d{taken}")
            if status != 200:
                break
            taken += 1
        assert status == 503 and int(headers["Retry-After"]) > 0 and taken >= 5, (status, text, taken)
        configure(work, target_of(database), {"events": {"webhook": github(max_backlog="2KiB")}}, retry={"first": "1s", "longest": "1s"})
        wait_until(lambda: len(rows(database)) == taken)
        wait_until(lambda: sender.send({"n": -1}, delivery="last")[0] == 200)
        wait_until(lambda: len(rows(database)) == taken + 1)
        service.stop()


def test_events_and_a_polled_stream_load_one_table(work, database):
    with Feed(lambda path, query: {"rows": [{"id": "polled", "at": "2024-01-01T00:00:00Z", "n": 1}]}) as feed:
        path = work.write("feed.lua", CONNECTOR % ("1", "", 'primary_key = "id",', ""))
        configure(work, target_of(database), {
            "polled": {"connector": str(path), "config": {"base_url": feed.url}, "network": {"allow_private": True},
                       "streams": {"rows": {"sync_mode": "full_refresh", "write_mode": "append_dedup"}}},
            "pushed": {"webhook": github(table="rows", primary_key="id")}})
        work.run("run", "polled")
        with Service(work) as service:
            sender = Sender(service.address(), "/webhooks/pushed/pushed")
            assert sender.send({"id": "pushed", "n": 2})[0] == 200
            wait_until(lambda: len(rows(database, "id", "raw.rows")) == 2)
            service.stop()
        work.run("run", "polled")
        assert rows(database, "id, n", "raw.rows") == [("polled", 1), ("pushed", 2)]
        states = [json.loads(work.run("state", "show", "--json", name).out) for name in ("polled", "pushed")]
        assert states[1] and states[0] != states[1]


def test_a_continuous_pipeline_has_events_at_once(work, database):
    configure(work, target_of(database), {"events": {"webhook": github(), "schedule": "continuous", "commit": {"seconds": "1"}}})
    with Service(work) as service:
        sender = Sender(service.address())
        for i in range(3):
            assert sender.send({"n": i}, delivery=f"d{i}")[0] == 200
            wait_until(lambda: len(rows(database)) == i + 1)
        service.stop()


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_acknowledged_survives_kills(work, database, seed):
    """Senders that never pause, a service that is killed again and again: every event that was answered 200 is there, once."""
    dice, acknowledged, over = random.Random(seed), set(), threading.Event()
    configure(work, target_of(database), {"events": {"webhook": github()}})
    address = []

    def keep_sending(number):
        i = 0
        while not over.is_set():
            event = f"{number}-{i}"
            try:
                if Sender(address[-1]).send({"n": i}, delivery=event)[0] == 200:
                    acknowledged.add(event)
                    i += 1
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)  # it is not known whether it was taken: sent again

    with contextlib.ExitStack() as stack:
        service = stack.enter_context(Service(work))
        address.append(service.address())
        senders = [threading.Thread(target=keep_sending, args=(number,)) for number in range(8)]
        for sender in senders:
            sender.start()
        try:
            for _ in range(8):
                time.sleep(dice.uniform(0.05, 1.2))
                service.kill()
                service = stack.enter_context(Service(work))
                address.append(service.address())
        finally:
            over.set()
            for sender in senders:
                sender.join(timeout=60)
        service.stop()
    work.run("run", "events")
    found = [key for key, in rows(database)]
    assert len(acknowledged) > 20 and len(found) == len(set(found))
    assert acknowledged <= set(found), sorted(acknowledged - set(found))[:5]


@pytest.mark.parametrize("schedule", [None, "1m", "continuous"])
def test_each_node_loads_what_it_received(tmp_path, database, postgres, schedule):
    """Nodes on one PostgreSQL with folders of their own, as on several machines; one is killed while it has events, and comes back."""
    store = postgres.create_database("store_" + database.name).url
    pipeline = {"webhook": github(), **({"schedule": schedule} if schedule else {})}
    works = []
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        works.append(Workspace(tmp_path / name))
        configure(works[-1], target_of(database), {"events": pipeline})
    sent = set()

    def send(service, number, count=20):
        sender = Sender(service.address())
        for i in range(count):
            assert sender.send({"n": i}, delivery=f"{number}-{i}")[0] == 200
            sent.add(f"{number}-{i}")

    def is_loaded():
        return {key for key, in rows(database)} == sent

    with contextlib.ExitStack() as stack:
        services = [stack.enter_context(Service(work, "--store", store)) for work in works]
        for number, service in enumerate(services):
            send(service, number)
        wait_until(is_loaded)
        send(services[0], "killed")
        services[0].kill()
        send(services[1], "meanwhile")
        wait_until(lambda: {f"meanwhile-{i}" for i in range(20)} <= {key for key, in rows(database)})
        services[0] = stack.enter_context(Service(works[0], "--store", store))
        wait_until(is_loaded)
        for service in services:
            service.stop()
    assert len(rows(database)) == len(sent)
    names = [path.name for work in works for path in (work.folder / "webhooks" / "events").glob("*.ndjson")]
    assert len(names) == len(set(names)) and len({name.split("-")[1] for name in names}) == 3


MISTAKES = [
    ({"scheme": "stripe"}, "secret is missing"), ({"scheme": "strip", "secret": "x"}, "did you mean 'stripe'?"),
    ({"secret": "x"}, "scheme"), ({"scheme": "hmac", "secret": "x"}, "needs `header`"), ({"scheme": "hubspot", "secret": "x"}, "needs `url`"),
    ({"scheme": "meta", "secret": "x"}, "verify_token"), ({"scheme": "none", "max_body": "6MiB"}, "at most 5MiB"),
    ({"scheme": "none", "sekret": 1}, "sekret"),
]


@pytest.mark.parametrize("webhook, text", MISTAKES)
def test_mistakes_are_said(work, database, webhook, text):
    configure(work, target_of(database), {"events": {"webhook": webhook}})
    for words in (["check"], ["run", "events"], ["serve"]):
        assert text in work.run(*words, code=2).err


def test_what_a_webhook_pipeline_has_not(work, database):
    configure(work, target_of(database), {"events": {"webhook": github(), "connector": "shop"}})
    assert "a pipeline with `webhook` has no `connector`" in work.run("check", code=2).err
    configure(work, target_of(database), {"events": {"webhook": github()}})
    assert "ok" in work.run("check").out, "before anything was sent"
    del work.environment["HOOK_SECRET"]
    work.run("run", "events")  # who loads needs no secret
    assert "HOOK_SECRET" in work.run("serve", code=2).err
