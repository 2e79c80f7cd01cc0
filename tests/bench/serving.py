"""Rows of the benchmark about `sluice serve`: events acknowledged, and what a sync costs more than a bare `sluice run`."""

import contextlib
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import threading
import time

from postgres import Postgres, free_port

HERE = pathlib.Path(__file__).resolve().parent
SECRET = "secret of the benchmark"
CONNECTIONS = 64
SECONDS = 8
SYNCS = 200
AT_ONCE = 4

CONNECTOR = """
return sluice.connector {
  name = "tiny", version = "1", http = { base = "{{config.base_url}}" }, config = { base_url = { type = "string", required = true } },
  streams = { rows = { path = "/rows", records = "rows", fields = { id = "integer" } } },
}
"""


class Tiny(http.server.BaseHTTPRequestHandler):
    """A source with one row."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b'{"rows": [{"id": 1}]}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Served:
    """A running `sluice serve` of one folder."""

    def __init__(self, sluice, folder, project):
        self.folder, self.port, self.sluice = folder, free_port(), sluice
        folder.mkdir()
        (folder / "sluice.yaml").write_text(json.dumps(project))
        self.log = open(folder / "serve.log", "wb")
        self.process = subprocess.Popen([sluice, "serve", "--listen", f"127.0.0.1:{self.port}", "--state-dir", folder / "state"],
                                        cwd=folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        until = time.monotonic() + 30
        while True:
            try:
                self.ask("GET", "/readyz")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    sys.exit("bench: the service does not start\n" + (folder / "serve.log").read_text()[-2000:])
                time.sleep(0.02)

    def ask(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        if answer.status >= 300:
            sys.exit(f"bench: {method} {path} was answered {answer.status}: {text[:300]}")
        return json.loads(text)

    def rss(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self.log.close()


def wrk(url, *words):
    """Requests, requests a second, p50 and p99 in milliseconds."""
    ended = subprocess.run(["wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--timeout", "30s", "-s", HERE / "load.lua", url,
                            "--", *map(str, words)], capture_output=True, text=True)
    line = next((line.split() for line in ended.stdout.splitlines() if line.startswith("figures")), None)
    if ended.returncode or not line or line[5] != "0":
        sys.exit(f"bench: wrk ended with {ended.returncode}: {ended.stdout}{ended.stderr}")
    requests, took_us, p50_us, p99_us = map(int, line[1:5])
    return requests, requests / took_us * 1e6, p50_us / 1000, p99_us / 1000


def raw_appends(folder, line):
    """Lines a second that one may append durably, as many at once as there are connections: what a journal could reach at best."""
    group, count, until = line * CONNECTIONS, 0, time.monotonic() + SECONDS / 2
    file = os.open(folder / "raw.ndjson", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    while time.monotonic() < until:
        os.write(file, group)
        os.fdatasync(file)
        count += CONNECTIONS
    os.close(file)
    return count / (SECONDS / 2)


def webhooks(sluice, folder):
    """Prints the row."""
    postgres = Postgres()
    try:
        database = postgres.create_database("events")
        body = json.dumps({"id": 1, "filling": "x" * 996}).encode()
        (folder / "event.json").write_bytes(body)
        project = {"destinations": {"warehouse": {"type": "postgres", "url": database.url, "schema": "raw"}}, "pipelines": {
            "events": {"destination": "warehouse", "webhook": {"scheme": "github", "secret": SECRET, "load_every": "1s"}}}}
        served = Served(sluice, folder / "webhooks", project)
        url = f"http://127.0.0.1:{served.port}"
        _, health, _, health_p99 = wrk(f"{url}/healthz")
        mark = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        count, events, p50, p99 = wrk(f"{url}/webhooks/events/events", folder / "event.json", mark)
        rss = served.rss()
        raw = raw_appends(folder, body + b"\n")
        until, found = time.monotonic() + 120, 0
        while found < count and time.monotonic() < until:
            time.sleep(0.5)
            found = database.one("SELECT count(*) FROM raw.events") if database.one("SELECT to_regclass('raw.events')") else 0
        served.stop()
    finally:
        postgres.stop()
    if found < count:
        sys.exit(f"bench: of {count} acknowledged events {found} are in the table")
    print(f"webhooks: {events:,.0f} events/s of 1 KiB acknowledged over {CONNECTIONS} connections, p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
          f"{rss / 2**20:.0f} MiB; {count:,} loaded (reach 10,000/s, p99 25 ms)\n"
          f"  / GET /healthz of the same server ({health:,.0f}/s, p99 {health_p99:.1f} ms): {events / health:.2f}; "
          f"/ {CONNECTIONS} events appended and fsynced at a time ({raw:,.0f}/s): {events / raw:.2f}")


def service(sluice, folder):
    """Prints the row."""
    source = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tiny)
    source.daemon_threads = True
    threading.Thread(target=source.serve_forever, daemon=True).start()
    (folder / "tiny.lua").write_text(CONNECTOR)
    one = {"connector": str(folder / "tiny.lua"), "config": {"base_url": f"http://127.0.0.1:{source.server_address[1]}"},
           "network": {"allow_private": True}, "destination": "files"}
    names = [f"p{number}" for number in range(SYNCS)]
    project = {"destinations": {"files": {"type": "csv", "path": str(folder / "tiny")}}, "pipelines": {name: one for name in names},
               "service": {"max_syncs": AT_ONCE}}
    served = Served(sluice, folder / "service", project)
    words = [sluice, "run", "--file", folder / "service" / "sluice.yaml", "--state-dir", folder / "bare-state"]

    def bare(name):
        started = time.monotonic()
        subprocess.run([*words, name], check=True, capture_output=True)
        return time.monotonic() - started

    def asked(name):
        """Seconds from the request to the job's first event, and to its end, as whoever watches it sees them."""
        started = time.monotonic()
        job, first = served.ask("POST", f"/api/v1/pipelines/{name}/jobs")["id"], None
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", f"/api/v1/jobs/{job}/events", headers={"Accept": "text/event-stream"})
            for line in connection.getresponse():
                if line.startswith(b"event: told"):
                    first = first or time.monotonic() - started
                elif line.startswith(b"event: end"):
                    return first, time.monotonic() - started

    for name in names[:3]:  # both know their files
        bare(name), asked(name)
    alone = statistics.median(bare(name) for name in names[:20])
    seen = [asked(name) for name in names[:20]]
    first, end = (statistics.median(column) for column in zip(*seen))
    started = time.monotonic()
    last = [served.ask("POST", f"/api/v1/pipelines/{name}/jobs") for name in names][-1]["id"]
    while served.ask("GET", "/api/v1/jobs?status=queued")["jobs"] or served.ask("GET", "/api/v1/jobs?status=running")["jobs"]:
        time.sleep(0.01)
    ours = time.monotonic() - started
    jobs = served.ask("GET", "/api/v1/jobs?limit=1000")["jobs"]
    if any(job["status"] != "succeeded" for job in jobs) or jobs[0]["id"] != last:
        sys.exit("bench: not every sync of the service went well")
    started = time.monotonic()
    subprocess.run(["xargs", "-P", str(AT_ONCE), "-n", "1", *words], input="\n".join(names), text=True, check=True, capture_output=True)
    theirs = time.monotonic() - started
    served.stop()
    source.shutdown()
    print(f"service: a sync of one row: {first * 1000:.1f} ms from the request to its first event, {end * 1000:.1f} ms to its end seen by a watcher, "
          f"a bare `sluice run` {alone * 1000:.1f} ms: ratios {first / alone:.2f} and {end / alone:.2f}\n"
          f"  {SYNCS} syncs, {AT_ONCE} at once / xargs -P {AT_ONCE} sluice run: {ours:.2f} s / {theirs:.2f} s = {ours / theirs:.2f}")
