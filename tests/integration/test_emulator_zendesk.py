"""The Zendesk emulator obeys its own rules."""

import base64
import urllib.parse

import pytest
from emulator import Emulator

BASIC = {"Authorization": "Basic " + base64.b64encode(b"agent@example.com/token:zendesk-test-api-token").decode()}
CLIENT = {"client_id": "zendesk-test-client", "client_secret": "zendesk-test-client-secret"}
NOW = "2026-03-01T00:00:00Z"


@pytest.fixture
def zendesk():
    with Emulator("zendesk", now=NOW, limit=["incremental-exports=1000/60", "incremental-exports-cursor=1000/60"]) as running:
        yield running


def get(zendesk, path, **query):
    return zendesk.call("GET", "/api/v2/" + path + ("?" + urllib.parse.urlencode(query) if query else ""), headers=BASIC)


def export(zendesk, **query):
    """All pages of the cursor export -> (records, last cursor)."""
    records = []
    while True:
        status, _, answer = get(zendesk, "incremental/tickets/cursor", **query)
        assert status == 200, answer
        records += answer["tickets"]
        query = {"cursor": answer["after_cursor"], "per_page": query["per_page"]}
        if answer["end_of_stream"]:
            return records, answer["after_cursor"]


def truth(zendesk, stream):
    oracle = zendesk.oracle(stream)
    return {record["id"]: record for record in oracle["rows"] + oracle["deleted"]}


def test_cursor_export_with_changes(zendesk):
    first, cursor = export(zendesk, start_time=1, per_page=37)
    assert len(first) == 200 and {record["id"]: record for record in first} == truth(zendesk, "tickets")
    changed = zendesk.mutate("tickets", updates=5, creates=3, deletes=2, late=1, drift=4)
    assert export(zendesk, cursor=cursor, per_page=37)[0] == [], "the newest minute is hidden"
    zendesk.control(advance=120)
    later, _ = export(zendesk, cursor=cursor, per_page=2)
    held = {record["id"]: record for record in first + later}
    assert held == truth(zendesk, "tickets")
    assert all(held[number]["status"] == "deleted" for number in changed["deletes"])
    drifted = held[(set(changed["drift"]) - set(changed["updates"]) - set(changed["deletes"])).pop()]
    assert drifted["updated_at"] < "2026" and drifted["generated_timestamp"] > 1770000000


def test_time_export_repeats_the_boundary_second(zendesk):
    seen, start = [], 1
    while True:
        _, _, answer = get(zendesk, "incremental/ticket_events", start_time=start, per_page=50, include="comment_events")
        seen += answer["ticket_events"]
        if answer["end_of_stream"]:
            break
        assert answer["end_time"] > start and answer["count"] >= 50
        start = answer["end_time"]
    assert {record["id"]: record for record in seen} == truth(zendesk, "ticket_events")
    assert len(seen) > len(truth(zendesk, "ticket_events"))
    assert get(zendesk, "incremental/users", start_time=1772323200)[2]["error"] == "StartTimeTooRecent"


def test_lists_by_cursor_and_offset(zendesk):
    _, _, answer = get(zendesk, "tags", **{"page[size]": 40})
    names = [record["name"] for record in answer["tags"]]
    while answer["meta"]["has_more"]:
        _, _, answer = zendesk.call("GET", answer["links"]["next"], headers=BASIC)
        names += [record["name"] for record in answer["tags"]]
    assert names == [record["name"] for record in zendesk.oracle("tags")["rows"]]
    _, _, answer = get(zendesk, "tags.json", per_page=60)
    assert len(answer["tags"]) == 60 and answer["count"] == 150 and "page=2" in answer["next_page"]
    assert get(zendesk, "tickets", page=101, per_page=100)[2]["error"] == "InvalidPaginationDepth"
    assert get(zendesk, "search", page=11, per_page=100, query="type:ticket")[0] == 422


def test_refreshing_kills_the_old_pair(zendesk):
    def refresh(token):
        return zendesk.call("POST", "/oauth/tokens", {"grant_type": "refresh_token", "refresh_token": token, **CLIENT})

    def ask(access):
        return zendesk.call("GET", "/api/v2/groups", headers={"Authorization": "Bearer " + access})[0]
    _, _, first = refresh("zendesk-test-refresh")
    assert ask(first["access_token"]) == 200
    _, _, second = refresh(first["refresh_token"])
    assert ask(first["access_token"]) == 401 and ask(second["access_token"]) == 200
    status, _, answer = refresh(first["refresh_token"])
    assert status == 400 and answer["error"] == "invalid_grant"
    zendesk.control(expire_tokens=True)
    assert ask(second["access_token"]) == 401
    assert {first["access_token"], second["refresh_token"]} <= set(zendesk.secrets())


def test_limits_and_error_shapes(zendesk):
    zendesk.control(quota={"incremental-exports-cursor": {"limit": 2}})
    answers = [get(zendesk, "incremental/tickets/cursor", start_time=1) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429] and answers[2][1]["Retry-After"] == "60"
    assert answers[1][1]["Zendesk-RateLimit-incremental-exports-cursor"] == "total=2; remaining=0; resets=60"
    assert zendesk.violations() == {"incremental-exports-cursor": 1}
    zendesk.control(advance=61, forbid=["macros"])
    assert get(zendesk, "incremental/tickets/cursor", start_time=1)[0] == 200
    assert get(zendesk, "macros")[2]["error"]["title"] == "Forbidden"
    assert get(zendesk, "tickets/99999")[2]["error"] == "RecordNotFound"
    assert get(zendesk, "incremental/tickets/cursor", cursor="?")[2]["errors"][0]["code"] == "InvalidCursor"
    assert zendesk.call("GET", "/api/v2/groups")[2] == {"error": "Couldn't authenticate you"}


def test_faults(zendesk):
    zendesk.control(fault=[{"match": "groups", "html": True}, {"match": "groups", "truncate_at": 20, "chunked": True},
                           {"match": "groups", "gzip": True, "after": 0}])
    status, headers, text = get(zendesk, "groups")
    assert status == 502 and headers["Content-Type"] == "text/html" and text.startswith("<!DOCTYPE")
    with pytest.raises(Exception):
        get(zendesk, "groups")
    assert get(zendesk, "groups")[1]["Content-Encoding"] == "gzip"
    zendesk.fault(match="incremental", empty=True)
    _, _, answer = get(zendesk, "incremental/tickets/cursor", start_time=1)
    assert answer["tickets"] == [] and answer["end_of_stream"] is False
