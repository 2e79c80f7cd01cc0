"""`sluice run --queued` and `--store`: a run that is a job, for who has a scheduler of his own."""

import json
import signal
import threading

import pytest

from feed import Feed
from test_serve import ROWS, Service, configure, has_ended, status, target_of, wait_until


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, work, database):
    """The words behind a command that name the store; --state-dir comes with the workspace."""
    if request.param == "sqlite":
        return ["--store", str(work.folder / "jobs.db")]
    server = request.getfixturevalue("postgres")
    return ["--store", server.create_database("store_" + database.name).url]


def test_a_run_is_a_job(work, database, store):
    with Feed(lambda path, query: ROWS) as feed:
        configure(work, feed, target_of(database), {"p": {}})
        ended = work.run("run", *store, "--json", "p")
        assert [(row["stream"], row["written"]) for row in json.loads(ended.out)] == [("rows", 1)]
        again = work.run("run", *store, "--stream", "rows", "--full-refresh", "p")
        assert "rows" in again.out
        job = status(work, "p", *store)["job"]
        assert job["id"] == 2 and job["trigger"] == "request" and job["streams"] == ["rows"] and job["status"] == "succeeded"


def test_how_it_ended_is_the_exit_code(work, database, store):
    with Feed(lambda path, query: (401, {})) as feed:
        configure(work, feed, target_of(database), {"p": {}})
        ended = work.run("run", *store, "p", code=3)
        assert "error: auth: p: job 1 failed" in ended.err


def test_what_may_heal_is_tried_again(work, database, store):
    answers = [(503, {}), (503, {}), ROWS]
    with Feed(lambda path, query: answers.pop(0) if len(answers) > 1 else answers[0]) as feed:
        configure(work, feed, target_of(database), {"p": {}}, retry={"first": "1s"})
        work.run("run", *store, "p")
        assert status(work, "p", *store)["job"]["attempt"] == 3


def test_a_service_that_has_the_job_is_waited_for(work, database, store):
    gate = threading.Event()

    def answer(path, query):
        gate.wait(60)
        return ROWS

    with Feed(answer) as feed:
        configure(work, feed, target_of(database), {"p": {"schedule": "1h"}})
        with Service(work, *store) as service:
            wait_until(lambda: feed.requests)
            process = work.start("run", *store, "--log-format", "json", "p")
            line = process.stderr.readline()
            assert "waiting for its end" in line, line
            gate.set()
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, out + err
            service.stop()
        assert len(feed.requests) == 1


def test_a_killed_run_is_taken_up_by_the_next(work, database, store):
    gate = threading.Event()

    def answer(path, query):
        gate.wait(60)
        return ROWS

    with Feed(answer) as feed:
        configure(work, feed, target_of(database), {"p": {}})
        process = work.start("run", *store, "p")
        wait_until(lambda: feed.requests)
        process.kill()
        process.communicate(timeout=60)
        gate.set()
        work.run("run", *store, "p")
        job = status(work, "p", *store)["job"]
        assert job["id"] == 1 and job["status"] == "succeeded"
        assert database.query("SELECT id, n FROM raw_p.rows") == [("a", 1)]


def test_a_run_that_is_stopped_leaves_its_job_in_the_queue(work, database, store):
    gate = threading.Event()

    def answer(path, query):
        gate.wait(60)
        return ROWS

    with Feed(answer) as feed:
        configure(work, feed, target_of(database), {"p": {}})
        process = work.start("run", *store, "p")
        wait_until(lambda: feed.requests)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 143 and "stays in the queue" in err, out + err
        gate.set()
        with Service(work, *store) as service:
            wait_until(has_ended(work, "p", "succeeded", *store))
            service.stop()


@pytest.mark.parametrize("words", [["--from", "1"], ["--continuous"], ["--record", "x"], ["--jobs", "2"], ["--max-pages", "1"]])
def test_what_a_job_cannot_be_is_said(work, database, words):
    with Feed(lambda path, query: ROWS) as feed:
        configure(work, feed, target_of(database), {"p": {}})
        ended = work.run("run", "--store", "x.db", *words, "p", code=2)
        assert words[0] in ended.err
        assert "name it" in work.run("run", "--store", "x.db", code=2).err
        assert "no pipeline 'q'" in work.run("run", "--store", "x.db", "q", code=2).err
