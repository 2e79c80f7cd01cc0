"""The GitHub emulator obeys its own rules."""

import re

import pytest
from emulator import Emulator

NOW = "2026-03-01T00:00:00Z"


class Account:
    def __init__(self, emulator):
        self.emulator = emulator
        self.headers = {"Authorization": "Bearer " + emulator.secrets()[0], "Accept": "application/vnd.github+json"}

    def get(self, target, **headers):
        return self.emulator.call("GET", target, headers={**self.headers, **headers})

    def all(self, target, key=None, **headers):
        records = []
        while target:
            status, got, answer = self.get(target, **headers)
            assert status == 200, answer
            records += answer[key] if key else answer
            following = re.search(r'<([^>]+)>; rel="next"', got.get("Link", ""))
            target = following[1] if following else None
        return records


@pytest.fixture
def github():
    with Emulator("github", now=NOW) as running:
        yield Account(running)


STREAMS = {"issues": ("issues?state=all&sort=updated&direction=asc&per_page=40", None), "comments": ("issues/comments?per_page=33", None),
           "pulls": ("pulls?state=all&sort=updated&direction=desc&per_page=7", None), "commits": ("commits?per_page=30", None),
           "releases": ("releases", None), "workflow_runs": ("actions/runs?per_page=9", "workflow_runs"), "events": ("events", None),
           "stargazers": ("stargazers?per_page=10", None), "branches": ("branches?per_page=4", None)}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_walk_by_links_equals_the_oracle(github, stream):
    path, key = STREAMS[stream]
    accept = "application/vnd.github.star+json" if stream == "stargazers" else "application/json"
    truth = github.emulator.oracle(stream)["rows"]
    seen = [{**record, "repository": f"acme/{name}"} for name in ("alpha", "beta", "gamma")
            for record in github.all(f"/repos/acme/{name}/{path}", key, Accept=accept)]
    assert len(seen) == len(truth) and sorted(map(str, seen)) == sorted(map(str, truth))


def test_since_tags_and_what_cannot_be_read(github):
    changed = github.emulator.mutate("alpha/issues", updates=4, creates=2, deletes=1)
    newer = github.all("/repos/acme/alpha/issues?state=all&since=2026-01-01T00:00:00Z")
    assert {record["number"] for record in newer} == set(changed["updates"] + changed["creates"]) - set(changed["deletes"])
    assert any("pull_request" in record for record in github.all("/repos/acme/alpha/issues?state=all"))
    status, headers, _ = github.get("/repos/acme/alpha/releases")
    used = headers["x-ratelimit-used"]
    status, headers, text = github.get("/repos/acme/alpha/releases", **{"If-None-Match": headers["ETag"]})
    assert (status, text, headers["x-ratelimit-used"]) == (304, "", used)
    assert github.get("/repos/acme/bare/commits")[0] == 409 and github.get("/repos/acme/vault/issues")[0] == 451
    assert github.get("/repos/acme/none/issues")[0] == 404 and github.get("/repos/acme/alpha/stargazers?page=401")[0] == 422
    assert [github.get("/repos/acme/beta/stats/contributors")[0] for _ in range(2)] == [202, 200]
    assert github.get("/orgs/acme/repos", **{"User-Agent": ""})[0] == 403


def test_limits_and_the_search_cap():
    with Emulator("github", now=NOW, issues=1100) as emulator:
        github = Account(emulator)
        page = "/search/issues?q=repo:acme/alpha&per_page=100&page="
        assert github.get(page + "10")[2]["total_count"] == 1100 and github.get(page + "11")[0] == 422
        emulator.control(quota={"core": {"limit": 2}, "points": {"limit": 4}})
        assert [github.get("/orgs/acme/teams")[0] for _ in range(2)] == [200, 200]
        status, headers, _ = github.get("/orgs/acme/teams")
        assert status == 403 and headers["x-ratelimit-remaining"] == "0" and "Retry-After" not in headers
        assert int(headers["x-ratelimit-reset"]) == 1772323200 + 3601
        emulator.control(quota={"core": {"limit": 100}})
        status, headers, answer = github.get("/orgs/acme/teams")
        assert status == 403 and "secondary" in answer["message"] and headers["Retry-After"] == "60"
        assert emulator.violations() == {"core": 1, "points": 1}
        emulator.control(advance=61)
        assert github.get("/orgs/acme/teams")[0] == 200
