"""The service under load for some minutes, watched: see README.md.

    soak.py FOLDER [MINUTES] [--pipelines N] ..
"""

import argparse
import contextlib
import http.client
import itertools
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from postgres import Postgres, free_port  # noqa: E402

import source  # noqa: E402
import verdict  # noqa: E402
import visitors  # noqa: E402
import watching  # noqa: E402

CONNECTOR = """
return sluice.connector {
  name = "slow", version = "1", http = { base = "{{config.base_url}}" },
  config = { base_url = { type = "string", required = true }, table = { type = "string", required = true } },
  streams = { rows = { path = "/rows", records = "rows", params = { table = "{{config.table}}" },
    cursor = { field = "n", param = "since", start = "0", bounds = "(]" }, fields = { n = "integer", text = "string" } } },
}
"""
HOOKS = 2  # pipelines that receive
START_S = 60
LOOKS_MIN = 40  # at the last generation
ROOM_KEPT = 2000  # descriptors of the service that are not for stuck connections


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Helper:
    """A process of ours that is told things, and tells."""

    def __init__(self, work, *words):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=work, args=(theirs, *words), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, *words, seconds=120):
        self.pipe.send(words)
        return self.hear(seconds)

    def hear(self, seconds=120):
        if not self.pipe.poll(seconds):
            raise RuntimeError(f"{self.process.name} says nothing")
        return self.pipe.recv()

    def end(self):
        self.process.kill()
        self.process.join()


class Service:
    """`sluice serve`, killed and started again; each start is a generation."""

    def __init__(self, programs, folder, watch):
        self.programs, self.folder, self.watch = programs, folder, watch
        self.port, self.process, self.generations, self.kills = free_port(), None, 0, 0
        self.environment = {**os.environ, "HOOK_SECRET": visitors.SECRET, "HOME": str(folder)}
        self.log = open(folder / "serve.log", "ab")

    def start(self):
        self.process = subprocess.Popen(
            [self.programs / "sluice", "serve", "--listen", f"127.0.0.1:{self.port}", "--state-dir", self.folder / "state"],
            cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.generations += 1
        self.wait_until(lambda: self.get("/readyz", check=False) is not None, "the service does not start")
        self.watch.turn_to(self.process.pid)

    def wait_until(self, condition, what, seconds=START_S):
        until = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                raise RuntimeError(f"the service ended with {self.process.returncode}: {self.said()[-2000:]}")
            if time.monotonic() > until:
                raise RuntimeError(f"{what}: {self.said()[-2000:]}")
            time.sleep(0.02)

    def said(self):
        return (self.folder / "serve.log").read_text(errors="replace")

    def ask(self, method, path, check=True):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            try:
                connection.request(method, path, headers={"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
            except OSError:
                if check:
                    raise
                return None
        if answer.status >= 300:
            if check:
                raise RuntimeError(f"{method} {path} was answered {answer.status}: {text[:300]}")
            return None
        return json.loads(text)

    def get(self, path, check=True):
        return self.ask("GET", path, check)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def kill_a_sync(self, dice):
        with contextlib.suppress(OSError, IndexError):
            os.kill(dice.choice(watching.children(self.process.pid)), signal.SIGKILL)
            return 1
        return 0

    def stop(self):
        self.process.terminate()
        code = self.process.wait(timeout=60)
        if code:
            raise RuntimeError(f"the service ended with {code}: {self.said()[-2000:]}")

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Soak:
    def __init__(self, options, folder):
        self.options, self.folder, self.dice = options, folder, random.Random(options.seed)
        self.stack = contextlib.ExitStack()
        self.verdict = verdict.Verdict()
        self.killed_syncs = self.reloads = 0

    def helper(self, *words):
        helper = Helper(*words)
        self.stack.callback(helper.end)
        return helper

    # --- what is set up ----------------------------------------------------------------------------------------------------

    def prepare(self):
        options = self.options
        room = visitors.allow_descriptors() - ROOM_KEPT
        if options.stuck > room:
            say(f"{options.stuck:,} connections are more than this machine lets a process open: {room:,} instead")
            options.stuck = room
        self.postgres = Postgres("-c", "max_connections=600", "-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB")
        self.stack.callback(self.postgres.stop)
        self.database = self.postgres.create_database("soak")
        (self.folder / "slow.lua").write_text(CONNECTOR)
        self.source = self.helper(source.run, (options.wait * 0.5, options.wait * 1.5), options.seed)
        self.source_port = self.source.hear()
        self.watch = watching.Watch(options.look)
        self.service = Service(options.programs, self.folder, self.watch)
        self.stack.callback(self.service.end)
        self.tables = [f"p{number}" for number in range(1, options.pipelines + 1)]
        self.write_project(schedule="manual")
        self.watch.start()

    def write_project(self, wrong=False, schedule=None):
        options, pipelines = self.options, {}
        schedule = schedule or options.every
        for table in self.tables:
            pipelines[table] = {
                "connector": str(self.folder / "slow.lua"), "destination": "warehouse", "network": {"allow_private": True},
                "config": {"base_url": f"http://127.0.0.1:{self.source_port}", "table": table}, "schedule": schedule,
                "streams": {"rows": {"table": table, "write_mode": "append"}}}
        for number in range(HOOKS):
            pipelines[f"hook{number}"] = {"destination": "warehouse", "webhook": {
                "scheme": "github", "secret": "${HOOK_SECRET}", "stream": "events", "table": f"hook{number}", "load_every": "1s", "keep": "1m"}}
        if wrong:
            pipelines["wrong"] = {**pipelines["p1"], "schedule": "at noon"}
        project = {"destinations": {"warehouse": {"type": "postgres", "url": self.database.url, "schema": "raw"}},
                   "service": {"max_syncs": options.syncs, "retry": {"first": "1s", "longest": "5s", "tries": 100}},
                   "pipelines": pipelines}
        (self.folder / "next.yaml").write_text(json.dumps(project))
        (self.folder / "next.yaml").rename(self.folder / "sluice.yaml")

    # --- stuck connections -------------------------------------------------------------------------------------------------

    def crowd(self):
        """Good requests beside stuck connections, compared with the same without; nothing else runs but loads of webhooks."""
        options, pid = self.options, self.service.process.pid
        say(f"good requests without and with {options.stuck:,} stuck connections, {options.probe} s each")
        before = watching.rollup(pid)["Rss"]
        alone = self.helper(visitors.run_probe, self.service.port, options.probe).hear(options.probe + 60)
        stuck = self.helper(visitors.run_stuck, self.service.port, options.stuck)
        stuck.hear(seconds=300)
        self.service.wait_until(lambda: watching.descriptors(pid)[0] > options.stuck * 0.99, "stuck connections are not taken")
        beside = self.helper(visitors.run_probe, self.service.port, options.probe).hear(options.probe + 60)
        held = watching.descriptors(pid)[0]
        _, cut, refused = stuck.ask("end")
        self.verdict.told(f"the service with them: {watching.rollup(pid)['Rss'] / watching.MIB:.1f} MiB RSS, {before / watching.MIB:.1f} MiB before")
        stuck.end()
        self.verdict.stuck(options.stuck, held, cut, refused, alone, beside)

    # --- the load ----------------------------------------------------------------------------------------------------------

    def kill_services(self):
        """Until the kills are done: the time of each life is drawn, from nearly none to some seconds."""
        for _ in range(self.options.kills):
            time.sleep(self.dice.uniform(0.05, self.options.life * 2))
            self.service.kill()
            self.service.start()

    def trouble(self, until):
        """Syncs are killed, sluice.yaml is written anew, and sometimes wrong for a moment."""
        reload_at = time.monotonic() + self.options.reload
        while time.monotonic() < until:
            time.sleep(self.dice.uniform(0.1, 1.9) * self.options.trouble)
            self.killed_syncs += self.service.kill_a_sync(self.dice)
            if time.monotonic() > reload_at:
                self.reloads += 1
                self.new_file(wrong=self.reloads % 4 == 0, hangup=self.reloads % 2)
                reload_at = time.monotonic() + self.options.reload

    def new_file(self, wrong, hangup):
        complaint = "goes on with what it was"
        before = self.service.said().count(complaint)
        self.write_project(wrong)
        if wrong:
            self.service.wait_until(lambda: self.service.said().count(complaint) > before, "nobody minds a wrong file")
            self.write_project()
        if hangup:
            self.service.process.send_signal(signal.SIGHUP)

    def run(self):
        options = self.options
        self.service.start()
        self.crowd()
        until = time.monotonic() + options.minutes * 60
        self.write_project()
        crowd = self.helper(visitors.run_crowd, self.service.port, options.senders, options.readers, options.watchers, HOOKS, options.seed)
        stuck = self.helper(visitors.run_stuck, self.service.port, options.stuck_beside)
        stuck.hear()
        say(f"{options.kills} kills of the service, with {options.senders} senders that never pause")
        self.kill_services()
        self.steady_since = time.time() + options.warm_up  # what came due while the service was away is over
        until = max(until, time.monotonic() + options.warm_up + LOOKS_MIN * options.look)
        say(f"the last generation, for {max(0, until - time.monotonic()):.0f} s")
        self.trouble(until)
        self.steady_until = time.time()
        self.trend = self.watch.trend(self.service.process.pid, options.warm_up)
        self.resume()
        self.acknowledged, statuses, messages = crowd.ask("end")
        held, cut, _ = stuck.ask("end")
        stuck.end()
        self.verdict.told(f"{sum(self.acknowledged):,} events acknowledged, {sum(n for (kind, _), n in statuses.items() if kind == 'read'):,} "
                          f"answers read, {messages:,} server-sent messages; answers by kind and status: "
                          + ", ".join(f"{kind} {status}: {count:,}" for (kind, status), count in sorted(statuses.items())))
        self.verdict.told(f"{self.service.kills} kills of the service, {self.killed_syncs:,} of syncs, {self.reloads} new files, "
                          f"{held} connections stuck and {cut:,} cut, at most {self.watch.most_running} syncs at once")
        self.watch.going = False
        self.verdict.strange(statuses)

    def resume(self):
        """The service is killed with its syncs; each of them runs again."""
        left = {job["id"] for job in self.jobs("running", limit=1000)}
        self.interrupted, count, again = set(left), len(left), []
        self.service.kill()
        began = time.time()
        self.service.start()

        def are_back():
            for job in [job for job in self.jobs("running", limit=1000) if job["id"] in left and verdict.epoch(job["started_at"]) > began]:
                again.append(verdict.epoch(job["started_at"]) - began)
                left.discard(job["id"])
            left.intersection_update(job["id"] for status in ("running", "queued") for job in self.jobs(status, limit=1000))  # others had just ended
            return not left

        self.service.wait_until(are_back, f"of {count} syncs some do not run again")
        self.verdict.resumed(again)

    # --- what came of it ---------------------------------------------------------------------------------------------------

    def settle(self):
        """The source finds nothing new and is quick: every pipeline runs once more and is then as far as its source."""
        say("everything is read once more")
        self.source.pipe.send(("freeze",))
        self.source.pipe.send(("wait", 0, 0))
        is_idle = lambda: not self.jobs("running") and not self.jobs("queued")  # noqa: E731
        self.service.wait_until(is_idle, "syncs do not come to an end", 600)
        first = self.jobs(limit=1)[0]["id"] + 1
        for name in [*self.tables, *(f"hook{number}" for number in range(HOOKS))]:
            self.service.ask("POST", f"/api/v1/pipelines/{name}/jobs")
        self.service.wait_until(is_idle, "syncs do not come to an end", 600)
        self.failed = [job for job in itertools.takewhile(lambda job: job["id"] >= first, self.all_jobs()) if job["status"] != "succeeded"]

    def jobs(self, status=None, limit=10, before=None):
        words = f"limit={limit}" + (f"&status={status}" if status else "") + (f"&before={before}" if before else "")
        return self.service.get(f"/api/v1/jobs?{words}")["jobs"]

    def all_jobs(self):
        page = self.jobs(limit=1000)
        while page:
            yield from page
            page = self.jobs(limit=1000, before=page[-1]["id"])

    def judge(self):
        heads, requests = self.source.ask("heads")
        self.verdict.told(f"the source was asked {requests:,} times and has {sum(heads.values()):,} rows in {len(heads):,} tables")
        self.verdict.synced(self.database, self.tables, heads, self.failed)
        self.verdict.received(self.database, HOOKS, self.acknowledged)
        due = {entry["name"]: entry.get("next_at") for entry in self.service.get("/api/v1/pipelines")["pipelines"]}
        jobs = [job for job in self.all_jobs() if job["id"] not in self.interrupted]  # those say when they were started again
        self.verdict.lag(jobs, due, self.options.every, (self.steady_since, self.steady_until))
        self.verdict.memory(self.trend, self.watch, self.options.sanitized)
        self.service.stop()
        self.verdict.quiet(self.service.said())


def read_options():
    parser = argparse.ArgumentParser(description="the service under load, watched")
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("minutes", type=float, nargs="?", default=30)
    parser.add_argument("--pipelines", type=int, default=1000)
    parser.add_argument("--every", default="2m", help="their schedule")
    parser.add_argument("--wait", type=float, default=30, help="seconds for which the source lets a request wait, on average")
    parser.add_argument("--syncs", type=int, default=500, help="at most so many at once")
    parser.add_argument("--senders", type=int, default=2)
    parser.add_argument("--readers", type=int, default=6)
    parser.add_argument("--watchers", type=int, default=20)
    parser.add_argument("--stuck", type=int, default=10_000, help="connections, while good requests are measured")
    parser.add_argument("--stuck-beside", type=int, default=300, help="connections, all the time")
    parser.add_argument("--probe", type=float, default=45, help="seconds for which good requests are measured")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--life", type=float, default=1.5, help="seconds between kills, on average")
    parser.add_argument("--trouble", type=float, default=1, help="seconds between kills of syncs, on average")
    parser.add_argument("--reload", type=float, default=20, help="seconds between new files")
    parser.add_argument("--warm-up", type=float, default=180, help="seconds of the last generation that are not looked at")
    parser.add_argument("--look", type=float, default=2, help="seconds between looks at the service")
    parser.add_argument("--no-timing", action="store_true", help="times are shown and not judged")
    parser.add_argument("--sanitized", action="store_true", help="sizes are shown and not judged: a sanitizer keeps memory back")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    options.programs = options.programs.resolve()
    return options


def main():
    options = read_options()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-soak-"))
    soak = Soak(options, folder)
    say(f"seed {options.seed}, {options.pipelines:,} pipelines every {options.every}, for {options.minutes:g} minutes")
    try:
        with soak.stack:
            soak.prepare()
            soak.run()
            soak.settle()
            soak.judge()
    except BaseException:
        print((folder / "serve.log").read_text(errors="replace")[-3000:] if (folder / "serve.log").exists() else "", file=sys.stderr)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(soak.verdict.print(options.no_timing))


if __name__ == "__main__":
    main()
