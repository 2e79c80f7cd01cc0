"""Connections that break at every byte: of what goes to PostgreSQL and comes back, above all around COMMIT, and of the API's
answers."""

import pytest

from integration import ROOT
from canonical import ALLOWED, KINDS, Sync, settle
from chosen import FULL, PARTS, chosen
from proxy import CLIENT, COMMIT, COMMIT_REPLY_SIZE, SERVER, Fault, Proxy
from shop import Shop

HEAD = b"UPDATE _sluice.heads SET commit_id"  # the last statement before the COMMIT of a load
HEAD_REPLY_SIZE = 35  # and then that to COMMIT


@pytest.fixture
def small_shop():
    with Shop(orders=120, customers=1, events=1) as shop:
        yield shop


def record(sync, database, proxy):
    """One sync with nothing broken, and what of it passed the proxy."""
    sync.prepare(database)
    proxy.clear()
    proxy.watched = {COMMIT, HEAD}
    sync.run()
    return dict(proxy.counts), [{sender: len(data) for sender, data in c.passed.items()} for c in proxy.connections]


def around_commits(counts):
    """Every byte of each COMMIT and its answer, and of the answer to the statement before it; that one itself coarsely."""
    for what in ("cut", "reset"):
        for nth in range(1, counts[COMMIT] + 1):
            yield from (Fault(what, CLIENT, at, COMMIT, nth) for at in range(len(COMMIT) + 1))
            yield from (Fault(what, SERVER, at, COMMIT, nth) for at in range(COMMIT_REPLY_SIZE + 1))
        for nth in range(1, counts[HEAD] + 1):
            yield from (Fault(what, CLIENT, at, HEAD, nth) for at in range(0, 400, 29))
            yield from (Fault(what, SERVER, at, HEAD, nth) for at in range(0, HEAD_REPLY_SIZE + 1, 3))


def everywhere(sizes):
    for what in ("cut", "reset"):
        for number, size in enumerate(sizes):
            yield from (Fault(what, CLIENT, at, connection=number) for at in range(0, size[CLIENT], 487))
            yield from (Fault(what, SERVER, at, connection=number) for at in range(0, size[SERVER], 97))


def break_and_settle(sync, database, proxy, fault):
    sync.prepare(database)
    proxy.clear()
    proxy.faults.append(fault)
    ended = sync.run(code=None)
    assert ended.code in ALLOWED, (fault, ended)
    if ended.code:
        assert "error: destination: shop" in ended.err and "check the destination" in ended.err, (fault, ended)
    proxy.faults.clear()
    proxy.heal()
    try:
        settle(sync, database)
    except AssertionError as error:
        raise AssertionError(f"after {fault} ({ended}): {error}") from error
    return ended


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", KINDS)
def test_database_connection_that_breaks_at_any_byte(work, database, small_shop, kind, part):
    with Proxy(database.server.port) as proxy:
        sync = Sync(work, small_shop, kind, url=proxy.url(database))
        counts, sizes = record(sync, database, proxy)
        faults = chosen(around_commits(counts), 8, kind, part) + chosen(everywhere(sizes), 6, kind, part)
        struck, ended_by = 0, {}
        for fault in faults:
            ended = break_and_settle(sync, database, proxy, fault)
            struck += bool(proxy.broken)
            ended_by[ended.code] = ended_by.get(ended.code, 0) + 1
        print(kind, part, len(faults), struck, ended_by)
        assert struck >= len(faults) * 3 // 4, "most faults were never met"


SILENT = [(kind, direction, at, after, nth) for kind in KINDS
          for direction, at, after in ((CLIENT, 0, COMMIT), (SERVER, 7, COMMIT), (CLIENT, 1, HEAD), (SERVER, 5, HEAD),
                                       (SERVER, HEAD_REPLY_SIZE + 7, HEAD)) for nth in (1, 2)
          ] + [("build", direction, 700, None, 1) for direction in (CLIENT, SERVER)]


@pytest.mark.parametrize("kind, direction, at, after, nth", SILENT if FULL else [("merge", SERVER, HEAD_REPLY_SIZE + 7, HEAD, 1)])
def test_database_that_is_silent_for_ever_ends_no_sync(work, database, small_shop, kind, direction, at, after, nth):
    """A pooler that takes what is sent and never answers: nothing is closed, TCP is content. The sync asks on a new connection and
    goes on; what was committed behind the silence is neither lost nor done twice."""
    with Proxy(database.server.port) as proxy:
        sync = Sync(work, small_shop, kind, url=proxy.url(database))
        fault = Fault("silence", direction, at, after, nth, connection=1 if after is None else None)
        ended = break_and_settle(sync, database, proxy, fault)
        assert proxy.broken == [fault], (proxy.counts, ended)
        if after == HEAD:
            assert ended.code == 0, ended


def test_database_that_is_silent_inside_copy_ends_no_sync(work, database, small_shop):
    with Proxy(database.server.port) as proxy:
        sync = Sync(work, small_shop, "append", url=proxy.url(database))
        ended = break_and_settle(sync, database, proxy, Fault("silence", CLIENT, 600, b"COPY ", 1))
        assert len(proxy.broken) == 1 and ended.code == 0, ended


def test_lease_whose_reply_was_lost_is_our_own(work, database, small_shop):
    """It was found held, by the very process that asked."""
    with Proxy(database.server.port) as proxy:
        sync = Sync(work, small_shop, "append", url=proxy.url(database))
        ended = break_and_settle(sync, database, proxy, Fault("cut", SERVER, 3, b"UPDATE _sluice.leases SET fence"))
        assert ended.code == 0 and proxy.broken, ended


# --- the API --------------------------------------------------------------------------------------------------------------------

TIMEOUTS = 'timeouts = { connect = "5s", first_byte = "1s", total = "2s" },'


def answers_that_break(size):
    for what in ("cut", "reset", "silence"):
        step = 31 if what == "silence" else 7
        yield from (Fault(what, SERVER, at) for at in (*range(0, 400, step), *range(400, size, 1009)))
        yield from (Fault(what, CLIENT, at) for at in range(0, 300, 41))
    yield from (Fault("delay", SERVER, at, seconds=0.4) for at in range(0, size, 4001))


@pytest.mark.parametrize("part", range(PARTS))
def test_answer_of_the_api_that_breaks_at_any_byte(work, database, small_shop, part):
    """Tried again until it is complete: never half a page, never one twice."""
    text = (ROOT / "connectors" / "shop" / "init.lua").read_text()
    connector = work.write("shop.lua", text.replace("  http = {\n", f"  http = {{\n    {TIMEOUTS}\n", 1))
    with Proxy(small_shop.port) as proxy:
        sync = Sync(work, small_shop, "append", url=database.url, base_url=f"http://127.0.0.1:{proxy.port}", connector=connector)
        sync.prepare(database)
        proxy.clear()
        sync.run()
        size = max(len(connection.passed[SERVER]) for connection in proxy.connections)
        for fault in chosen(answers_that_break(size), 10, "api", part):
            sync.prepare(database)
            proxy.clear()
            proxy.faults.append(fault)
            ended = sync.run(code=None)
            assert ended.code == 0, (fault, ended)
            assert proxy.broken == [fault], fault
            proxy.heal()
            settle(sync, database)


def test_slow_network_is_not_a_broken_one(work, database, small_shop):
    with Proxy(database.server.port, bytes_per_second=200_000) as slow, Proxy(small_shop.port, bytes_per_second=200_000) as slow_api:
        sync = Sync(work, small_shop, "build", url=slow.url(database), base_url=f"http://127.0.0.1:{slow_api.port}")
        sync.run()
        settle(sync, database)
