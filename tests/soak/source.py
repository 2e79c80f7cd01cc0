"""A source of many tables that is slow to answer: every request finds some rows more, and gets what is new since its cursor.

What it serves is known without being kept: the rows of table T are 1 to `head(T)`. So a destination that holds exactly these
has lost nothing and holds nothing twice.
"""

import asyncio
import json
import random
import urllib.parse

ROWS_MAX = 500


def text_of(table, number):
    return f"{table}/{number * 7919 % 100003}"


class Source:
    """Runs in a process of its own; commands come by `pipe`: ("wait", low, high), ("freeze",), ("heads",)."""

    def __init__(self, pipe, wait, seed):
        self.pipe, self.wait, self.dice = pipe, wait, random.Random(seed)
        self.heads, self.is_frozen, self.requests, self.waiting = {}, False, 0, set()

    def answer(self, target):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query))
        table, since = query["table"], int(query.get("since") or 0)
        head = self.heads.get(table, 0)
        if not self.is_frozen:
            head = self.heads[table] = head + self.dice.randint(1, 5)
        until = min(head, since + ROWS_MAX)
        rows = [{"n": n, "text": text_of(table, n)} for n in range(since + 1, until + 1)]
        return json.dumps({"rows": rows}).encode()

    async def rest(self):
        """What a request waits for; the end of all waits when the source becomes quick."""
        sleeper = asyncio.ensure_future(asyncio.sleep(self.dice.uniform(*self.wait)))
        self.waiting.add(sleeper)
        try:
            await sleeper
        except asyncio.CancelledError:
            pass
        self.waiting.discard(sleeper)

    async def serve(self, reader, writer):
        try:
            while line := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                self.requests += 1
                await self.rest()
                body = self.answer(line.split()[1].decode())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except OSError:
            pass  # its sync was killed
        finally:
            writer.close()

    def obey(self):
        what, *given = self.pipe.recv()
        if what == "wait":
            self.wait = given
            for sleeper in list(self.waiting):
                sleeper.cancel()
        elif what == "freeze":
            self.is_frozen = True
        elif what == "heads":
            self.pipe.send((dict(self.heads), self.requests))

    async def run(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024)
        self.pipe.send(server.sockets[0].getsockname()[1])
        asyncio.get_running_loop().add_reader(self.pipe.fileno(), self.obey)
        await server.serve_forever()


def run(pipe, wait, seed):
    asyncio.run(Source(pipe, wait, seed).run())
