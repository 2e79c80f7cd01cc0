#!/usr/bin/env python3
"""A server that behaves like the shop API in its three dialects, with faults on demand. See README.md.

One thread per connection, keep-alive. A request goes through the same gates a real one meets: fault -> rate limit ->
authentication -> the listing. One lock guards the data, the faults, the limit and the log; nothing is sent while it is held.
"""

import argparse
import base64
import binascii
import collections
import datetime
import email.utils
import hashlib
import hmac
import http.server
import json
import os
import re
import socket
import socketserver
import struct
import sys
import threading
import time
import urllib.parse
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import data  # noqa: E402

LOGGED_HEADERS = ("authorization", "api-key", "api-timestamp", "api-signature", "accept-encoding", "user-agent",
                  "if-none-match", "content-type", "idempotency-key", "range")
FAULT_KEYS = {"match", "method", "times", "after", "status", "body", "headers", "delay_ms", "truncate_at", "close", "reset",
              "gzip", "chunked", "drip", "token_loop", "empty", "duplicate", "stale", "splice", "raw"}
CONTROL_KEYS = {"mutate", "fault", "clear_faults", "quota", "expire_tokens", "expire_page_tokens", "revoke", "clock", "shape",
                "clear_log", "sign_body"}


class Refused(Exception):
    """A request answered with an error of the API."""

    def __init__(self, status, message, **headers):
        super().__init__(message)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def parse_instant(text, name):
    """An ISO 8601 instant -> milliseconds, rounded down; without a zone it is UTC."""
    try:
        instant = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, f"{name} is not an ISO 8601 time: {text!r}") from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=datetime.timezone.utc)
    since = instant - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (since.days * 86400 + since.seconds) * 1000 + since.microseconds // 1000


def parse_count(text, name, low):
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < low:
        raise Refused(400, f"{name} must be a whole number of at least {low}, got {text!r}")
    return int(text)


class Quota:
    """A fixed window: so many requests per so many seconds, then 429 until it ends."""

    def __init__(self, spec):
        self.requests = int(spec["requests"])
        self.per_s = float(spec.get("per_s", 1))
        self.retry_after = spec.get("retry_after", "seconds")  # seconds | date | none
        self.status = int(spec.get("status", 429))
        self.window, self.used = time.monotonic(), 0

    def take(self):
        now = time.monotonic()
        if now - self.window >= self.per_s:
            self.window, self.used = now, 0
        if self.used < self.requests:
            self.used += 1
            return
        left_s = self.per_s - (now - self.window)
        headers = {"X-RateLimit-Limit": str(self.requests), "X-RateLimit-Remaining": "0",
                   "X-RateLimit-Reset": str(int(time.time() + left_s) + 1)}
        if self.retry_after == "seconds":
            headers["Retry-After"] = str(int(left_s) + 1)
        elif self.retry_after == "date":
            headers["Retry-After"] = email.utils.formatdate(time.time() + left_s + 1, usegmt=True)
        refused = Refused(self.status, "rate limit exceeded")
        refused.headers = headers
        raise refused


class State:
    """Everything the connections share, behind one lock."""

    def __init__(self, options):
        self.options = options
        self.lock = threading.RLock()
        self.shop = data.Shop(options.seed, options.orders, options.customers, options.events)
        self.faults = []
        self.quota = None
        self.log = collections.deque(maxlen=200000)
        self.count = self.in_flight = self.max_in_flight = 0
        self.started = time.monotonic()
        self.skew_s = 0.0    # how far the control API has advanced the clock
        self.tokens = {}     # access token -> monotonic end
        self.token_number = 0
        self.page_epoch = 0
        self.revoked = False
        self.sign_body = options.sign_body

    def now_s(self):
        return time.monotonic() + self.skew_s

    def take_fault(self, method, target):
        for fault in self.faults:
            if fault.get("method", method) != method or not re.search(fault.get("match", ""), target):
                continue
            if fault.get("after", 0) > 0:
                fault["after"] -= 1
                continue
            if fault["times"] > 0:
                fault["times"] -= 1
                if fault["times"] == 0:
                    self.faults.remove(fault)
            return fault
        return {}

    # -- authentication

    def authorize(self, headers):
        value = headers.get("Authorization", "")
        scheme, _, token = value.partition(" ")
        if scheme != "Bearer" or not token:
            raise Refused(401, "missing bearer token", WWW_Authenticate="Bearer")
        if self.revoked:
            raise Refused(401, "credentials revoked", WWW_Authenticate="Bearer")
        if self.options.auth in ("api_key", "both") and hmac.compare_digest(token.encode(), self.options.api_key.encode()):
            return
        end = self.tokens.get(token) if self.options.auth in ("signed", "both") else None
        if end is None:
            raise Refused(401, "unknown token", WWW_Authenticate="Bearer")
        if self.now_s() >= end:
            raise Refused(401, "token expired", WWW_Authenticate='Bearer error="invalid_token"')

    def issue_token(self, method, path, headers, body):
        """The signed call: hex HMAC-SHA256(secret, timestamp + METHOD + path + body); without sign_body the body counts as
        empty, as the shop's own sample does it. The path may be signed with or without the dialect's base."""
        stamp = headers.get("API-Timestamp", "")
        if self.revoked or not hmac.compare_digest(headers.get("API-Key", "").encode(), self.options.api_key.encode()):
            raise Refused(401, "unknown API-Key")
        if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(int(stamp) - time.time()) > 300:
            raise Refused(401, "API-Timestamp is not within 300 s of the server's time")
        signed = body if self.sign_body else b""
        good = [hmac.new(self.options.api_secret.encode(), f"{stamp}{method}{p}".encode() + signed, hashlib.sha256).hexdigest()
                for p in (path, "/auth/token")]
        if headers.get("API-Signature", "") not in good:
            raise Refused(401, "API-Signature does not match")
        try:
            grant = json.loads(body or b"{}").get("grant_type")
        except (ValueError, AttributeError):
            raise Refused(400, "the body is not a JSON object") from None
        if grant != "client_credentials":
            raise Refused(400, "unsupported grant_type")
        self.token_number += 1
        token = "shop-" + hashlib.sha256(f"{self.options.seed}:{self.token_number}".encode()).hexdigest()[:40]
        self.tokens[token] = self.now_s() + self.options.token_ttl
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.options.token_ttl}

    # -- listings

    def page_token(self, stamp, number):
        packed = struct.pack(">Hqq", self.page_epoch, stamp, number)
        return base64.urlsafe_b64encode(packed + struct.pack(">I", zlib.crc32(packed))).decode()

    def read_page_token(self, text):
        try:
            packed = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
            epoch, stamp, number, crc = struct.unpack(">HqqI", packed)
        except (ValueError, binascii.Error, struct.error):
            raise Refused(400, "invalid page token") from None
        if crc != zlib.crc32(packed[:-4]):
            raise Refused(400, "invalid page token")
        if epoch != self.page_epoch:
            raise Refused(400, "page token expired")
        return stamp, number

    def listing(self, dialect, name, query, fault):
        """One page as bytes. `fault` may bend it: the same token again, an empty page, records twice."""
        stream = self.shop.streams[name]
        limit = min(parse_count(query.get("limit", "100"), "limit", 1), self.options.page_size_max)
        after = parse_instant(query["updated_after"], "updated_after") if query.get("updated_after") else None
        before = parse_instant(query["updated_before"], "updated_before") if query.get("updated_before") else None
        sort = query.get("sort", "")
        if sort not in ("", "updated_at"):
            raise Refused(400, f"cannot sort by {sort!r}")
        token_name = {"b": "page_token", "c": "cursor"}.get(dialect)
        given = query.get(token_name, "") if token_name else ""
        by_page = dialect == "a" or (dialect == "c" and "page" in query and not given)
        if by_page:
            page = parse_count(query.get("page", "1"), "page", 1)
            wanted = b'"customer_id":"%s"' % query["customer_id"].encode() if "customer_id" in query else None
            numbers, has_more = stream.page_at(after, before, sort == "updated_at", (page - 1) * limit, limit, wanted)
            token = None
        else:
            last = self.read_page_token(given) if given else None
            numbers, has_more = stream.page_behind(after, before, sort == "updated_at", last, limit)
            token = self.page_token(stream.updated[numbers[-1]], numbers[-1]) if has_more else None
            if fault.get("token_loop"):
                token = given or token
            if fault.get("empty"):
                token = given or self.page_token(-1, -1)
        records = [] if fault.get("empty") else [stream.record(number) for number in numbers]
        if fault.get("duplicate"):
            records += records[-int(fault["duplicate"]):]
        if fault.get("stale"):
            records += stream.stale(page - 1 if by_page else 0, int(fault["stale"]))
        key = "records" if dialect == "b" else name
        tail = {"a": ',"has_more":true' if has_more else ',"has_more":false',
                "b": ',"next_page_token":' + json.dumps(token),
                "c": "" if by_page else ',"next_cursor":' + json.dumps(token)}[dialect]
        return b'{"%s":[%s]%s}' % (key.encode(), b",".join(records), tail.encode())

    # -- control

    def control(self, spec):
        unknown = set(spec) - CONTROL_KEYS
        if unknown:
            raise ValueError(f"unknown control keys {sorted(unknown)}")
        answer = {"ok": True}
        if "clock" in spec:
            advance_s = float(spec["clock"]["advance"])
            self.skew_s += advance_s
            self.shop.now_ms += int(advance_s) * 1000
        if "mutate" in spec:
            many = spec["mutate"] if isinstance(spec["mutate"], list) else [spec["mutate"]]
            answer["mutated"] = [self.shop.mutate(one) for one in many]
        if "shape" in spec:
            self.shop.streams[spec["shape"].get("stream", "orders")].reshape(spec["shape"])
        if spec.get("clear_faults"):
            self.faults.clear()
        if "fault" in spec:
            for fault in spec["fault"] if isinstance(spec["fault"], list) else [spec["fault"]]:
                if set(fault) - FAULT_KEYS:
                    raise ValueError(f"unknown fault keys {sorted(set(fault) - FAULT_KEYS)}")
                self.faults.append({"times": 1, **fault})
        if "quota" in spec:
            self.quota = Quota(spec["quota"]) if spec["quota"] else None
        if spec.get("expire_tokens"):
            self.tokens = dict.fromkeys(self.tokens, 0.0)
        if spec.get("expire_page_tokens"):
            self.page_epoch = (self.page_epoch + 1) & 0xFFFF
        if "revoke" in spec:
            self.revoked = bool(spec["revoke"])
        if "sign_body" in spec:
            self.sign_body = bool(spec["sign_body"])
        if spec.get("clear_log"):
            self.log.clear()
            self.max_in_flight = self.in_flight
        answer["streams"] = {name: {"records": len(s), "last_cursor": s.last_cursor()}
                             for name, s in self.shop.streams.items()}
        return answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "shop/1.0"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one piece

    def log_message(self, *_args):
        pass

    def do_GET(self):
        self.handle_request(b"")

    def do_POST(self):
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > 1 << 26:
            self.send_error(413)
            self.close_connection = True
            return
        self.handle_request(self.rfile.read(int(length)))

    def handle_request(self, body):
        path, _, query_text = self.path.partition("?")
        if path in ("/__ctl", "/__log", "/__oracle"):
            return self.handle_control(path, query_text, body)
        state = self.server.state
        with state.lock:
            state.in_flight += 1
            state.max_in_flight = max(state.max_in_flight, state.in_flight)
            fault = state.take_fault(self.command, self.path)
            entry = {"n": state.count, "time_ms": round((time.monotonic() - state.started) * 1000), "method": self.command,
                     "path": path, "query": dict(urllib.parse.parse_qsl(query_text, keep_blank_values=True)),
                     "headers": {k.lower(): v for k, v in self.headers.items() if k.lower() in LOGGED_HEADERS},
                     "body": body.decode("utf-8", "replace")[:1000], "in_flight": state.in_flight, "status": 0,
                     "fault": bool(fault)}
            state.count += 1
            state.log.append(entry)
        try:
            if fault.get("delay_ms"):
                self.server.pause(fault["delay_ms"] / 1000)
            if fault.get("close") or fault.get("reset"):
                return self.drop(fault.get("reset"))
            if fault.get("raw"):
                return self.send_raw(fault["raw"])
            status, headers, answer = self.answer(fault, path, entry["query"], body)
            entry["status"] = status
            self.send(status, headers, answer, fault)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True
        finally:
            with state.lock:
                state.in_flight -= 1

    def answer(self, fault, path, query, body):
        """The request through its gates -> (status, headers, body)."""
        state = self.server.state
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if "status" in fault or "body" in fault:
            text = fault.get("body", {"error": "injected"})
            headers.update(fault.get("headers", {}))
            return fault.get("status", 200), headers, (text if isinstance(text, str) else json.dumps(text)).encode()
        try:
            with state.lock:
                answer = self.route(path, query, body, fault)
            if "splice" in fault:
                splice = fault["splice"]
                answer = answer.replace(splice["find"].encode(), bytes.fromhex(splice["hex"]), splice.get("count", 1))
            headers.update(fault.get("headers", {}))
            return 200, headers, answer
        except Refused as refused:
            headers.update(refused.headers)
            return refused.status, headers, json.dumps({"error": str(refused)}).encode()

    def route(self, path, query, body, fault):
        state = self.server.state
        if state.quota:
            state.quota.take()
        found = re.fullmatch(r"(?:/([abc]))?/(health|auth/token|orders|customers|order_events)", path)
        if not found or (found[1] is None and found[2] not in ("health", "auth/token")):
            raise Refused(404, "not found")
        dialect, name = found.groups()
        if name == "auth/token":
            if self.command != "POST":
                raise Refused(405, "use POST", Allow="POST")
            return json.dumps(state.issue_token(self.command, path, self.headers, body)).encode()
        if self.command != "GET":
            raise Refused(405, "use GET", Allow="GET")
        state.authorize(self.headers)
        if name == "health":
            return b'{"status":"ok"}'
        return state.listing(dialect, name, query, fault)

    def send(self, status, headers, answer, fault):
        accepts = self.headers.get("Accept-Encoding", "")
        packing = fault.get("gzip", self.server.state.options.gzip and "gzip" in accepts)
        if packing:
            kind = packing if packing in ("deflate", "broken") else "gzip"
            packer = zlib.compressobj(1, zlib.DEFLATED, 15 if kind == "deflate" else 31)
            answer = packer.compress(answer) + packer.flush()
            if kind == "broken":
                answer = answer[:-8] + bytes(8)  # wrong CRC and length
                kind = "gzip"
            headers["Content-Encoding"] = kind
        chunked = bool(fault.get("chunked"))
        cut = fault.get("truncate_at")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        body = answer if cut is None else answer[:cut]
        drip = fault.get("drip", {})
        step = drip.get("bytes", 16384 if chunked else max(len(body), 1))
        for at in range(0, len(body), step):
            piece = body[at:at + step]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            if drip:
                self.wfile.flush()
                self.server.pause(drip.get("every_ms", 10) / 1000)
        if chunked and cut is None:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        if cut is not None:
            self.drop(False)

    def send_raw(self, pieces):
        """Bytes as they are, status line and all, then the end of the connection: what no proper server sends."""
        for text, count in pieces:
            piece = text.encode("latin-1")
            many = max(1, 262144 // max(len(piece), 1))
            while count > 0:
                self.wfile.write(piece * min(count, many))
                count -= many
        self.wfile.flush()
        self.drop(False)

    def drop(self, reset):
        """Ends the connection without another byte; `reset` with a RST, so that the other side sees an error."""
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    def handle_control(self, path, query_text, body):
        state = self.server.state
        query = dict(urllib.parse.parse_qsl(query_text))
        status, answer, kind = 200, b"", "application/json"
        with state.lock:
            try:
                if path == "/__ctl":
                    answer = json.dumps(state.control(json.loads(body or b"{}"))).encode()
                elif path == "/__log":
                    answer = json.dumps({"requests": list(state.log), "max_in_flight": state.max_in_flight}).encode()
                else:
                    kind = "application/x-ndjson"
                    records = list(state.shop.oracle(query.get("stream", "orders")))
                    answer = b"".join(record + b"\n" for record in records)
            except (ValueError, KeyError, TypeError, AttributeError, re.error) as error:
                status, answer = 400, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode()
        self.send(status, {"Content-Type": kind}, answer, {"gzip": False})


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, options):
        super().__init__(("127.0.0.1", options.port), Handler)
        self.state = State(options)

    def server_bind(self):  # without HTTPServer's look-up of our own name
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def pause(self, seconds):
        time.sleep(seconds)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, OSError)):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description="an emulator of the shop API")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, printed at the start")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--customers", type=int, default=200)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--page-size-max", type=int, default=1000, help="a larger limit is cut to this")
    parser.add_argument("--api-key", default="shop-test-key")
    parser.add_argument("--api-secret", default="shop-test-secret")
    parser.add_argument("--auth", choices=("api_key", "signed", "both"), default="both", help="which bearer tokens are good")
    parser.add_argument("--token-ttl", type=int, default=3600, help="seconds an access token lives")
    parser.add_argument("--sign-body", action="store_true", help="the signature covers the body (default: an empty one)")
    parser.add_argument("--gzip", action="store_true", help="compress answers for clients that accept it")
    parser.add_argument("--warm", action="store_true", help="make all records before the port is printed")
    options = parser.parse_args()
    server = Server(options)
    if options.warm:
        for name in data.STREAMS:
            collections.deque(server.state.shop.oracle(name), maxlen=0)
    print(json.dumps({"port": server.server_port}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
