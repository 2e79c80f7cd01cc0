"""What a soak must show: a line for each promise, with what was measured and whether it holds."""

import datetime
import re
import statistics

from watching import MIB

# Budgets of the service.
SERVICE_MAX = 256 * MIB
SYNC_MAX = 6 * MIB
GOOD_P99_S = 0.1
LAG_P99_S = 0.25
RESUMED_S = 5

# How far the last window may be above the first one and still be flat. The service caches pages of its store (2 MiB of SQLite) and
# malloc keeps what a burst of syncs or visitors needed, in as many arenas as there are threads; a leak of one small block a
# sync or request is above this within minutes at the rates here. Descriptors: one for each sync that runs, a few for each
# visitor, both of which vary; files stay open one by one, so that few of them more are a leak.
FLAT_RATIO, FLAT_BYTES = 1.10, 6 * MIB
FLAT_DESCRIPTORS_RATIO, FLAT_DESCRIPTORS, FLAT_FILES = 1.15, 60, 4


def p(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def ms(seconds):
    return f"{seconds * 1000:.1f} ms"


def epoch(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Verdict:
    def __init__(self):
        self.rows, self.notes = [], []

    def told(self, note):
        self.notes.append(note)

    def hold(self, what, measured, limit, holds, is_timing=False):
        self.rows.append((what, measured, limit, holds, is_timing))

    def stuck(self, count, held, cut, refused, alone, beside):
        self.told(f"{count:,} stuck connections: {held:,} descriptors of the service at the end, {cut:,} cut meanwhile, {refused:,} refused")
        for name, taken in sorted(beside.items()):
            self.hold(f"good requests beside {count:,} stuck: {name}",
                      f"p50 {ms(p(taken, 50))}, p99 {ms(p(taken, 99))} of {len(taken):,}; alone p99 {ms(p(alone[name], 99))}",
                      f"p99 < {ms(GOOD_P99_S)}", p(taken, 99) < GOOD_P99_S, True)
        self.hold(f"{count:,} connections are held", f"{held:,}", f"> {count * 0.75:,.0f}", held > count * 0.75)  # some are on their way

    def strange(self, statuses):
        """Nobody sent anything that deserves another answer than these; 503 says that too many wait."""
        wanted = {200, 503, 404}
        odd = {f"{kind} {status}": count for (kind, status), count in statuses.items() if status not in wanted}
        self.hold("no answer but 200, 404 and 503", str(odd or "none"), "none", not odd)

    def synced(self, database, tables, heads, failed):
        """Each table holds 1 to its head, each once."""
        wrong, count = [], 0
        for table in tables:
            if table not in heads:
                continue
            if database.one("SELECT to_regclass(%s)", f"raw.{table}") is None:
                wrong.append((table, "no table"))
                continue
            rows, different, most = database.query(f"SELECT count(*), count(DISTINCT n), max(n) FROM raw.{table}")[0]
            count += rows
            if not rows == different == most == heads[table]:
                wrong.append((table, rows, different, most, heads[table]))
        self.hold("rows of polled tables are the source's, once", f"{count:,} rows; wrong: {wrong[:3] or 'none'}", f"{sum(heads.values()):,}",
                  not wrong and count == sum(heads.values()))
        self.hold("the last sync of every pipeline went well", f"{[job.get('error', job['status']) for job in failed[:2]] or 'all'}", "all",
                  not failed and len(heads) == len(tables))

    def received(self, database, hooks, acknowledged):
        wrong, count, doubled = [], 0, 0
        found = {}
        for number in range(hooks):
            if database.one("SELECT to_regclass(%s)", f"raw.hook{number}") is None:
                continue
            count += database.one(f"SELECT count(*) FROM raw.hook{number}")
            doubled += database.one(f"SELECT count(*) - count(DISTINCT _event_id) FROM raw.hook{number}")
            found.update({int(sender): (rows, most) for sender, rows, most in database.query(
                f"SELECT sender, count(*), max(number) FROM raw.hook{number} WHERE sender <> 'probe' GROUP BY 1")})
        for sender, until in enumerate(acknowledged):
            rows, most = found.get(sender, (0, -1))
            # Whoever is in the table behind `until` was taken, and the answer did not arrive: one at most, the sender's last.
            if rows != most + 1 or most + 1 not in (until, until + 1):
                wrong.append((sender, until, rows, most))
        self.hold("every acknowledged event is in the table, once", f"{count:,} rows, {doubled} twice; wrong: {wrong[:3] or 'none'}",
                  f"{sum(acknowledged):,} acknowledged", not wrong and not doubled)

    def lag(self, jobs, due, every, span):
        """How long after its instant a run was queued and started, in a span of time, for those whose pipeline was not busy with another one."""
        step = {"s": 1, "m": 60, "h": 3600}[every[-1]] * int(every[:-1])
        queued, started, ended = [], [], {}
        for job in sorted(jobs, key=lambda job: job["id"]):
            at, name = epoch(job["requested_at"]), job["pipeline"]
            before, ended[name] = ended.get(name, 0), epoch(job["ended_at"]) if "ended_at" in job else at
            if job["trigger"] != "schedule" or not due.get(name) or "started_at" not in job:
                continue
            late = (at - epoch(due[name])) % step
            if before < at - late - 1 and span[0] < at - late < span[1] and job["attempt"] == 1:
                queued.append(late)
                started.append(epoch(job["started_at"]) - at + late)
        if not queued:
            return
        for what, values in (("queued", queued), ("started", started)):
            self.hold(f"{what} after it is due", f"p50 {ms(p(values, 50))}, p99 {ms(p(values, 99))} of {len(values):,}",
                      f"p99 < {ms(LAG_P99_S)}", p(values, 99) < LAG_P99_S, True)

    def resumed(self, again):
        times = f"p50 {p(again, 50):.2f} s, the last {max(again):.2f} s after it is started" if again else "none ran"
        self.hold("syncs of a killed service run again", f"{len(again):,} of them, {times}", f"< {RESUMED_S} s", again and max(again) < RESUMED_S, True)

    def memory(self, trend, watch, is_sanitized):
        (early, late), (few, many), (files, more_files) = trend
        self.hold("memory of the service is flat", f"{early / MIB:.1f} MiB became {late / MIB:.1f} MiB RSS",
                  f"< {(early * FLAT_RATIO + FLAT_BYTES) / MIB:.1f} MiB", is_sanitized or late < early * FLAT_RATIO + FLAT_BYTES)
        self.hold("its descriptors are flat", f"{few:.0f} became {many:.0f}", f"< {few * FLAT_DESCRIPTORS_RATIO + FLAT_DESCRIPTORS:.0f}",
                  many < few * FLAT_DESCRIPTORS_RATIO + FLAT_DESCRIPTORS)
        self.hold("its open files are flat", f"{files:.0f} became {more_files:.0f}", f"< {files + FLAT_FILES:.0f}", more_files < files + FLAT_FILES)
        self.hold("the service's memory", f"at most {watch.peak_rss() / MIB:.1f} MiB RSS", f"< {SERVICE_MAX / MIB:.0f} MiB",
                  is_sanitized or watch.peak_rss() < SERVICE_MAX)
        if watch.waiting_pss:
            median = statistics.median(watch.waiting_pss)
            self.hold("a waiting sync's own memory", f"median {median / MIB:.1f} MiB PSS of {len(watch.waiting_pss):,} looks",
                      f"< {SYNC_MAX / MIB:.0f} MiB", is_sanitized or median < SYNC_MAX)

    def quiet(self, said):
        bad = [line for line in said.splitlines() if re.search(r"Sanitizer|\bbug\b", line)]
        self.hold("the service says nothing of bugs", bad[0][:200] if bad else "nothing", "nothing", not bad)

    def print(self, no_timing):
        """The table; 0 when everything that counts holds."""
        widths = [max(len(row[column]) for row in self.rows) for column in range(3)]
        failed = 0
        for note in self.notes:
            print(note)
        print()
        for what, measured, limit, holds, is_timing in self.rows:
            counts = not (is_timing and no_timing)
            failed += counts and not holds
            mark = "ok" if holds else "FAILED" if counts else "(slow)"
            print(f"{what.ljust(widths[0])}  {measured.ljust(widths[1])}  {limit.ljust(widths[2])}  {mark}")
        print(f"\n{len(self.rows) - failed} hold, {failed} do not")
        return 1 if failed else 0
