"""Hostile and broken connectors, and workers that are none, seen from the command line: each ends its own pipeline with exit code 7 and a
line that says where, what was committed stays, the next run with a healed connector brings the rest, and nobody else notices.

The scripts of tests/sandbox run one by one in tests/unit/test_connector_sandbox.c, with short deadlines; here are the real ones."""

import json
import os
import pathlib
import runpy
import shutil
import signal
import subprocess
import time

import pytest

from conftest import ROOT, SLUICE, Ended, table_equals_oracle
from shop import Shop
from test_protocol import Source

FORGED = ROOT / "tests" / "sandbox" / "forged_worker.py"
CASES = runpy.run_path(str(FORGED))


def one_line(ended, *parts):
    """The one error line, holding all parts; nothing in it can harm a terminal."""
    lines = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, ended
    for part in parts:
        assert part in lines[0], ended
    assert all(c >= " " for line in ended.err.splitlines() for c in line), ended
    return lines[0]


# --- while a connector is loaded ----------------------------------------------------------------------------------------------

BIG = 60 * 1024 * 1024
DESCRIBED = "return sluice.connector { name = 'x', streams = %s }"
AT_LOAD = {  # source, what the line says
    "endless loop": ("\nwhile true do end", "x.lua:2"),
    "a million streams": ("local s = {}\nfor i = 1, 1e6 do s['s' .. i] = { path = '/' } end\n" + DESCRIBED % "s", "connector"),
    "60 MiB of source": ("--" + "x" * BIG, "more than 1 MiB"),
    "bytecode": ("\x1bLuaT\0\x19", "binary chunk"),
    "all the memory": ("local t = {} while true do pcall(function() while true do t[#t + 1] = ('x'):rep(1e5) .. #t end end) end", "memory"),
    "an error of escapes": ("error('\\27[2J\\27]0;owned\\7\\r\\nerror: forged')", "x.lua:1"),
}


@pytest.mark.parametrize("name", AT_LOAD)
def test_while_it_is_loaded(work, name):
    source, part = AT_LOAD[name]
    work.folder.joinpath("x.lua").write_bytes(source.encode("latin-1"))
    one_line(work.run("connector", "describe", "./x.lua", code=7), part)


# --- while it is called, in the middle of a sync --------------------------------------------------------------------------------

CONNECTOR = """
local function spoil(record)
%s
end
return sluice.connector {
  name = "shop", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}/a", auth = { kind = "bearer", token = "{{config.api_key}}" } },
  streams = { orders = { path = "/orders", records = "orders", primary_key = "id",
    pages = { kind = "page", param = "page", start = 1, size = 20, size_param = "limit", more = "has_more" },
    params = { sort = "updated_at" },
    cursor = { field = "updated_at", param = "updated_after", start = "2020-01-01T00:00:00Z", order = "ascending" },
    fields = { id = "string", customer_id = "string", total_amount = "decimal", status = "string", created_at = "timestamp", updated_at = "timestamp" },
    map = function(record) seen = (seen or 0) + 1 if seen > 130 then spoil(record) end return record end } },
}
"""
IN_MAP = {  # the statement, what the line says; a function that hangs has 10 s of CPU time
    "loop": ("while true do end", ["orders.map", "loop.lua:3", "time limit"]),
    "error": ("error('no more')", ["orders.map", "record", "error.lua:3", "no more"]),
    "memory": ("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end", ["orders.map", "memory"]),
    "function": ("record.f = print", ["orders.map", "a record at f: a function"]),
    "cycle": ("record.me = record", ["orders.map", "holds itself"]),
    "recursion": ("local function deep() return 1 + deep() end deep()", ["orders.map"]),
}


def test_in_the_middle_of_a_sync(work, database):
    """Six that break after 130 records, and one that does not, in one run; then the six are healed."""
    destination = {"type": "postgres", "url": database.url}
    with Shop(orders=300) as shop:
        pipelines = {}
        for name, (statement, _) in {**IN_MAP, "good": ("", [])}.items():
            work.write(f"{name}.lua", CONNECTOR % statement)
            pipelines[name] = {"connector": f"./{name}.lua", "destination": "target", "schema": f"raw_{name}", "network": {"allow_private": True},
                               "commit": {"bytes": "1KiB", "seconds": 1}, "config": {"base_url": shop.url, "api_key": "${SHOP_API_KEY}"},
                               "streams": {"orders": {"sync_mode": "incremental", "write_mode": "append"}}}
        work.write("sluice.yaml", json.dumps({"destinations": {"target": destination}, "pipelines": pipelines}))
        ended = work.run("run", "--jobs", "7", code=8)
        before = {}
        for name, (_, parts) in IN_MAP.items():
            lines = [line for line in ended.err.splitlines() if line.startswith(f"error: connector: {name}.orders: ")]
            assert len(lines) == 1 and all(part in lines[0] for part in parts), f"{name}: {lines}\n{ended}"
            before[name] = set(database.query(f"SELECT id, ctid::text, xmin::text FROM raw_{name}.orders"))
            assert 0 < len(before[name]) < 300, f"{name} committed {len(before[name])} rows before it broke"
        table_equals_oracle(database, shop, "orders", "raw_good.orders")
        assert "raw_good" not in ended.err and "error: connector: good" not in ended.err, ended
        for name in IN_MAP:
            work.write(f"{name}.lua", CONNECTOR % "")
        work.run("run", "--jobs", "7")
        for name in IN_MAP:
            assert before[name] <= set(database.query(f"SELECT id, ctid::text, xmin::text FROM raw_{name}.orders")), f"{name}: rows were touched"
            table_equals_oracle(database, shop, "orders", f"raw_{name}.orders")


# --- workers that are none --------------------------------------------------------------------------------------------------

@pytest.fixture
def forged(work):
    """Runs `sluice` with the forged worker beside it."""
    binaries = work.folder / "bin"
    binaries.mkdir()
    shutil.copy(SLUICE, binaries / "sluice")
    shutil.copy(FORGED, binaries / "sluice-worker")
    os.chmod(binaries / "sluice-worker", 0o755)
    work.write("rows.lua", "return nil")  # never read by anyone

    def run(case, *words):
        (binaries / "case").write_text(case)
        ended = subprocess.run([binaries / "sluice", *words], cwd=work.folder, env=work.environment, capture_output=True, timeout=120)
        return Ended(ended.returncode, ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace"))
    return run


def test_forged_answers_to_loading(forged):
    for name in CASES["ANYWHERE"]:
        ended = forged(f"load: {name}", "connector", "describe", "./rows.lua")
        assert ended.code == 7 and ended.out == "", f"{name}: {ended}"
        one_line(ended, "connector 'rows'")
    for name in CASES["ON_LOAD"]:
        ended = forged(name, "connector", "describe", "./rows.lua")
        # What is a description, if a wrong one, is judged like one that was written wrongly.
        assert ended.code == (2 if name == "a list for a description" else 7) and ended.out == "", f"{name}: {ended}"


def test_forged_answers_to_calls(forged, work):
    with Source(count=5) as source:
        work.configure(source, {"type": "csv", "path": str(work.folder / "staging")}, name="p", connector="./rows.lua")
        for name in [*(f"call: {case}" for case in CASES["ANYWHERE"]), *CASES["ON_CALL"]]:
            ended = forged(name, "run")
            assert ended.code == (5 if name == "records that are no records" else 7), f"{name}: {ended}"  # those are rejected, every one
            one_line(ended, "p.rows")
        assert not list(work.folder.glob("staging/p/rows/[0-9]*")), "records of a forged answer were published"


# --- ends -------------------------------------------------------------------------------------------------------------------

def children(pid):
    """Of a process, and theirs."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            pass
    return found + [below for child in found for below in children(child)]


def is_gone(pid):
    try:
        return " Z " in pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:4]
    except OSError:
        return True


def wait_until(condition, what):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.mark.parametrize("pipelines", [1, 3])
def test_nothing_outlives_a_killed_host(work, shop, pipelines):
    """Workers in an endless loop, which notice nothing by themselves."""
    path = work.write("loop.lua", CONNECTOR % "while true do end")
    work.configure(shop, {"type": "csv", "path": str(work.folder / "staging")}, connector=path)
    whole = json.loads((work.folder / "sluice.yaml").read_text())
    whole["pipelines"] = {f"p{i}": whole["pipelines"]["shop"] for i in range(pipelines)}
    work.write("sluice.yaml", json.dumps(whole))
    process = work.start("run")
    try:
        wait_until(lambda: len([pid for pid in children(process.pid) if "sluice-worker" in args(pid)]) >= pipelines, "no worker was started")
        below = children(process.pid)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    wait_until(lambda: all(is_gone(pid) for pid in below), "something outlived the host")


def args(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
