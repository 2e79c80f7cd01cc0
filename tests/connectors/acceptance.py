"""What every bundled connector must pass against its emulator, over PostgreSQL.

A test describes its connector once and calls the checks:

    subject = Subject(work, emulator, pipeline, {"tickets": Stream("zendesk.tickets", key=["id"], columns={..}, truth=rows)}, secrets)
    full_sync(subject, fresh(), budget=12)          # equals the oracle, within so many requests
    kill_and_resume(subject, fresh, at=[0, 3, 7])   # killed while the n-th request waits, run again: equals
    rounds(subject, fresh(), [change, change])      # n rounds of changes, deletions included

Each run looks for secrets in all that is printed, each check that the emulator never had to refuse a request for a limit.
"""

import dataclasses
import time
import typing

import pytest

from integration import rows_of, spelled

HELD_MS = 3000      # how long the request waits at which a sync is killed
BOUND_S = 60        # a condition that is not met by then never will be


@dataclasses.dataclass
class Stream:
    """One table and what it must hold. `columns`: column -> (where it is in the oracle's record, "a.b" or a function of the record; kind
    as conftest.spelled knows it: text, number, time, flag, json). `truth` gives the oracle's live records."""
    table: str
    key: list
    columns: dict
    truth: typing.Callable
    deleted: typing.Callable = lambda: []  # records of which the API says that they are gone: no live row may have their key


@dataclasses.dataclass
class Subject:
    """`configure(database)` writes the sluice.yaml; `emulator` answers requests() and control(); `secrets` gives all secrets there are."""
    work: object
    emulator: object
    configure: typing.Callable
    streams: dict
    secrets: typing.Callable
    violations: typing.Callable = dict  # limits that were run into -> how often

    def run(self, code=0):
        ended = self.work.run("run", code=code)
        self.look_for_secrets(ended.out + ended.err)
        return ended

    def look_for_secrets(self, text):
        for secret in self.secrets():
            assert secret not in text, "a secret was printed"

    def look(self, database):
        """Every table equals the oracle, and no limit was exceeded."""
        for name, stream in self.streams.items():
            compare(name, stream, database)
        assert not self.violations(), f"limits exceeded: {self.violations()}"


def value_at(record, where):
    if callable(where):
        return where(record)
    for part in where.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


def compare(name, stream, database):
    """The live rows are exactly the oracle's records, value by value."""
    def rowed(record):
        return {column: spelled(value_at(record, where), kind) for column, (where, kind) in stream.columns.items()}

    def key_of(row):
        return tuple(row[column] for column in stream.key)
    expected = {key_of(row): row for row in map(rowed, stream.truth())}
    found = {}
    for row in rows_of(database, f"{stream.table} WHERE NOT _sluice_deleted", list(stream.columns)):
        row = {column: spelled(row[column], kind) for column, (_, kind) in stream.columns.items()}
        assert key_of(row) not in found, f"{name}: {key_of(row)} is there twice"
        found[key_of(row)] = row
    missing, surplus = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    assert not missing and not surplus, f"{name}: {len(missing)} lost {missing[:3]}, {len(surplus)} too many {surplus[:3]}"
    different = [key for key in expected if expected[key] != found[key]]
    assert not different, f"{name}: {len(different)} differ: {expected[different[0]]} became {found[different[0]]}"
    back = {key_of(rowed(record)) for record in stream.deleted()} & found.keys()
    assert not back, f"{name}: {sorted(back)[:3]} are deleted in the source"


def full_sync(subject, database, budget):
    """A first sync equals the oracle and takes at most `budget` requests."""
    subject.configure(database)
    subject.emulator.control(clear_log=True)
    subject.run()
    subject.look(database)
    count = len(subject.emulator.requests())
    assert 0 < count <= budget, f"{count} requests, at most {budget} are expected"


def kill_and_resume(subject, fresh, at):
    """Killed with SIGKILL while request n waits, for each n of `at`, and run again. `fresh` makes an empty database."""
    for n in at:
        database = fresh()
        subject.configure(database)
        subject.emulator.control(clear_log=True, clear_faults=True, fault={"after": n, "delay_ms": HELD_MS})
        process = subject.work.start("run")
        deadline = time.monotonic() + BOUND_S
        while len(subject.emulator.requests()) <= n and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        ended = process.poll()
        process.kill()
        out, err = process.communicate()
        subject.look_for_secrets(out + err)
        if ended is not None:
            pytest.fail(f"the sync ended with {ended} before request {n}: there was nothing to kill\n{out}\n{err}")
        subject.emulator.control(clear_faults=True)
        subject.run()
        subject.look(database)


def rounds(subject, database, changes):
    """After each of `changes` (functions that change the source) a sync equals the oracle again."""
    subject.configure(database)
    subject.run()
    subject.look(database)
    for change in changes:
        change()
        subject.run()
        subject.look(database)
