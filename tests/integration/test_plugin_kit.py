"""What a plugin is built with: the header by itself, an installed prefix, the template, and a header that stays as it is."""

import hashlib
import json
import os
import re
import subprocess

import pytest

from conftest import ROOT, SLUICE
from test_plugins import ABI, build, rows_in

HEADER = ROOT / "sdk" / "include" / "sluice" / "plugin.h"
FROZEN_1_0 = "25bc700675c17fbf33387d5ffd7ee5a7c325e0470f9e81650442988521ea2666"
STANDARDS = [("gcc", "c11", "c"), ("g++", "c++17", "c++")]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """An installation, as `cmake --install` makes it."""
    folder = tmp_path_factory.mktemp("prefix")
    subprocess.run(["cmake", "--install", os.path.dirname(SLUICE), "--prefix", folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("compiler,standard,language", STANDARDS, ids=[row[1] for row in STANDARDS])
def test_the_header_is_clean_by_itself(tmp_path, compiler, standard, language):
    source = tmp_path / "header"
    source.write_text(f'#include <sluice/plugin.h>\n#include <sluice/plugin.h>\n'
                      'int use(struct sluice_session *session)\n'
                      '{\n    struct sluice_value row[2] = {sluice_integer(1), sluice_text("x", 1)};\n'
                      '    return sluice_emit(session, 0, SLUICE_UPSERT, row, 2);\n}\n')
    command = [compiler, f"-std={standard}", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wno-missing-declarations", "-x", language,
               f"-I{ROOT}/sdk/include", "-c", source, "-o", tmp_path / "header.o"]
    subprocess.run(command, check=True)


def test_the_header_needs_nothing_but_integers():
    includes = [line.split()[1] for line in HEADER.read_text().splitlines() if line.startswith("#include <s")]
    assert includes == ["<stddef.h>", "<stdint.h>"]


def test_a_plugin_of_the_first_header_runs(work):
    """The header of 1.0, as it was: what was built with it stays valid."""
    frozen = ABI / "frozen" / "sluice" / "plugin.h"
    assert hashlib.sha256(frozen.read_bytes()).hexdigest() == FROZEN_1_0, "the frozen header is never changed: plugins out there were built with it"
    build(ABI / "good" / "counter.c", work.folder, flags=[f"-I{ABI}/frozen"])
    target = {"type": "csv", "path": "./out", "compression": "none"}
    work.write("sluice.yaml", json.dumps({"destinations": {"target": target}, "pipelines": {
        "counter": {"connector": "./counter.so", "destination": "target"}}}))
    work.run("run")
    assert len(rows_in(work, "counter", "numbers")) == 1000


def layout(folder, header, members):
    """Where each member of a struct lies, and what each constant is, by one header."""
    source = folder / "layout.c"
    offsets = "".join(f'    printf("{struct}.{field} %zu\\n", offsetof(struct {struct}, {field}));\n' for struct, field in members["fields"])
    values = "".join(f'    printf("{name} %lld\\n", (long long){name});\n' for name in members["constants"])
    source.write_text("#include <sluice/plugin.h>\n#include <stdio.h>\nint main(void)\n{\n" + offsets + values + "}\n")
    subprocess.run(["gcc", "-std=c11", "-D_GNU_SOURCE", f"-I{header}", "-o", folder / "layout", source], check=True)
    return subprocess.run([folder / "layout"], check=True, capture_output=True, text=True).stdout


def test_a_header_grows_at_its_ends_only(tmp_path):
    """All that 1.0 has is where it was; so is each host function, which plugins of 1.0 call by its place."""
    text = re.sub(r"/\*.*?\*/", "", (ABI / "frozen" / "sluice" / "plugin.h").read_text(), flags=re.S)
    fields = []
    for struct, body in re.findall(r"^struct (sluice_\w+) \{\n(.*?)^\};", text, re.S | re.M):
        body = re.sub(r"union \{.*?\} (\w+);", r"int \1;", body, flags=re.S)
        for member in body.split(";"):
            called = re.search(r"\(\*(\w+)\)", member)
            for part in [member] if called else member.split(","):
                name = called or re.search(r"(\w+)(?:\[\w+\])?\s*$", part)
                if name:
                    fields.append((struct, name[1]))
    constants = [name for name in re.findall(r"^ +(SLUICE_[A-Z_]+) = \d+", text, re.M)]
    assert len(fields) > 70 and ("sluice_host", "http") in fields and len(constants) > 20
    members = {"fields": fields, "constants": constants}
    assert layout(tmp_path, HEADER.parent.parent, members) == layout(tmp_path, ABI / "frozen", members)


@pytest.mark.parametrize("name", ["changes", "counter", "lines", "pages", "parser", "reader", "types"])
def test_the_first_header_still_makes_plugins(work, name):
    target = build(ABI / "good" / f"{name}.c", work.folder, flags=[f"-I{ABI}/frozen"])
    work.run("connector", "inspect", f"./{target.name}")


def run_template(work, shared_object):
    work.run("connector", "inspect", shared_object)
    target = {"type": "csv", "path": "./out", "compression": "none"}
    work.write("sluice.yaml", json.dumps({"destinations": {"target": target}, "pipelines": {
        "mine": {"connector": str(shared_object), "destination": "target", "streams": {"numbers": {"columns": {
            "text": {"enabled": False, "reason": "not wanted"}}}}}}}))
    work.run("run")
    rows = rows_in(work, "mine", "numbers")
    assert [int(row["number"]) for row in rows] == list(range(2500)) and "text" not in rows[0]


def test_a_new_plugin_is_built_against_an_installation(work, prefix):
    work.run("connector", "new", "mine", "--native")
    source = work.folder / "plugins" / "mine"
    subprocess.run(["cmake", "-S", source, "-B", source / "build", f"-DCMAKE_PREFIX_PATH={prefix}"], check=True, capture_output=True)
    subprocess.run(["cmake", "--build", source / "build"], check=True, capture_output=True)
    run_template(work, source / "build" / "mine.so")
    ended = work.run("connector", "new", "mine", "--native", code=2)
    assert "is there already" in ended.err


def test_pkg_config_is_enough(work, prefix):
    work.run("connector", "new", "mine", "--native")
    source = work.folder / "plugins" / "mine" / "mine.c"
    environment = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    flags = subprocess.run(["pkg-config", "--cflags", "sluice-plugin"], env=environment, check=True, capture_output=True,
                           text=True).stdout.split()
    target = work.folder / "mine.so"
    subprocess.run(["cc", "-shared", *flags, "-o", target, source], check=True)
    run_template(work, target)


def test_an_installed_sluice_finds_its_plugins_and_its_template(work, prefix):
    (prefix / "share" / "sluice" / "connectors").mkdir(parents=True, exist_ok=True)
    build(ABI / "good" / "counter.c", prefix / "share" / "sluice" / "connectors")
    installed = str(prefix / "bin" / "sluice")
    out = subprocess.run([installed, "connector", "list"], capture_output=True, text=True, check=True, cwd=work.folder).stdout
    assert "counter" in out
    subprocess.run([installed, "connector", "new", "mine", "--native"], capture_output=True, check=True, cwd=work.folder)
    assert (work.folder / "plugins" / "mine" / "mine.c").exists()
