"""A canonical sync under test, its source, its target and what must hold.

    with Subject(tmp_path, postgres, "postgres", scenario) as subject:      # the state before the sync that meets the fault
        for label, passage, can_fail in subject.passages():
            subject.restore()                                               # to that state, in a fresh copy
            subject.run({"SLUICE_FAULT": f"{label}:{passage}:kill"})
            subject.look()                                                  # what must hold at any instant
            subject.settle()                                                # run again; all of it must be right now

`advance()` changes the source and remembers what a complete sync must have written by then."""

import collections
import contextlib
import json
import shutil
import signal
import subprocess
import uuid

from integration import Workspace, spelled, staged_sets
from leftovers import database_is_clean, no_process_is_left, staging_is_clean
from rows import SHAPE, bag, booked_rows, committed_rows, exploded, flow_of, key_of, same, staging_rows, table_rows
from scenarios import LUA
from shop import CURSORS, Shop

SPREAD = {"advance": 120 * 24 * 3600}  # between the windows' records


class Subject:
    def __init__(self, folder, server, writer, scenario, settings=None):
        self.work = Workspace(folder)
        self.server, self.writer, self.scenario = server, writer, scenario
        self.settings = settings or {}
        self.grants = False
        self.streams = scenario.streams  # chosen now
        self.base_staging, self.staging = folder / "base", folder / "staging"
        self.base_name, self.database = "b" + uuid.uuid4().hex[:12], None
        self.current = {stream: collections.Counter() for stream in scenario.streams}   # the source as of now
        self.previous = self.current                                                  # and before that
        self.versions = {stream: collections.Counter() for stream in scenario.streams}  # all that was ever to be seen

    # --- the source ---

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        scenario = self.scenario
        self.shop = self.stack.enter_context(Shop(orders=scenario.orders, customers=scenario.customers, events=40))
        if scenario.is_sliced:
            for _ in range(2):
                self.shop.control(clock=SPREAD)
                self.shop.mutate("orders", inserts=30)
        if scenario.duplicates:
            self.shop.fault(match="/orders", times=0, duplicate=scenario.duplicates)
        if scenario.stale:
            self.remember()
            self.shop.mutate("orders", updates=scenario.orders // 2)
            self.shop.fault(match="/orders", times=0, stale=scenario.stale)
        self.remember()
        if self.writer == "postgres":
            self.database = self.server.create_database(self.base_name)
            self.stack.callback(self.server.command, f'DROP DATABASE IF EXISTS "{self.base_name}" WITH (FORCE)')
        else:
            self.staging.mkdir(parents=True)
        if scenario.changes:
            self.choose(stream for stream in scenario.streams if stream not in scenario.joins)
            self.settle(self.run())
            self.streams = scenario.streams
            self.advance()
        if self.writer == "postgres":
            self.prepare_table()
            self.database.close()
            self.database = None
        else:
            self.staging.rename(self.base_staging)
        return self

    def __exit__(self, *_):
        if self.database:
            self.database.drop()
        self.stack.close()

    def prepare_table(self):
        """What an overwrite has to keep."""
        self.grants = self.scenario.write_mode == "overwrite" and self.scenario.changes is not None
        if self.grants:
            self.database.query("DO $$ BEGIN CREATE ROLE reader; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
            self.database.query("GRANT SELECT ON shop_raw.orders TO reader")
        if self.scenario.attached:
            self.database.query(self.scenario.attached)

    def remember(self):
        """Takes over what the source has now: versions it had before count for those who append."""
        self.previous = self.current
        self.records = {flow: bag(self.shop.oracle(flow).values(), flow) for flow in map(flow_of, self.scenario.streams)}
        self.current = {stream: self.items_of(self.records["orders"]) if stream == "order_items" else self.records[stream]
                        for stream in self.scenario.streams}
        self.versions = {stream: self.versions[stream] + (self.current[stream] - self.previous[stream])
                         for stream in self.scenario.streams}

    def items_of(self, orders):
        """As they are to be found with these orders. Staging that is to be merged also says which orders have none."""
        return exploded(orders, self.writer == "csv" and self.scenario.write_mode_of("order_items") == "append_dedup")

    def advance(self):
        for stream, changes in (self.scenario.changes or {"orders": {"updates": 30, "inserts": 20}}).items():
            self.shop.mutate(stream, **changes)
        self.remember()

    # --- the target ---

    def restore(self):
        """A fresh copy of the state before the sync that meets the fault."""
        if self.writer == "postgres":
            if self.database:
                self.database.drop()
            self.database = self.server.create_database("f" + uuid.uuid4().hex[:12], template=self.base_name)
        else:
            shutil.rmtree(self.staging, ignore_errors=True)
            shutil.copytree(self.base_staging, self.staging)
        self.configure()

    def choose(self, streams):
        self.streams = tuple(streams)
        self.configure()

    def configure(self):
        scenario = self.scenario
        destination = {"type": "postgres", "url": self.database.url, "schema": "shop_raw"} if self.writer == "postgres" else \
            {"type": "csv", "path": str(self.staging), "compression": "none"}
        config = {"page_size": scenario.page_size}
        if scenario.connector == "shop":
            config.update(sorted=scenario.is_sorted, lookback="0s")
        self.work.configure(self.shop, destination, streams={name: scenario.settings[name] for name in self.streams}, config=config,
                            connector=scenario.connector if scenario.connector == "shop" else LUA / f"{scenario.connector}.lua",
                            commit={"bytes": scenario.commit, "seconds": 1}, rate_limit={"requests": 100000, "per": "1s"},
                            concurrency=3, **self.settings)

    def passages(self):
        """[(label, n, can fail)]: what a sync that meets no fault passes, in the order it does."""
        log = self.work.folder / "passages"
        log.unlink(missing_ok=True)
        self.restore()
        self.run({"SLUICE_FAULT_LOG": str(log)}, code=0)
        counts, found = collections.Counter(), []
        for line in log.read_text().splitlines():
            label, *can_fail = line.split()
            counts[label] += 1
            found.append((label, counts[label], bool(can_fail)))
        return found

    # --- running ---

    def start(self, environment=None):
        own = self.work.environment
        self.work.environment = {**own, **(environment or {})}
        try:
            return self.work.start("run", start_new_session=True)
        finally:
            self.work.environment = own

    def run(self, environment=None, code=None, kill_after=None):
        """Runs a sync to its end, its own or by SIGKILL after that many seconds; returns (exit code, what it said)."""
        process = self.start(environment)
        try:
            out, err = process.communicate(timeout=kill_after or 180)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            out, err = process.communicate()
            assert kill_after, f"a sync hangs\n{out}\n{err}"
        no_process_is_left(process.pid)
        said = out + err
        assert code is None or process.returncode == code, f"exit code {process.returncode}\n{said}"
        assert "Sanitizer: " not in said, said
        return process.returncode, said

    # --- what must hold ---

    def rows(self, stream):
        if self.writer == "postgres":
            return table_rows(self.database, stream)
        return staging_rows(self.staging, stream, self.scenario.write_mode_of(stream) == "overwrite")

    def committed(self, stream):
        """Also what the next start is to make visible."""
        return committed_rows(self.staging, stream) if self.writer == "csv" else self.rows(stream)

    def expected(self, stream):
        """What the target holds when a sync went through."""
        mode = self.scenario.write_mode_of(stream)
        appends = mode == "append" or (mode == "append_dedup" and self.writer == "csv")
        if appends and self.scenario.sync_mode == "incremental" and not self.is_staged_again(stream):
            return self.versions[stream]
        return self.current[stream]

    def cursors(self):
        """{stream: cursor}; of a stream that is read in parts: {customer: cursor}."""
        entries = json.loads(self.work.run("state", "show", "--json").out)
        found = {entry["stream"]: entry["value"] for entry in entries if entry["kind"] == "cursor" and entry["published"]}
        parts = {entry["slice"]: entry["value"] for entry in entries if entry["kind"] == "partition" and entry["published"]}
        if self.scenario.is_parted and self.writer == "postgres" and self.database.one("SELECT to_regclass('_sluice.partitions') IS NOT NULL"):
            parts = dict(self.database.query("SELECT slice, value FROM _sluice.partitions WHERE NOT pending"))
        found.update({part: words[2] for part, words in ((part, value.split(" ", 2)) for part, value in parts.items()) if len(words) > 2})
        return found

    def is_covered(self, row, stream, cursors):
        """Does a published cursor say that it is there?"""
        name = self.cursor_name(row, stream)
        return name in cursors and self.cursor_of(row, stream) <= spelled(cursors[name], "time")

    def cursor_name(self, row, stream):
        is_parted = self.scenario.is_parted and stream == "orders"
        return json.loads(row)[list(SHAPE[stream]).index("customer_id")] if is_parted else flow_of(stream)

    def look(self):
        """What must hold at any instant, also between a fault and the run after it."""
        cursors = self.cursors()  # first: a COMMIT that was on its way may happen while we look
        found = {stream: self.rows(stream) for stream in self.scenario.streams}
        for stream, rows in found.items():
            if rows is not None:
                self.look_at(stream, rows)
        self.look_at_sets()
        if self.scenario.is_sliced or self.scenario.sync_mode == "full_refresh":
            return
        for stream in self.scenario.streams:
            if stream in self.scenario.joins:
                continue
            due = [row for row in self.expected(stream) if self.is_covered(row, stream, cursors)]
            have = (self.committed(stream) if self.writer == "csv" else found[stream]) or {}
            lost = [row for row in due if row not in have]
            assert not lost, f"{stream}: the cursors {cursors} are ahead of {len(lost)} rows: " \
                f"{[key_of(row, stream) for row in lost[:3]]}"

    def look_at(self, stream, rows):
        mode = self.scenario.write_mode_of(stream)
        if mode == "overwrite":
            complete = [self.current[stream], self.previous[stream]]
            assert any(rows == whole for whole in complete), f"{stream}: a table of {sum(rows.values())} rows, neither the old nor the new"
            return
        seen = rows if not self.is_staged_again(stream) else collections.Counter(set(rows))
        assert not seen - self.versions[stream], \
            f"{stream}: rows that were never to be seen, or twice: {list(seen - self.versions[stream])[:1]}"
        if mode == "append_dedup" and self.writer == "postgres":
            keys = [key_of(row, stream) for row in rows.elements()]
            assert len(keys) == len(set(keys)), f"{stream}: a key is there twice"

    def look_at_sets(self):
        """An order stands beside the items of its version, or neither is there."""
        appears_at_once = self.writer == "postgres" or self.scenario.write_mode != "overwrite"  # folders appear one by one
        if {"orders", "order_items"} <= set(self.streams) and appears_at_once and not self.scenario.joins:
            for _ in range(2):  # a COMMIT on its way may come in between, but only once
                orders, items = (self.committed(stream) or collections.Counter() for stream in ("orders", "order_items"))
                if items == self.items_of(orders):
                    return
            same(items, self.items_of(orders), "order_items", "the items beside their orders")

    def is_staged_again(self, stream):
        """A full refresh into staging adds all of it again, for whoever merges there; so does a stream that joins, to its flow."""
        return self.writer == "csv" and self.scenario.write_mode_of(stream) != "overwrite" and \
            (self.scenario.sync_mode == "full_refresh" or self.scenario.stale > 0 or len(self.scenario.joins) > 0)

    @staticmethod
    def cursor_of(row, stream):
        return json.loads(row)[list(SHAPE[stream]).index(CURSORS[stream])]

    @staticmethod
    def set_of(row, stream):
        """What a newer version replaces: the row, or all of its order's."""
        return json.loads(row)[list(SHAPE[stream]).index("order_id")] if stream == "order_items" else key_of(row, stream)

    def settle(self, ended=None, tries=1):
        """Runs until a sync goes through (`ended`: the run that was the last), then compares rows, cursor, books, leftovers."""
        for _ in range(tries):
            ended = ended or self.run()
            if ended[0] == 0:
                break
        assert ended[0] == 0, f"the run after the fault ended with {ended[0]}\n{ended[1]}"
        for stream in self.streams:
            rows = self.rows(stream) or collections.Counter()
            if self.is_staged_again(stream):
                rows = self.folded(rows, stream)
            same(rows, self.expected(stream), stream, f"{self.writer} {self.scenario.name} {stream}")
            if stream == "order_items" and self.writer == "csv" and self.scenario.write_mode_of(stream) == "append_dedup":
                same(bag(staged_sets(self.staging), stream), bag(self.shop.oracle(stream).values(), stream), stream,
                     "the sets as the manifests say")
        self.check_cursors()
        if self.writer == "csv":
            staging_is_clean(self.staging)
            for stream in self.streams:
                self.check_books(stream)
            return
        database_is_clean(self.database, self.streams)
        for stream in self.streams:
            if self.scenario.write_mode_of(stream) == "append":
                assert self.database.one("SELECT sum(written) FROM _sluice.loads WHERE stream = %s", stream) == \
                    sum(self.expected(stream).values()), "the ledger's rows are not the table's"
        if self.grants:
            assert self.database.query("SELECT DISTINCT privilege_type FROM information_schema.role_table_grants WHERE grantee = 'reader' "
                                       "AND table_name = 'orders'") == [("SELECT",)], "the grants are not what they were"

    def check_books(self, stream):
        """What was staged is what the commits say was written, as far as they are all there; overwrites do not keep all of it."""
        rows = [row for row in self.rows(stream).elements() if key_of(row, stream)[-1] is not None]  # not that a set is empty
        booked = booked_rows(self.staging, stream)
        if self.scenario.write_mode_of(stream) != "overwrite" and booked is not None:
            assert booked == len(rows), f"{stream}: {len(rows)} rows are staged, {booked} are in the books"

    def folded(self, rows, stream):
        """The newest version per key, or of each set."""
        newest = {}
        for row in rows:
            newest[self.set_of(row, stream)] = max(newest.get(self.set_of(row, stream), ""), self.cursor_of(row, stream))
        return collections.Counter({row for row in rows if self.cursor_of(row, stream) == newest[self.set_of(row, stream)]})

    def check_cursors(self):
        if self.scenario.sync_mode == "full_refresh":
            return
        cursors = self.cursors()
        for stream, records in self.records.items():
            newest = {}
            for row in records:
                name = self.cursor_name(row, stream)
                newest[name] = max(newest.get(name, ""), self.cursor_of(row, stream))
            for name, time in newest.items():
                stored = spelled(cursors[name], "time")
                # Windows end where they end, and a customer's newest order may have become another's.
                is_right = stored >= time if self.scenario.is_sliced or self.scenario.is_parted else stored == time
                assert is_right, f"{stream}: cursor of {name} {stored}, newest row {time}"
