"""The HTTP server under every emulator: routes, log, faults, control. An emulator is a subclass of `Api`.

One thread per connection, keep-alive. A request goes fault -> `authorize` -> limits -> its handler -> `finish` (headers); one lock is
held for that, and none while bytes are sent. What is logged: every request that is not to /__ctl.

    class Api(common.server.Api):
        name = "example"
        @route("GET", r"/things/(\\d+)")
        def thing(self, request, number): return {"id": number}
"""

import argparse
import collections
import email.utils
import http.server
import json
import re
import socket
import socketserver
import struct
import sys
import threading
import time
import traceback
import urllib.parse

from common.clock import Clock
from common.faults import Faults, pack


class Refused(Exception):
    """A request answered with an error of the API; `body` is what that API sends."""

    def __init__(self, status, body, headers=None):
        super().__init__(str(body))
        self.status, self.body, self.headers = status, body, dict(headers or {})


class Answer:
    """What a handler may return in place of a JSON value."""

    def __init__(self, body=None, status=200, headers=None, kind="application/json; charset=utf-8"):
        self.body, self.status, self.headers, self.kind = body, status, dict(headers or {}), kind

    def data(self):
        if self.body is None:
            return b""
        if isinstance(self.body, (bytes, str)):
            return self.body.encode() if isinstance(self.body, str) else self.body
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


class Request:
    user = ""  # whose limits count it, where several users have limits of their own

    def __init__(self, method, target, headers, body, port, fault):
        self.method, self.headers, self.body, self.port, self.fault = method, headers, body, port, fault
        self.path, _, self.query_text = target.partition("?")
        self.pairs = urllib.parse.parse_qsl(self.query_text, keep_blank_values=True)
        self.query = dict(self.pairs)
        self.target = target
        self.bucket = None    # the limit that this request counts against, for headers and log

    def all(self, name):
        return [value for key, value in self.pairs if key == name]

    def json(self):
        """The body as a JSON object, or None."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode("utf-8", "replace")))


def route(method, pattern, **facts):
    """Marks a handler. `facts` are for the emulator's own gates (stream=, limit=, public=True: no authorisation)."""
    def mark(function):
        function.routes = getattr(function, "routes", []) + [(method, re.compile(pattern), facts)]
        return function
    return mark


class Api:
    """Base of an emulator. Subclasses set `name`, make `tables` and `buckets`, and answer `authorize`, `limit`, `oracle`."""
    name = ""
    ports = 1  # how many the process listens on

    def __init__(self, options):
        self.options = options
        self.clock = Clock(options.now)
        self.faults = Faults()
        self.tables, self.buckets = {}, {}
        self.tokens = None
        self.secrets = []
        self.forbidden, self.missing = set(), set()
        self.retry_after = options.retry_after
        self.lock = threading.RLock()
        self.log = collections.deque(maxlen=200000)
        self.requests = self.in_flight = self.max_in_flight = 0
        self.urls = []
        self.handlers = []
        for part, function in vars(type(self)).items():  # in the order they are written: the first that matches answers
            for method, pattern, facts in getattr(function, "routes", []):
                self.handlers.append((method, pattern, facts, getattr(self, part)))

    # -- for subclasses

    @classmethod
    def arguments(cls, parser):
        """Adds options of this emulator."""

    def authorize(self, request, facts):
        """Raises Refused unless the request may pass."""

    def limit(self, request, facts):
        """Takes from the buckets that count this request; raises Refused."""

    def finish(self, request, answer):
        """Adds the headers that every answer has."""

    def not_found(self, request):
        return Refused(404, {"error": "not found"})

    def mutate(self, spec):
        table = self.tables.get(spec.get("stream"))
        if table is None:
            raise ValueError(f"mutate wants a stream of {sorted(self.tables)}")
        return table.mutate(spec)

    def oracle(self, stream):
        """What a perfect sync holds: {"key": [..], "rows": [..], "deleted": [..]}; `deleted` are records of which the API says so."""
        raise NotImplementedError

    def streams(self):
        return sorted(self.tables)

    def revoke(self, gone):
        """Every credential is no longer good, or good again."""
        self.tokens.revoked = gone

    def control_more(self, spec):
        """Control keys of this emulator; returns what it did."""
        if spec:
            raise ValueError(f"unknown control keys {sorted(spec)}")
        return {}

    # -- for everyone

    def now_ms(self):
        return self.clock.now_ms()

    def wait_headers(self, seconds):
        """Retry-After as the control API wants it: seconds, date or none."""
        if self.retry_after == "none":
            return {}
        if self.retry_after == "date":
            return {"Retry-After": email.utils.formatdate(self.now_ms() / 1000 + seconds, usegmt=True)}
        return {"Retry-After": str(seconds)}

    def dispatch(self, request):
        """The request through its gates -> Answer."""
        try:
            for method, pattern, facts, handler in self.handlers:
                found = pattern.fullmatch(request.path)
                if found and method == request.method:
                    if not facts.get("public"):
                        self.authorize(request, facts)
                    self.limit(request, facts)
                    made = handler(request, *found.groups())
                    answer = made if isinstance(made, Answer) else Answer(made)
                    break
            else:
                self.authorize(request, {})
                raise self.not_found(request)
        except Refused as refused:
            answer = Answer(refused.body, refused.status, refused.headers,
                            "application/json; charset=utf-8" if not isinstance(refused.body, str) else "text/html")
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as bug:
            traceback.print_exc()  # a request the emulator did not expect: whoever wrote it sees why
            answer = Answer({"emulator": f"{type(bug).__name__}: {bug}"}, 500)
        self.finish(request, answer)
        return answer

    def control(self, spec):
        spec = dict(spec)
        done = {"ok": True}
        if "advance" in spec:
            self.clock.advance(float(spec.pop("advance")))
        if "mutate" in spec:
            many = spec.pop("mutate")
            done["mutated"] = [self.mutate(one) for one in (many if isinstance(many, list) else [many])]
        if spec.pop("clear_faults", False):
            self.faults.waiting.clear()
        if "fault" in spec:
            many = spec.pop("fault")
            for one in many if isinstance(many, list) else [many]:
                self.faults.add(one)
        for name, change in spec.pop("quota", {}).items():
            if name not in self.buckets:
                raise ValueError(f"there is no limit {name!r}, only {sorted(self.buckets)}")
            self.buckets[name].change(change)
        self.retry_after = spec.pop("retry_after", self.retry_after)
        if spec.pop("expire_tokens", False) and self.tokens:
            self.tokens.expire()
        if "revoke" in spec:
            self.revoke(bool(spec.pop("revoke")))
        self.forbidden = set(spec.pop("forbid", self.forbidden))
        self.missing = set(spec.pop("missing", self.missing))
        if spec.pop("clear_log", False):
            self.log.clear()
            self.max_in_flight = 0
            for bucket in self.buckets.values():
                bucket.refused = bucket.taken = 0
        done.update(self.control_more(spec))
        done["now_ms"] = self.now_ms()
        return done

    def inspect(self, what, query):
        """GET /__ctl/WHAT"""
        if what == "log":
            return {"requests": list(self.log), "max_in_flight": self.max_in_flight,
                    "refused": {name: bucket.refused for name, bucket in self.buckets.items()},
                    "taken": {name: bucket.taken for name, bucket in self.buckets.items()}}
        if what == "oracle":
            return self.oracle(query["stream"])
        if what == "streams":
            return {"streams": self.streams()}
        if what == "secrets":
            return {"secrets": self.secrets + (self.tokens.issued if self.tokens else [])}
        raise ValueError(f"there is no {what!r}, only log, oracle, streams, secrets")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "emulator", ""
    timeout = 60
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(self.server.api.now_ms() / 1000, usegmt=True)

    def handle_one(self):
        api = self.server.api
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.partition("?")[0].startswith("/__ctl"):
            return self.handle_control(body)
        with api.lock:
            fault = api.faults.take(self.command, self.path)
            request = Request(self.command, self.path, self.headers, body, self.server.server_port, fault)
            api.requests += 1
            api.in_flight += 1
            api.max_in_flight = max(api.max_in_flight, api.in_flight)
            entry = {"n": api.requests, "time_ms": api.now_ms(), "method": self.command, "path": request.path,
                     "query": request.query_text, "headers": {name.lower(): value for name, value in self.headers.items()},
                     "body": body.decode("utf-8", "replace")[:4000], "in_flight": api.in_flight, "status": 0, "fault": bool(fault)}
            api.log.append(entry)
        try:
            if fault.get("delay_ms"):
                time.sleep(fault["delay_ms"] / 1000)
            if fault.get("close") or fault.get("reset"):
                return self.drop(fault.get("reset"))
            if "raw" in fault:
                self.wfile.write(fault["raw"].encode("latin-1"))
                self.wfile.flush()
                return self.drop(False)
            if "status" in fault or "body" in fault:
                answer = Answer(fault.get("body", {"error": "injected"}), fault.get("status", 200))
            else:
                with api.lock:
                    answer = api.dispatch(request)
            answer.headers.update(fault.get("headers", {}))
            entry["status"], entry["limit"] = answer.status, request.bucket
            self.send(answer, fault)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True
        finally:
            with api.lock:
                api.in_flight -= 1

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_one

    def send(self, answer, fault):
        data = answer.data()
        if "splice" in fault:
            data = data.replace(fault["splice"]["find"].encode(), bytes.fromhex(fault["splice"]["hex"]), fault["splice"].get("count", 1))
        packing = fault.get("gzip", self.server.api.options.gzip and "gzip" in self.headers.get("Accept-Encoding", ""))
        if packing and data:
            data, answer.headers["Content-Encoding"] = pack(data, packing)
        chunked, cut = bool(fault.get("chunked")), fault.get("truncate_at")
        self.send_response(answer.status)
        for name, value in {"Content-Type": answer.kind, **answer.headers}.items():
            self.send_header(name, value)
        bodiless = answer.status in (204, 304) or self.command == "HEAD"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if not bodiless:
            drip = fault.get("drip", {})
            step = drip.get("bytes", 16384)
            body = data if cut is None else data[:cut]
            for at in range(0, len(body), step):
                piece = body[at:at + step]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                if drip:
                    self.wfile.flush()
                    time.sleep(drip.get("every_ms", 10) / 1000)
            if chunked and cut is None:
                self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        if cut is not None:
            self.drop(False)

    def drop(self, reset):
        """Ends the connection without another byte; `reset` with a RST."""
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    def handle_control(self, body):
        api = self.server.api
        path, _, query_text = self.path.partition("?")
        try:
            with api.lock:
                if self.command == "POST" and path == "/__ctl":
                    answer = Answer(api.control(json.loads(body or b"{}")))
                else:
                    answer = Answer(api.inspect(path[len("/__ctl/"):], dict(urllib.parse.parse_qsl(query_text))))
        except (ValueError, KeyError, TypeError, AttributeError, re.error) as error:
            answer = Answer({"error": f"{type(error).__name__}: {error}"}, 400)
        self.send(answer, {})


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, api, port):
        super().__init__(("127.0.0.1", port), Handler)
        self.api = api

    def server_bind(self):  # without HTTPServer's look-up of our own name
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, OSError)):
            super().handle_error(request, client_address)


def parse_limit(text):
    """NAME=COUNT/SECONDS"""
    found = re.fullmatch(r"([a-z0-9-]+)=(\d+)/([0-9.]+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected NAME=COUNT/SECONDS, got {text!r}")
    return found[1], {"limit": int(found[2]), "per_s": float(found[3])}


def main(api_class):
    parser = argparse.ArgumentParser(description=f"an emulator of the {api_class.name} API")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, printed at the start")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--now", help="the clock stands at this ISO instant and moves by `advance` alone")
    parser.add_argument("--gzip", action="store_true", help="compress answers for clients that accept it")
    parser.add_argument("--limit", type=parse_limit, action="append", default=[], help="NAME=COUNT/SECONDS: another limit than the vendor's")
    parser.add_argument("--retry-after", choices=("seconds", "date", "none"), default=getattr(api_class, "retry_after", "seconds"))
    api_class.arguments(parser)
    options = parser.parse_args()
    api = api_class(options)
    for name, change in options.limit:
        if name not in api.buckets:
            parser.error(f"there is no limit {name!r}, only {', '.join(sorted(api.buckets))}")
        api.buckets[name].change(change)
    servers = [Server(api, options.port if number == 0 else 0) for number in range(api_class.ports)]
    api.urls = [f"http://127.0.0.1:{server.server_port}" for server in servers]
    print(json.dumps({"port": servers[0].server_port, "urls": api.urls}), flush=True)
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        servers[0].serve_forever()
    except KeyboardInterrupt:
        pass
