"""Fault points are for tests: a release has nothing of them; and each stands in the table, once in the code."""

import json
import os
import pathlib
import re
import shlex
import subprocess


from integration import ROOT, SLUICE

POINT = re.compile(r'(?:FAULT_POINT|PG_FAULT_POINT|FAULT_STRIKES|FAULT_FAILS)\((?:[^"()]*, )?"([a-z_.]+)"')


def points():
    """{label: [file]} of the code."""
    found = {}
    for path in sorted((ROOT / "host").rglob("*.c")):
        for label in POINT.findall(path.read_text()):
            found.setdefault(label, []).append(path)
    return found


def test_points_and_their_table_agree():
    table = (pathlib.Path(__file__).parent / "README.md").read_text().partition("## Points")[2]
    documented = re.findall(r"^\| `([a-z_.]+)` \|", table, re.MULTILINE)
    assert sorted(documented) == sorted(points())
    assert [label for label, files in points().items() if len(files) > 1] == [], "a label stands at two places"


def test_build_without_fault_points_has_nothing_of_them(tmp_path):
    commands = json.loads((pathlib.Path(SLUICE).parent / "compile_commands.json").read_text())
    files = {path for paths in points().values() for path in paths} | {ROOT / "host" / "base" / "fault.c"}
    for number, path in enumerate(sorted(files)):
        words = shlex.split(next(entry["command"] for entry in commands if entry["file"] == str(path)))
        words = [word for word in words if word != "-DSLUICE_FAULTS"]
        words[words.index("-o") + 1] = str(tmp_path / f"{number}.o")
        subprocess.run([*words, "-O0"], check=True, cwd=pathlib.Path(SLUICE).parent)
    built = b"".join(path.read_bytes() for path in tmp_path.glob("*.o"))
    names = ["SLUICE_FAULT", "fault_pass", "pg_cut", *points()]
    left = [name for name in names if re.search(rb"(?<![\w/.])" + re.escape(name.encode()) + rb"(?![\w.])", built)]
    assert len(list(tmp_path.glob("*.o"))) == len(files)
    assert left == [], f"left in a build without fault points: {left}"


def test_variable_that_cannot_be_read_is_no_silent_success(tmp_path):
    for variable in ("SLUICE_FAULT=pg.begin.before", "SLUICE_FAULT=pg.begin.before:x:kill", "SLUICE_FAULT=pg.begin.before:1:explode",
                     "SLUICE_FAULT_LOG=/nowhere/log"):
        name, value = variable.split("=")
        (tmp_path / "sluice.yaml").write_text(json.dumps(
            {"destinations": {"target": {"type": "csv", "path": str(tmp_path / "out")}},
             "pipelines": {"p": {"connector": "shop", "destination": "target", "config": {
                 "base_url": "http://127.0.0.1:1", "api_key": "k"}, "network": {"allow_private": True}}}}))
        ended = subprocess.run([SLUICE, "run"], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                               env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), name: value})
        assert ended.returncode == 1 and name in ended.stderr, ended
