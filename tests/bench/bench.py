"""Throughput and memory of whole syncs, as ratios within one run. See README.md for the rows and what limits them.

    bench.py FOLDER [--records N] [ROW...]
"""

import argparse
import csv
import io
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from kafka import Kafka  # noqa: E402
from postgres import Postgres, binaries, free_port  # noqa: E402

import serving  # noqa: E402

PAGE = 1000
COLUMNS = "id, customer_id, total_amount, status, created_at, updated_at, note, items, shipping"
DDL = ("id bigint, customer_id text, total_amount numeric, status text, created_at timestamptz, updated_at timestamptz, "
       "note text, items jsonb, shipping jsonb")
STATES = ("pending", "paid", "shipped", "delivered", "cancelled")


def order(number):
    """One order of about 297 bytes as JSON: deterministic, every value different."""
    minute, second = divmod(number, 60)
    hour, minute = divmod(minute, 60)
    day, hour = divmod(hour, 24)
    stamp = f"2024-{1 + day // 28 % 12:02}-{1 + day % 28:02}T{hour:02}:{minute:02}:{second:02}Z"
    return {
        "id": number, "customer_id": f"c{number * 7919 % 100003:06}", "total_amount": number % 90000 + number % 100 / 100,
        "status": STATES[number % 5], "created_at": "2024-01-01T00:00:00Z", "updated_at": stamp,
        "note": None if number % 3 else f"leave at door {number % 17}",
        "items": [{"sku": f"sku-{number % 5000}", "qty": number % 9 + 1}],
        "shipping": {"city": f"city {number % 300}", "zip": f"{number % 99999:05}"},
    }


class Source:
    """The pages as files behind nginx, and the same rows as a ready CSV file."""

    def __init__(self, folder, records):
        self.folder, self.records, self.pages = folder, records, (records + PAGE - 1) // PAGE
        (folder / "pages").mkdir()
        with open(folder / "rows.csv", "w", newline="") as rows:
            writer = csv.writer(rows)
            for page in range(self.pages):
                orders = [order(number) for number in range(page * PAGE, min((page + 1) * PAGE, records))]
                body = {"orders": orders, "has_more": page + 1 < self.pages}
                (folder / "pages" / f"{page + 1}.json").write_text(json.dumps(body, separators=(",", ":")))
                for row in orders:
                    writer.writerow([json.dumps(value) if isinstance(value, (dict, list)) else value for value in row.values()])
        self.port = free_port()
        (folder / "nginx.conf").write_text(f"""
            worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log; daemon off; user root;
            events {{ worker_connections 64; }}
            http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/json;
              server {{ listen 127.0.0.1:{self.port}; root {folder}/pages;
                location /orders {{ rewrite ^ /$arg_page.json break; }} }} }}""")
        self.server = subprocess.Popen(["/usr/sbin/nginx", "-c", folder / "nginx.conf", "-e", folder / "nginx.log"])
        self.url = f"http://127.0.0.1:{self.port}"
        time.sleep(0.5)

    def stop(self):
        self.server.terminate()
        self.server.wait()


def descendants(pid):
    found = [pid]
    for name in os.listdir(f"/proc/{pid}/task"):
        try:
            for child in pathlib.Path(f"/proc/{pid}/task/{name}/children").read_text().split():
                found += descendants(int(child))
        except OSError:
            pass
    return found


class Memory(threading.Thread):
    """The largest sum of PSS of a process and those below it, looked at every 20 ms."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.going = pid, 0, True
        self.start()

    def run(self):
        while self.going:
            total = 0
            try:
                for pid in descendants(self.pid):
                    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                        if line.startswith("Pss:"):
                            total += int(line.split()[1]) * 1024
            except OSError:
                pass
            self.peak = max(self.peak, total)
            time.sleep(0.02)


class Measured:
    """A command run once: wall and CPU seconds, peak memory."""

    def __init__(self, words, **options):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        memory = Memory(process.pid)
        self.output = process.communicate()[0]
        self.wall = time.monotonic() - started
        memory.going = False
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.memory = memory.peak
        if process.returncode != 0:
            sys.exit(f"bench: {' '.join(map(str, words))} ended with {process.returncode}\n{self.output}")


class Bench:
    def __init__(self, programs, records, folder):
        self.programs, self.sluice, self.folder, self.records = programs, programs / "sluice", folder, records
        self.rows, self.source, self.postgres = [], None, None

    def prepare(self):
        """What the rows about whole syncs need."""
        print(f"making {self.records:,} orders ...", file=sys.stderr)
        self.source = Source(self.folder, self.records)
        self.postgres = Postgres("-c", "wal_level=logical")
        self.database = self.postgres.create_database("bench")

    def stop(self):
        for server in (self.source, self.postgres):
            if server:
                server.stop()

    def run(self, name, destination, **stream):
        config = {
            "destinations": {"target": destination},
            "pipelines": {name: {"connector": str(HERE / "orders.lua"), "config": {"base_url": self.source.url},
                                 "network": {"allow_private": True}, "destination": "target",
                                 "streams": {"orders": {"sync_mode": "full_refresh", "cursor": "updated_at", "table": name, **stream}}}},
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(config))
        return Measured([self.sluice, "run", "-f", path, "--state-dir", self.folder / "state"])

    def psql(self, *commands):
        words = [binaries() / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", self.database.url]
        for command in commands:
            words += ["-c", command]
        return Measured(words)

    def warehouse(self):
        return {"type": "postgres", "url": self.database.url, "schema": "bench"}

    def staging(self, compression):
        return {"type": "csv", "path": str(self.folder / f"staging-{compression}"), "compression": compression}

    def add(self, what, ours, theirs, reach, stretch):
        ratio = ours.wall / theirs.wall
        self.rows.append((what, f"{ours.wall:.2f} s", f"{theirs.wall:.2f} s", f"{ratio:.2f}", reach, stretch,
                          f"{self.records / ours.wall:,.0f}/s", f"{ours.cpu * 1e6 / self.records:.2f} us",
                          f"{ours.memory / 2**20:.1f} MiB"))
        print(f"{what}: {ratio:.2f} (reach {reach})", file=sys.stderr)

    def append(self):
        self.database.query(f"CREATE TABLE ready ({DDL})")
        theirs = self.psql(f"\\copy ready FROM '{self.folder}/rows.csv' CSV")
        ours = self.run("appended", self.warehouse(), write_mode="append")
        self.check("bench.appended")
        self.add("API to Postgres, append, new table / \\copy CSV", ours, theirs, "0.85", "0.65")

    def check(self, table):
        count, total = self.database.query(f"SELECT count(*), sum(total_amount) FROM {table}")[0]
        expected = self.database.query("SELECT count(*), sum(total_amount) FROM ready")[0] if "ready" in self.tables() else None
        if count != self.records or (expected and total != expected[1]):
            sys.exit(f"bench: {table} holds {count} rows, sum {total}; expected {self.records}, {expected}")

    def tables(self):
        return [name for (name,) in self.database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]

    def textbook(self):
        """COPY into a temporary table, then the upsert everybody writes."""
        return self.psql(
            f"CREATE TEMP TABLE arrived ({DDL})", f"\\copy arrived FROM '{self.folder}/rows.csv' CSV",
            f"INSERT INTO keyed SELECT DISTINCT ON (id) * FROM arrived ORDER BY id, updated_at DESC ON CONFLICT (id) DO UPDATE SET "
            + ", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS.split(", ")[1:]))

    def dedup(self):
        self.database.query(f"CREATE TABLE keyed ({DDL}, PRIMARY KEY (id))")
        theirs = self.textbook()
        ours = self.run("merged", self.warehouse(), write_mode="append_dedup")
        self.check("bench.merged")
        self.add("first append_dedup / textbook upsert", ours, theirs, "0.50", "0.35")
        theirs = self.textbook()
        before = self.database.one("SELECT pg_current_wal_lsn()")
        ours = self.run("merged", self.warehouse(), write_mode="append_dedup")
        wal = self.database.one("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s)", before)
        self.add("second append_dedup, unchanged / textbook upsert", ours, theirs, "0.55", "0.40")
        print(f"  WAL of the unchanged run: {float(wal) / 2**20:.1f} MiB", file=sys.stderr)

    def files(self):
        urls = self.folder / "urls"
        urls.write_text("".join(f"url = {self.source.url}/orders?page={page + 1}\n" for page in range(self.source.pages)))
        theirs = Measured(["sh", "-c", f"curl -s -K {urls} > {self.folder}/all.json && sync {self.folder}/all.json"])
        plain = self.run("plain", self.staging("none"), write_mode="append")
        self.add("API to CSV, uncompressed / curl to a file, fsynced", plain, theirs, "1.50", "1.00")
        self.add("API to CSV, zstd / uncompressed", self.run("zstd", self.staging("zstd"), write_mode="append"), plain, "1.40", "1.20")
        self.add("API to CSV, gzip / uncompressed", self.run("gzip", self.staging("gzip"), write_mode="append"), plain, "2.20", "1.60")

    def mirror(self, name, source, **config):
        """The database `source` into the schema `name` of the warehouse, by plugins/postgres."""
        pipeline = {"connector": str(self.programs / "plugins" / "postgres.so"), "config": {"url": source.url, **config},
                    "network": {"allow_private": True}, "destination": "target", "schema": name}
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps({"destinations": {"target": self.warehouse()}, "pipelines": {name: pipeline}}))
        return Measured([self.sluice, "run", "-f", path, "--state-dir", self.folder / "state"])

    def copy(self):
        source = self.postgres.create_database("source")
        psql = f"{binaries()}/psql -X -q -v ON_ERROR_STOP=1"
        source.query(f"CREATE TABLE ready ({DDL}, PRIMARY KEY (id))")
        Measured([*psql.split(), source.url, "-c", f"\\copy ready FROM '{self.folder}/rows.csv' CSV"])
        source.query("ANALYZE ready")
        pipe = f"{psql} {source.url} -c '\\copy ready TO stdout' | {psql} {self.database.url} -c '\\copy copied FROM stdin'"
        self.database.query(f"CREATE TABLE copied ({DDL})")
        theirs = Measured(["sh", "-c", pipe])
        self.add("Postgres to Postgres, a new table / psql COPY to psql COPY", self.mirror("copied_by_us", source), theirs, "1.15", "0.70")
        self.check("copied_by_us.ready")
        theirs = Measured(["sh", "-c", f"{psql} {self.database.url} -c 'TRUNCATE copied' -c 'ALTER TABLE copied ADD PRIMARY KEY (id)' && {pipe}"])
        self.add("the same again, replaced / the same into a table with its key", self.mirror("copied_by_us", source), theirs, "1.15", "0.70")

    def read_file(self, name, path, destination, **config):
        """A file by plugins/files."""
        project = self.folder / f"{name}.yaml"
        project.write_text(json.dumps({"destinations": {"target": destination}, "pipelines": {name: {
            "connector": str(self.programs / "plugins" / "files.so"), "config": {"path": str(path), **config},
            "destination": "target", "streams": {"records": {"table": name}}}}}))
        return Measured([self.sluice, "run", "-f", project, "--state-dir", self.folder / "state"])

    def folder_of_files(self):
        columns = ", ".join(f"column_{number} text" for number in range(1, 10))
        self.psql(f"CREATE TABLE texts ({columns})")
        theirs = self.psql(f"\\copy texts FROM '{self.folder}/rows.csv' CSV")
        ours = self.read_file("file_by_us", self.folder / "rows.csv", self.warehouse(), header=False)
        found = self.database.query("SELECT count(*), count(DISTINCT _line) FROM bench.file_by_us")[0]
        if found != (self.records, self.records):
            sys.exit(f"bench: of {self.records} rows {found} arrived")
        self.add("CSV file to Postgres, with its key / \\copy of it into texts", ours, theirs, "1.50", "1.15")
        measured = []
        for count in (self.records, 41 * self.records):
            path = self.folder / "narrow.csv"
            with open(path, "w") as narrow:
                narrow.write("id,state\n")
                for first in range(0, count, 100_000):
                    narrow.write("".join(f"{number},{number % 7}\n" for number in range(first, min(first + 100_000, count))))
            target = {"type": "csv", "path": str(self.folder / f"narrow-{count}"), "compression": "zstd"}
            measured.append((count, self.read_file(f"narrow_{count}", path, target)))
            path.unlink()
        print("narrow rows of a CSV file to CSV: " + ", ".join(
            f"{count:,} rows at {count / ours.wall:,.0f}/s with {ours.memory / 2**20:.1f} MiB" for count, ours in measured))

    def changes(self):
        source, count = self.postgres.create_database("changing"), self.records // 5
        source.query(f"CREATE TABLE ready ({DDL}, PRIMARY KEY (id))")
        self.mirror("changed", source, slot="bench")
        source.query(f"DO $$ BEGIN FOR i IN 1..{count} LOOP INSERT INTO ready VALUES (i, 'c' || i, i / 100.0, 'paid', now(), now(), NULL, "
                     "'[{\"sku\": \"a\"}]', '{\"city\": \"b\"}'); COMMIT; END LOOP; END $$")
        inserted = self.mirror("changed", source, slot="bench")
        source.query(f"DO $$ BEGIN FOR i IN 1..{count} LOOP UPDATE ready SET status = 'shipped' WHERE id = i; COMMIT; END LOOP; END $$")
        updated = self.mirror("changed", source, slot="bench")
        found = self.database.query("SELECT count(*), count(*) FILTER (WHERE status = 'shipped') FROM changed.ready")[0]
        if found != (count, count):
            sys.exit(f"bench: of {count} changes {found} arrived")
        print(f"changes, a transaction each: {count / inserted.wall:,.0f} inserts/s, {count / updated.wall:,.0f} updates/s, "
              f"{max(inserted.memory, updated.memory) / 2**20:.1f} MiB (reach 20,000/s, stretch 40,000/s)")

    def describe(self):
        words = [self.sluice, "connector", "describe", "--json", HERE / "orders.lua"]
        times = sorted(Measured(words).wall for _ in range(20))
        print(f"connector describe: median {times[10] * 1000:.1f} ms (reach 30 ms, stretch 10 ms)")

    def figures(self, program, *words):
        """Runs one of the programs beside this file; the lines it prints, each name with its words."""
        path = self.programs / program
        if not path.exists():
            sys.exit(f"bench: there is no {path}; configure that build with -DSLUICE_BENCH=ON")
        lines = [line.split() for line in Measured([path, *words]).output.splitlines()]
        return {line[0]: line[1:] for line in lines if line}

    def jsonscan(self):
        figures = self.figures("bench_jsonscan")
        print("jsonscan: " + ", ".join(f"{name} {figures[name][0]} MB/s" for name in ("scan", "survey", "decode"))
              + f", decode {figures['decode'][2]} M records/s (reach: scan and decode 600 MB/s)")

    def map(self):
        figures = self.figures("bench_map", self.programs / "sluice-worker")
        names = [name for name in figures if name.startswith("s.")]
        print("map: " + ", ".join(f"{name[2:]} {int(figures[name][0]):,}/s" for name in names) + " (reach 150,000 records/s)")

    def plugin(self):
        figures = self.figures("bench_plugin", self.programs / "sluice-worker", self.programs / "bench_rows.so")
        print(f"plugin: {int(figures['worker'][0]):,} rows/s from its process, {int(figures['inside'][0]):,}/s made inside the host: "
              f"ratio {figures['ratio'][0]} (reach 1.15)")

    def kafka(self):
        """40 partitions, or as many as hold what a mock broker keeps of each."""
        per_partition = 25_000
        partitions = max(1, self.records // per_partition)
        with Kafka(brokers=2, program=self.programs / "tests" / "kafka" / "mock_cluster") as cluster:
            cluster.topic("messages", partitions)
            for partition in range(partitions):
                cluster.fill("messages", per_partition, partition=partition, size=200)
            path = self.folder / "kafka.yaml"
            path.write_text(json.dumps({"destinations": {"target": self.staging("none")}, "pipelines": {"kafka": {
                "connector": str(self.programs / "plugins" / "kafka.so"), "config": {"brokers": cluster.brokers},
                "network": {"allow_private": True}, "destination": "target"}}}))
            ours = Measured([self.sluice, "run", "-f", path, "--state-dir", self.folder / "kafka-state"])
        print(f"kafka: {partitions * per_partition / ours.wall:,.0f} messages/s of 200 bytes into CSV, "
              f"{ours.cpu * 1e6 / partitions / per_partition:.2f} us of CPU each, {ours.memory / 2**20:.0f} MiB (reach 200,000/s)")

    def webhooks(self):
        serving.webhooks(self.sluice, self.folder)

    def service(self):
        serving.service(self.sluice, self.folder)

    def print(self):
        if not self.rows:
            return
        header = ("work / compared with", "sluice", "other", "ratio", "reach", "stretch", "records", "CPU per record", "peak PSS")
        table = [header, *self.rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(header))]
        for row in table:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def main():
    syncs = ("append", "dedup", "files", "copy", "folder_of_files", "changes")
    rows = (*syncs, "describe", "jsonscan", "map", "plugin", "kafka", "webhooks", "service")
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("rows", nargs="*", help=f"which of {', '.join(rows)}; default: all")
    parser.add_argument("--records", type=int, default=1_000_000)
    options = parser.parse_args()
    unknown = set(options.rows) - set(rows)
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    folder.chmod(0o755)
    bench = Bench(options.programs.resolve(), options.records, folder)
    try:
        if set(options.rows or rows) & set(syncs):
            bench.prepare()
        for row in options.rows or rows:
            getattr(bench, row)()
        bench.print()
    finally:
        bench.stop()
        shutil.rmtree(folder, ignore_errors=True)


main()
