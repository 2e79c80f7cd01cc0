"""What the documents show works as it stands there."""

import json
import os
import re
import subprocess

import pytest

from conftest import BUNDLED, ROOT, table_equals_oracle

README = (ROOT / "README.md").read_text()


def block(language):
    return re.search(rf"```{language}\n(.*?)```", README, re.S).group(1)


def test_the_connector_of_the_readme_syncs_the_shop(work, shop, database):
    work.write("connectors/mine.lua", block("lua").replace('base_url = { type', 'base_url = { title = "with /a", type'))
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, connector="mine",
                   config={"base_url": shop.url + "/a"}, rate_limit={"requests": 1000})
    work.run("run")
    orders = shop.oracle("orders")
    rows = database.query("SELECT id, total_amount::text FROM shop_raw.orders")
    assert {key: amount for key, amount in rows} == {key: order["total_amount"] for key, order in orders.items()}


def test_the_pipeline_of_the_readme_is_accepted(work):
    work.write("sluice.yaml", block("yaml"))
    work.environment["WAREHOUSE_URL"] = "postgresql://127.0.0.1:1/none"
    assert "orders" in work.run("discover", "shop").out


@pytest.mark.parametrize("path", BUNDLED)
def test_connectors_of_the_tree_describe_themselves(work, path):
    description = json.loads(work.run("connector", "describe", "--json", ROOT / path).out)
    assert description["streams"]


def test_the_example_pipeline_runs(work, shop, database):
    text = (ROOT / "examples/shop/sluice.yaml").read_text().replace("http://127.0.0.1:8080", shop.url)
    work.write("sluice.yaml", text)
    work.environment["WAREHOUSE_URL"] = database.url
    work.run("run")
    table_equals_oracle(database, shop, "orders")
    assert "email" not in database.columns("shop_raw", "customers")
    assert (work.folder / "staging" / "shop_files" / "orders").is_dir()


def test_the_demo_shows_both_runs_and_the_files(tmp_path):
    programs = os.path.dirname(os.environ.get("SLUICE_BIN", str(ROOT / "build/dev/sluice")))
    ended = subprocess.run([ROOT / "examples/shop/demo", programs], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("incremental append_dedup") == 8 and "part-00001.csv.gz" in ended.stdout, ended.stdout
    assert "type: postgres" in ended.stdout


def test_every_command_of_the_readme_exists(work):
    for command in {"run", "check"} | set(re.findall(r"(?:^|`)sluice ([a-z]+)", README, re.M)):
        work.run(command, "--help")


def timeless(text):
    """Without what depends on how long it took: the figure, and the width of its column."""
    return re.sub(r" +", " ", re.sub(r" +\d+(\.\d+)? m?s\b", " N ms", text))


def test_the_tutorial_of_the_sdk_works_as_it_stands_there(work):
    """Its files are written, its commands run, and they print what it shows."""
    text = (ROOT / "sdk/README.md").read_text()
    tutorial = text[text.index("## A connector in ten minutes"):text.index("## Where connectors are")]
    commands = 0
    for kind, name, body in re.findall(r"```(\w+) ?([\w./-]*)\n(.*?)```", tutorial, re.S):
        if name:
            work.write(name, body)
            continue
        assert kind == "console"
        for command, shown in re.findall(r"^\$ sluice ([^\n]*)\n(.*?)(?=^\$ |\Z)", body, re.S | re.M):
            ended = work.run(*command.split())
            commands += 1
            assert timeless(ended.err + ended.out) == timeless(shown), command
    assert commands >= 6
    rows = (work.folder / "connectors/acme/cases/pages.yaml").read_text()
    assert rows.count('"id": "in_2"') == 3 and rows.count("invoices cursor 2024-05-") == 2


def test_forty_lines_are_a_connector(work, shop, database):
    path = ROOT / "examples/three_streams"
    text = (path / "init.lua").read_text()
    assert text.count("\n") <= 40 and "function(" not in text
    assert json.loads(work.run("connector", "lint", path, "--strict", "--json").out) == []
    streams = ["orders", "customers", "order_events"]
    work.configure(shop, {"type": "postgres", "url": database.url, "schema": "shop_raw"}, streams, connector=path)
    work.run("run")
    for stream in streams:
        shop.mutate(stream, inserts=5)
    work.run("run")
    for stream in streams:
        table_equals_oracle(database, shop, stream)


def test_what_the_demo_builds_configures_without_the_tests(tmp_path):
    """A bare machine has no library that only tests need."""
    without = tmp_path / "pkg-config"
    without.write_text('#!/bin/sh\ncase "$*" in *cmocka*) exit 1 ;; esac\nexec pkg-config "$@"\n')
    without.chmod(0o755)
    words = ["cmake", "-S", ROOT, "-B", tmp_path / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DSLUICE_TESTS=OFF",
             "-DSLUICE_BENCH=ON", f"-DPKG_CONFIG_EXECUTABLE={without}"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
