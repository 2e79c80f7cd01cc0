"""Bad configuration ends with 2 before anything is sent: every mistake at once, each on a line of its own with its place and what to
write instead."""

import pytest

from bad import csv_target
from shop import API_KEY

# Each line of the file, and what is said of it; None: it is right.
MISTAKES = [
    ("connectors:", None),
    ("  mine: [a, list]", "connectors.mine"),
    ("destinations:", None),
    ("  staging:", None),
    ("    type: csv", None),
    ("    path: ./staging", None),
    ("    pth: ./elsewhere", "unknown key 'pth'; did you mean 'path'"),
    ("    compression: rar", "destinations.staging.compression: expected none, gzip or zstd, got 'rar'"),
    ("    part_size: big", "destinations.staging.part_size: expected a size"),
    ("pipelins: {}", "unknown key 'pipelins'; did you mean 'pipelines'"),
    ("pipelines:", None),
    ("  shop:", None),
    ("    connector: shop", None),
    ("    conector: shop", "unknown key 'conector'; did you mean 'connector'"),
    ("    config: { base_url: '${NOT_SET_ANYWHERE}', api_key: '${file:no-such-file}' }", "NOT_SET_ANYWHERE"),
    ("    destination: staging", None),
    ("    concurrency: many", "pipelines.shop.concurrency: expected an integer from 1 to 64, got 'many'"),
    ("    memory: 1MiB", "memory must be at least 4MiB"),
    ("    rate_limit: { requests: 0 }", "pipelines.shop.rate_limit.requests: expected an integer from 1 to 1000000, got '0'"),
    ("    commit:", None),
    ("      bytes: 8 bananas", "pipelines.shop.commit.bytes: expected a size"),
    ("      seconds: -1", "pipelines.shop.commit.seconds: expected a duration"),
    ("    network:", None),
    ("      allow_private: yes", "expected true or false"),
    ("      alow_hosts: []", "unknown key 'alow_hosts'; did you mean 'allow_hosts'"),
    ("    defaults: { on_mismatch: ignore }", "expected set_null or reject, got 'ignore'"),
    ("    streams:", None),
    ("      orders:", None),
    ("        sync_mode: fast", "expected full_refresh or incremental, got 'fast'"),
    ("        shrink_limit: 3", "shrink_limit: expected a number from 0 to 1, got '3'"),
    ("        select: { id: true }", "select: expected a list"),
    ("        columns: { note: { enable: false } }", "unknown key 'enable'; did you mean 'enabled'"),
    ("        table: [a, b]", "table: expected a string, got a list"),
    ("      customers: { sync_mode: incremental, write_mode: overwrite }", "incremental cannot overwrite"),
    ("      order_events: 7", "expected a map, got '7'"),
]


@pytest.mark.parametrize("words", [("run",), ("run", "shop"), ("check",), ("preview", "shop")])
def test_every_mistake_at_once_with_its_line(work, words):
    work.write("sluice.yaml", "".join(line + "\n" for line, _ in MISTAKES))
    ended = work.run(*words, code=2)
    said = {}
    for line in ended.err.splitlines():
        place, _, what = line.removeprefix("error: config: sluice.yaml:").partition(": ")
        assert line.startswith("error: config: sluice.yaml:") and place.isdigit(), ended
        said.setdefault(int(place), []).append(what)
    wrong = {number: what for number, (_, what) in enumerate(MISTAKES, 1) if what}
    assert said.keys() == wrong.keys(), ended
    for number, what in wrong.items():
        assert any(what in text for text in said[number]), f"{MISTAKES[number - 1]}: {said[number]}"
    line = 1 + next(number for number, (text, _) in enumerate(MISTAKES) if "no-such-file" in text)
    assert len(said[line]) == 2 and "no-such-file" in said[line][1] and "mount" not in said[line][1], "both references of one line"
    assert not (work.folder / "staging").exists()


def described(config, destination="target"):
    return "destinations: { target: { type: csv, path: ./staging } }\npipelines:\n  shop:\n    connector: shop\n" \
           f"    destination: {destination}\n    config:\n{config}    streams: [orders]\n"


def test_every_mistake_of_the_connectors_configuration_at_once(work):
    """What the connector's own table says."""
    work.write("sluice.yaml", described("      bas_url: x\n      mode: d\n      page_size: large\n      sign_body: perhaps\n      start: soon\n"))
    ended = work.run("run", code=2)
    for line, *words in ((7, "unknown key 'bas_url'; did you mean 'base_url'"), (8, "mode: expected one of its values, got 'd'", "a, b, c"),
                         (9, "page_size: expected an integer"), (10, "sign_body: expected true or false"), (11, "start: expected a timestamp")):
        assert any(text.startswith(f"error: config: sluice.yaml:{line}: ") and all(word in text for word in words)
                   for text in ended.err.splitlines()), (words, ended)
    assert "api_key" in ended.err and "base_url" in ended.err, "what is required is missed"
    assert all(line.startswith("error: config: ") for line in ended.err.splitlines()), ended


def test_unknown_destination_names_the_nearest(work):
    work.write("sluice.yaml", described("      base_url: x\n", destination="targt"))
    line, = work.run("run", code=2).err.splitlines()
    assert line.startswith("error: config: sluice.yaml:5: ") and "unknown destination 'targt'; did you mean 'target'?" in line


# item -> (the file's text, its line, words)
UNREADABLE = {
    "a tab": ("pipelines:\n\tshop: {}\n", 2, "tab"),
    "an open bracket": ("pipelines: {\n  shop: {\n", None, ""),
    "a repeated key": ("pipelines:\n  shop: {}\n  shop: {}\n", 3, "it stands on line 2 already"),
    "an alias": ("a: &x 1\nb: *x\n", 1, "write the value out"),
    "a tag": ("pipelines: !!python/object:os.system {}\n", 1, ""),
    "two documents": ("pipelines: {}\n---\npipelines: {}\n", None, "document"),
    "no map": ("- shop\n", 1, "expected a map"),
    "nothing": ("", None, ""),
    "bytes that are no text": ("pipelines: \udcff\n", None, ""),
    "nested without end": ("a: " + "[" * 1000 + "\n", 1, "64"),
    "an unquoted template": ("pipelines:\n  shop:\n    destination: {{x}}\n", 3, ""),
}


@pytest.mark.parametrize("item", UNREADABLE)
def test_file_that_is_no_configuration(work, item):
    text, line, words = UNREADABLE[item]
    (work.folder / "sluice.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    ended = work.run("run", code=2)
    first = ended.err.splitlines()[0]
    assert first.startswith("error: config: ") and "sluice.yaml" in first and words in first, ended
    assert line is None or f"sluice.yaml:{line}: " in first, ended


def test_missing_file_names_init(work):
    assert "sluice init" in work.run("run", code=2).err
    assert "no-such.yaml" in work.run("run", "-f", "no-such.yaml", code=2).err


def test_unknown_environment_variable(work):
    work.configure(None, csv_target(work), config={"api_key": "${NOT_SET_ANYWHERE}"})
    ended = work.run("run", code=2)
    assert ended.err.startswith("error: config: sluice.yaml:") and "NOT_SET_ANYWHERE is not set; export NOT_SET_ANYWHERE" in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("mode, is_read", [(0o600, True), (0o400, True), (0o640, False), (0o604, False), (0o444, False), (0o420, False)])
def test_secret_file_that_others_can_read(work, shop, mode, is_read):
    """A mounted secret is such a file, too, unless the mount says otherwise."""
    path = work.write("key", API_KEY + "\n")
    path.chmod(mode)
    work.configure(shop, csv_target(work), streams=["orders"], config={"api_key": "${file:key}"})
    ended = work.run("run", code=0 if is_read else 2)
    if is_read:
        return
    line, = ended.err.splitlines()
    assert line.startswith("error: config: sluice.yaml:") and f"group or others may access it (mode {mode:04o})" in line
    assert "chmod 600" in line and "defaultMode 0400 in Kubernetes" in line
    assert shop.requests() == []


@pytest.mark.parametrize("item", ["missing", "a folder", "too large"])
def test_secret_file_that_cannot_be_read(work, item):
    path = work.folder / "key"
    if item == "a folder":
        path.mkdir(mode=0o700)
    elif item == "too large":
        path.write_bytes(b"k" * 100000)
        path.chmod(0o600)
    work.configure(None, csv_target(work), config={"api_key": "${file:key}"})
    line, = work.run("run", code=2).err.splitlines()
    assert line.startswith("error: config: sluice.yaml:") and "key" in line


CONNECTOR = """
return sluice.connector {
  name = "broken", version = "1.0.0",
  config = { base_url = { type = "string", required = true }, api_key = { type = "string", secret = true } },
  http = { base = "{{config.base_url}}/a", auth = { kind = "bearer", token = "{{config.api_key}}" } },
  streams = { orders = { path = "/orders", records = "orders", primary_key = "id",
    pages = { kind = "page", param = "page", start = 1, size = 50, size_param = "limit", more = "has_more" },
    fields = { id = "string" },
    %s } },
}
"""

# item -> (the stream's last lines, words)
CONNECTORS = {
    "a syntax error": ("map = = 1", ("broken.lua:9: unexpected symbol near '='", "correct the connector's code")),
    "an open string": ("title = 'orders", ("broken.lua:9: unfinished string",)),
    "an unknown key": ("recordz = 'x'", ("streams.orders", "unknown key 'recordz'; did you mean 'records'?")),
    "an unknown kind": ("cursor = { kind = 'filtr', field = 'x' }", ("streams.orders.cursor", "filtr", "did you mean 'filter'?")),
    "a wrong type": ("stable = 'very'", ("streams.orders.stable", "expected true or false")),
    "an unknown name in a template": ("params = { a = '{{config.bas_url}}' }", ("streams.orders.params", "bas_url", "base_url")),
    "an unknown filter": ("params = { a = '{{now | formt}}' }", ("streams.orders.params", "formt")),
    "a type that there is not": ("fields = { id = 'strng' }", ("fields.id", "strng", "did you mean 'string'?")),
}


@pytest.mark.parametrize("item", CONNECTORS)
def test_connector_with_a_mistake(work, shop, item):
    text, words = CONNECTORS[item]
    path = work.write("broken.lua", CONNECTOR % text)
    work.configure(shop, csv_target(work), connector=path)
    ended = work.run("run", code=2)
    line, = ended.err.splitlines()
    assert line.startswith("error: config: ") and "connector 'broken'" in line, ended
    assert all(word in line for word in words), ended
    assert shop.requests() == []
    assert all(word in work.run("connector", "describe", path, code=2).err for word in words)


def test_program_in_a_connectors_place(work, shop):
    path = work.folder / "broken.lua"
    path.write_bytes(b"\x7fELF\x02\x01\x01\0\0")
    work.configure(shop, csv_target(work), connector=path)
    line, = work.run("run", code=2).err.splitlines()
    assert line.startswith("error: config: shop: connector 'broken': broken.lua:1: "), line


def test_every_mistake_of_a_connector_at_once(work, shop):
    path = work.write("broken.lua", CONNECTOR % "recordz = 'x', stabel = true, methd = 'GET', write_mode = 'merge'")
    work.configure(shop, csv_target(work), connector=path)
    lines = work.run("run", code=2).err.splitlines()
    assert len(lines) == 4 and all(line.startswith("error: config: connector 'broken': streams.orders") for line in lines), lines
    for word in ("records", "stable", "method", "append_dedup"):
        assert any(word in line for line in lines), (word, lines)


def test_connector_that_is_not_there(work, shop):
    work.configure(shop, csv_target(work), connector="shopp")
    assert "there is no connector 'shopp'" in work.run("run", code=2).err
    work.configure(shop, csv_target(work), connector="./no-such.lua")
    assert "no-such.lua" in work.run("run", code=2).err


def test_unknown_stream_names_the_nearest(work, shop):
    work.configure(shop, csv_target(work))
    assert "orders" in work.run("run", "--stream", "ordrs", code=2).err
    work.configure(shop, csv_target(work), streams=["custmers"])
    assert "customers" in work.run("run", code=2).err
    assert shop.requests() == []


def test_secret_in_the_wrong_place_is_not_quoted(work, shop):
    """Mistakes are quoted; secrets are not."""
    work.configure(shop, csv_target(work), config={"page_size": "${SHOP_API_KEY}"})
    ended = work.run("run", code=2)
    assert "page_size" in ended.err and API_KEY not in ended.err


def test_swap_is_refused_where_there_are_no_tables(work, shop):
    work.configure(shop, csv_target(work), streams={"customers": {"swap": "in_place"}}, defaults={"swap": "auto"})
    ended = work.run("run", code=2)
    assert ended.err.count("swap is for a destination with tables, and this one is of type csv") == 2, ended
    assert "streams.customers: swap" in ended.err and "defaults: swap" in ended.err, ended
