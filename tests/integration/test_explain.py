"""`sluice explain`: where the time of a run went, and what it waited for."""

import json
import time

import pytest
from feed import Feed, configure

CURSOR = 'cursor = { field = "at", param = "from", start = "2024-01-01T00:00:00Z" }, pages = { kind = "page", param = "page", start = 1, more = "more" }'


def spent(work, stream="rows"):
    events = [json.loads(line) for line in work.run("explain", "--json").out.splitlines()]
    return next(event["spent_ms"] for event in events if event["event"] == "stream_ended" and event["stream"] == stream)


def answer(slow_s=0, limited=0):
    state = {"limited": limited}

    def give(path, query):
        time.sleep(slow_s)
        if state["limited"] > 0:
            state["limited"] -= 1
            return 503, {}
        page = int(query["page"])
        return {"rows": [{"id": f"r{page}", "at": "2024-05-01T00:00:00Z", "n": page}], "more": page < 4}
    return give


def test_a_slow_source(work, database):
    with Feed(answer(slow_s=0.2)) as feed:
        configure(work, feed, database, CURSOR, "append_dedup")
        work.run("run")
        assert spent(work)["source"] >= 700
        text = work.run("explain").out
        assert "exit code 0" in text and "with 4 requests and 0 retries" in text


def test_a_rate_limit_and_a_backoff(work, database):
    with Feed(answer(limited=2)) as feed:
        configure(work, feed, database, CURSOR, "append_dedup", rate_limit={"requests": 1, "per": "400ms"})
        work.run("run")
        assert spent(work)["rate limit"] >= 1000
        text = work.run("explain").out
        assert "rate limit" in text and "2 retries" in text


@pytest.mark.parametrize("spent_ms, said", [
    ({"source": 900, "rate limit": 200}, "the source's answers"), ({"source": 900, "rate limit": 1200}, "the rate limit: raise"),
    ({"source": 100, "behind": 800, "decode": 700, "commit": 300}, "a Lua function per record"),
    ({"source": 100, "behind": 800, "decode": 300, "commit": 700}, "the destination"),
    ({"source": 100, "Retry-After": 500}, "the source asked to wait"), ({"source": 100, "job": 500}, "jobs at the source"), ({}, "rows")])
def test_the_largest_part_is_named(work, database, spent_ms, said):
    with Feed(answer()) as feed:
        configure(work, feed, database, CURSOR, "append_dedup")
        event = {"event": "stream_ended", "pipeline": "p", "stream": "rows", "stream_ms": 1500, "spent_ms": spent_ms}
        kept = work.folder / "state" / "sluice" / "runs" / "p" / "2024-01-01T00:00:00Z-1.ndjson"
        kept.parent.mkdir(parents=True)
        (work.folder / "state" / "sluice").chmod(0o700)
        kept.write_text(json.dumps(event) + "\nnot JSON\n")
        text = work.run("explain").out
        assert said in text and ("most by" in text) == bool(spent_ms)


def test_runs_are_kept_and_named(work, database):
    with Feed(answer()) as feed:
        configure(work, feed, database, CURSOR, "append_dedup")
        assert "no run of pipeline" in work.run("explain", code=2).err
        for _ in range(23):
            work.run("run")
        names = work.run("explain", "--list").out.split()
        assert len(names) == 20 and names == sorted(names, reverse=True)
        assert "with 4 requests" in work.run("explain", "--run", names[-1]).out
        assert "no run 'x'" in work.run("explain", "--run", "x", code=2).err
        assert "no run '../" in work.run("explain", "--run", "../../tokens/x", code=2).err


def test_a_failed_run_is_explained_without_its_secrets(work, database):
    with Feed(lambda path, query: (401, {"error": "the key made-up-secret is over"})) as feed:
        configure(work, feed, database, CURSOR, "append_dedup", config={"base_url": feed.url, "api_key": "made-up-secret"})
        work.run("run", code=3)
        assert "exit code 3" in work.run("explain").out
        assert "made-up-secret" not in work.run("explain", "--json").out
        assert not [path for path in (work.folder / "state").rglob("*.ndjson") if "made-up-secret" in path.read_text()]
