"""The GitHub connector passes what every bundled connector must."""

import json
import uuid

import pytest

import acceptance
from emulator import Emulator

STAMPS = {"created_at": "time", "updated_at": "time"}
# stream -> (the oracle's name, key, columns)
STREAMS = {
    "issues": ("issues", ["id"], {"id": "number", "number": "number", "title": "text", "body": "text", "state": "text", "user": "json", "labels": "json",
                                  "pull_request": "json", "closed_at": "time", "repository": "text", **STAMPS}),
    "issue_comments": ("comments", ["id"], {"id": "number", "issue_url": "text", "body": "text", "user": "json", "repository": "text", **STAMPS}),
    "pull_requests": ("pulls", ["id"], {"id": "number", "number": "number", "state": "text", "draft": "flag", "head": "json", "merged_at": "time",
                                        "repository": "text", **STAMPS}),
    "commits": ("commits", ["repository", "sha"], {"sha": "text", "author": "json", "repository": "text", "commit_message": "commit.message text",
                                                   "commit_committer_date": "commit.committer.date time", "commit_author_email": "commit.author.email text"}),
    "releases": ("releases", ["id"], {"id": "number", "tag_name": "text", "prerelease": "flag", "published_at": "time", "repository": "text"}),
    "workflow_runs": ("workflow_runs", ["id"], {"id": "number", "status": "text", "conclusion": "text", "run_number": "number", "run_attempt": "number",
                                                "repository": "text", **STAMPS}),
    "stargazers": ("stargazers", ["repository", "user_id"], {"repository": "text", "starred_at": "time", "user_id": "user.id number",
                                                             "user_login": "user.login text"}),
    "branches": ("branches", ["repository", "name"], {"repository": "text", "name": "text", "protected": "flag", "commit_sha": "commit.sha text"}),
    "events": ("events", ["id"], {"id": "text", "type": "text", "actor": "json", "repository": "text", "created_at": "time"}),
    "repositories": ("repositories", ["id"], {"id": "number", "full_name": "text", "archived": "flag", "owner": "json", "pushed_at": "time", **STAMPS}),
    "members": ("members", ["id"], {"id": "number", "login": "text", "site_admin": "flag"}),
    "teams": ("teams", ["id"], {"id": "number", "slug": "text", "name": "text"}),
}
CHANGING = ("issues", "comments")


@pytest.fixture
def github():
    with Emulator("github", issues=130, comments=110, commits=120) as running:
        yield running


@pytest.fixture
def fresh(postgres):
    return lambda: postgres.create_database("t" + uuid.uuid4().hex[:12])


def stream(github, name):
    source, key, shape = STREAMS[name]
    columns = {column: (column, kind) if " " not in kind else tuple(kind.split(" ")) for column, kind in shape.items()}
    return acceptance.Stream(f"github.{name}", key, columns, lambda: github.oracle(source)["rows"])


def subject_of(work, github, names=tuple(STREAMS), config=None, **settings):
    def configure(database):
        given = {"base_url": github.url, "owner": "acme", **(config or {"token": github.secrets()[0]})}
        pipeline = {"connector": "github", "destination": "target", "network": {"allow_private": True}, "streams": sorted(names),
                    "config": given, "commit": {"bytes": "16KiB", "seconds": 1}, **settings}
        work.write("sluice.yaml", json.dumps({
            "destinations": {"target": {"type": "postgres", "url": database.url, "schema": "github"}}, "pipelines": {"gh": pipeline}}))
    return acceptance.Subject(work, github, configure, {name: stream(github, name) for name in names}, github.secrets, github.violations)


def test_full_sync(work, github, fresh):
    """The lists of the organisation, its repositories once more for what is in them, and for each stream and repository its pages."""
    acceptance.full_sync(subject_of(work, github), fresh(), budget=3 + 1 + 9 * 5 + 20)


def test_killed_at_a_request_and_resumed(work, github, fresh):
    acceptance.kill_and_resume(subject_of(work, github, ("issues", "commits", "pull_requests")), fresh, at=[0, 3, 8, 14])


def test_rounds_of_changes(work, github, fresh):
    """What changed is asked for; of pull requests and runs the newest pages are read."""
    names = ("issues", "issue_comments", "pull_requests", "workflow_runs", "stargazers", "teams")
    subject, database = subject_of(work, github, names), fresh()

    again = {}

    def change():
        for repository in ("alpha", "gamma"):
            for table in CHANGING:
                github.mutate(f"{repository}/{table}", updates=4, creates=2, age_s=2)
            runs = github.mutate(f"{repository}/workflow_runs", creates=2, age_s=2, **again.get(repository, {}))
            again[repository] = {"updates": 1, "ids": runs["creates"][:1]}  # is started again
            github.mutate(f"{repository}/stargazers", creates=1, deletes=1, age_s=2)
        github.mutate("teams", creates=1, deletes=1)
    acceptance.rounds(subject, database, [change, change])
    github.control(clear_log=True)
    subject.run()
    assert len([entry for entry in github.requests("/pulls")]) == 5


def test_an_app_logs_in_by_a_signed_token(work, github, fresh, tmp_path):
    import subprocess
    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key], check=True, capture_output=True)
    config = {"auth": "app", "app_id": "4711", "installation_id": "99", "private_key": key.read_text()}
    subject, database = subject_of(work, github, ("members",), config), fresh()
    subject.configure(database)
    subject.run()
    github.control(expire_tokens=True)
    subject.run()
    subject.look(database)
    assert len(github.requests("access_tokens")) == 2


def test_limits_are_waited_for(work, github, fresh):
    """The primary one says when it begins anew, the secondary one how long to wait."""
    import time
    subject, database = subject_of(work, github, ("members", "teams")), fresh()
    subject.configure(database)
    github.control(fault=[
        {"match": "members", "status": 403, "headers": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 2)}, "body": {"message": "API rate limit exceeded"}},
        {"match": "teams", "status": 403, "headers": {"retry-after": "1"}, "body": {"message": "You have exceeded a secondary rate limit."}}])
    subject.run()
    subject.look(database)


@pytest.fixture
def github_pool():
    with Emulator("github", issues=130, comments=110, commits=120, tokens=3) as running:
        yield running


def taken(github):
    return [github.inspect("log")["taken"][name] for name in ("core", "core-1", "core-2")]


def test_a_pool_of_tokens_spends_what_each_user_has(work, github_pool, fresh):
    """None of three users may ask often enough for all of it: who has the most left is next, and nobody runs into a limit."""
    github_pool.control(quota={"core": {"limit": 12}, "core-1": {"limit": 14}, "core-2": {"limit": 20}})
    names = ("issues", "issue_comments", "commits", "workflow_runs", "teams")
    subject, database = subject_of(work, github_pool, names, {"tokens": github_pool.secrets()[:3]}), fresh()
    subject.configure(database)
    subject.run()
    subject.look(database)
    first, second, third = taken(github_pool)
    assert 3 < first <= second + 2 <= third + 4 and first + second + third > 20


def test_used_up_in_the_midst_of_a_run_another_token_goes_on(work, github_pool, fresh):
    """The source refuses what it had said was left: somebody else uses the token, too."""
    subject, database = subject_of(work, github_pool, ("issues", "teams"), {"token": github_pool.secrets()[0], "tokens": github_pool.secrets()[1:3]}), fresh()
    subject.configure(database)
    github_pool.fault(after=3, times=1, status=403, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "4000000000"},
                      body={"message": "API rate limit exceeded"})
    subject.run()
    subject.look(database)


def test_a_recording_with_a_pool_holds_no_token_and_plays_without_one(work, github_pool, fresh):
    subject, database = subject_of(work, github_pool, ("teams", "branches"), {"tokens": github_pool.secrets()[:3]}), fresh()
    subject.configure(database)
    work.run("run", "--record", "run.http")
    subject.look_for_secrets((work.folder / "run.http").read_text())
    subject.look(database)
    subject = subject_of(work, github_pool, ("teams", "branches"), {"tokens": "another-one"})
    subject.configure(again := fresh())
    work.run("run", "--replay", "run.http")
    subject.look(again)


def test_revoked_tokens_are_left_out_until_none_is_left(work, github_pool, fresh):
    subject, database = subject_of(work, github_pool, ("issues", "teams"), {"tokens": github_pool.secrets()[:3]}), fresh()
    subject.configure(database)
    github_pool.control(revoke_token=0)
    github_pool.control(revoke_token=2)
    said = subject.run().err
    assert "refuses credential 1 of the pool" in said and "refuses credential 3 of the pool" in said and "1 of 3 are left" in said
    subject.look(database)
    assert github_pool.inspect("log")["taken"]["core-2"] == 0
    github_pool.control(revoke_token=1)
    ended = subject.run(code=3)
    assert "credentials" in ended.err
    subject.look(database)


def test_repositories_that_go_or_are_blocked_while_they_are_read(work, github, fresh):
    """They are listed and cannot be read; the others are."""
    subject, database = subject_of(work, github, ("issues", "branches", "commits")), fresh()
    subject.configure(database)
    github.control(missing=["alpha"])
    github.fault(match="/beta/", times=0, status=403, body={"message": "Repository access blocked", "block": {"reason": "tos"}})
    said = subject.run().err
    assert "alpha" in said and "beta" in said
    expected = {name: [row for row in github.oracle(name)["rows"] if row["repository"] == "acme/gamma"] for name in subject.streams}
    assert all(expected.values())
    for name, each in subject.streams.items():
        each.truth = lambda name=name: expected[name]
    subject.look(database)


def test_what_a_token_may_not_read_is_left_out(work, github, fresh):
    subject, database = subject_of(work, github, ("issues", "workflow_runs")), fresh()
    subject.configure(database)
    github.fault(match="/actions/", times=0, status=403, body={"message": "Resource not accessible by integration"})
    assert "workflow_runs" in subject.run().err
    subject.streams = {"issues": subject.streams["issues"]}
    subject.look(database)


def test_a_user_is_no_organisation(work, github, fresh):
    subject, database = subject_of(work, github, ("members", "repositories")), fresh()
    subject.configure(database)
    github.fault(match="/members", times=0, status=404, body={"message": "Not Found"})
    assert "members" in subject.run().err
    subject.streams = {"repositories": subject.streams["repositories"]}
    subject.look(database)
