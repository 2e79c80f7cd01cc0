"""A TCP proxy on loopback that breaks connections where a test wants it, to the byte.

Each connection is relayed by two threads and remembers what passed, per direction, so that a test can run a sync once, look where
in the stream something happens, and then break every byte around it. What breaks, and where, is a `Fault`:

    with Proxy(database.server.port) as proxy:
        ...                                                     # a sync through proxy.port: everything passes
        proxy.faults.append(Fault("reset", CLIENT, at=3, after=COMMIT, nth=2))
        ...                                                     # the second COMMIT is cut behind its third byte
        assert proxy.broken                                     # it was met

A fault is spent when it has struck. `at` counts bytes of its direction: from the start of the connection, or, with `after`, from
the first byte of the nth message of the client, over all connections, that holds those bytes. A message is what arrives in one
piece: PostgreSQL's protocol as libpq sends it and HTTP put requests into one send each."""

import dataclasses
import socket
import struct
import threading
import time

CLIENT, SERVER = "client", "server"  # who sends
CHUNK = 64 * 1024


@dataclasses.dataclass
class Fault:
    what: str  # "cut": both ends see the stream end; "reset": RST to both; "silence": nothing passes any more, nothing is closed;
    #            "hold": nothing passes until proxy.release(); "delay": waits `seconds`, once
    direction: str
    at: int = 0
    after: bytes = None
    nth: int = 1
    seconds: float = 0
    connection: int = None  # only the nth accepted, from 0; None: any


class Connection:
    """One client's. `passed` holds the bytes of each direction that went through."""

    def __init__(self, number, client, server):
        self.sockets = {CLIENT: client, SERVER: server}
        self.passed = {CLIENT: bytearray(), SERVER: bytearray()}
        self.number = number
        self.starts = {}  # (after, nth) -> how much had passed of each direction when that message came
        self.is_silent = False

    def end(self, with_reset):
        for end in self.sockets.values():
            try:
                if with_reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # Also wakes the other thread, whose recv would keep the socket open.
                end.shutdown(socket.SHUT_RD if with_reset else socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


class Proxy:
    def __init__(self, target_port, bytes_per_second=None):
        self.target_port = target_port
        self.bytes_per_second = bytes_per_second
        self.faults, self.broken, self.connections = [], [], []
        self.counts = {}  # message -> how many of it passed, of those in `watched`
        self.watched = set()
        self.accepted = 0
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.struck = threading.Event()  # set when a fault strikes
        self.is_open = True
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_open = False
        self.released.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            connections = list(self.connections)
        for connection in connections:
            connection.end(with_reset=False)

    def url(self, database):
        return database.url.replace(f":{database.server.port}/", f":{self.port}/")

    def clear(self):
        """Forgets faults, counts and recordings; open connections go on."""
        with self.lock:
            self.faults, self.broken, self.connections = [], [], [c for c in self.connections if c.is_silent]
            self.counts, self.accepted = {}, 0
        self.released.clear()
        self.struck.clear()

    def wait_struck(self, process):
        """Until a fault has struck in a sync."""
        for _ in range(600):
            if self.struck.wait(0.1):
                return
            if process.poll() is not None:
                raise AssertionError(f"the sync ended before the fault struck: {process.returncode} {process.communicate()}")
        raise AssertionError(f"the fault did not strike: {self.faults}, {self.counts}")

    def release(self):
        self.released.set()

    def heal(self):
        """Silent connections are closed, as a network that comes back would find them."""
        with self.lock:
            silent = [connection for connection in self.connections if connection.is_silent]
        for connection in silent:
            connection.end(with_reset=True)

    def _accept(self):
        while self.is_open:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port))
            except OSError:
                client.close()  # the target is down: as near to a refusal as can be
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                connection = Connection(self.accepted, client, server)
                self.accepted += 1
                self.connections.append(connection)
            for sender in (CLIENT, SERVER):
                threading.Thread(target=self._relay, args=(connection, sender), daemon=True).start()

    def _note_messages(self, connection, chunk):
        for after in self.watched | {fault.after for fault in self.faults if fault.after}:
            rest = bytes(connection.passed[CLIENT][-len(after) + 1:])  # it may have come in two pieces
            if after not in rest + chunk:
                continue
            self.counts[after] = self.counts.get(after, 0) + 1
            start = {sender: len(data) for sender, data in connection.passed.items()}
            if after not in chunk:
                start[CLIENT] += (rest + chunk).index(after) - len(rest)
            connection.starts[(after, self.counts[after])] = start

    def _due(self, connection, sender, size):
        """The fault that strikes within the next `size` bytes, and how many of them still pass."""
        passed = len(connection.passed[sender])
        for fault in self.faults:
            if fault.direction != sender or fault.connection not in (None, connection.number):
                continue
            start = 0
            if fault.after:
                starts = connection.starts.get((fault.after, fault.nth))
                if starts is None:
                    continue
                start = starts[sender]
            place = start + fault.at
            if passed <= place < passed + size or (place == passed + size and fault.at > 0):
                return fault, place - passed
        return None, size

    def _relay(self, connection, sender):
        source = connection.sockets[sender]
        target = connection.sockets[SERVER if sender == CLIENT else CLIENT]
        try:
            while True:
                chunk = source.recv(CHUNK)
                if connection.is_silent:
                    if not chunk:
                        return
                    continue
                if not chunk:
                    target.shutdown(socket.SHUT_WR)
                    return
                with self.lock:
                    if sender == CLIENT:
                        self._note_messages(connection, chunk)
                self._pass(connection, sender, target, chunk)
        except OSError:
            connection.end(with_reset=False)

    def _pass(self, connection, sender, target, chunk):
        while chunk:
            with self.lock:
                fault, size = self._due(connection, sender, len(chunk))
                if fault:
                    self.faults.remove(fault)
                    self.broken.append(fault)
            self._send(connection, sender, target, chunk[:size])
            chunk = chunk[size:]
            if not fault:
                return
            self.struck.set()
            if fault.what == "hold":
                self.released.wait()
            elif fault.what == "delay":
                time.sleep(fault.seconds)
            elif fault.what == "silence":
                connection.is_silent = True
                return
            else:
                connection.end(with_reset=fault.what == "reset")
                raise OSError("cut")

    def _send(self, connection, sender, target, data):
        step = len(data) if not self.bytes_per_second else max(1, self.bytes_per_second // 20)
        for at in range(0, len(data), step or 1):
            part = data[at:at + step]
            with self.lock:  # first, so that what it is answered with finds it counted
                connection.passed[sender] += part
            target.sendall(part)
            if self.bytes_per_second:
                time.sleep(len(part) / self.bytes_per_second)



COMMIT = b"Q\0\0\0\x0bCOMMIT\0"  # as libpq sends it, and what the server answers: 'C' "COMMIT", 'Z'
COMMIT_REPLY_SIZE = 18
