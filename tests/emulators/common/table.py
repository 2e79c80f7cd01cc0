"""The records of one stream: when they were made, changed, deleted. What they say follows from (seed, stream, number, version).

Three neighbours share one stamp, so that page and window boundaries are always in the middle of equals. Changes are the same for
the same sequence of `mutate` calls; their stamps are the clock's.
"""

from common.seeded import mix

START_MS = 1735776000000   # 2025-01-02T00:00:00Z, the first stamp
SPAN_MS = 90 * 86400000    # the first records spread over so much at most
STEP_MS = 6 * 3600000      # between two groups, unless they are too many for SPAN_MS
GROUP = 3
MUTATE_KEYS = {"stream", "updates", "creates", "deletes", "undeletes", "late", "late_by_s", "drift", "merges", "same_stamp", "age_s",
               "ids"}


class Row:
    """`updated_ms` is what the record says of itself; `moved_ms` is what the API orders changes by (they part by `drift`)."""
    __slots__ = ("number", "version", "created_ms", "updated_ms", "moved_ms", "deleted_ms", "into", "absorbed")

    def __init__(self, number, stamp_ms):
        self.number, self.version = number, 0
        self.created_ms = self.updated_ms = self.moved_ms = stamp_ms
        self.deleted_ms = None
        self.into = None      # the row this one was merged into
        self.absorbed = []    # the rows merged into this one


class Table:
    def __init__(self, name, count, seed, clock, same_stamp=False, first=1):
        self.name, self.seed, self.clock, self.first = name, seed, clock, first
        groups = max(1, -(-count // GROUP))
        step_ms = 0 if same_stamp else max(1000, min(STEP_MS, SPAN_MS // groups) // 1000 * 1000)
        self.rows = [Row(first + i, START_MS + i // GROUP * step_ms + mix(seed, name, i // GROUP) % 1000) for i in range(count)]
        if same_stamp:
            for row in self.rows:
                row.created_ms = row.updated_ms = row.moved_ms = START_MS
        self.newest_ms = START_MS  # of all changes
        self.generation = self.mutations = 0
        self.sorted = {}
        self.on_change = None  # called with (table, row, "created" | "updated" | "deleted")

    def bits(self, row, salt=0):
        """64 bits of the row's present version."""
        return mix(self.seed, self.name, row.number, row.version, salt)

    def get(self, number):
        at = number - self.first
        return self.rows[at] if 0 <= at < len(self.rows) else None

    def live(self):
        return [row for row in self.rows if row.deleted_ms is None]

    def ordered(self, key, name):
        """All rows by a key function, remembered under `name` until something changes."""
        found = self.sorted.get(name)
        if found is None or found[0] != self.generation:
            found = self.sorted[name] = (self.generation, sorted(self.rows, key=key))
        return found[1]

    # -- changes

    def mutate(self, spec):
        """Changes rows, returns {kind: [numbers]}. See README.md for the keys."""
        unknown = set(spec) - MUTATE_KEYS
        if unknown:
            raise ValueError(f"unknown keys {sorted(unknown)} in mutate")
        self.mutations += 1
        now_ms = self.clock.now_ms() - int(spec.get("age_s", 0) * 1000)
        # Without an age, changes come after all before them.
        base_ms = now_ms - 50 if spec.get("age_s") else max(now_ms - 50, self.newest_ms + 1)
        stamps = self.stamps(base_ms, 0 if spec.get("same_stamp") else 1)
        done = {}
        for kind in ("updates", "deletes", "undeletes", "drift", "merges"):
            many = spec.get(kind, 0)
            if many:
                gone = kind == "undeletes"
                done[kind] = [row.number for row in self.choose(kind, many, gone, spec.get("ids"))]
                for number in done[kind]:
                    getattr(self, "do_" + kind)(self.get(number), next(stamps))
        for kind, shift_ms in (("creates", 0), ("late", int(spec.get("late_by_s", 30) * 1000))):
            done[kind] = []
            for _ in range(spec.get(kind, 0)):
                row = Row(self.first + len(self.rows), next(stamps) - shift_ms)
                self.rows.append(row)
                done[kind].append(row.number)
                self.changed(row, "created")
        self.generation += 1
        return {kind: numbers for kind, numbers in done.items() if numbers}

    @staticmethod
    def stamps(base_ms, step_ms):
        """Three changes share a stamp, the next three have a later one; after 50 such groups the rest share theirs."""
        count = 0
        while True:
            yield base_ms + step_ms * min(count // GROUP, 50)
            count += 1

    def choose(self, kind, many, gone, ids):
        """`many` rows that are there (or gone), scattered but always the same ones."""
        able = [row for row in self.rows if (row.deleted_ms is not None) == gone and row.into is None]
        if ids:
            return [row for row in able if row.number in ids]
        able.sort(key=lambda row: mix(self.seed, self.name, kind, self.mutations, row.number))
        return sorted(able[:many], key=lambda row: row.number)

    def changed(self, row, kind):
        self.newest_ms = max(self.newest_ms, row.moved_ms)
        if self.on_change:
            self.on_change(self, row, kind)

    def do_updates(self, row, stamp_ms):
        row.version += 1
        row.updated_ms = row.moved_ms = stamp_ms
        self.changed(row, "updated")

    def do_drift(self, row, stamp_ms):
        """A change of the system: the API shows the record again, its updated_at stays."""
        row.moved_ms = stamp_ms
        self.changed(row, "drifted")

    def do_deletes(self, row, stamp_ms):
        row.deleted_ms = row.updated_ms = row.moved_ms = stamp_ms
        self.changed(row, "deleted")

    def do_undeletes(self, row, stamp_ms):
        row.deleted_ms = None
        row.version += 1
        row.updated_ms = row.moved_ms = stamp_ms
        self.changed(row, "updated")

    def do_merges(self, row, stamp_ms):
        """The row becomes part of the first other one that is there."""
        winner = next((other for other in self.rows if other.deleted_ms is None and other is not row), None)
        if winner is None:
            return
        row.into = winner
        winner.absorbed.append(row.number)
        self.do_deletes(row, stamp_ms)
        self.do_updates(winner, stamp_ms)
