"""plugins/files: which files are read, how far, and what is said about those that cannot be."""

import gzip
import json
import os
import signal
import subprocess
import time

import pytest

from test_plugins import rows_in


@pytest.fixture
def files(work):
    def make(path="data", format="csv", **config):
        work.write("sluice.yaml", json.dumps({
            "destinations": {"target": {"type": "csv", "path": "./out", "compression": "none"}},
            "pipelines": {"files": {"connector": "files", "destination": "target",
                                    "config": {"path": path, "format": format, **config}}}}))
        return work
    work.files = make
    return work


def put(work, name, data, age=0):
    """A file as a careful writer makes it, `age` seconds old."""
    path = work.folder / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name("." + path.name)
    part.write_bytes(data if isinstance(data, bytes) else data.encode())
    os.utime(part, ns=(time.time_ns() - age * 10**9,) * 2)
    part.rename(path)
    return path


def records(work, *columns):
    return [tuple(row[column] for column in columns) for row in rows_in(work, "files", "records")]


def test_files_of_every_packing_are_read_once(files):
    work = files.files()
    put(work, "a.csv", 'id;name\n1;"Ada; the first"\n2;"two\nlines"\n3;Cy\n', age=30)
    put(work, "b.csv.gz", gzip.compress(b"id;name\n4;Dee") + gzip.compress(b"\n5;Eve\n"), age=20)
    put(work, "sub/c.csv.zst", subprocess.run(["zstd", "-q"], input=b"id;name\r\n6;Fay\r\n", capture_output=True, check=True).stdout,
        age=10)
    put(work, ".hidden.csv", "id;name\n9;nobody\n")
    work.run("run")
    assert records(work, "_file", "_line", "id", "name") == [
        ("a.csv", "2", "1", "Ada; the first"), ("a.csv", "3", "2", "two\nlines"), ("a.csv", "5", "3", "Cy"),
        ("b.csv.gz", "2", "4", "Dee"), ("b.csv.gz", "3", "5", "Eve"), ("sub/c.csv.zst", "2", "6", "Fay")]
    work.run("run")
    assert len(records(work, "id")) == 6
    put(work, "a0.csv", "id;name;more\n7;Gil;x\n")
    work.run("run")
    assert records(work, "id")[-1] == ("7",) and len(records(work, "id")) == 7


def test_a_pattern_finds_what_it_says(files):
    for name in ("a.csv", "b.txt", "x/a.csv", "x/y/a.csv"):
        put(files, name, f"name\n{name}\n")
    for pattern, found in (("data/*.csv", {"a.csv"}), ("data/**/*.csv", {"a.csv", "x/a.csv", "x/y/a.csv"}),
                           ("data/*/*.csv", {"x/a.csv"}), ("data/[ab].*", {"a.csv", "b.txt"}), ("data/b.txt", {"b.txt"})):
        work = files.files(pattern)
        work.run("state", "reset", "files", "--yes", code=None)
        ended = work.run("preview", "--stream", "records", code=0)
        assert sum(name in ended.out for name in found) >= 1
        ended = work.run("check")
        assert f"{len(found)} files" in ended.out + ended.err, (pattern, ended)


def test_lines_and_arrays_of_json(files):
    work = files.files(format="ndjson")
    put(work, "a.ndjson", '{"id": 1, "deep": {"x": [1, 2]}}\n\n{}\n{"id": 9007199254740993}\n')
    work.run("run")
    assert records(work, "_file", "_line", "id") == [("a.ndjson", "1", "1"), ("a.ndjson", "3", ""),
                                                     ("a.ndjson", "4", "9007199254740993")]


def test_an_array_is_cut_into_its_elements(files):
    work = files.files(format="json")
    many = [{"id": n, "text": "]},{[\\\" \u00e9" * (n % 5)} for n in range(30000)]
    put(work, "a.json.gz", gzip.compress(json.dumps(many, indent=1).encode()))
    work.run("run")
    assert [(int(row[0]), row[1]) for row in records(work, "id", "text")] == [(row["id"], row["text"]) for row in many]


@pytest.mark.parametrize("kind,data,says", [
    ("csv", 'id\n1\n"open', "line 3: a quote is left open"),
    ("json", '[{"id": 1}', "the array does not end"),
    ("json", '{"id": 1}', "it is no JSON array of records"),
    ("csv", gzip.compress(b"id\n" + os.urandom(5000).hex().encode())[:-200], "it ends in the middle of its packed stream"),
    ("csv", b"\x1f\x8bnothing of the kind", "its gzip stream is broken"),
], ids=["open quote", "open array", "no array", "cut gzip", "broken gzip"])
def test_a_broken_file_is_named_and_nothing_of_others_is_lost(files, kind, data, says):
    work = files.files(format=kind)
    put(work, "a", "id\n7\n" if kind == "csv" else '[{"id": 7}]', age=10)
    put(work, "b", data)
    ended = work.run("run", code=5)
    assert "file 'b'" in ended.err.replace(str(work.folder / "data") + "/", "") and says in ended.err
    put(work, "b", "id\n8\n" if kind == "csv" else '[{"id": 8}]')
    work.run("run")
    assert records(work, "id") == [("7",), ("8",)]


def test_files_that_grow_are_gone_on_with(files):
    work = files.files(growing=True)
    path = put(work, "log.csv", "id,text\n1,one\n2,tw")
    work.run("run")
    assert records(work, "id", "text") == [("1", "one")], "a line that has not ended is left"
    with path.open("a") as log:
        log.write("o\n3,three\n")
    work.run("run")
    assert records(work, "_line", "id", "text") == [("2", "1", "one"), ("3", "2", "two"), ("4", "3", "three")]
    path.write_text("id,text\n1,other\n")
    ended = work.run("run", code=5)
    assert "has become shorter" in ended.err and "on_change: reread" in ended.err
    work = files.files(growing=True, on_change="reread")
    work.run("run")
    assert records(work, "id", "text")[-1] == ("1", "other")


def test_a_file_with_another_content_is_read_again(files):
    work = files.files(new_files="content")
    put(work, "a.csv", "id\n1\n", age=50)
    put(work, "b.csv", "id\n2\n", age=40)
    work.run("run")
    put(work, "a.csv", "id\n1\n")
    work.run("run")
    assert records(work, "id") == [("1",), ("2",)], "touched, but the same"
    put(work, "b.csv", "id\n22\n23\n")
    work.run("run")
    assert records(work, "id") == [("1",), ("2",), ("22",), ("23",)]


def test_kills_in_large_files_lose_and_double_nothing(files, database):
    work = files.files()
    for part in range(3):
        put(work, f"{part}.csv", "id,text\n" + "".join(f"{part * 60000 + n},some text of number {n}\n" for n in range(60000)),
            age=10 - part)
    configured = json.loads((work.folder / "sluice.yaml").read_text())
    configured["destinations"]["target"] = {"type": "postgres", "url": database.url, "schema": "raw"}
    configured["pipelines"]["files"]["commit"] = {"bytes": "256KiB", "seconds": 1}
    work.write("sluice.yaml", json.dumps(configured))
    for attempt in range(5):
        process = work.start("run")
        time.sleep(0.15 + 0.05 * attempt)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    work.run("run", timeout=240)
    assert database.query("SELECT count(*), count(DISTINCT id) FROM raw.records") == [(180000, 180000)]


def test_continuous_follows_the_folder(files, database):
    work = files.files(growing=True)
    configured = json.loads((work.folder / "sluice.yaml").read_text())
    configured["destinations"]["target"] = {"type": "postgres", "url": database.url, "schema": "raw"}
    configured["pipelines"]["files"]["commit"] = {"seconds": 1}
    work.write("sluice.yaml", json.dumps(configured))
    log = put(work, "log.csv", "id\n1\n")
    process = work.start("run", "--continuous")

    def wait_for(expected):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if database.query("SELECT to_regclass('raw.records') IS NOT NULL")[0][0]:
                found = [row[0] for row in database.query("SELECT id FROM raw.records ORDER BY id")]
                if found == expected:
                    return
            time.sleep(0.1)
        pytest.fail(f"{expected} did not come")
    wait_for(["1"])
    with log.open("a") as more:
        more.write("2\n")
    put(work, "other.csv", "id\n3\n")
    wait_for(["1", "2", "3"])
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_a_path_that_is_not_there_says_so(files):
    assert "cannot find" in files.files("nowhere").run("run", code=2).err


def test_removed_files_are_forgotten(files):
    """But not those of another machine that shares the state."""
    work = files.files(path="data/*.ndjson", format="ndjson", growing=True, new_files="name", removed="forget")
    for name in ("1-a", "2-a", "1-b"):
        work.write(f"data/{name}.ndjson", '{"n": 1}\n')
    work.run("run")

    def remembered():
        return sorted(path for entry in json.loads(work.run("state", "show", "--json").out) if entry["kind"] == "token"
                      for path in json.loads(entry["value"])["files"])

    assert remembered() == ["1-a.ndjson", "1-b.ndjson", "2-a.ndjson"]
    (work.folder / "data/1-a.ndjson").unlink()
    (work.folder / "data/1-b.ndjson").rename(work.folder / "elsewhere")
    with open(work.folder / "data/2-a.ndjson", "a", encoding="utf-8") as grown:
        grown.write('{"n": 2}\n')
    work.run("run")
    assert remembered() == ["1-b.ndjson", "2-a.ndjson"], "no other file of b is there, so it may be on another machine"
    (work.folder / "elsewhere").rename(work.folder / "data/1-b.ndjson")
    assert "0 records" in work.run("run").err
