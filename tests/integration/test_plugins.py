"""Native plugins: one good plugin for each host service (tests/abi/good, which are examples), and the deliberately wrong ones
(tests/abi/bad): each is refused, or ends its own sync and nothing else, and says why."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conftest import ROOT, staged_loads, staged_rows

ABI = ROOT / "tests" / "abi"
COMPILER = os.environ.get("CC", "cc")


def build(source, folder, name=None, flags=()):
    """A plugin as its author would build it."""
    target = folder / f"{name or source.stem}.so"
    subprocess.run([COMPILER, "-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden",
                    *flags, f"-I{ROOT}/sdk/include", "-o", target, source], check=True)
    target.chmod(0o755)
    return target


@pytest.fixture
def plugin(work):
    def make(name, config=None, streams=None, destination=None, **settings):
        build(ABI / "good" / f"{name}.c", work.folder)
        pipeline = {"connector": f"./{name}.so", "destination": "target", "config": config or {}, **settings}
        if streams is not None:
            pipeline["streams"] = streams
        target = destination or {"type": "csv", "path": "./out", "compression": "none"}
        work.write("sluice.yaml", json.dumps({"destinations": {"target": target}, "pipelines": {name: pipeline}}))
        return work
    return make


def warehouse(database):
    return {"type": "postgres", "url": database.url, "schema": "raw"}


def asked(database, query):
    """The answer's values as text."""
    return [["" if value is None else str(value) for value in row] for row in database.query(query)]


def rows_in(work, pipeline, stream):
    return [row for load in staged_loads(work.folder / "out", stream, pipeline) for row in staged_rows(load)]


def test_values_of_every_kind_arrive(plugin, database):
    work = plugin("types", destination=warehouse(database), defaults={"on_mismatch": "set_null"})
    work.run("run")
    rows = {row[0]: row[1:] for row in asked(database, 
        "SELECT id, text, exact::text, about, flag::text, day::text, (at AT TIME ZONE 'UTC')::text, wall::text, doc::text, "
        "encode(bytes, 'hex'), big, _sluice_deleted::text FROM raw.values ORDER BY id")}
    assert rows["1"] == [
        "café", "12345678901234567890.5", "0.5", "true", "2024-10-04", "2023-11-14 22:13:20.123456", "1970-01-01 00:00:00",
        '{"a": [1, null]}', "00ff", "9223372036854775807", "false"], rows
    assert rows["2"] == [
        "as text", "1.50", "0.25", "true", "2024-02-29", "2024-02-29 10:00:00", "2024-02-29 12:00:00", "[1]", "00ff", "-5", "false"]
    assert rows["3"][-1] == "true", "the row that was deleted is marked"
    assert rows["4"][:4] == ["bad \ufffd\ufffd end", "7", "3.0", "true"] and rows["4"][7] == rows["4"][9] == ""
    rejects = asked(database, "SELECT field, reason, convert_from(record, 'UTF8') FROM _sluice.rejects ORDER BY field")
    assert [(row[0], row[1]) for row in rejects] == [
        ("big", "type_mismatch"), ("doc", "type_mismatch")], rejects
    assert "no number" in rejects[0][2] and "{broken" in rejects[1][2]


def test_a_log_is_read_from_its_checkpoint(plugin):
    work = plugin("counter", {"count": 250})
    work.run("run")
    assert [int(row["n"]) for row in rows_in(work, "counter", "numbers")] == list(range(250))
    work.run("run")
    assert len(rows_in(work, "counter", "numbers")) == 250, "nothing is read twice"
    work = plugin("counter", {"count": 301})
    work.run("run")
    assert [int(row["n"]) for row in rows_in(work, "counter", "numbers")] == list(range(301))


def test_what_may_heal_is_tried_again_behind_the_checkpoint(plugin):
    work = plugin("counter", {"count": 500, "fails_at": 200})
    ended = work.run("run")
    assert "trying again in" in ended.err and "the log cannot be reached just now" in ended.err
    assert [int(row["n"]) for row in rows_in(work, "counter", "numbers")] == list(range(500))


def test_kills_at_any_moment_lose_and_double_nothing(plugin, database):
    work = plugin("counter", {"count": 6000, "pause_ms": 5}, destination=warehouse(database),
                  commit={"bytes": "4KiB", "seconds": 1})
    for attempt in range(6):
        process = work.start("run")
        time.sleep(0.08 + 0.03 * attempt)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    work.run("run", timeout=240)
    assert asked(database, "SELECT count(*), count(DISTINCT n), max(n) FROM raw.numbers") == [["6000", "6000", "5999"]]


def test_a_plugin_is_not_recorded(plugin):
    ended = plugin("counter", {"count": 3}).run("run", "--record", "counter.http", code=2)
    assert "cannot record or replay 'counter': it is a native plugin" in ended.err


def test_continuous_runs_until_it_is_stopped(plugin, database):
    work = plugin("counter", {"count": 300, "pause_ms": 20}, destination=warehouse(database), commit={"seconds": 1})
    process = work.start("run", "--continuous", "--verbose")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if asked(database, "SELECT to_regclass('raw.numbers') IS NOT NULL") == [["True"]] \
                and asked(database, "SELECT count(*) FROM raw.numbers") == [["300"]]:
            break
        time.sleep(0.05)
    heard = next(line for line in process.stderr if "durable up to" in line)
    assert "counter: durable up to 300" in heard, "the plugin hears what is durable"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert asked(database, "SELECT count(*), count(DISTINCT n) FROM raw.numbers") == [["300", "300"]]


class LineServer:
    """Takes a password, sends two lines."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.heard = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            with client:
                password = client.makefile().readline().strip()
                self.heard.append(password)
                client.sendall(b"one\ntwo\n" if password == "open sesame" else b"NO\n")

    def close(self):
        self.socket.close()


@pytest.fixture
def lines():
    server = LineServer()
    yield server
    server.close()


def configure_lines(plugin, server, password="open sesame", allow=True, **config):
    return plugin("lines", {"address": f"127.0.0.1:{server.port}", "password": password, **config},
                  network={"allow_private": allow})


def test_a_network_plugin_reaches_what_its_configuration_names(plugin, lines):
    work = configure_lines(plugin, lines)
    assert "the plugin's check passed" in work.run("check").out
    work.run("run")
    assert [row["line"] for row in rows_in(work, "lines", "lines")] == ["one", "two"]
    assert set(lines.heard) == {"open sesame"}


def test_a_wrong_password_is_an_authentication_failure(plugin, lines):
    ended = configure_lines(plugin, lines, password="wr0ng-p4ssw0rd").run("run", code=3)
    assert "the server refuses the password; correct `password`" in ended.err
    assert "wr0ng" not in ended.err + ended.out


def test_private_addresses_need_leave(plugin, lines):
    ended = configure_lines(plugin, lines, allow=False).run("run", code=3)
    assert "cannot connect to '127.0.0.1'" in ended.err and "allow_private: true" in ended.err
    assert lines.heard == []


def test_other_ports_cannot_be_reached(plugin, lines):
    other = LineServer()
    try:
        ended = configure_lines(plugin, lines, other_port=other.port).run("run", code=4)
        assert "could not connect: Permission denied" in ended.err and other.heard == []
    finally:
        other.close()


def test_a_server_that_is_away_is_transient(plugin):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    work = plugin("lines", {"address": f"127.0.0.1:{port}", "password": "x-y-z-1-2-3"}, network={"allow_private": True})
    ended = work.run("run", code=4)
    assert "could not connect" in ended.err and "is the server up?" in ended.err


def test_bytes_are_decoded_by_the_host(plugin):
    work = plugin("reader", {"path": "data/rows.csv"})
    work.write("data/rows.csv", 'id,name,"a ""note"""\n1,Ada,"two\nlines"\n2,Bob,\n')
    work.run("run")
    assert [(row["id"], row["name"], row['a "note"']) for row in rows_in(work, "reader", "rows")] == [
        ("1", "Ada", "two\nlines"), ("2", "Bob", "")]


def test_files_elsewhere_cannot_be_read(plugin):
    work = plugin("reader", {"path": "data/rows.csv", "other": "/etc/passwd"})
    work.write("data/rows.csv", "id\n1\n")
    assert "cannot open '/etc/passwd': Permission denied" in work.run("run", code=2).err


def test_one_position_feeds_many_tables(plugin, database):
    work = plugin("changes", destination=warehouse(database))
    work.run("run")
    assert asked(database, "SELECT id, name, note FROM raw.people ORDER BY id") == [
        ["1", "Ada", "a long note"], ["2", "Bob", "another"]]
    assert asked(database, "SELECT id, kind FROM raw.pets") == [["1", "cat"]]
    work.run("run")
    assert asked(database, "SELECT id, name, note, _sluice_deleted::text FROM raw.people ORDER BY id") == [
        ["1", "Ada L.", "a long note", "false"], ["2", "Bob", "another", "true"]], "what is missing stays, what is gone is marked"


def test_a_table_may_be_emptied(plugin, database):
    work = plugin("emptied", destination=warehouse(database))
    work.run("run")
    work.run("run")
    assert asked(database, "SELECT id, kind, _sluice_deleted::text FROM raw.pets ORDER BY id") == [["1", "cat", "true"], ["2", "dog", "false"]]


def test_routes_can_be_chosen(plugin, database):
    work = plugin("changes", destination=warehouse(database), streams={"pets": {}})
    work.run("run")
    assert asked(database, "SELECT id, kind FROM raw.pets") == [["1", "cat"]]
    assert asked(database, "SELECT to_regclass('raw.people') IS NULL") == [["True"]]
    assert "pets" in work.run("discover").out


class Api:
    """Answers requests by what `answer(path, headers)` gives: status, headers, body."""

    def __init__(self, answer):
        asked = self.asked = []

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.path, dict(self.headers)))
                status, headers, body = answer(self.path, self.headers)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()


def test_a_plugin_parses_answers_of_declared_requests(plugin):
    with Api(lambda path, headers: (200, {}, b"next\n1 Ada\n2 Bob\n")) as api:
        work = plugin("parser", {"base_url": api.url}, network={"allow_private": True})
        work.run("run")
        assert [(row["id"], row["name"]) for row in rows_in(work, "parser", "people")] == [("1", "Ada"), ("2", "Bob")]


def test_a_plugin_reads_by_requests_that_the_host_sends(plugin):
    failures = [503]

    def answer(path, headers):
        if headers.get("Authorization") != "Bearer t0ken-of-the-test":
            return 401, {}, b""
        if path == "/people?page=2" and failures:
            return failures.pop(), {}, b""
        return (200, {"X-Next": "/people?page=2"}, b"1 Ada\n2 Bob\n") if path == "/people?page=1" else (200, {}, b"3 Cy\n")
    with Api(answer) as api:
        work = plugin("pages", {"base_url": api.url, "token": "t0ken-of-the-test"}, network={"allow_private": True})
        work.run("check")
        work.run("run")
        assert [(row["id"], row["name"]) for row in rows_in(work, "pages", "people")] == [("1", "Ada"), ("2", "Bob"), ("3", "Cy")]
        assert all(headers["Accept"] == "text/plain" for _, headers in api.asked)
        work = plugin("pages", {"base_url": api.url, "token": "another-t0ken"}, network={"allow_private": True})
        ended = work.run("run", code=3)
        assert "401" in ended.err and "another-t0ken" not in ended.err
        work = plugin("pages", {"base_url": api.url, "token": "t0ken-of-the-test"})
        assert "allow_private" in work.run("run", code=3).err, "the guard is the host's"


def test_describe_lint_docs_and_preview_know_plugins(plugin):
    work = plugin("counter", {"count": 3})
    described = json.loads(work.run("connector", "describe", "./counter.so", "--json").out)
    assert described["profile"] == "network" and described["streams"]["numbers"]["native"] is True
    assert "numbers" in work.run("connector", "docs", "./counter.so").out
    work.run("connector", "lint", "./counter.so")
    assert "number 2" in work.run("preview", "--stream", "numbers").out
    assert "numbers (incremental append)" in work.run("plan").out


# What is wrong with each, and where it is seen: exit code, and what the message says.
BAD = {
    "no_entry": (2, "it exports no sluice_plugin_entry"),
    "entry_null": (2, "its sluice_plugin_entry gives NULL"),
    "wrong_major": (2, "it was built for version 2 of the plugin interface, this host has version 1"),
    "newer_minor": (2, "it needs version 1.999 of the plugin interface"),
    "short_struct": (2, "its descriptor has 24 bytes"),
    "wrong_value_size": (2, "its values have 24 bytes, the host's 16"),
    "no_profile": (2, "it declares the unknown profile 0"),
    "null_name": (2, "it has no name"),
    "null_version": (2, "it has no version"),
    "null_description": (2, "it has no description"),
    "broken_description": (2, "its description cannot be read"),
    "unknown_key": (2, "did you mean 'fields'?"),
    "wrong_name": (2, "'Bad Name' is no connector's name"),
    "wild_name": (7, "signal 11 (Segmentation fault)"),
    "null_function": (2, "its function for 'streams.numbers.map' is NULL"),
    "missing_function": (2, "it has no function for 'streams.numbers.records'"),
    "no_page": (2, "it has native streams and no page"),
    "missing_symbol": (2, "undefined symbol: nowhere_to_be_found"),
    "crash_in_constructor": (7, "signal 6 (Aborted)"),
    "socket_in_constructor": (7, "signal 31 (Bad system call); its code made the worker do what the plugin's profile forbids"),
    "exec_in_constructor": (7, "signal 31 (Bad system call)"),
    "crash_in_page": (7, "signal 11 (Segmentation fault)"),
    "loop_in_page": (7, "page used over 10 s of CPU time"),
    "exit_in_page": (7, "it ended itself"),
    "endless_page": (7, "a page is over 15 MiB: end it when sluice_emit returns 1"),
    "ten_gigabytes": (7, "signal 11 (Segmentation fault)"),
    "leak": (7, "out of memory"),
    "short_row": (7, "sluice_emit was called with 1 values for the 2 columns of 'numbers'"),
    "truncate_with_values": (7, "sluice_emit was called with 2 values for the 2 columns of 'numbers': SLUICE_TRUNCATE has none"),
    "wrong_table": (7, "sluice_emit was called for table 7 of 1"),
    "unknown_kind": (7, "a value has an unknown kind"),
    "emit_in_open": (7, "sluice_emit was called outside of page"),
    "input_of_nothing": (7, "sluice_input was called outside of a parser's page"),
    "silent_failure": (7, "page returned -42 without sluice_fail"),
    "fail_and_go_on": (4, "the source is closed on Sundays; come back on Monday"),
    "empty_checkpoint": (7, "a checkpoint is a text of 1 byte to 1 MiB"),
    "resolve_in_parse": (7, "sluice_resolve was called outside of the profile network"),
    "open_a_file": (7, "signal 31 (Bad system call)"),
    "start_a_thread": (7, "signal 31 (Bad system call)"),
}


def test_every_wrong_plugin_has_a_row():
    assert {path.stem for path in (ABI / "bad").glob("*.c") if not path.stem.startswith("parser_")} == set(BAD)


# Walls that a sanitizer's runtime has no room for, and crashes that it reports by itself (host/worker/sanitizer.h).
LOWER_WITH_SANITIZERS = {"crash_in_page", "leak", "open_a_file", "start_a_thread", "ten_gigabytes", "wild_name"}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_wrong_plugin_ends_its_own_sync_and_says_why(work, name):
    code, says = BAD[name]
    if name in LOWER_WITH_SANITIZERS and os.environ.get("SLUICE_PRESET") in ("asan", "tsan"):
        pytest.skip("a sanitizer is in its way")
    build(ABI / "bad" / f"{name}.c", work.folder, "bad", flags=["-Wno-missing-field-initializers", "-Wno-overflow"])
    build(ABI / "good" / "counter.c", work.folder)
    target = {"type": "csv", "path": "./out", "compression": "none"}
    work.write("sluice.yaml", json.dumps({"destinations": {"target": target}, "pipelines": {
        "bad": {"connector": "./bad.so", "destination": "target"},
        "good": {"connector": "./counter.so", "destination": "target"}}}))
    ended = work.run("run", "bad", code=code)
    assert says in ended.err, ended
    assert not pathlib.Path("/tmp/it-ran").exists()
    if ended.code == 7:
        work.run("run", "good")
        assert len(rows_in(work, "good", "numbers")) == 1000


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_file_that_others_may_write_is_not_loaded(work, mode):
    build(ABI / "good" / "counter.c", work.folder).chmod(mode)
    ended = work.run("connector", "inspect", "./counter.so", code=2)
    assert "cannot trust" in ended.err and "chmod go-w" in ended.err


def test_inspect_shows_each_check(work):
    build(ABI / "good" / "counter.c", work.folder)
    lines = work.run("connector", "inspect", "./counter.so").out.splitlines()
    assert sum(line.startswith("ok ") for line in lines) == 13 and "counter 1.0.0, profile network" in lines
    build(ABI / "bad" / "newer_minor.c", work.folder, "bad")
    ended = work.run("connector", "inspect", "./bad.so", code=2)
    assert "ok     its major version is the host's" in ended.out and "minor" not in ended.out.splitlines()[-1]


def test_a_script_cannot_pretend_to_be_one(work):
    work.write("connectors/sham.lua", """return sluice.connector { name = "sham", version = "1", profile = "network",
        streams = { a = { native = true, fields = { x = "string" } } } }""")
    work.write("sluice.yaml", json.dumps({"destinations": {"target": {"type": "csv", "path": "./out"}},
                                          "pipelines": {"sham": {"connector": "sham", "destination": "target"}}}))
    ended = work.run("run", code=2)
    assert "only a native plugin has one" in ended.err and "only a native plugin has native streams" in ended.err
