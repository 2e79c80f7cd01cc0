"""Who reads a table while it is overwritten sees the old one or the new one, complete, whatever happens to the sync."""

import threading

import pytest

from chosen import PARTS, chosen
from scenarios import named
from subject import Subject

SAMPLE = 3
SEEN = "SELECT count(*), sum(total_amount), sum(hashtextextended(id || status || updated_at, 0)) FROM shop_raw.orders"


class Reader:
    """A READ COMMITTED session that looks at the table again and again; `seen` are the different things it saw, in order."""

    def __init__(self, database):
        self.connection = database.server.connect(database.name)
        self.seen, self.looks, self.failure = [], 0, None
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.read)

    def read(self):
        try:
            cursor = self.connection.cursor()
            while not self.is_over.is_set():
                cursor.execute(SEEN)
                found = cursor.fetchone()
                self.looks += 1
                if not self.seen or self.seen[-1] != found:
                    self.seen.append(found)
        except Exception as failure:
            self.failure = failure

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()
        self.connection.close()
        if self.failure:
            raise self.failure


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", ["overwrite", "overwrite_in_place"])
def test_reader_sees_one_table_or_the_other_when_overwrite_is_killed(tmp_path, postgres, scenario, part):
    with Subject(tmp_path, postgres, "postgres", named(scenario)) as subject:
        faults = [(label, n) for label, n, _ in subject.passages()]
        for label, n in chosen(faults, SAMPLE, scenario, part):
            subject.restore()
            old = subject.database.query(SEEN)[0]
            with Reader(subject.database) as reader:
                subject.run({"SLUICE_FAULT": f"{label}:{n}:kill"})
                subject.look()
                subject.settle()
            new = subject.database.query(SEEN)[0]
            assert new != old
            assert reader.seen in ([old], [old, new]), f"killed at {label}:{n}, a reader saw {reader.seen}, not only {old}, {new}"
            assert reader.looks > 10


def test_reader_sees_whole_tables_through_many_overwrites(tmp_path, postgres):
    with Subject(tmp_path, postgres, "postgres", named("overwrite")) as subject:
        subject.restore()
        tables = [subject.database.query(SEEN)[0]]
        with Reader(subject.database) as reader:
            for _ in range(4):
                subject.settle()
                tables.append(subject.database.query(SEEN)[0])
                subject.advance()
        assert len(set(tables)) == len(tables)
        assert reader.seen and all(seen in tables for seen in reader.seen), f"a reader saw {reader.seen} of {tables}"
        assert [seen for seen in tables if seen in reader.seen] == reader.seen, "a reader saw tables in another order"
