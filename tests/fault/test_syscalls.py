"""Every system call of a short sync, to CSV and to PostgreSQL, from its first to its last, failing or being where it was killed."""

import re

import pytest

from canonical import Sync, settle
from chosen import FULL, PARTS, chosen
from inject import KILLED, WORKER, Tracer, needs_ptrace, numbered
from proxy import Proxy
from shop import Shop

ON_SOCKETS = ("connect", "sendto", "sendmsg", "recvfrom", "recvmsg")
INTERRUPTED_IS_TRANSPARENT = ("write", "sendto", "sendmsg", "recvfrom", "recvmsg")
LINE = re.compile(r"error: (?:(?P<class>[a-z ]+): shop(?:\.orders)?: .+|config: .+); .+")


def faults_of(calls, attached, is_of_interest):
    for name, nth in sorted(numbered(calls, is_of_interest)):
        yield name, nth, "KILL", attached
        yield name, nth, "EINTR", attached
        if name not in ON_SOCKETS:
            yield name, nth, "ENOSPC", attached
        # libpq waits for an answer to what it could not send, so each of these takes the 10 s of an answer that is lost.
        if name not in ("sendto", "sendmsg") or FULL:
            yield name, nth, "EIO", attached


def is_own(call):
    """To a descriptor of the host's own making, which cannot fail in truth: an event counter, a pipe."""
    return "<anon_inode:" in call.text or "<pipe:" in call.text


def codes_for(hit, staging, ports):
    """How a sync may end whose call failed: what the call was for decides."""
    if hit.thread == WORKER:
        return {0, 7}
    if str(staging) in hit.text or f":{ports[0]}]" in hit.text:
        return {0, 6}
    if any(f":{port}]" in hit.text for port in ports[1:]):
        return {0, 4}
    return {0, 1, 2, 4, 6, 7}


def failed_fsyncs_are_final(calls):
    broken = set()
    for call in calls:
        if call.name != "fsync":
            continue
        descriptor = call.text.split(")")[0]
        assert descriptor not in broken, f"fsync was tried again after it failed: {call.text}"
        if call.is_injected:
            broken.add(descriptor)


@needs_ptrace
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("destination", ["csv", "postgres"])
def test_system_call_that_fails_or_is_the_last(work, database, destination, part):
    staging = work.folder / "staging"
    with Shop(orders=120, customers=1, events=1) as shop, Proxy(shop.port) as api:
        sync = Sync(work, shop, "append", url=database.url, staging=staging if destination == "csv" else None,
                    base_url=f"http://127.0.0.1:{api.port}")
        tracer, faults = Tracer(sync, api), []
        ports = (database.server.port, api.port)

        def is_of_interest(call):
            target = call.text.split('"')[1] if call.name == "openat" else call.text
            if is_own(call):
                return False
            return str(work.folder) in target or "TCP:[" in target or call.name not in ("openat", "write")

        for attached in (False, True):
            sync.prepare()
            ended, calls = tracer.run(attached=attached)
            assert ended.code == 0, ended
            faults += faults_of(calls, attached, is_of_interest)
        problems = []
        for fault in chosen(faults, 8, destination, part):
            try:
                fail_and_settle(tracer, sync, database, fault, staging, ports)
            except AssertionError as problem:
                problems.append(str(problem))
        assert not problems, f"{len(problems)} of them\n" + "\n".join(problems)


def fail_and_settle(tracer, sync, database, fault, staging, ports):
    name, nth, what, attached = fault
    sync.prepare()
    ended, calls = tracer.run(f"{name}:{'signal=KILL' if what == 'KILL' else 'error=' + what}:when={nth}", attached)
    label = f"{what} at {name} {nth}{' attached' if attached else ''}"
    hit = [call for call in calls if call.is_injected]
    allowed = {0, KILLED} if what == "KILL" else {0}.union(*(codes_for(call, staging, ports) for call in hit))
    if what == "EINTR" and name in INTERRUPTED_IS_TRANSPARENT and not any(call.thread == WORKER or is_own(call) for call in hit):
        allowed = {0}
    try:
        assert ended.code in allowed, f"not in {allowed}"
        assert ended.code <= 0 or LINE.search(ended.err) or any(map(is_own, hit)), "not said as it should be"
        failed_fsyncs_are_final(calls)
        tracer.api.clear()
        settle(sync, database)
    except AssertionError as problem:
        raise AssertionError(f"{label}: {problem}\nhit: {hit}\n{ended}") from None
