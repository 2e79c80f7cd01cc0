"""Who asks the service: senders of webhooks that never pause, readers of its API, watchers of its events, and those who get
stuck. Each runs in a process of its own; a service that is away for a moment is asked again."""

import asyncio
import collections
import hashlib
import hmac
import http.client
import json
import random
import resource
import select
import socket
import time

SECRET = "secret of the soak"
PATHS = ("/healthz", "/readyz", "/", "/metrics", "/api/v1/jobs?limit=50", "/api/v1/alerts", "/api/v1/pipelines/p1?history=5",
         "/api/v1/jobs?status=running", "/api/v1/jobs/1", "/api/v1/pipelines/none", "/ui/app.js")
AWAY_S = 0.05  # between two tries to reach a service that is not there


def event(sender, number):
    """The body and headers of one event, signed as GitHub signs."""
    body = json.dumps({"sender": str(sender), "number": number, "filling": "x" * 100}).encode()
    mark = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return body, {"Content-Type": "application/json", "X-GitHub-Delivery": f"{sender}-{number}", "X-Hub-Signature-256": f"sha256={mark}"}


def request(method, path, headers=None, body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Connection:
    """One that is kept; opened anew when it broke."""

    def __init__(self, port):
        self.port, self.reader, self.writer = port, None, None

    async def ask(self, method, path, headers=None, body=b""):
        """The status; raises OSError or EOFError when nobody can tell what became of it."""
        try:
            if not self.writer:
                self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
            self.writer.write(request(method, path, headers, body))
            head = await self.reader.readuntil(b"\r\n\r\n")
            size = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            await self.reader.readexactly(size)
            return int(head.split()[1])
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.writer:
            self.writer.close()
        self.writer = None


class Crowd:
    """Senders, readers and watchers, until told to stop; then tells what came of it."""

    def __init__(self, pipe, port, senders, readers, watchers, seed):
        self.pipe, self.port, self.dice = pipe, port, random.Random(seed)
        self.senders, self.readers, self.watchers = senders, readers, watchers
        self.acknowledged = [0] * senders  # of each sender, the events 0 to this
        self.statuses, self.messages, self.over = collections.Counter(), 0, False

    async def send(self, sender, pipelines):
        connection, path = Connection(self.port), f"/webhooks/hook{sender % pipelines}/events"
        while not self.over:
            body, headers = event(sender, self.acknowledged[sender])
            try:
                status = await connection.ask("POST", path, headers, body)
            except (OSError, EOFError):
                await asyncio.sleep(AWAY_S)  # nobody knows whether it was taken: sent again
                continue
            self.statuses["webhook", status] += 1
            if status == 200:
                self.acknowledged[sender] += 1
            else:
                await asyncio.sleep(AWAY_S)
        connection.close()

    async def read(self):
        connection = Connection(self.port)
        while not self.over:
            try:
                self.statuses["read", await connection.ask("GET", self.dice.choice(PATHS))] += 1
            except (OSError, EOFError):
                pass
            await asyncio.sleep(self.dice.uniform(0.05, 0.5))
        connection.close()

    async def watch(self):
        """Comes, looks for a while, and goes without a word."""
        while not self.over:
            writer = None
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                path = self.dice.choice(("/api/v1/jobs/watch", f"/api/v1/jobs/{self.dice.randint(1, 500)}/events"))
                writer.write(request("GET", path, {"Accept": "text/event-stream"}))
                until = time.monotonic() + self.dice.uniform(0.1, 10)
                while (left := until - time.monotonic()) > 0 and not self.over:
                    piece = await asyncio.wait_for(reader.read(65536), min(left, 1))
                    if not piece:
                        break
                    self.messages += piece.count(b"data: ")
            except (OSError, asyncio.TimeoutError):
                pass
            finally:
                if writer:
                    writer.transport.abort()
            await asyncio.sleep(self.dice.uniform(0.01, 1))

    async def run(self, pipelines):
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.pipe.fileno(), lambda: (self.pipe.recv(), over.set()))
        tasks = [*(self.send(sender, pipelines) for sender in range(self.senders)), *(self.read() for _ in range(self.readers)),
                 *(self.watch() for _ in range(self.watchers))]
        tasks = [asyncio.ensure_future(task) for task in tasks]
        await over.wait()
        self.over = True
        await asyncio.gather(*tasks)
        self.pipe.send((self.acknowledged, dict(self.statuses), self.messages))


def run_crowd(pipe, port, senders, readers, watchers, pipelines, seed):
    asyncio.run(Crowd(pipe, port, senders, readers, watchers, seed).run(pipelines))


# --- those who get stuck -----------------------------------------------------------------------------------------------------

STUCK = (
    b"",                                                                          # says nothing
    b"GE",                                                                        # breaks off within a word
    b"POST /api/v1/pipelines/p1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",     # never ends its headers, see DRIP
    request("POST", "/webhooks/hook0/events", {"Content-Length": "900"}) + b"{",   # or its body
    request("GET", "/ui/app.js") * 20,                                            # asks and asks, and reads nothing
)
DRIP, DEAF = 2, 4  # which of them goes on, a byte at a time; and which never learns that it was cut
DEAF_S = 40        # and so comes again after this
DRIP_S = 5
AT_ONCE = 500  # knock at once
ADDRESSES = 8  # of loopback, so that no address runs out of ports


class Stuck:
    """Keeps `count` connections open, none of which ever reads; those that the service cuts come again."""

    def __init__(self, pipe, port, count):
        self.pipe, self.port, self.count = pipe, port, count
        self.open, self.knocking = {}, set()  # open: descriptor -> (socket, kind, since); knocking: not connected yet
        self.entered, self.cut, self.refused = 0, 0, 0
        self.epoll = select.epoll()

    def enter(self):
        connection, kind = socket.socket(), self.entered % len(STUCK)
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            connection.bind((f"127.0.0.{2 + self.entered % ADDRESSES}", 0))
            connection.connect(("127.0.0.1", self.port))
        except BlockingIOError:
            pass
        self.entered += 1
        self.open[connection.fileno()] = connection, kind, time.monotonic()
        self.knocking.add(connection.fileno())
        self.epoll.register(connection, select.EPOLLRDHUP | select.EPOLLOUT)

    def leave(self, descriptor, was_cut):
        connection, *_ = self.open.pop(descriptor)
        self.knocking.discard(descriptor)
        self.cut, self.refused = self.cut + was_cut, self.refused + (not was_cut)
        connection.close()

    def serve(self, descriptor, events):
        connection, kind, _ = self.open[descriptor]
        if events & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR):
            self.leave(descriptor, descriptor not in self.knocking)
            return
        self.knocking.discard(descriptor)
        try:
            connection.send(STUCK[kind])
            self.epoll.modify(descriptor, select.EPOLLRDHUP)
        except OSError:
            self.leave(descriptor, False)

    def drip(self):
        for descriptor, (connection, kind, since) in list(self.open.items()):
            if kind == DEAF and time.monotonic() - since > DEAF_S:
                self.leave(descriptor, True)
            if kind != DRIP:
                continue
            try:
                connection.send(b"x")
            except BlockingIOError:
                pass  # not connected yet
            except OSError:
                self.leave(descriptor, True)

    def run(self):
        drip_at, is_told = time.monotonic() + DRIP_S, False
        while not self.pipe.poll():
            for _ in range(min(AT_ONCE - len(self.knocking), self.count - len(self.open))):
                self.enter()
            if len(self.open) - len(self.knocking) >= self.count * 0.99 and not is_told:
                is_told = True
                self.pipe.send(self.count)
            for descriptor, events in self.epoll.poll(0.02):
                self.serve(descriptor, events)
            if time.monotonic() > drip_at:
                self.drip()
                drip_at = time.monotonic() + DRIP_S
        self.pipe.send((len(self.open) - len(self.knocking), self.cut, self.refused))


def allow_descriptors():
    """As many as this process may have; gives how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def run_stuck(pipe, port, count):
    allow_descriptors()
    Stuck(pipe, port, count).run()


# --- those whose patience is measured ----------------------------------------------------------------------------------------

def run_probe(pipe, port, seconds):
    """Good requests one after the other; gives the seconds each took, by kind. A fresh connection for every second one."""
    taken, kept, number = collections.defaultdict(list), None, 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        body, headers = event("probe", number)
        kinds = (("healthz", "GET", "/healthz", b"", {}), ("jobs", "GET", "/api/v1/jobs?limit=20", b"", {}),
                 ("webhook", "POST", "/webhooks/hook0/events", body, headers))
        name, method, path, body, headers = kinds[number % len(kinds)]
        started = time.monotonic()
        if number // len(kinds) % 2 or not kept:
            kept = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            name += ", new connection"
        kept.request(method, path, body, headers)
        answer = kept.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} was answered {answer.status}")
        taken[name].append(time.monotonic() - started)
        number += 1
        time.sleep(0.005)
    pipe.send(dict(taken))
