"""What all emulators share: the same bytes for the same seed and changes, faults on the wire, one clock, a log to assert on."""

import http.client

import pytest
from emulator import Emulator

NOW = "2026-03-01T00:00:00Z"
STREAMS = {"zendesk": "tickets", "hubspot": "deals", "salesforce": "Contact", "github": "alpha/issues", "stripe": "customers"}


def life(name, seed):
    """All that an emulator holds after some changes."""
    with Emulator(name, now=NOW, seed=seed) as emulator:
        changed = emulator.mutate(STREAMS[name], updates=3, creates=2, deletes=2, late=1)
        emulator.control(advance=5)
        changed = [changed, emulator.mutate(STREAMS[name], undeletes=1, updates=1, same_stamp=True)]
        return changed, {stream: emulator.oracle(stream) for stream in emulator.inspect("streams")["streams"]}


@pytest.mark.parametrize("name", STREAMS)
def test_the_same_seed_and_changes_give_the_same_records(name):
    first, second = life(name, 7), life(name, 7)
    assert first == second and all(first[0]) and first[1] != life(name, 8)[1]


@pytest.fixture
def github():
    with Emulator("github", now=NOW) as running:
        yield running


def ask(github):
    return github.call("GET", "/orgs/acme/members", headers={"Authorization": "Bearer " + github.secrets()[0]})


def test_faults_on_the_wire(github):
    whole = ask(github)[2]
    github.control(fault=[{"drip": {"bytes": 300, "every_ms": 1}, "chunked": True}, {"gzip": "deflate"}, {"reset": True}, {"close": True},
                          {"truncate_at": 10}, {"raw": "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\n{}"},
                          {"status": 503, "headers": {"Retry-After": "7"}, "after": 1, "match": "members"}])
    assert ask(github)[2] == whole and ask(github)[1]["Content-Encoding"] == "deflate"
    for _ in range(2):
        with pytest.raises((ConnectionError, OSError)):
            ask(github)
    with pytest.raises(http.client.IncompleteRead):
        ask(github)
    assert ask(github)[0] == 299
    assert ask(github)[2] == whole, "one passes first"
    status, headers, _ = ask(github)
    assert (status, headers["Retry-After"]) == (503, "7") and ask(github)[2] == whole
    assert [entry["fault"] for entry in github.requests("members")] == [False, *[True] * 6, False, True, False]


def test_requests_at_a_time_are_counted_and_limited(github):
    github.control(concurrent=0)
    assert ask(github)[0] == 403
    github.control(concurrent=1)
    assert ask(github)[0] == 200
    assert [entry["in_flight"] for entry in github.requests()] == [1, 1] and github.inspect("log")["max_in_flight"] == 1


def test_bad_control_is_refused(github):
    for command in ({"nonsense": 1}, {"mutate": {"stream": "nonsense"}}, {"mutate": {"stream": "members", "update": 1}}, {"fault": {"odd": 1}},
                    {"quota": {"odd": {"limit": 1}}}, {"fault": {"match": "("}}):
        assert github.call("POST", "/__ctl", command)[0] == 400, command
